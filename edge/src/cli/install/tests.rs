use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use super::{
    DATA, Site, UNITS,
    files::{Owner, put_all},
    steps::Steps,
    system::find,
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
