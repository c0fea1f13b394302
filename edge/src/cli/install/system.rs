//! The machine's part: the user, systemd, and the installed program asked as that user.

use std::{
    fs,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::Context as _;

use super::{
    DATA, UNITS, USER,
    files::{Owner, Site},
    steps::Steps,
};
use crate::{
    cli::{Exit, Failed},
    config::INSTALLED,
    node::SyncStatus,
};

/// The box's user, made where there is none. `true` when it was made now.
pub fn user() -> Result<(bool, Owner), Failed> {
    let passwd = || fs::read_to_string("/etc/passwd").map_err(|error| Failed::new(Exit::Disk, error));
    if let Some(owner) = find(&passwd()?, USER) {
        return Ok((false, owner));
    }
    let shell = "/usr/sbin/nologin";
    let home = ["--home-dir", DATA, "--no-create-home", "--shell", shell];
    program("useradd", &[&["--system", "--user-group"], &home[..], &[USER]].concat())?;
    let gone = || Failed::new(Exit::Software, anyhow::anyhow!("useradd did not make the user {USER}"));
    Ok((true, find(&passwd()?, USER).ok_or_else(gone)?))
}

/// A user of `/etc/passwd`.
pub fn find(passwd: &str, name: &str) -> Option<Owner> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut ids = line.split(':').skip(2).map(str::parse);
    Some(Owner { uid: ids.next()?.ok()?, gid: ids.next()?.ok()? })
}

/// Runs a program of the system; what it said is part of the error.
pub fn program(name: &str, arguments: &[&str]) -> Result<Output, Failed> {
    let output = Command::new(name).args(arguments).stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("{name} cannot be started"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Failed::new(Exit::Software, anyhow::anyhow!("{name} {}: {said}", arguments.join(" "))))
}

/// What starts services on the machine.
#[derive(Debug)]
pub struct Systemd {
    /// The program that asks it.
    systemctl: String,
}

impl Systemd {
    /// Where it runs the machine that is installed (`sd_booted(3)`); it does not in most containers, and never in a folder that
    /// will be a machine.
    pub fn of(site: &Site) -> Option<Self> {
        (site.is_live() && Path::new("/run/systemd/system").is_dir()).then(|| Self::asked_by("systemctl"))
    }

    /// Through this program.
    pub fn asked_by(systemctl: &str) -> Self {
        Self { systemctl: systemctl.into() }
    }

    fn ask(&self, arguments: &[&str]) -> Result<Output, Failed> {
        program(&self.systemctl, arguments)
    }

    /// Makes it read the units that are there.
    pub fn reload(&self) -> Result<(), Failed> {
        self.ask(&["daemon-reload"]).map(drop)
    }

    /// Makes the machine start the box, now and at every boot, with the program and the units that are there.
    pub fn start(&self, steps: &mut Steps) -> Result<(), Failed> {
        let is = |what: &str, unit: &str| self.ask(&[what, "--quiet", unit]).is_ok();
        // What was started before one of these steps is older than it.
        let is_new = steps.changed() > 0;
        self.reload()?;
        for unit in UNITS.iter().filter(|unit| unit.starts) {
            let (enabled, active) = (is("is-enabled", unit.name), is("is-active", unit.name));
            if !enabled {
                self.ask(&["enable", unit.name])?;
            }
            let stale = active && (is_new || self.is_stale(unit.name));
            if stale {
                self.ask(&["restart", unit.name])?;
            } else if !active {
                self.ask(&["start", unit.name])?;
            }
            steps.note(!enabled || !active || stale, format!("{} is enabled and runs", unit.name));
        }
        Ok(())
    }

    /// Whether what runs is an older program: one that was replaced has no name any more.
    fn is_stale(&self, unit: &str) -> bool {
        let shown = self.ask(&["show", "--property=MainPID", "--value", unit]);
        let Some(id) = shown.ok().and_then(|shown| String::from_utf8(shown.stdout).ok()) else {
            return false;
        };
        let running = fs::read_link(format!("/proc/{}/exe", id.trim()));
        running.is_ok_and(|path| path.to_string_lossy().ends_with(" (deleted)"))
    }

    /// Stops the box, now and at every boot; what starts it by the clock first. Answers what was stopped: a unit that is not
    /// there need not be.
    pub fn stop(&self) -> Vec<&'static str> {
        let stopped = UNITS.iter().rev().map(|unit| unit.name);
        stopped.filter(|unit| self.ask(&["disable", "--now", unit]).is_ok()).collect()
    }
}

/// Joins a school, unless the box belongs to one.
pub fn enrol(site: &Site, owner: Owner, cloud: &str, code: &str, steps: &mut Steps) -> Result<(), Failed> {
    if let Some(status) = status(site, owner).filter(|status| status.institution.is_some()) {
        steps.note(false, format!("the box belongs to {} already", status.institution_name));
        return Ok(());
    }
    let mut child = as_box(site, owner, &["enroll", "--cloud", cloud, "--code-stdin"])
        .stdin(Stdio::piped())
        .spawn()
        .context("the installed program cannot be started")?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "{code}").context("the code cannot be handed over")?;
    }
    let ended = child.wait().map_err(anyhow::Error::from)?;
    match ended.code() {
        Some(0) => {
            steps.note(true, "the box has joined its school");
            Ok(())
        }
        code => Err(Failed::new(
            code.and_then(Exit::from_code).unwrap_or(Exit::Software),
            anyhow::anyhow!("everything is installed, but the box has not joined the school (see above)"),
        )),
    }
}

/// How the installed box is; `None` where it has never run.
fn status(site: &Site, owner: Owner) -> Option<SyncStatus> {
    let output = as_box(site, owner, &["status", "--json"]).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).ok())?
}

/// The installed program with the installed configuration, as the box's own user: what it makes is its own.
fn as_box(site: &Site, owner: Owner, arguments: &[&str]) -> Command {
    let mut command = Command::new(site.path(site.program()));
    command.env_clear().current_dir("/").arg("--config").arg(site.path(INSTALLED)).args(arguments);
    if site.is_live() {
        command.uid(owner.uid).gid(owner.gid);
    } else {
        command.env("HADIR_EDGE_DATA_DIR", site.path(DATA));
    }
    command
}

/// Where the pages are, and what a person does next.
pub fn tell_what_is_next(site: &Site, owner: Owner) {
    let program = site.program();
    if !site.is_live() {
        println!(
            "\nNo user was made and nothing was started. In the image, before its first start:\n\
             \x20 useradd --root DIR --system --user-group --home-dir {DATA} --no-create-home --shell /usr/sbin/nologin {USER}\n\
             \x20 systemctl --root=DIR enable hadir-edge.service"
        );
        return;
    }
    if Systemd::of(site).is_none() {
        println!(
            "\nsystemd does not run here, so nothing was started. By hand:\n\
             \x20 runuser -u {USER} -- {program} --config {INSTALLED} run"
        );
        return;
    }
    let Some(status) = status(site, owner) else {
        println!("\nThe box does not answer. Ask for the reason:\n  {program} doctor");
        return;
    };
    if let Some(url) = status.https.as_ref().and_then(|https| https.url.clone()) {
        let clear = url.replacen("https://", "http://", 1);
        println!(
            "\nIn the school's network:\n\
             \x20 {clear}/ca\n      once on every phone and tablet: makes it trust this box\n\
             \x20 {url}/gate\n      the gate (Gerbang): cards before a camera or a scanner\n\
             \x20 {url}/kiosk\n      the kiosk (Kios): the code that staff scan\n\
             \x20 {url}/status\n      how the box is"
        );
    }
    if status.institution.is_none() {
        println!(
            "\nThe box belongs to no school yet and shows the demo school. With a code from the cloud's console:\n\
             \x20 {program} install --cloud URL --code-stdin"
        );
    } else {
        println!("\nThe box belongs to {}. Look after it:\n  {program} doctor", status.institution_name);
    }
}
