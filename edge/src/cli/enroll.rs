//! `hadir-edge enroll`.

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
    /// The one-time code from the cloud's console.
    #[arg(long)]
    code: String,
    /// What people will call the box; its gate's name when it is left out.
    #[arg(long)]
    name: Option<String>,
    /// Leaves the school the box belongs to. What was recorded there stays on the disk; what was not sent yet is not
    /// sent any more.
    #[arg(long)]
    replace: bool,
}

/// Works beside a running box, which notices.
pub async fn enroll(config: Config, asked: Enroll) -> Result<(), Failed> {
    let name = asked.name.unwrap_or_else(|| config.gate_name.clone());
    let request = Request { cloud: asked.cloud, code: asked.code, name, replace: asked.replace };
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
