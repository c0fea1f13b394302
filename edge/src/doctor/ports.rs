//! Whether the box listens where it should, and who does where it cannot. Reads `/proc` only.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use super::{Patient, Seen};

/// A socket that listens (`net/tcp_states.h`).
const LISTEN: &str = "0A";

pub fn look(patient: &Patient<'_>, key: &str, address: &str) -> Seen {
    if address.is_empty() {
        return Seen::skipped(format!("{key} is empty: the box serves this machine only"));
    }
    let Ok(address) = address.parse::<SocketAddr>() else {
        return Seen::skipped(format!("{key} = {address} is a name, or no address"));
    };
    if address.port() == 0 {
        return Seen::skipped(format!("{key} takes whatever port is free"));
    }
    judge(key, address, listener(address.port()), patient.running)
}

/// Who listens at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Listener {
    Nobody,
    /// Only root learns who.
    Somebody,
    Process {
        id: u32,
        name: String,
    },
}

fn judge(key: &str, address: SocketAddr, listener: Listener, running: Option<u32>) -> Seen {
    let elsewhere = format!(
        "stop that program, or set another {key} in /etc/hadir/edge.toml; then systemctl restart hadir-edge"
    );
    match (listener, running) {
        (Listener::Nobody, None) => {
            Seen::wrong(format!("nothing listens at {address}: the box is off"), "systemctl start hadir-edge")
        }
        (Listener::Nobody, Some(_)) => Seen::wrong(
            format!("the box runs, but not at {address}: it was started with another {key}"),
            "systemctl restart hadir-edge",
        ),
        (Listener::Process { id, name }, running) if running != Some(id) => {
            Seen::wrong(format!("{address} is taken by {name} (process {id})"), elsewhere)
        }
        (Listener::Somebody, None) => {
            Seen::wrong(format!("{address} is taken, and not by a box on this disk"), elsewhere)
        }
        (Listener::Process { .. } | Listener::Somebody, _) => {
            Seen::fine(format!("the box listens at {address}"))
        }
    }
}

fn listener(port: u16) -> Listener {
    let inodes: Vec<u64> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    if inodes.is_empty() {
        return Listener::Nobody;
    }
    let wanted: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let holds = |id: &u32| {
        let files = fs::read_dir(format!("/proc/{id}/fd")).ok().into_iter().flatten().flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|to| wanted.iter().any(|w| to == Path::new(w)))
    };
    let ids = fs::read_dir("/proc").ok().into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    match ids.into_iter().find(holds) {
        Some(id) => {
            let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
            Listener::Process { id, name: name.trim().into() }
        }
        None => Listener::Somebody,
    }
}

/// The sockets of a table as `/proc/net/tcp` that listen at a port.
fn listening(table: &str, port: u16) -> Vec<u64> {
    let end = format!(":{port:04X}");
    let of_line = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_wanted = fields.get(1)?.ends_with(&end) && *fields.get(3)? == LISTEN;
        is_wanted.then(|| fields.get(9)?.parse().ok())?
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

/// The process that holds a lock on a file: the running box holds one on its folder. The lock itself is not touched.
pub fn holder(path: &Path) -> Option<u32> {
    let inode = fs::metadata(path).ok()?.ino();
    holding(&fs::read_to_string("/proc/locks").ok()?, inode)
}

/// Of a table as `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`.
fn holding(table: &str, inode: u64) -> Option<u32> {
    let end = format!(":{inode}");
    let of_line = |line: &str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_wanted = *fields.get(1)? == "FLOCK" && fields.get(5)?.ends_with(&end);
        is_wanted.then(|| fields.get(4)?.parse().ok())?
    };
    table.lines().find_map(of_line)
}

/// Where this machine itself reaches a listener.
pub fn from_here(address: SocketAddr, in_network: Option<IpAddr>) -> SocketAddr {
    match in_network.filter(|_| address.ip().is_unspecified()) {
        Some(ip) => SocketAddr::new(ip, address.port()),
        None => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use rustix::fs::{FlockOperation, flock};

    use super::*;

    #[test]
    fn a_closed_port_a_taken_one_and_the_boxs_own_are_told_apart() {
        let here = std::process::id();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let found = listener(address.port());
        assert!(matches!(found, Listener::Process { id, .. } if id == here), "{found:?}");
        assert!(matches!(judge("listen", address, found.clone(), Some(here)), Seen::Fine(_)));
        let Seen::Wrong { what, fix } = judge("listen", address, found, Some(here + 1)) else { panic!() };
        assert!(what.contains(&format!("(process {here})")) && fix.contains("listen"), "{what} {fix}");
        assert!(matches!(judge("listen", address, Listener::Somebody, None), Seen::Wrong { .. }));
        drop(socket);
        assert_eq!(listener(address.port()), Listener::Nobody);
        let off = judge("listen", address, Listener::Nobody, None);
        assert!(matches!(off, Seen::Wrong { what, .. } if what.contains("the box is off")));
        let moved = judge("listen", address, Listener::Nobody, Some(here));
        assert!(matches!(moved, Seen::Wrong { what, .. } if what.contains("another listen")));
    }

    #[test]
    fn a_running_box_is_known_by_its_lock() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(holder(file.path()), None);
        flock(file.as_file(), FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(holder(file.path()), Some(std::process::id()));
    }
}
