//! `hadir-edge install`: from a program in a folder to a box that starts with the machine.
//!
//! What always holds:
//! - A second run changes nothing, and says so; a newer program takes the older one's place.
//! - A file is replaced whole or not at all, and is on the disk before the next step.
//! - What somebody may have written stays: the configuration is never overwritten, data is never touched.
//! - A secret is on no command line: the code goes from a file or standard input to the one that enrols.

mod files;
mod steps;
mod system;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Args;

pub(super) use self::{
    files::{Site, UNITS},
    system::{Systemd, program as run_program},
};
use super::{Exit, Failed, enroll::HiddenCode};
pub use crate::config::INSTALLED_DATA as DATA;

/// The box's own user and group on the machine.
pub const USER: &str = "hadir";

#[derive(Debug, Args)]
pub struct Install {
    /// The cloud's address: the box joins a school, if it belongs to none yet.
    #[arg(long, value_name = "URL")]
    cloud: Option<String>,
    #[command(flatten)]
    code: HiddenCode,
    /// Puts the files under this folder instead, for an image or a test; makes no user and starts nothing.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

pub fn install(asked: &Install) -> Result<(), Failed> {
    let code = match (&asked.cloud, asked.code.read()?) {
        (Some(cloud), Some(code)) => Some((cloud.as_str(), code)),
        (None, None) => None,
        (Some(_), None) => return Err(usage("--cloud needs the code: --code-file FILE or --code-stdin")),
        (None, Some(_)) => return Err(usage("a code needs the cloud that gave it: --cloud URL")),
    };
    let site = Site::new(asked.root.clone())?;
    site.may_write()?;
    let mut steps = steps::Steps::default();
    let owner = files::put_all(&site, &mut steps)?;
    let joined = match code {
        Some((cloud, code)) => system::enrol(&site, owner, cloud, &code, &mut steps),
        None => Ok(()),
    };
    // A school that could not be joined does not keep the box from serving.
    if let Some(systemd) = Systemd::of(&site) {
        systemd.start(&mut steps)?;
    }
    steps.tell();
    system::tell_what_is_next(&site, owner);
    joined
}

fn usage(why: &str) -> Failed {
    Failed::new(Exit::Usage, anyhow::anyhow!("{why}"))
}
