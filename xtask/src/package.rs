//! `cargo xtask package`: Debian packages of box and cloud, from a release build.
//!
//! Put together by `dpkg-deb`, which every Debian has, from a folder that lists its files here: no tool to install, nothing
//! to keep in step. The same sources, compiler and folder give the same bytes: every time in a package is that of the commit.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use clap::Args;
use hadir_tests::process::{target, workspace};

use crate::run::{command, quiet, shown};

#[derive(Args)]
pub struct Arguments {
    /// Takes the programs that are in target/release
    #[arg(long)]
    no_build: bool,
}

const PROGRAM: u32 = 0o755;
const TEXT: u32 = 0o644;
/// May hold a database's password.
const SECRET: u32 = 0o600;

/// A package: its name is the program's. `packaging/FOLDER` holds `control` and the maintainer scripts.
struct Package {
    name: &'static str,
    folder: &'static str,
    /// From the workspace, to the machine.
    files: &'static [(&'static str, &'static str, u32)],
    conffiles: &'static [&'static str],
}

const PACKAGES: &[Package] = &[
    Package {
        name: "hadir-edge",
        folder: "packaging/edge",
        files: &[
            ("systemd/hadir-edge.service", "usr/lib/systemd/system/hadir-edge.service", TEXT),
            ("systemd/hadir-edge-backup.service", "usr/lib/systemd/system/hadir-edge-backup.service", TEXT),
            ("systemd/hadir-edge-backup.timer", "usr/lib/systemd/system/hadir-edge-backup.timer", TEXT),
            ("packaging/edge/edge.toml", "etc/hadir/edge.toml", TEXT),
        ],
        conffiles: &["/etc/hadir/edge.toml"],
    },
    Package {
        name: "hadir-cloud",
        folder: "packaging/cloud",
        files: &[
            ("systemd/hadir-cloud.service", "usr/lib/systemd/system/hadir-cloud.service", TEXT),
            ("packaging/cloud/cloud.toml", "etc/hadir/cloud.toml", SECRET),
        ],
        conffiles: &["/etc/hadir/cloud.toml"],
    },
];

/// What a maintainer has to say, and the licence, in every package.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "CHANGELOG.md",
    "docs/INSTALL.md",
    "docs/BACKUP.md",
    "docs/OPERATING.md",
    "packaging/copyright",
];
const SCRIPTS: &[&str] = &["postinst", "prerm", "postrm"];

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let epoch = epoch().await?;
    if !arguments.no_build {
        let mut build =
            command("cargo", &["build", "--release", "--bin", "hadir-edge", "--bin", "hadir-cloud"]);
        build.env("SOURCE_DATE_EPOCH", &epoch);
        shown(build).await?;
    }
    let out = target().join("package");
    fs::create_dir_all(&out)?;
    for package in PACKAGES {
        let programs = target().join("release");
        let file = package.build(&programs, &out, &epoch).await.with_context(|| package.name)?;
        println!("{} ({} bytes)", file.display(), fs::metadata(&file)?.len());
    }
    Ok(())
}

/// Seconds since 1970 of the newest commit, unless the caller says otherwise (reproducible-builds.org).
async fn epoch() -> anyhow::Result<String> {
    if let Some(epoch) = hadir_tests::env("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    said("git", &["log", "-1", "--format=%ct"]).await
}

async fn said(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output =
        command(program, arguments).output().await.with_context(|| format!("{program} cannot be started"))?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

impl Package {
    /// Packs the program of this name in a folder; the same program gives the same package, whenever and wherever.
    async fn build(&self, programs: &Path, out: &Path, epoch: &str) -> anyhow::Result<PathBuf> {
        let staging = tempfile::tempdir()?;
        let root = staging.path().join(self.name);
        let program = programs.join(self.name);
        put(&root, &format!("usr/bin/{}", self.name), &read(&program)?, PROGRAM)?;
        for (from, to, mode) in self.files {
            put(&root, to, &read(&workspace().join(from))?, *mode)?;
        }
        for document in DOCUMENTS {
            let name = Path::new(document).file_name().unwrap_or_default().to_string_lossy();
            let to = format!("usr/share/doc/{}/{name}", self.name);
            put(&root, &to, &read(&workspace().join(document))?, TEXT)?;
        }
        let licence = workspace().join("LICENSE");
        put(&root, &format!("usr/share/doc/{}/LICENSE", self.name), &read(&licence)?, TEXT)?;
        self.pack_licence(&root).await?;
        let architecture = said("dpkg", &["--print-architecture"]).await?;
        let version = env!("CARGO_PKG_VERSION");
        self.put_control(&root, version, &architecture, &libc_of(&read(&program)?)?)?;
        let file = out.join(format!("{}_{version}_{architecture}.deb", self.name));
        let (root, to) = (root.display().to_string(), file.display().to_string());
        let mut build = command("dpkg-deb", &["--root-owner-group", "-Zxz", "--build", &root, &to]);
        // How many processors there are decides where several of xz's threads cut what they pack.
        build.env("SOURCE_DATE_EPOCH", epoch).env("DPKG_DEB_THREADS_MAX", "1");
        quiet(build).await?;
        Ok(file)
    }

    /// As Debian wants long documents; without the time, which `gzip` would keep.
    async fn pack_licence(&self, root: &Path) -> anyhow::Result<()> {
        let licence = root.join(format!("usr/share/doc/{}/LICENSE", self.name)).display().to_string();
        quiet(command("gzip", &["--best", "--no-name", &licence])).await
    }

    fn put_control(&self, root: &Path, version: &str, architecture: &str, libc: &str) -> anyhow::Result<()> {
        let folder = workspace().join(self.folder);
        let control = fs::read_to_string(folder.join("control"))?
            .replace("@VERSION@", version)
            .replace("@ARCH@", architecture)
            .replace("@LIBC@", libc)
            .replace("@SIZE@", &size(root)?.div_ceil(1024).to_string());
        put(root, "DEBIAN/control", control.as_bytes(), TEXT)?;
        let conffiles = self.conffiles.iter().fold(String::new(), |list, path| list + path + "\n");
        put(root, "DEBIAN/conffiles", conffiles.as_bytes(), TEXT)?;
        for script in SCRIPTS {
            put(root, &format!("DEBIAN/{script}"), &read(&folder.join(script))?, PROGRAM)?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

fn put(root: &Path, to: &str, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let path = root.join(to);
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder)?;
    for folder in folder.ancestors().take_while(|folder| folder.starts_with(root)) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    fs::write(&path, bytes)?;
    Ok(fs::set_permissions(&path, fs::Permissions::from_mode(mode))?)
}

/// Bytes of every file below a folder.
fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.metadata()?;
        sum += if found.is_dir() { size(&entry.path())? } else { found.len() };
    }
    Ok(sum)
}

/// What the program needs of the C library: the newest version whose symbols it names, `GLIBC_2.34`.
fn libc_of(program: &[u8]) -> anyhow::Result<String> {
    const MARK: &[u8] = b"GLIBC_2.";
    let minor = |at: usize| {
        let digits = program[at + MARK.len()..].iter().take(3).take_while(|byte| byte.is_ascii_digit());
        digits.fold(0_u32, |number, digit| number * 10 + u32::from(digit - b'0'))
    };
    let named = program.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let newest = named.map(|(at, _)| minor(at)).max().context("the program names no version of glibc")?;
    Ok(format!("libc6 (>= 2.{newest}), libgcc-s1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_a_program_names_is_what_it_depends_on() {
        let program = b"\x7fELF..GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.17\0";
        assert_eq!(libc_of(program).unwrap(), "libc6 (>= 2.34), libgcc-s1");
        assert!(libc_of(b"static").is_err());
    }

    #[tokio::test]
    async fn the_same_program_gives_the_same_package_whenever_it_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        for package in PACKAGES {
            let mut packed = Vec::new();
            for (time, mode) in [("first", 0o755), ("second", 0o700)] {
                let programs = folder.path().join(time);
                fs::create_dir_all(&programs).unwrap();
                let program = programs.join(package.name);
                fs::write(&program, b"\x7fELF..GLIBC_2.34\0").unwrap();
                fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
                let file = package.build(&programs, &programs, "1700000000").await.unwrap();
                packed.push((file.file_name().unwrap().to_owned(), fs::read(&file).unwrap()));
                // Times in a package are whole seconds.
                tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
            }
            assert!(packed[0] == packed[1], "{} differs from itself", package.name);
            let file = folder.path().join("first").join(&packed[0].0).display().to_string();
            let listed = said("dpkg-deb", &["--contents", &file]).await.unwrap();
            let mut paths: Vec<&str> =
                listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
            assert!(
                paths.iter().any(|path| path.ends_with(&format!("usr/bin/{}", package.name))),
                "{listed}"
            );
            assert!(
                listed.lines().all(|line| line.contains("root/root") && line.contains("2023-11-1")),
                "{listed}"
            );
            let all = paths.len();
            paths.dedup();
            assert_eq!(paths.len(), all, "each file once: {listed}");
        }
    }

    #[test]
    fn every_file_a_package_names_is_there_and_every_conffile_among_them() {
        for package in PACKAGES {
            let files = package.files.iter().map(|(from, _, _)| (*from).to_owned());
            let scripts = SCRIPTS.iter().map(|name| format!("{}/{name}", package.folder));
            for path in files.chain(scripts).chain(DOCUMENTS.iter().map(|path| (*path).to_owned())) {
                assert!(workspace().join(&path).is_file(), "{path}");
            }
            let mut places: Vec<_> = package.files.iter().map(|(_, to, _)| *to).collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), package.files.len(), "{}: one file for each place", package.name);
            for conffile in package.conffiles {
                assert!(package.files.iter().any(|(_, to, _)| format!("/{to}") == *conffile), "{conffile}");
            }
        }
    }
}
