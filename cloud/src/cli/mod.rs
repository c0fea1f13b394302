//! The command line. Exit codes follow sysexits(3); what a script reads is on stdout, everything else on stderr.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::config::{self, Config};

mod admin;
mod backup;
mod clients;
mod demo;
mod doctor;
mod edge;
mod keys;
mod open;
mod openapi;
mod serve;

/// The cloud of Hadir: attendance that keeps working when the internet does not.
#[derive(Debug, Parser)]
#[command(name = "hadir-cloud", version)]
struct Cli {
    /// The configuration file (TOML). Every key can also be set as an environment variable `HADIR_CLOUD_<KEY>`.
    #[arg(long, global = true, env = "HADIR_CLOUD_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests until SIGTERM or SIGINT.
    Serve(serve::Args),
    /// Bring the database's schema up to date, and say what was done.
    Migrate,
    /// Load two schools with everything in them into an empty database, to try things on.
    Demo(demo::Args),
    /// Administrators of schools.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Copy the database into a file (SQLite), or look through one that was restored from a backup (PostgreSQL). What is found
    /// whole counts as backed up: the boxes learn that they need not keep it.
    Backup(backup::Args),
    /// The schools' boxes.
    #[command(subcommand)]
    Edge(edge::Command),
    /// The software that lets people sign in here (OpenID Connect).
    #[command(subcommand)]
    Clients(clients::Command),
    /// The keys that sign tokens.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Print the OpenAPI document of a module.
    Openapi(openapi::Args),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look for what is wrong here, and say how to put it right. Exit code 1 when something is.
    Doctor,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print every value and where it came from; passwords are masked.
    Show,
}

/// Why a command failed, as sysexits(3) counts it.
#[derive(Debug)]
pub(crate) enum Exit {
    /// 1: `doctor` found something.
    Findings,
    /// 65: what came in is wrong.
    Data(anyhow::Error),
    /// 69: the database or the port cannot be had.
    Unavailable(anyhow::Error),
    /// 70: our fault.
    Software(anyhow::Error),
    /// 73: something else is where it should be put.
    CannotCreate(anyhow::Error),
    /// 78: the configuration is wrong.
    Config(anyhow::Error),
}

impl From<anyhow::Error> for Exit {
    fn from(e: anyhow::Error) -> Self {
        Self::Software(e)
    }
}

impl From<crate::fail::Fail> for Exit {
    fn from(fail: crate::fail::Fail) -> Self {
        match fail {
            crate::fail::Fail::Internal(e) => Self::Software(anyhow::anyhow!("{e:#}")),
            fail => Self::Data(fail.into()),
        }
    }
}

impl From<sqlx::Error> for Exit {
    fn from(e: sqlx::Error) -> Self {
        Self::Unavailable(e.into())
    }
}

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let code = if e.use_stderr() { 64 } else { 0 };
            return e.print().map_or(ExitCode::from(74), |()| ExitCode::from(code));
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(e) => Err(Exit::Software(e.into())),
    };
    let (code, error) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Exit::Findings) => return ExitCode::FAILURE,
        Err(Exit::Data(e)) => (65, e),
        Err(Exit::Unavailable(e)) => (69, e),
        Err(Exit::Software(e)) => (70, e),
        Err(Exit::CannotCreate(e)) => (73, e),
        Err(Exit::Config(e)) => (78, e),
    };
    eprintln!("hadir-cloud: {error:#}");
    ExitCode::from(code)
}

async fn run(cli: Cli) -> Result<(), Exit> {
    if let Command::Openapi(args) = cli.command {
        return openapi::run(&args);
    }
    let file = cli.config.as_deref();
    if let Command::Config(ConfigCommand::Show) = cli.command {
        print!("{}", config::show(file).map_err(Exit::Config)?);
        return Ok(());
    }
    let config = Config::load(file).map_err(Exit::Config)?;
    match cli.command {
        Command::Serve(args) => serve::run(config, args).await,
        Command::Migrate => open::migrate(&config).await,
        Command::Demo(args) => demo::run(config, args).await,
        Command::Admin(command) => admin::run(config, command).await,
        Command::Backup(args) => backup::run(config, args).await,
        Command::Edge(command) => edge::run(config, command).await,
        Command::Clients(command) => clients::run(config, command).await,
        Command::Keys(command) => keys::run(config, command).await,
        Command::Doctor => doctor::run(&config).await,
        Command::Openapi(_) | Command::Config(ConfigCommand::Show) => Ok(()),
    }
}
