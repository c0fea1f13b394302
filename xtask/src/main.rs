//! `cargo xtask …`: everything a developer runs, one file per command.

use std::{fmt, process::ExitCode};

use clap::{Parser, Subcommand};

mod bench;
mod card;
mod check;
mod demo;
mod deny;
mod fuzz;
mod package;
mod run;
mod sql;
mod test;
mod tidy;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, run, test and measure Hadir", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A school in one terminal, and a morning at its gate
    Demo(demo::Arguments),
    /// Everything that must hold, on a private PostgreSQL and SQLite
    Test(test::Arguments),
    /// fmt, clippy, rustdoc, tidy, sql, deny
    Check(check::Arguments),
    /// The rules of the house that no lint knows
    Tidy(tidy::Arguments),
    /// Prepare every SQL literal on both engines
    Sql,
    /// The demo school's cards as pictures
    Card(card::Arguments),
    /// Debian packages of box and cloud, in target/package
    Package(package::Arguments),
    /// The budget, measured
    Bench(bench::Arguments),
}

/// A failure with an exit status of its own, as in sysexits.h.
#[derive(Debug)]
struct Exit {
    status: u8,
    why: String,
}

/// Something the command needs is missing, and it may not install it.
const EX_UNAVAILABLE: u8 = 69;
/// Ended by a signal from the terminal.
const INTERRUPTED: u8 = 130;

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Exit {}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(&arguments).await,
        Command::Test(arguments) => test::run(&arguments).await,
        Command::Check(arguments) => check::run(&arguments).await,
        Command::Tidy(arguments) => tidy::run(&arguments),
        Command::Bench(arguments) => tokio::select! {
            done = bench::run(&arguments) => done,
            () = run::interrupted() => Err(Exit { status: INTERRUPTED, why: "interrupted".into() }.into()),
        },
        Command::Card(arguments) => card::run(&arguments).await,
        Command::Package(arguments) => package::run(&arguments).await,
        Command::Sql => sql::run(None).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(error.downcast_ref::<Exit>().map_or(1, |exit| exit.status))
        }
    }
}
