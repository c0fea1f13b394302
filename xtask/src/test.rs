//! `cargo xtask test`: everything that must hold, in a fresh clone, on a machine with Rust only.
//!
//! What is missing is installed where that is allowed (Debian, as root or with sudo that asks no password); otherwise it
//! says what to install and ends with status 69. PostgreSQL is private and temporary, and stopped by its id.

use clap::Args;
use hadir_tests::{browser, postgres, process, relying};

use crate::{
    EX_UNAVAILABLE, Exit, check, fuzz,
    run::{Summary, command, quiet, shown},
};

#[derive(Args)]
pub struct Arguments {
    /// Install nothing; say what is missing and stop
    #[arg(long)]
    no_install: bool,
    /// Instead of the tests, send a running cloud what its document allows and what it does not (schemathesis)
    #[arg(long)]
    fuzz: bool,
}

/// A program the tests need, and the Debian package that has it.
struct Need {
    what: &'static str,
    package: &'static str,
    why: &'static str,
    is_here: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need {
        what: "PostgreSQL (initdb, postgres)",
        package: "postgresql",
        why: "every test of the cloud runs on it and on SQLite",
        is_here: || postgres::installation().is_some(),
    },
    Need {
        what: "zbarimg",
        package: "zbar-tools",
        why: "a second, independent reader of the printed cards",
        is_here: || on_path("zbarimg"),
    },
    Need {
        what: "pdftotext",
        package: "poppler-utils",
        why: "what is printed is read back",
        is_here: || on_path("pdftotext"),
    },
    Need {
        what: "chromium",
        package: "chromium",
        why: "the pages are tested where they are used",
        is_here: || on_path("chromium"),
    },
    Need {
        what: "chromedriver",
        package: "chromium-driver",
        why: "what moves that browser",
        is_here: || on_path("chromedriver"),
    },
    Need {
        what: "aiosmtpd",
        package: "python3-aiosmtpd",
        why: "a mail server nobody here wrote, for mails to arrive at",
        is_here: || {
            let mut python = std::process::Command::new("/usr/bin/python3");
            python.args(["-c", "import aiosmtpd"]).stderr(std::process::Stdio::null());
            python.status().is_ok_and(|status| status.success())
        },
    },
    Need {
        what: "npm",
        package: "npm",
        why: "fetches axe-core, which looks for what keeps people from using a page, and a relying party",
        is_here: || on_path("npm"),
    },
    Need {
        what: "python3 with venv",
        package: "python3-venv",
        why: "the other relying party",
        is_here: || on_path("python3"),
    },
];

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    provide(arguments).await?;
    if arguments.fuzz {
        return fuzz::run(!arguments.no_install).await;
    }
    fetch_axe().await?;
    fetch_relying_parties().await?;
    let mut summary = Summary::default();
    // First the programs, with every target: clippy aside, nothing after this compiles anything.
    let build = ["build", "--workspace", "--all-targets"];
    summary.step("build", shown(command("cargo", &build))).await?;
    let own =
        if hadir_tests::env("HADIR_TEST_PG").is_none() { Some(postgres::Postgres::start()?) } else { None };
    let url = own
        .as_ref()
        .map(postgres::Postgres::url)
        .or_else(|| hadir_tests::env("HADIR_TEST_PG"))
        .unwrap_or_default();
    check::all(&mut summary, Some(&url)).await?;
    let mut tests = command("cargo", &["test", "--workspace", "--no-fail-fast"]);
    tests
        .env("HADIR_TEST_PG", &url)
        .env("HADIR_REQUIRE_PG", "1")
        .env("HADIR_REQUIRE_BROWSER", "1")
        .env("HADIR_REQUIRE_SMTP", "1")
        .env("HADIR_BIN_DIR", process::target().join("debug"));
    summary.step("tests", shown(tests)).await?;
    drop(own);
    summary.finish()
}

/// Sees to it that everything in [`NEEDS`] is here.
async fn provide(arguments: &Arguments) -> anyhow::Result<()> {
    let missing: Vec<_> = NEEDS.iter().filter(|need| !(need.is_here)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|need| need.package).collect();
    let may = !arguments.no_install && on_path("apt-get");
    let prefix = if !may {
        None
    } else if rustix::process::geteuid().is_root() {
        Some(vec![])
    } else if quiet(command("sudo", &["-n", "true"])).await.is_ok() {
        Some(vec!["sudo", "-n"])
    } else {
        None
    };
    let Some(prefix) = prefix else {
        return Err(Exit { status: EX_UNAVAILABLE, why: instructions(&missing) }.into());
    };
    eprintln!("installing {}", packages.join(" "));
    for arguments in [vec!["update"], [vec!["install", "-y", "--no-install-recommends"], packages].concat()] {
        let line =
            [prefix.clone(), vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"], arguments]
                .concat();
        let (program, rest) = line.split_first().unwrap_or((&"apt-get", &[]));
        shown(command(program, rest)).await?;
    }
    let still: Vec<_> = missing.into_iter().filter(|need| !(need.is_here)()).collect();
    if still.is_empty() {
        Ok(())
    } else {
        Err(Exit { status: EX_UNAVAILABLE, why: instructions(&still) }.into())
    }
}

/// Puts axe-core beside what cargo builds; npm compares it with the checksum of its registry.
async fn fetch_axe() -> anyhow::Result<()> {
    let file = browser::axe_file();
    let (Some(package), false) = (file.parent(), file.exists()) else { return Ok(()) };
    let folder = package.parent().unwrap_or(package);
    eprintln!("fetching axe-core {}", browser::AXE);
    std::fs::create_dir_all(folder)?;
    let (name, place) = (format!("axe-core@{}", browser::AXE), folder.display().to_string());
    quiet(command("npm", &["pack", &name, "--pack-destination", &place])).await?;
    let archive = folder.join(format!("axe-core-{}.tgz", browser::AXE)).display().to_string();
    quiet(command("tar", &["-xzf", &archive, "-C", &place, "package/axe.min.js"])).await
}

/// Puts the two relying parties beside what cargo builds.
async fn fetch_relying_parties() -> anyhow::Result<()> {
    let folder = relying::folder();
    if folder.join("complete").exists() {
        return Ok(());
    }
    eprintln!("fetching {} and {}", relying::NODE.join(" "), relying::PYTHON.join(" "));
    std::fs::create_dir_all(&folder)?;
    let place = folder.display().to_string();
    let npm = [&["install", "--silent", "--no-audit", "--no-fund", "--prefix", &place][..], &relying::NODE]
        .concat();
    quiet(command("npm", &npm)).await?;
    let venv = relying::venv().display().to_string();
    quiet(command("python3", &["-m", "venv", &venv])).await?;
    let pip = format!("{venv}/bin/pip");
    quiet(command(&pip, &[&["install", "--quiet"][..], &relying::PYTHON].concat())).await?;
    Ok(std::fs::write(folder.join("complete"), "")?)
}

/// What is missing, why it is needed, and the one command that brings it.
fn instructions(missing: &[&Need]) -> String {
    let lines: Vec<_> = missing.iter().map(|need| format!("  {} - {}", need.what, need.why)).collect();
    let packages: Vec<_> = missing.iter().map(|need| need.package).collect();
    format!("missing:\n{}\ninstall with: sudo apt-get install {}", lines.join("\n"), packages.join(" "))
}

fn on_path(program: &str) -> bool {
    let path = hadir_tests::env("PATH").unwrap_or_default();
    path.split(':').any(|folder| std::path::Path::new(folder).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_the_command_that_brings_it() {
        let text = instructions(&NEEDS.iter().collect::<Vec<_>>());
        assert!(text.contains("zbarimg - a second"), "{text}");
        assert!(
            text.ends_with(
                "apt-get install postgresql zbar-tools poppler-utils chromium chromium-driver python3-aiosmtpd npm python3-venv"
            ),
            "{text}"
        );
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-anywhere"));
    }
}
