//! The commands of `hadir-edge`. Exit codes follow sysexits.h.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};

use crate::{
    clock::{BUILT, SystemClock},
    config::{self, Config},
    enrol::NotEnrolled,
    ids::Ids,
    node::Node,
    store::OpenError,
    tls,
};

mod backup;
mod devices;
mod doctor;
mod drill;
mod enroll;
mod install;
mod restore;
mod run;
mod status;
mod uninstall;
mod verify;

/// The box in the school: records who passes, and hands the records to the cloud.
#[derive(Debug, Parser)]
#[command(name = "hadir-edge", version)]
struct Arguments {
    /// A TOML file. Every key is also an environment variable, `HADIR_EDGE_<KEY>`, which wins. Without one, `run` needs none,
    /// and everything else takes that of the installed box.
    #[arg(long, global = true, env = "HADIR_EDGE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the school; needs no configuration at all.
    Run,
    /// Joins a school, with a one-time code from the cloud's console.
    Enroll(enroll::Enroll),
    /// What is recorded, sent and refused.
    Status(status::Status),
    /// Paired gates and kiosks.
    Devices(devices::Devices),
    /// Checks the database, the whole chain of every log, and that the attendance is what the logs say.
    Verify,
    /// Copies everything the box keeps into one file, while it records.
    Backup(backup::Backup),
    /// Puts a box where none is, out of a backup and what the cloud holds beyond it.
    Restore(restore::Restore),
    /// Rebuilds the box in another place, as if it were dead, and shows whether both copies are equal.
    Drill(drill::Drill),
    /// Looks at everything the box stands on, and says how to put right what is wrong.
    Doctor(doctor::Doctor),
    /// Makes this machine a box: user, folders, program, service. Changes nothing the second time.
    Install(install::Install),
    /// Stops the box and takes away what `install` brought; the data stays.
    Uninstall(uninstall::Uninstall),
    /// The configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Every value and where it came from.
    Show,
}

/// How a command ended badly, in the words of sysexits.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 1: `verify` looked, and something is wrong; what was named is not there.
    Wrong = 1,
    /// 64: what was typed is no command.
    Usage = 64,
    /// 65: what is on the disk is not right.
    Data = 65,
    /// 66: what should be read is not there.
    NoInput = 66,
    /// 69: the other side cannot be reached, or refuses.
    Unavailable = 69,
    /// 70: our own fault.
    Software = 70,
    /// 73: something else is where it should be put.
    CannotCreate = 73,
    /// 74: the disk fails.
    Disk = 74,
    /// 75: another try may succeed.
    Later = 75,
    /// 77: not allowed.
    Denied = 77,
    /// 78: the configuration is wrong.
    Config = 78,
}

impl Exit {
    /// What a command of this program that ended so meant.
    fn from_code(code: i32) -> Option<Self> {
        const ALL: [Exit; 11] = [
            Exit::Wrong,
            Exit::Usage,
            Exit::Data,
            Exit::NoInput,
            Exit::Unavailable,
            Exit::Software,
            Exit::CannotCreate,
            Exit::Disk,
            Exit::Later,
            Exit::Denied,
            Exit::Config,
        ];
        ALL.into_iter().find(|exit| *exit as i32 == code)
    }
}

/// A command's failure.
pub struct Failed {
    exit: Exit,
    error: anyhow::Error,
}

impl Failed {
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        let exit = match (error.downcast_ref::<OpenError>(), error.downcast_ref::<NotEnrolled>()) {
            (Some(OpenError::Io { .. } | OpenError::Sqlite(_)), _) => Exit::Disk,
            (Some(_), _) => Exit::Data,
            (_, Some(NotEnrolled::Unreachable(_))) => Exit::Later,
            (_, Some(NotEnrolled::Refused { .. } | NotEnrolled::Already(_))) => Exit::Denied,
            (_, Some(NotEnrolled::Address)) => Exit::Config,
            (_, Some(NotEnrolled::Garbage)) => Exit::Unavailable,
            _ => Exit::Software,
        };
        Self { exit, error }
    }
}

/// Reads the arguments and does what they say.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match command(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed { exit, error }) => {
            eprintln!("hadir-edge: {error:#}");
            ExitCode::from(exit as u8)
        }
    }
}

fn command(arguments: Arguments) -> Result<(), Failed> {
    match &arguments.command {
        Command::Install(asked) => return install::install(asked),
        Command::Uninstall(asked) => return uninstall::uninstall(asked),
        _ => {}
    }
    let of_the_box = || config::installed().filter(|_| !matches!(arguments.command, Command::Run));
    let file = arguments.config.clone().or_else(of_the_box);
    let file = file.as_deref();
    if let Command::Config { command: ConfigCommand::Show } = arguments.command {
        print!("{}", config::show(file).map_err(|error| Failed::new(Exit::Config, error))?);
        print!("{}", certificate(file));
        return Ok(());
    }
    let config = Config::load(file).map_err(|error| Failed::new(Exit::Config, error))?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failed::new(Exit::Software, error))?;
    match arguments.command {
        Command::Run => runtime.block_on(run::run(config)),
        Command::Enroll(enroll) => runtime.block_on(enroll::enroll(config, enroll)),
        Command::Status(status) => runtime.block_on(status::status(config, &status)),
        Command::Devices(asked) => runtime.block_on(devices::devices(config, asked)),
        Command::Verify => verify::verify(&config),
        Command::Backup(backup) => backup::backup(&config, &backup),
        Command::Restore(restore) => runtime.block_on(restore::restore(&config, &restore)),
        Command::Drill(drill) => runtime.block_on(drill::drill(&config, drill)),
        Command::Doctor(doctor) => runtime.block_on(doctor::doctor(&config, &doctor)),
        Command::Install(_) | Command::Uninstall(_) | Command::Config { .. } => Ok(()),
    }
}

/// What the configuration comes to: the certificate there is. Nothing where the configuration itself is wrong.
fn certificate(file: Option<&Path>) -> String {
    match Config::load(file).map(|config| tls::on_disk(&config)) {
        Ok(Ok(Some(https))) => format!(
            "# certificate: {}, until {}\n# fingerprint: {}\n",
            https.names.join(" "),
            https.expires_at.to_rfc3339_micros(),
            https.fingerprint
        ),
        Ok(Err(error)) => format!("# certificate: {error}\n"),
        Ok(Ok(None)) | Err(_) => String::new(),
    }
}

/// The box of this machine's disk and clock.
async fn open(config: Config) -> anyhow::Result<Node> {
    let ids = Ids::system();
    let clock = Arc::new(SystemClock::new(ids.random_uuid()));
    Node::open(config, clock, ids, BUILT).await
}
