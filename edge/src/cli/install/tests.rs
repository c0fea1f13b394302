use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use super::{
    DATA, Site, UNITS,
    files::{Owner, put_all},
    steps::Steps,
    system::{Systemd, find},
};
use crate::config::{Config, INSTALLED};

fn install(root: &Path) -> Steps {
    let mut steps = Steps::default();
    let site = Site::new(Some(root.into())).map_err(|_| "no site").unwrap();
    put_all(&site, &mut steps).map_err(|_| "not installed").unwrap();
    steps
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn the_first_time_everything_is_made_and_the_second_time_nothing() {
    let root = tempfile::tempdir().unwrap();
    let at = |absolute: &str| root.path().join(absolute.trim_start_matches('/'));
    assert!(install(root.path()).changed() >= 4);
    assert_eq!(mode(&at(DATA)), 0o700);
    assert_eq!(mode(&at("/usr/local/bin/hadir-edge")), 0o755);
    assert_eq!(mode(&at("/etc/hadir")), 0o755);
    let config = Config::load(Some(&at(INSTALLED))).unwrap();
    assert_eq!((config.data_dir.as_path(), config.listen_tls.as_str()), (Path::new(DATA), "0.0.0.0:8443"));
    for unit in UNITS {
        let text = fs::read_to_string(at("/etc/systemd/system").join(unit.name)).unwrap();
        assert!(!text.contains("=/usr/bin/hadir-edge"), "{}", unit.name);
    }
    assert_eq!(install(root.path()).changed(), 0);
}

#[test]
fn what_somebody_changed_stays_and_what_is_older_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    install(root.path());
    let at = |absolute: &str| root.path().join(absolute.trim_start_matches('/'));
    fs::write(at(INSTALLED), "gate_name = \"Gerbang Timur\"\n").unwrap();
    fs::write(at(DATA).join("edge.db"), "records").unwrap();
    let program = at("/usr/local/bin/hadir-edge");
    fs::remove_file(&program).unwrap();
    fs::write(&program, "an older one").unwrap();
    let unit = at("/etc/systemd/system/hadir-edge.service");
    fs::write(&unit, "[Service]\n").unwrap();
    assert_eq!(install(root.path()).changed(), 2);
    assert_eq!(fs::read(&program).unwrap(), fs::read(std::env::current_exe().unwrap()).unwrap());
    assert!(fs::read_to_string(&unit).unwrap().contains("ExecStart=/usr/local/bin/hadir-edge --config"));
    assert_eq!(fs::read_to_string(at(INSTALLED)).unwrap(), "gate_name = \"Gerbang Timur\"\n");
    assert_eq!(fs::read_to_string(at(DATA).join("edge.db")).unwrap(), "records");
    assert!(!program.with_extension("new").exists());
}

#[test]
fn a_user_is_found_by_its_whole_name() {
    let passwd = "root:x:0:0::/:/bin/sh\nhadir2:x:5:6::/:/x\nhadir:x:998:997::/var/lib/hadir-edge:/x\n";
    assert_eq!(find(passwd, "hadir"), Some(Owner { uid: 998, gid: 997 }));
    assert_eq!(find(passwd, "had"), None);
}

/// A `systemctl` that starts nothing: it writes down what it is asked, and remembers what is enabled and active.
struct Recorder {
    folder: tempfile::TempDir,
    systemd: Systemd,
}

const RECORDER: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >> calls
unit=$(for last; do :; done; echo "$last")
case "$1" in
    is-enabled) test -e "enabled-$unit" ;;
    is-active) test -e "active-$unit" ;;
    enable) : > "enabled-$unit" ;;
    start | restart) : > "active-$unit" ;;
    disable) test -e "enabled-$unit" && rm -f "enabled-$unit" "active-$unit" ;;
    show) cat pid ;;
    daemon-reload) ;;
    *) echo "what is $1?" >&2; exit 1 ;;
esac
"#;

impl Recorder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("systemctl");
        fs::write(&program, RECORDER).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let recorder = Self { systemd: Systemd::asked_by(program.to_str().unwrap()), folder };
        recorder.runs_as(std::process::id());
        recorder
    }

    fn runs_as(&self, id: u32) {
        fs::write(self.folder.path().join("pid"), id.to_string()).unwrap();
    }

    /// What it was asked to change since the last time, in order.
    fn changes(&self) -> Vec<String> {
        let calls = self.folder.path().join("calls");
        let said = fs::read_to_string(&calls).unwrap_or_default();
        let _ = fs::remove_file(calls);
        let asks = |call: &&str| !call.starts_with("is-") && !call.starts_with("show");
        said.lines().filter(asks).map(str::to_owned).collect()
    }

    /// As `install` does it, after `before` steps that changed something.
    fn start(&self, before: usize) -> usize {
        let mut steps = Steps::default();
        (0..before).for_each(|_| steps.note(true, "a file"));
        self.systemd.start(&mut steps).map_err(|_| "not started").unwrap();
        steps.changed() - before
    }
}

const SERVICE: &str = "hadir-edge.service";
const TIMER: &str = "hadir-edge-backup.timer";

#[test]
fn the_machine_starts_the_box_once_and_a_newer_one_in_its_place() {
    let recorder = Recorder::new();
    assert_eq!(recorder.start(6), 2);
    let [enable, start, restart] =
        ["enable", "start", "restart"].map(|verb| move |unit: &str| format!("{verb} {unit}"));
    let reload = || "daemon-reload".to_owned();
    let made = [reload(), enable(SERVICE), start(SERVICE), enable(TIMER), start(TIMER)];
    assert_eq!(recorder.changes(), made, "the backup itself starts with its timer alone");

    assert_eq!(recorder.start(0), 0, "a second run changes nothing");
    assert_eq!(recorder.changes(), [reload()]);

    assert_eq!(recorder.start(1), 2, "another program or unit is taken up");
    assert_eq!(recorder.changes(), [reload(), restart(SERVICE), restart(TIMER)]);

    fs::remove_file(recorder.folder.path().join(format!("active-{SERVICE}"))).unwrap();
    assert_eq!(recorder.start(0), 1, "somebody stopped it");
    assert_eq!(recorder.changes(), [reload(), start(SERVICE)]);
}

#[test]
fn a_program_that_was_replaced_while_it_ran_is_started_again() {
    let recorder = Recorder::new();
    recorder.start(0);
    recorder.changes();
    let program = recorder.folder.path().join("sleeper");
    fs::copy("/bin/sleep", &program).unwrap();
    let mut older = std::process::Command::new(&program).arg("60").spawn().unwrap();
    recorder.runs_as(older.id());
    assert_eq!(recorder.start(0), 0, "it is the one on the disk");
    fs::remove_file(&program).unwrap();
    assert_eq!(recorder.start(0), 2);
    older.kill().unwrap();
    older.wait().unwrap();
}

#[test]
fn what_is_taken_away_is_stopped_first_and_a_machine_without_systemd_is_asked_nothing() {
    let recorder = Recorder::new();
    recorder.start(1);
    recorder.changes();
    assert_eq!(recorder.systemd.stop(), [TIMER, SERVICE], "the timer first, or it starts what was stopped");
    let told = [TIMER, "hadir-edge-backup.service", SERVICE].map(|unit| format!("disable --now {unit}"));
    assert_eq!(recorder.changes(), told);
    assert_eq!(recorder.systemd.stop(), [""; 0], "a second run finds nothing to stop");
    assert!(recorder.systemd.start(&mut Steps::default()).is_ok(), "and it can come back");
    let image = Site::new(Some(PathBuf::from("/nowhere"))).map_err(|_| "no site").unwrap();
    assert!(Systemd::of(&image).is_none());
}

#[test]
fn what_systemd_refuses_is_told_in_its_own_words() {
    let recorder = Recorder::new();
    fs::write(recorder.folder.path().join("systemctl"), "#!/bin/sh\necho 'Unit is masked.' >&2\nexit 1\n")
        .unwrap();
    let refused = recorder.systemd.start(&mut Steps::default()).err().unwrap();
    assert!(refused.error.to_string().contains("Unit is masked."), "{:#}", refused.error);
    let none = Systemd::asked_by("/nowhere/systemctl").start(&mut Steps::default()).err().unwrap();
    assert!(none.error.to_string().contains("cannot be started"), "{:#}", none.error);
}
