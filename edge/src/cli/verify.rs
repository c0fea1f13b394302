//! `hadir-edge verify`: reads only, and works beside a running box.

use rusqlite::Connection;

use super::{Exit, Failed};
use crate::{
    attendance,
    config::Config,
    store::{log, open},
};

/// Prints what was checked; fails when anything is not right.
pub fn verify(config: &Config) -> Result<(), Failed> {
    let disk = |error: rusqlite::Error| Failed::new(Exit::Disk, error);
    let file = open::file_in(&config.data_dir);
    if !file.exists() {
        let error = anyhow::anyhow!("no box has run in {} yet", config.data_dir.display());
        return Err(Failed::new(Exit::Unavailable, error));
    }
    let conn = open::reader(&config.data_dir).map_err(disk)?;
    // One state of the database, whatever the box records meanwhile.
    conn.execute_batch("BEGIN").map_err(disk)?;
    let mut wrong = 0_u32;
    let mut report = |what: String, found: Result<String, String>| match found {
        Ok(detail) => println!("ok    {what}: {detail}"),
        Err(detail) => {
            wrong += 1;
            println!("WRONG {what}: {detail}");
        }
    };
    report("database".into(), open::quick_check(&conn).map(|()| "sound".into()).map_err(|e| e.to_string()));
    for log in log::all(&conn).map_err(disk)? {
        report(format!("log {} ({})", log.number, log.log), chain(&conn, &log));
    }
    let lines = attendance::store::compare_with_rebuild(&conn);
    report("attendance".into(), lines.map(|count| format!("{count} lines are what the logs say")));
    if wrong == 0 {
        Ok(())
    } else {
        Err(Failed::new(Exit::Wrong, anyhow::anyhow!("{wrong} of these are wrong")))
    }
}

fn chain(conn: &Connection, log: &log::Position) -> Result<String, String> {
    let records = log::verify_whole(conn, log).map_err(|broken| broken.to_string())?;
    Ok(format!(
        "{records} records, contiguous and chained; {} acknowledged, head {}",
        log.acked.seq, log.head.hash
    ))
}
