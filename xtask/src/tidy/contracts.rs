//! A contract's page holds the SHA-256 of the code that words it.
//!
//! `contracts/attendance.md` has a line `cloud/src/attendance/dialect.rs sha256: …`. When that file changes, whoever changed it rereads
//! the page, corrects it, and confirms with `cargo xtask tidy --bless`.

use std::fs;

use hadir_shared::chain::Hash;
use hadir_tests::process::workspace;

use super::{Finding, Source};

const MARK: &str = "dialect.rs sha256:";

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let pages = || sources.iter().filter(|source| source.path.starts_with("contracts/"));
    let mut findings: Vec<_> = pages().flat_map(|page| stale(page, sources)).collect();
    for source in sources.iter().filter(|source| source.path.ends_with("/dialect.rs")) {
        if !pages().any(|page| page.text.contains(&format!("{} sha256:", source.path))) {
            findings.push(
                source.finding(1, format!("no page in contracts/ has a line `{} sha256:`", source.path)),
            );
        }
    }
    findings
}

fn stale(page: &Source, sources: &[Source]) -> Vec<Finding> {
    let check = |(i, line): (usize, &str)| {
        let (path, stated) = parse(line)?;
        let Some(dialect) = sources.iter().find(|source| source.path == path) else {
            return Some(page.finding(i + 1, format!("{path} does not exist")));
        };
        let now = Hash::of(dialect.text.as_bytes()).to_string();
        (stated != now).then(|| {
            page.finding(i + 1, format!("{path} changed: reread this page, then `cargo xtask tidy --bless`"))
        })
    };
    page.text.lines().enumerate().filter_map(check).collect()
}

/// Writes today's hashes into the pages.
pub fn bless(sources: &[Source]) -> anyhow::Result<()> {
    for page in sources.iter().filter(|source| source.path.starts_with("contracts/")) {
        let text = blessed(page, sources);
        if text != page.text {
            fs::write(workspace().join(&page.path), text)?;
            eprintln!("blessed {}", page.path);
        }
    }
    Ok(())
}

fn blessed(page: &Source, sources: &[Source]) -> String {
    let line = |line: &str| {
        let dialect = parse(line).and_then(|(path, _)| sources.iter().find(|source| source.path == path));
        dialect.map_or_else(
            || line.to_owned(),
            |dialect| format!("    {} sha256: {}", dialect.path, Hash::of(dialect.text.as_bytes())),
        )
    };
    page.text.lines().map(|text| line(text) + "\n").collect()
}

/// The path and the hash of a line `cloud/src/attendance/dialect.rs sha256: …`.
fn parse(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let (path, hash) = line.contains(MARK).then(|| line.split_once(" sha256:"))??;
    path.ends_with("/dialect.rs").then(|| (path, hash.trim()))
}

#[cfg(test)]
mod tests {
    use super::{super::source, *};

    #[test]
    fn a_changed_dialect_asks_for_its_page_to_be_reread() {
        let dialect = source("cloud/src/attendance/dialect.rs", "one");
        let page = source(
            "contracts/attendance.md",
            "# Attendance\n\n    cloud/src/attendance/dialect.rs sha256: 0\n",
        );
        let found = check(&[dialect.clone(), page.clone()]);
        assert_eq!(found.len(), 1);
        assert!(found[0].to_string().starts_with("contracts/attendance.md:3: "), "{}", found[0]);
        let page = source("contracts/attendance.md", &blessed(&page, std::slice::from_ref(&dialect)));
        assert_eq!(check(&[dialect.clone(), page.clone()]), []);
        assert_eq!(check(&[source("cloud/src/attendance/dialect.rs", "two"), page]).len(), 1);
        assert_eq!(check(&[dialect]).len(), 1, "a dialect without a page");
    }
}
