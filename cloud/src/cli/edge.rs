//! `edge code`: lets one box join a school.

use anyhow::anyhow;

use super::{Exit, open};
use crate::{
    attendance::fleet::enrolment_code,
    config::Config,
    db::Cloud,
    identity::{Actor, user},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print a code that enrols one box, once, within 24 hours.
    Code {
        /// The school's code.
        #[arg(long, value_name = "CODE")]
        institution: String,
    },
}

pub(super) async fn run(config: Config, Command::Code { institution }: Command) -> Result<(), Exit> {
    let app = open::app(config, false).await?;
    let mut tx = app.db.write(Cloud).await?;
    let Some(id) = user::institution_by_code(&mut tx, institution.trim()).await? else {
        return Err(Exit::Data(anyhow!("there is no school {institution}")));
    };
    let code = enrolment_code::make(&mut tx, &app, Actor::System, id).await?;
    tx.commit().await?;
    println!("{code}");
    app.db.close().await;
    Ok(())
}
