//! `hadir-edge status`: asks the running box, or reads the disk of one that is off.

use std::{fmt::Write as _, time::Duration};

use clap::Args;
use hadir_shared::time::Millis;

use super::{Exit, Failed};
use crate::{config::Config, node::SyncStatus, store::open, tls};

#[derive(Debug, Args)]
pub struct Status {
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub async fn status(config: Config, asked: &Status) -> Result<(), Failed> {
    let running = ask(&config).await;
    let (status, is_running) = match running {
        Some(status) => (status, true),
        None => (read(config).await?, false),
    };
    if asked.json {
        let json =
            serde_json::to_string_pretty(&status).map_err(|error| Failed::new(Exit::Software, error))?;
        println!("{json}");
    } else {
        print!("{}", in_words(&status, is_running));
    }
    Ok(())
}

/// `None` when no box answers there, or it is another one's disk.
async fn ask(config: &Config) -> Option<SyncStatus> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build().ok()?;
    let answer = client.get(format!("http://{}/api/box/status", config.listen)).send().await.ok()?;
    let body: serde_json::Value = answer.error_for_status().ok()?.json().await.ok()?;
    // Bare, or in the dialect's envelope.
    let status = body.get("data").cloned().unwrap_or(body);
    serde_json::from_value(status).ok()
}

async fn read(config: Config) -> Result<SyncStatus, Failed> {
    if !open::file_in(&config.data_dir).exists() {
        let error = anyhow::anyhow!("no box has run in {} yet", config.data_dir.display());
        return Err(Failed::new(Exit::Unavailable, error));
    }
    let node = super::open(config).await?;
    let mut status = node.sync_status().await;
    match tls::on_disk(node.config()) {
        Ok(https) => status.https = https,
        Err(error) => status.alarm = status.alarm.or_else(|| Some(error.to_string())),
    }
    node.store().close().await;
    Ok(status)
}

fn in_words(status: &SyncStatus, is_running: bool) -> String {
    let at = |at: Option<Millis>| at.map_or_else(|| "never".into(), Millis::to_rfc3339_micros);
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<16}{value}");
    };
    line("box", &format!("{} ({})", if is_running { "running" } else { "off" }, status.version));
    line("school", &status.institution_name);
    line("cloud", status.cloud.as_deref().unwrap_or("none: the box stands alone"));
    line("recorded", &status.recorded.to_string());
    line("acknowledged", &format!("{}, heads equal: {}", status.acked_through, status.heads_equal));
    line("pending", &format!("{}, the oldest from {}", status.pending, at(status.oldest_pending)));
    line("last contact", &at(status.last_contact));
    line("store", &format!("{:?}", status.store));
    line("clock", &format!("{}, off by {:?} ms", status.clock_grade.as_str(), status.clock_offset_ms));
    line("roster", &format!("position {}, pulled {}", status.roster_cursor, at(status.roster_pulled_at)));
    line(
        "backup",
        &status.last_backup.map_or_else(
            || "none".into(),
            |last| format!("{}, up to record {}", at(Some(last.at)), last.recorded),
        ),
    );
    for (verdict, count) in &status.verdicts {
        line(verdict, &count.to_string());
    }
    if let Some(https) = &status.https {
        line("https", https.url.as_deref().unwrap_or("off"));
        line("certificate", &format!("{}, until {}", https.names.join(" "), at(Some(https.expires_at))));
        line("fingerprint", &https.fingerprint);
        if let Some(problem) = &https.problem {
            line("CERTIFICATE", problem);
        }
    }
    if let Some(error) = &status.last_error {
        line("last error", error);
    }
    if let Some(alarm) = &status.alarm {
        line("ALARM", alarm);
    }
    text
}
