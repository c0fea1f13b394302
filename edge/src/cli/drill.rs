//! `hadir-edge drill`: rebuilds the box somewhere else, as if it were dead, and shows that nothing is missing. The box itself is
//! only read.

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{Exit, Failed};
use crate::{
    backup::{self, Ask, Compared, NoBackup, rebuild},
    clock::SystemClock,
    config::Config,
    ids::Ids,
};

#[derive(Debug, Args)]
pub struct Drill {
    /// A file that `backup` wrote; one is made now where none is named.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Where to rebuild the box, and leave it; otherwise somewhere for the moment.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

pub async fn drill(config: &Config, asked: Drill) -> Result<(), Failed> {
    let ids = Ids::system();
    let clock = Arc::new(SystemClock::new(ids.random_uuid()));
    let aside = tempfile::tempdir().map_err(|error| Failed::new(Exit::Disk, error))?;
    let file = if let Some(file) = asked.from {
        file
    } else {
        let file = aside.path().join("backup.tar.zst");
        backup::make_aside(&config.data_dir, &file, &*clock)?;
        file
    };
    let into = asked.into.unwrap_or_else(|| aside.path().join("rebuilt"));
    let rebuilt = rebuild(&file, &into, Ask::Everything, clock, &ids).await?;
    if rebuilt.manifest.device.is_none() {
        return Err(NoBackup::Alone.into());
    }
    print!("{}", table(&rebuilt.logs));
    let unequal = rebuilt.logs.iter().filter(|log| !log.is_equal()).count();
    if unequal == 0 {
        return Ok(());
    }
    Err(Failed::new(Exit::Wrong, anyhow::anyhow!("{unequal} logs are not the same in the cloud and here")))
}

fn table(logs: &[Compared]) -> String {
    let row = |log: &str, cells: [&str; 4]| {
        let [recorded, backup, cloud, equal] = cells;
        format!("{log:<36}  {recorded:>9}  {backup:>10}  {cloud:>9}  {equal}\n")
    };
    let head = row("log", ["recorded", "backup has", "cloud has", "heads equal"]);
    logs.iter().fold(head, |table, log| {
        let number = |number: Option<u64>| number.map_or_else(|| "-".into(), |number| number.to_string());
        let equal = match log {
            Compared { is_private: true, .. } => "not this cloud's".to_owned(),
            log if log.is_equal() => "yes".into(),
            Compared { cloud: Some(cloud), rebuilt, .. } if rebuilt.seq > cloud.seq => {
                format!("no: {} not delivered", rebuilt.seq - cloud.seq)
            }
            Compared { cloud: None, .. } => "no: the cloud does not know it".into(),
            _ => "NO: another history".into(),
        };
        let cells =
            [number(Some(log.rebuilt.seq)), number(log.backup), number(log.cloud.map(|c| c.seq)), equal];
        table + &row(&log.log.to_string(), cells.each_ref().map(String::as_str))
    })
}
