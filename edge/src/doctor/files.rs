//! Whether what the box keeps is the box's alone.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::Seen;
use crate::config::{Config, INSTALLED_DATA};

/// Secrets, in the data folder; each where it is one.
const SECRETS: &[&str] = &["secret.key", "tls/ca.pem", "tls/leaf.pem"];

pub fn look(config: &Config) -> Seen {
    match problem(config) {
        Ok(None) => Seen::fine(format!("{} is its owner's alone", config.data_dir.display())),
        Ok(Some((what, fix))) => Seen::wrong(what, fix),
        Err((path, error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            Seen::wrong(format!("{}: {error}", path.display()), "run it as root: sudo hadir-edge doctor")
        }
        Err((path, error)) => Seen::wrong(
            format!("{}: {error}", path.display()),
            "hadir-edge install makes what is missing; set data_dir where the box's folder is another",
        ),
    }
}

type Problem = Option<(String, String)>;

fn problem(config: &Config) -> Result<Problem, (PathBuf, io::Error)> {
    let folder = &config.data_dir;
    let of_folder = look_at(folder)?;
    if is_open(&of_folder) {
        return Ok(Some(open_to_others(folder, &of_folder, "700")));
    }
    if is_roots(folder, of_folder.uid()) {
        let what = format!("{} belongs to root, and the box's user cannot use it", folder.display());
        return Ok(Some((what, "hadir-edge install".into())));
    }
    if let Some(stranger) = stranger(folder, of_folder.uid())? {
        let what = format!("{} belongs to somebody else than its folder", stranger.display());
        let fix = format!(
            "chown -R --reference={0} {0} (and run the box's commands as its user)",
            folder.display()
        );
        return Ok(Some((what, fix)));
    }
    let secrets = SECRETS.iter().map(|name| folder.join(name)).chain(config.tls_key.clone());
    for path in secrets {
        match look_at(&path) {
            Ok(found) if is_open(&found) => return Ok(Some(open_to_others(&path, &found, "600"))),
            Err((_, error)) if error.kind() != io::ErrorKind::NotFound => return Err((path, error)),
            _ => {}
        }
    }
    Ok(None)
}

/// As after a restore by root. In other folders a box may run as whoever it likes.
fn is_roots(folder: &Path, owner: u32) -> bool {
    owner == 0 && folder == Path::new(INSTALLED_DATA)
}

fn look_at(path: &Path) -> Result<Metadata, (PathBuf, io::Error)> {
    fs::metadata(path).map_err(|error| (path.into(), error))
}

/// To anybody but the owner and, of a file that an administrator shares with the box, its group's readers.
fn is_open(found: &Metadata) -> bool {
    found.mode() & 0o027 != 0
}

fn open_to_others(path: &Path, found: &Metadata, wanted: &str) -> (String, String) {
    let what = format!("{} is open to others (mode {:o})", path.display(), found.mode() & 0o7777);
    (what, format!("chmod {wanted} {}", path.display()))
}

/// Something in the folder that its owner does not own.
fn stranger(folder: &Path, owner: u32) -> Result<Option<PathBuf>, (PathBuf, io::Error)> {
    let failed = |error| (folder.into(), error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let found = match path.symlink_metadata() {
            Ok(found) => found,
            // A running box removes what it no longer needs.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err((path, error)),
        };
        if found.uid() != owner {
            return Ok(Some(path));
        }
        if found.is_dir()
            && let Some(inside) = stranger(&path, owner)?
        {
            return Ok(Some(inside));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, lchown};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn what(config: &Config) -> String {
        match look(config) {
            Seen::Wrong { what, .. } => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_machines_own_box_is_not_roots() {
        assert!(is_roots(Path::new(INSTALLED_DATA), 0));
        assert!(!is_roots(Path::new(INSTALLED_DATA), 999));
        assert!(!is_roots(Path::new("/srv/box"), 0));
    }

    #[test]
    fn what_others_may_read_or_own_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data_dir: folder.path().join("data"), ..Config::default() };
        assert!(what(&config).contains("data"), "no folder");
        fs::create_dir(&config.data_dir).unwrap();
        mode(&config.data_dir, 0o755);
        assert!(what(&config).contains("mode 755"));
        mode(&config.data_dir, 0o700);
        assert!(matches!(look(&config), Seen::Fine(_)));
        let key = config.data_dir.join("secret.key");
        fs::write(&key, b"x").unwrap();
        mode(&key, 0o644);
        assert!(what(&config).contains("secret.key is open to others (mode 644)"));
        mode(&key, 0o600);
        assert!(matches!(look(&config), Seen::Fine(_)));
        let of_the_school = folder.path().join("privkey.pem");
        fs::write(&of_the_school, b"x").unwrap();
        mode(&of_the_school, 0o604);
        let config = Config { tls_key: Some(of_the_school), ..config };
        assert!(what(&config).contains("privkey.pem"));
        mode(config.tls_key.as_deref().unwrap(), 0o640);
        assert!(matches!(look(&config), Seen::Fine(_)));
        if rustix::process::geteuid().is_root() {
            fs::create_dir(config.data_dir.join("tls")).unwrap();
            let theirs = config.data_dir.join("tls/leaf.pem");
            fs::write(&theirs, b"x").unwrap();
            mode(&theirs, 0o600);
            lchown(&theirs, Some(12_345), None).unwrap();
            assert!(what(&config).contains("leaf.pem belongs to somebody else"));
        }
    }
}
