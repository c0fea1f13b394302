//! `hadir-edge devices`: the gates and kiosks that were paired. Works beside a running box, which notices at once.

use clap::{Args, Subcommand};

use super::{Exit, Failed};
use crate::{
    config::Config,
    http::pairing::{self, Listed, Purpose},
    node::Node,
    store::open,
};

#[derive(Debug, Args)]
pub struct Devices {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every paired device: its number, what it is for, its name, and when it was seen last. The default.
    List,
    /// Shows a code that pairs one device, within ten minutes.
    Pair {
        /// What the device will be.
        purpose: Purpose,
    },
    /// Shuts a device out.
    Revoke {
        /// Its number in the list.
        id: i64,
    },
}

pub async fn devices(config: Config, asked: Devices) -> Result<(), Failed> {
    if !open::file_in(&config.data_dir).exists() {
        let error = anyhow::anyhow!("no box has run in {} yet", config.data_dir.display());
        return Err(Failed::new(Exit::Unavailable, error));
    }
    let node = super::open(config).await?;
    let done = command(&node, asked.command.unwrap_or(Command::List)).await;
    node.store().close().await;
    print!("{}", done?);
    Ok(())
}

async fn command(node: &Node, command: Command) -> Result<String, Failed> {
    let disk = |why| Failed::new(Exit::Disk, anyhow::Error::from(why));
    match command {
        Command::List => {
            let devices = pairing::list(node.store()).await.map_err(disk)?;
            Ok(devices.iter().map(in_words).collect())
        }
        Command::Pair { purpose } => {
            let (code, expires) = pairing::new_code(node, purpose).await.map_err(disk)?;
            Ok(format!("{code}  good for one {} until {}\n", purpose.as_str(), expires.to_rfc3339_micros()))
        }
        Command::Revoke { id } => {
            let revoked = pairing::revoke(node.store(), id, node.trusted_now().time).await.map_err(disk)?;
            if revoked {
                return Ok(format!("device {id} is shut out\n"));
            }
            Err(Failed::new(Exit::Wrong, anyhow::anyhow!("no paired device has the number {id}")))
        }
    }
}

fn in_words(device: &Listed) -> String {
    let seen = device.last_seen_at.to_rfc3339_micros();
    format!("{:<4}{:<7}{}  seen {seen}\n", device.id, device.purpose.as_str(), device.name)
}
