//! Counting on both sides, after the last card.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{rush::Passed, stack::Stack};
use crate::card::classes;

/// How long the box may take to hand over what it has once the line is there.
const SETTLE: Duration = Duration::from_mins(1);

/// What was there before the first card.
pub struct Before {
    present: BTreeSet<String>,
}

impl Before {
    pub async fn take(stack: &Stack) -> anyhow::Result<Self> {
        Ok(Self { present: present(stack).await? })
    }
}

/// The numbers of the students the cloud counts as present today.
async fn present(stack: &Stack) -> anyhow::Result<BTreeSet<String>> {
    let mut present = BTreeSet::new();
    for class in classes(&stack.admin).await? {
        let status = stack.admin.get(&format!("/api/student-attendance/class-status/{}", class.id)).await?;
        let students = status["data"].as_array().context("a class status without students")?;
        let attended = students.iter().filter(|student| student["attended"] == true);
        present.extend(attended.filter_map(|student| student["nisn_nip_nik"].as_str()).map(str::to_owned));
    }
    Ok(present)
}

/// Waits until the cloud has acknowledged everything the box recorded.
pub async fn settle(stack: &Stack) -> anyhow::Result<()> {
    let start = tokio::time::Instant::now();
    loop {
        let status = stack.edge_status().await?;
        if status["pending"] == 0 && status["recorded"] == status["acked_through"] {
            return Ok(());
        }
        if start.elapsed() > SETTLE {
            bail!("after {SETTLE:?} the cloud has not acknowledged everything: {status}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Both counters, and what does not fit.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<(&'static str, String)>,
    wrong: Vec<String>,
}

impl Report {
    fn line(&mut self, what: &'static str, value: impl fmt::Display) {
        self.lines.push((what, value.to_string()));
    }

    fn check(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(otherwise());
        }
    }

    /// # Errors
    /// When the sides do not agree.
    pub fn verdict(&self) -> anyhow::Result<()> {
        if self.wrong.is_empty() {
            Ok(())
        } else {
            bail!("the counters do not meet:\n  {}", self.wrong.join("\n  "))
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for (what, value) in &self.lines {
            writeln!(f, "    {what:<52} {value}")?;
        }
        let verdict = if self.wrong.is_empty() {
            "✔ tepat satu kali / exactly once"
        } else {
            "✘ tidak cocok / no match"
        };
        writeln!(f, "    {verdict}")
    }
}

pub async fn compare(stack: &Stack, before: &Before, passed: &Passed) -> anyhow::Result<Report> {
    let edge = stack.edge_status().await?;
    let mut report = Report::default();
    report.line("siswa di layar hijau / students with a green screen", passed.green.len());
    report.line("kartu ditunjukkan dua kali / cards shown twice", passed.again);
    report.line("gambar kamera / camera frames", passed.frames);
    report.line("tunggu p50, p99 / wait", waits(&passed.waits));
    report.line("tercatat di kotak / recorded at the box", &edge["recorded"]);
    report.line("diterima awan / acknowledged by the cloud", &edge["acked_through"]);
    report.line("kepala sama / heads equal", &edge["heads_equal"]);
    report.check(edge["recorded"] == edge["acked_through"], || format!("recorded ≠ acknowledged: {edge}"));
    report.check(edge["heads_equal"] == true, || format!("the heads differ: {edge}"));
    cloud_side(stack, &edge, passed, &mut report).await?;
    attendance(stack, before, passed, &mut report).await?;
    Ok(report)
}

/// The cloud's log of this box: as many records as the box has, each student stored once.
async fn cloud_side(stack: &Stack, edge: &Value, passed: &Passed, report: &mut Report) -> anyhow::Result<()> {
    let device = edge["device"].as_str().context("a box without an id")?;
    let list = format!("/api/offline-sync?device_id={device}");
    let total = stack.admin.total(&list).await?;
    report.line("catatan di awan / records at the cloud", total);
    report.check(Some(total) == edge["recorded"].as_u64(), || {
        format!("the box has {} records, the cloud {total}", edge["recorded"])
    });
    for status in ["success", "failed", "pending"] {
        let count = stack.admin.total(&format!("{list}&status={status}")).await?;
        let what = match status {
            "success" => "  berhasil / success",
            "failed" => "  gagal / failed",
            _ => "  menunggu / pending",
        };
        report.line(what, count);
        report.check(status == "success" || count == 0, || format!("{count} records are {status}"));
    }
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    for row in stack.admin.rows(&format!("{list}&action_type=attendance")).await? {
        if row["verdict"] == "stored" {
            let number = row["user"]["nisn_nip_nik"].as_str().context("a stored record of nobody")?;
            *stored.entry(number.to_owned()).or_default() += 1;
        }
    }
    report.line(
        "siswa tersimpan tepat sekali / students stored once",
        stored.values().filter(|n| **n == 1).count(),
    );
    for number in &passed.green {
        let times = stored.get(number).copied().unwrap_or_default();
        report.check(times == 1, || format!("{number} had a green screen and is stored {times} times"));
    }
    for (number, times) in stored.iter().filter(|(number, _)| !passed.green.contains(*number)) {
        report.check(false, || format!("{number} had no green screen and is stored {times} times"));
    }
    Ok(())
}

/// What teachers see: today's class lists.
async fn attendance(
    stack: &Stack,
    before: &Before,
    passed: &Passed,
    report: &mut Report,
) -> anyhow::Result<()> {
    let now = present(stack).await?;
    report.line("hadir di daftar kelas / present in the class lists", now.len());
    let expected: BTreeSet<_> = before.present.union(&passed.green).cloned().collect();
    for number in expected.symmetric_difference(&now) {
        let where_ = if now.contains(number) { "present without a card" } else { "not present" };
        report.check(false, || format!("{number} is {where_} in the class lists"));
    }
    Ok(())
}

fn waits(waits: &[Duration]) -> String {
    let mut sorted = waits.to_vec();
    sorted.sort();
    let at =
        |share: usize| sorted.get(sorted.len().saturating_sub(1) * share / 100).copied().unwrap_or_default();
    format!("{:.0} ms, {:.0} ms", at(50).as_secs_f64() * 1000.0, at(99).as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_and_fails() {
        let mut report = Report::default();
        report.check(true, || "fine".into());
        assert!(report.verdict().is_ok());
        report.check(false, || "1001 had a green screen and is stored 0 times".into());
        assert!(report.verdict().unwrap_err().to_string().contains("1001"));
        assert!(report.to_string().contains("no match"));
    }
}
