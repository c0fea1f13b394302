//! `hadir-edge restore`: a box where none is, out of a backup and what the cloud holds beyond it.

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::Failed;
use crate::{
    backup::{Ask, Compared, rebuild},
    clock::SystemClock,
    config::Config,
    ids::Ids,
};

#[derive(Debug, Args)]
pub struct Restore {
    /// A file that `backup` wrote. The data folder must be empty or missing.
    file: PathBuf,
}

pub async fn restore(config: &Config, asked: &Restore) -> Result<(), Failed> {
    let ids = Ids::system();
    let clock = Arc::new(SystemClock::new(ids.random_uuid()));
    let rebuilt = rebuild(&asked.file, &config.data_dir, Ask::WhatIsMissing, clock, &ids).await?;
    let made = rebuilt.manifest.made_at.to_rfc3339_micros();
    println!("restored into {} from the backup of {made}", config.data_dir.display());
    for log in &rebuilt.logs {
        println!("log {}: {} records, head {}{}", log.log, log.rebuilt.seq, log.rebuilt.hash, came_back(log));
    }
    if let Some(why) = rebuilt.unasked {
        println!(
            "{why}\nThe box may start all the same. If the cloud holds more than the backup, the box opens a new log at their \
             first contact; nothing is lost or doubled."
        );
    }
    Ok(())
}

fn came_back(log: &Compared) -> String {
    let back = log.rebuilt.seq - log.backup.unwrap_or(0);
    if back == 0 { String::new() } else { format!(", {back} of them read back from the cloud") }
}
