//! HTTPS in the school's network, where no public authority can vouch for a box.
//!
//! What always holds:
//! - The box's authority ([`Ca`]) is made once. Telephones trust it, so a damaged one is an error for somebody to decide
//!   about, never a reason to make another.
//! - What is served is a short-lived leaf. It is renewed when a third of its time is left and when the box's names or
//!   addresses change, while connections go on.
//! - A clock that is wrong never keeps the box from serving: a leaf that the time does not fit is replaced by one it does.
//! - A school's own certificate takes the place of both. A wrong one is refused at the start; one that goes bad later leaves
//!   the last good one in place and says so.
//!
//! Deliberately absent: HSTS. A browser that has once seen it lets nobody past a certificate it does not trust, and a
//! telephone without this box's authority would be locked out of the very page (`/ca`) that explains what to do.

mod bundle;
mod ca;
mod leaf;
pub mod place;
mod school;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use data_encoding::HEXUPPER;
use hadir_shared::time::Millis;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::signal::unix::Signal;

pub use self::{ca::Ca, place::Place};
use self::{leaf::Leaf, school::Files};
use crate::{config::Config, ids::Ids, node::Node};

/// How often names, addresses, the school's files and the time are looked at.
pub const LOOK: Duration = Duration::from_secs(15);
/// Browsers that can do both take HTTP/2.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
/// The name of HTTP/2 in a handshake (RFC 9113, section 3.1).
pub const HTTP2: &[u8] = b"h2";

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CannotServe {
    #[error(
        "{}: {why}. The school's devices trust this certificate: put the file back from a backup. Only where there is \
         none, remove it; the next start makes a new one, which every device has to be told to trust anew", path.display()
    )]
    Ca { path: PathBuf, why: String },
    #[error("the school's certificate (tls_cert, tls_key): {0}")]
    School(String),
    #[error("{}: {error}", path.display())]
    Disk { path: PathBuf, error: io::Error },
    #[error("a certificate cannot be made: {0}")]
    Made(String),
}

impl CannotServe {
    fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |error| Self::Disk { path: path.into(), error }
    }
}

impl From<rcgen::Error> for CannotServe {
    fn from(error: rcgen::Error) -> Self {
        Self::Made(error.to_string())
    }
}

/// Who vouches for the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voucher {
    /// The box's own authority, which devices have to be told to trust.
    Box,
    /// An authority of the school's choice.
    School,
}

/// How the box serves HTTPS, for whoever looks after it. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Https {
    pub voucher: Voucher,
    /// What devices reach the box by.
    pub url: Option<String>,
    /// Names and addresses the certificate is good for.
    pub names: Vec<String>,
    /// When the certificate that is served ends.
    pub expires_at: Millis,
    /// SHA-256 of the box's authority, or of the school's certificate: `AB:CD:…`, as devices show it.
    pub fingerprint: String,
    /// Why the newest certificate is not in use, or that it has ended.
    pub problem: Option<String>,
}

/// The box's certificate, always the one to serve now. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    /// Since when this program exists: no clock that shows less is believed.
    built: Millis,
    /// Of the listener.
    port: OnceLock<u16>,
    served: RwLock<Served>,
}

enum Source {
    /// The authority, and the folder that keeps its leaf.
    Box {
        ca: Box<Ca>,
        leaf: PathBuf,
    },
    School(Files),
}

struct Served {
    key: Arc<CertifiedKey>,
    place: Place,
    https: Https,
    /// Of the school's files, as they were when they were last looked at.
    seen: Option<[u8; 32]>,
}

impl Tls {
    /// Reads or makes what is needed. No clock is believed that shows less than `built` ([`crate::clock::BUILT`]).
    pub fn open(
        config: &Config,
        ids: &Ids,
        place: Place,
        now: Millis,
        built: Millis,
    ) -> Result<Self, CannotServe> {
        let now = now.max(built);
        if let Some(files) = Files::of(config) {
            let (school, seen) = files.load()?;
            school.check_time(now)?;
            let served = Served { https: school.told(), key: school.key, place, seen: Some(seen) };
            return Ok(Self::new(Source::School(files), built, served));
        }
        let folder = folder(config);
        let ca = Ca::in_folder(&folder, ids, &place, now, built)?;
        let path = folder.join("leaf.pem");
        let wanted = ca.permitted(&place.names());
        let kept = Leaf::read(&path).filter(|leaf| leaf.is_by(&ca) && leaf.does(&wanted, now));
        let leaf = kept.map_or_else(|| Leaf::make(&ca, &path, wanted, now), Ok)?;
        let served = Served { https: leaf.told(&ca), key: leaf.key, place, seen: None };
        Ok(Self::new(Source::Box { ca: Box::new(ca), leaf: path }, built, served))
    }

    fn new(source: Source, built: Millis, served: Served) -> Self {
        Self { inner: Arc::new(Inner { source, built, port: OnceLock::new(), served: RwLock::new(served) }) }
    }

    /// Where the listener is, once it is; told to those who ask for the box's address.
    pub fn listens_at(&self, port: u16) {
        let _ = self.inner.port.set(port);
    }

    pub fn port(&self) -> Option<u16> {
        self.inner.port.get().copied()
    }

    /// Serves whatever certificate is the right one when a connection comes.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, CannotServe> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| CannotServe::Made(error.to_string()))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::new(Now(self.clone())));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(Arc::new(config))
    }

    /// The box's authority, for devices to trust; `None` where the school has its own certificate.
    pub fn ca(&self) -> Option<&Ca> {
        match &self.inner.source {
            Source::Box { ca, .. } => Some(ca),
            Source::School(_) => None,
        }
    }

    pub fn told(&self) -> Https {
        let served = self.inner.served.read().unwrap_or_else(PoisonError::into_inner);
        Https { url: self.port().and_then(|port| reached_by(&served, port)), ..served.https.clone() }
    }

    /// What telephones reach the box by: `https://192.168.1.10:8443`. The name of the school's certificate; else the
    /// address, because telephones before Android 12 do not find names under `.local`; else the name all the same.
    pub fn url(&self) -> Option<String> {
        reached_by(&self.inner.served.read().unwrap_or_else(PoisonError::into_inner), self.port()?)
    }

    /// The name the box announces: `hadir-1a2b.local`.
    pub fn local_name(&self) -> String {
        self.inner.served.read().unwrap_or_else(PoisonError::into_inner).place.local.clone()
    }

    /// Serves what fits the place and the time from the next connection on. What cannot be replaced is kept.
    pub fn refresh(&self, place: Place, now: Millis) {
        let now = now.max(self.inner.built);
        let outcome = match &self.inner.source {
            Source::Box { ca, leaf } => self.refresh_leaf(ca, leaf, &place, now),
            Source::School(files) => self.refresh_school(files, now),
        };
        let mut served = self.inner.served.write().unwrap_or_else(PoisonError::into_inner);
        served.place = place;
        let problem = outcome.err().map(|error| error.to_string());
        if problem.is_some() && served.https.problem != problem {
            tracing::error!(problem, "the certificate in use stays");
        }
        served.https.problem = problem;
    }

    fn refresh_leaf(&self, ca: &Ca, path: &Path, place: &Place, now: Millis) -> Result<(), CannotServe> {
        let wanted = ca.permitted(&place.names());
        let does = {
            let served = self.inner.served.read().unwrap_or_else(PoisonError::into_inner);
            Leaf::of(Arc::clone(&served.key)).is_ok_and(|leaf| leaf.does(&wanted, now))
        };
        if does {
            return Ok(());
        }
        let leaf = Leaf::make(ca, path, wanted, now)?;
        let mut served = self.inner.served.write().unwrap_or_else(PoisonError::into_inner);
        served.https = leaf.told(ca);
        served.key = leaf.key;
        tracing::info!(names = ?served.https.names, "a new certificate is served");
        Ok(())
    }

    fn refresh_school(&self, files: &Files, now: Millis) -> Result<(), CannotServe> {
        let seen = self.inner.served.read().unwrap_or_else(PoisonError::into_inner).seen;
        if files.seen()? != seen {
            let (school, new) = files.load()?;
            school.check_time(now)?;
            let mut served = self.inner.served.write().unwrap_or_else(PoisonError::into_inner);
            served.https = school.told();
            served.key = school.key;
            served.seen = Some(new);
            tracing::info!(names = ?served.https.names, "the school's new certificate is served");
        }
        let ends = self.inner.served.read().unwrap_or_else(PoisonError::into_inner).https.expires_at;
        school::not_over(ends, now)
    }
}

fn reached_by(served: &Served, port: u16) -> Option<String> {
    let host = match served.https.voucher {
        Voucher::School => served.https.names.iter().find(|name| !name.starts_with('*')).cloned(),
        Voucher::Box => served.place.reached_at().or_else(|| Some(served.place.local.clone())),
    };
    host.map(|host| place::url(&host, port))
}

/// Where the box keeps its authority and its leaf.
fn folder(config: &Config) -> PathBuf {
    config.data_dir.join("tls")
}

/// Picks the certificate of the moment.
#[derive(Debug)]
struct Now(Tls);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("told", &self.told()).finish()
    }
}

impl ResolvesServerCert for Now {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.inner.served.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

/// What the disk says of a box that is off; `None` where it has no certificate yet.
pub fn on_disk(config: &Config) -> Result<Option<Https>, CannotServe> {
    if let Some(files) = Files::of(config) {
        return Ok(Some(files.load()?.0.told()));
    }
    let folder = folder(config);
    let Some(ca) = Ca::read(&folder)? else { return Ok(None) };
    Ok(Leaf::read(&folder.join("leaf.pem")).map(|leaf| leaf.told(&ca)))
}

/// The authority that devices are told to trust; `None` where the school has its own certificate, or the box has none yet.
pub fn authority(config: &Config) -> Result<Option<Ca>, CannotServe> {
    if Files::of(config).is_some() { Ok(None) } else { Ca::read(&folder(config)) }
}

/// Follows the box's names, addresses and time, and the school's files; at once when `asked` says so.
pub async fn keep(tls: Tls, node: Node, mut asked: Signal) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = asked.recv() => {}
        }
        let (tls, node) = (tls.clone(), node.clone());
        // Reads and writes files.
        let looked =
            tokio::task::spawn_blocking(move || tls.refresh(Place::of(&node), node.trusted_now().time));
        if let Err(error) = looked.await {
            tracing::error!(%error, "the certificate could not be looked after");
        }
    }
}

/// SHA-256 as devices show it.
fn fingerprint(der: &[u8]) -> String {
    let digest = Sha256::digest(der);
    digest.iter().map(|byte| HEXUPPER.encode(&[*byte])).collect::<Vec<_>>().join(":")
}
