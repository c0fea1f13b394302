//! `demo`: fills an empty database, to look at and to try things on.

use super::{Exit, open};
use crate::{config::Config, demo};

pub(super) async fn run(config: Config) -> Result<(), Exit> {
    let app = open::app(config, true).await?;
    let loaded = demo::load(&app).await?;
    println!("{} schools, {} people, {} records", loaded.schools, loaded.people, loaded.records);
    app.db.close().await;
    Ok(())
}
