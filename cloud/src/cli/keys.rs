//! `keys list`, `keys rotate`: what signs tokens.

use super::{Exit, open};
use crate::{
    config::Config,
    db::Cloud,
    identity::{
        Actor,
        keys::turn::{self, Reason},
    },
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print every key: its name, algorithm, state, and since when it is in that state. A passive key's tokens are believed,
    /// a removed one's are not.
    List,
    /// Let the next keys sign from now on (a month after the last time it happens by itself). Running nodes follow within
    /// five seconds.
    Rotate(Rotate),
}

#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    /// Somebody else may have the keys: remove them all. Everybody has to sign in anew, and the boxes learn the new keys
    /// when they next hear from the cloud.
    #[arg(long)]
    compromised: bool,
}

pub(super) async fn run(config: Config, command: Command) -> Result<(), Exit> {
    let app = open::app(config, false).await?;
    if let Command::Rotate(Rotate { compromised }) = command {
        let reason = if compromised { Reason::Compromised } else { Reason::Usual };
        turn::rotate(&app, Actor::System, reason).await?;
    }
    for key in turn::list(&mut app.db.read(Cloud).await?).await? {
        println!("{}\t{}\t{}\t{}", key.kid, key.algorithm, key.state, key.state_at.to_rfc3339_micros());
    }
    app.db.close().await;
    Ok(())
}
