//! `hadir-edge enroll`.

use std::{fs, io, path::PathBuf};

use clap::Args;

use super::{Exit, Failed};
use crate::{
    config::Config,
    enrol::{Request, enrol},
};

#[derive(Debug, Args)]
pub struct Enroll {
    /// The cloud's address, such as <https://absensi.sekolah.sch.id>.
    #[arg(long)]
    cloud: String,
    /// The one-time code from the cloud's console. Everybody on this machine can read it while the command runs.
    #[arg(long, required_unless_present_any = ["code_file", "code_stdin"], conflicts_with_all = ["code_file", "code_stdin"])]
    code: Option<String>,
    #[command(flatten)]
    hidden: HiddenCode,
    /// What people will call the box; its gate's name when it is left out.
    #[arg(long)]
    name: Option<String>,
    /// Leaves the school the box belongs to. What was recorded there stays on the disk; what was not sent yet is not
    /// sent any more.
    #[arg(long)]
    replace: bool,
}

/// A one-time code that no list of processes shows.
#[derive(Debug, Args)]
pub struct HiddenCode {
    /// A file that holds the one-time code.
    #[arg(long, value_name = "FILE", conflicts_with = "code_stdin")]
    code_file: Option<PathBuf>,
    /// Reads the one-time code from standard input: one line.
    #[arg(long)]
    code_stdin: bool,
}

impl HiddenCode {
    /// `None` where none is offered.
    pub fn read(&self) -> Result<Option<String>, Failed> {
        let code = match &self.code_file {
            Some(file) => fs::read_to_string(file)
                .map_err(|e| Failed::new(Exit::NoInput, anyhow::anyhow!("{}: {e}", file.display())))?,
            None if self.code_stdin => {
                let mut line = String::new();
                io::stdin().read_line(&mut line).map_err(|e| Failed::new(Exit::NoInput, e))?;
                line
            }
            None => return Ok(None),
        };
        let code = code.trim();
        if code.is_empty() {
            return Err(Failed::new(Exit::NoInput, anyhow::anyhow!("there is no code in what was given")));
        }
        Ok(Some(code.to_owned()))
    }
}

/// Works beside a running box, which notices.
pub async fn enroll(config: Config, asked: Enroll) -> Result<(), Failed> {
    let code = asked.hidden.read()?.or(asked.code).unwrap_or_default();
    let name = asked.name.unwrap_or_else(|| config.gate_name.clone());
    let request = Request { cloud: asked.cloud, code, name, replace: asked.replace };
    let node = super::open(config).await?;
    let outcome = enrol(&node, &request).await;
    node.store().close().await;
    let (member, unpulled) = outcome.map_err(anyhow::Error::from)?;
    println!("joined {} ({}) as {}", member.institution_name, member.institution_code, member.name);
    println!("device {}", member.device);
    match unpulled {
        None => {
            println!("roster pulled: {} people", node.roster().people().count());
            Ok(())
        }
        Some(why) => Err(Failed::new(
            Exit::Later,
            anyhow::Error::from(why)
                .context("the box has joined, but its roster has not come; `run` will try again"),
        )),
    }
}
