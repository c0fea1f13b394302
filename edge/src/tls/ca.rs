//! The box's own authority: what the school's devices are told to trust.
//!
//! It can vouch for no name beyond the school's network: its certificate is constrained to names that no public authority
//! may give (`local` and the like, RFC 6762 and 8375) and the machine's own. Whoever steals the key gets no bank out of it.
//! Addresses are not constrained: there are schools whose network has public ones, and nobody's bank is an address.

use std::{fs, io, net::IpAddr, path::Path, time::Duration};

use hadir_shared::time::Millis;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P256_SHA256, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

use super::{
    CannotServe, Place,
    bundle::{self, Bundle, Said},
    fingerprint,
};
use crate::ids::Ids;

pub(super) const DAY_MS: i64 = 24 * 3600 * 1000;
/// Ten years: longer than a box lives.
const LIFE_MS: i64 = 3_650 * DAY_MS;
const FILE: &str = "ca.pem";

/// Names below these mean something in one network only.
const LOCAL: [&str; 5] = ["local", "localhost", "lan", "internal", "home.arpa"];
/// A certificate and the key to sign others with.
pub struct Ca {
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    permitted: Vec<String>,
    said: Said,
}

impl Ca {
    /// The one in the folder; made at the first start. Of two that start at once, the later takes the earlier's.
    pub fn in_folder(
        folder: &Path,
        ids: &Ids,
        place: &Place,
        now: Millis,
        built: Millis,
    ) -> Result<Self, CannotServe> {
        if let Some(ca) = Self::read(folder)? {
            return Ok(ca);
        }
        let path = folder.join(FILE);
        bundle::make_folder(folder).map_err(CannotServe::disk(folder))?;
        let made = make(ids, place, now, built)?;
        if bundle::create(&path, &made.to_pem()).map_err(CannotServe::disk(&path))? {
            tracing::info!("made the authority that the school's devices are to trust");
        }
        let gone = || CannotServe::Disk { path, error: io::ErrorKind::NotFound.into() };
        Self::read(folder)?.ok_or_else(gone)
    }

    /// The one in the folder; `None` where there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, CannotServe> {
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CannotServe::Disk { path, error }),
        };
        Self::parse(&text).map(Some).map_err(|why| CannotServe::Ca { path, why })
    }

    fn parse(text: &[u8]) -> Result<Self, String> {
        let Bundle { mut chain, key } = Bundle::parse(text)?;
        let der = chain.swap_remove(0);
        let is_its_own = Bundle { chain: vec![der.clone()], key: key.clone_key() }.certified();
        is_its_own.map_err(|why| format!("it is damaged: {why}"))?;
        let key = KeyPair::try_from(&key).map_err(|error| error.to_string())?;
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|error| error.to_string())?;
        Ok(Self { permitted: permitted_names(&der)?, said: Said::by(&der)?, der, issuer })
    }

    pub fn der(&self) -> &[u8] {
        &self.der
    }

    pub fn pem(&self) -> String {
        bundle::certificate_pem(&self.der)
    }

    /// SHA-256, as devices show it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.der)
    }

    pub const fn expires_at(&self) -> Millis {
        self.said.not_after
    }

    /// Those of the names that it may vouch for, and all addresses.
    pub fn permitted(&self, names: &[String]) -> Vec<String> {
        let may = |name: &&String| {
            name.parse::<IpAddr>().is_ok() || self.permitted.iter().any(|tree| is_below(tree, name))
        };
        names.iter().filter(may).cloned().collect()
    }

    pub(super) const fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

fn make(ids: &Ids, place: &Place, now: Millis, built: Millis) -> Result<Bundle, CannotServe> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    // Devices list authorities by these; the local name tells two boxes apart.
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Hadir");
    let name = place.local.trim_end_matches(".local");
    params.distinguished_name.push(DnType::CommonName, format!("Hadir {name}"));
    params.serial_number = Some(serial(ids.bytes()));
    // Not from a clock that may run ahead: until its own first day no device would trust the box.
    limit(&mut params, built.plus_millis(-DAY_MS), now.plus_millis(LIFE_MS));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted_subtrees(place),
        excluded_subtrees: Vec::new(),
    });
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    Ok(Bundle { chain: vec![certificate.der().clone()], key })
}

fn permitted_subtrees(place: &Place) -> Vec<GeneralSubtree> {
    let names = LOCAL.into_iter().chain(place.host.as_deref());
    names.map(|name| GeneralSubtree::DnsName(name.into())).collect()
}

/// The trees of names that the certificate allows itself: the machine may have had another name when it was made.
fn permitted_names(der: &[u8]) -> Result<Vec<String>, String> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
    let constraints = certificate.name_constraints().map_err(|error| error.to_string())?;
    let subtrees = constraints.and_then(|found| found.value.permitted_subtrees.as_deref());
    let name = |base: &GeneralName<'_>| match base {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    };
    Ok(subtrees.unwrap_or_default().iter().filter_map(|subtree| name(&subtree.base)).collect())
}

fn is_below(tree: &str, name: &str) -> bool {
    name.strip_suffix(tree).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// An address as certificates hold one: four bytes, or sixteen.
pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
    v4().or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok())
}

/// Of random bytes: positive and never zero, as certificates want it.
fn serial(mut bytes: [u8; 16]) -> SerialNumber {
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

/// Sets from when and until when a certificate is good. Certificates count whole seconds.
pub(super) fn limit(params: &mut CertificateParams, from: Millis, until: Millis) {
    let since_1970 = |at: Millis| Duration::from_secs(u64::try_from(at.0 / 1000).unwrap_or(0));
    params.not_before = date_time_ymd(1970, 1, 1) + since_1970(from);
    params.not_after = date_time_ymd(1970, 1, 1) + since_1970(until);
}
