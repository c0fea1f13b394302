//! `demo`: fills an empty database, to look at and to try things on.

use clap::builder::TypedValueParser as _;

use super::{Exit, open};
use crate::{config::Config, demo};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Students in each class: more than 30 are for measuring.
    #[arg(long, default_value_t = demo::Size::default().class_size, value_parser = clap::value_parser!(u16).range(1..=5000).map(usize::from))]
    class_size: usize,
    /// Days of attendance before today.
    #[arg(long, default_value_t = demo::Size::default().days, value_parser = clap::value_parser!(u64).range(0..=400))]
    days: u64,
}

pub(super) async fn run(config: Config, args: Args) -> Result<(), Exit> {
    let app = open::app(config, true).await?;
    let loaded = demo::load(&app, demo::Size { class_size: args.class_size, days: args.days }).await?;
    println!("{} schools, {} people, {} records", loaded.schools, loaded.people, loaded.records);
    app.db.close().await;
    Ok(())
}
