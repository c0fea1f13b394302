//! What connections are served with: a certificate by the box's authority, with a key of its own, for about a year.

use std::{fs, path::Path, sync::Arc};

use hadir_shared::time::Millis;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls::{pki_types::PrivateKeyDer, sign::CertifiedKey};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use super::{
    Ca, CannotServe, Https, Voucher,
    bundle::{self, Bundle, Said},
    ca::{DAY_MS, limit},
};

/// Apple's devices refuse a server's certificate that is good for longer than 398 days (HT211025).
const LIFE_MS: i64 = 397 * DAY_MS;
/// So much earlier than now it begins: devices' clocks are behind at times.
const EARLIER_MS: i64 = DAY_MS;

/// A certificate in use, or kept for the next start.
pub struct Leaf {
    pub key: Arc<CertifiedKey>,
    said: Said,
}

impl Leaf {
    /// Makes one and keeps it. The names are those that the authority may vouch for.
    pub fn make(ca: &Ca, path: &Path, names: Vec<String>, now: Millis) -> Result<Self, CannotServe> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Hadir");
        let from = now.plus_millis(-EARLIER_MS);
        limit(&mut params, from, from.plus_millis(LIFE_MS).min(ca.expires_at()));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, ca.issuer())?;
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let bundle = Bundle { chain: vec![certificate.der().clone()], key };
        bundle::replace(path, &bundle.to_pem()).map_err(CannotServe::disk(path))?;
        Self::from(bundle).map_err(CannotServe::Made)
    }

    /// The one kept; `None` when it cannot be used: another is made in no time, and nobody trusts it by itself.
    pub fn read(path: &Path) -> Option<Self> {
        Bundle::parse(&fs::read(path).ok()?).and_then(Self::from).ok()
    }

    fn from(bundle: Bundle) -> Result<Self, String> {
        let key = bundle.certified()?;
        Self::of(key)
    }

    /// The one that is served.
    pub fn of(key: Arc<CertifiedKey>) -> Result<Self, String> {
        let der = key.cert.first().ok_or("no certificate")?;
        Ok(Self { said: Said::by(der)?, key })
    }

    /// Whether the authority signed it, and not the one before.
    pub fn is_by(&self, ca: &Ca) -> bool {
        let Some((_, leaf)) = self.key.cert.first().and_then(|der| X509Certificate::from_der(der).ok())
        else {
            return false;
        };
        let Ok((_, authority)) = X509Certificate::from_der(ca.der()) else { return false };
        leaf.verify_signature(Some(authority.public_key())).is_ok()
    }

    /// Whether it may go on: for just these names, begun, and with more than a third of its time left.
    pub fn does(&self, names: &[String], now: Millis) -> bool {
        let Said { not_before, not_after, .. } = self.said;
        let renewed_at = not_after.plus_millis(-(not_after.since(not_before) / 3));
        self.said.names == names && not_before <= now && now < renewed_at
    }

    pub fn told(&self, ca: &Ca) -> Https {
        Https {
            voucher: Voucher::Box,
            url: None,
            names: self.said.names.clone(),
            expires_at: self.said.not_after,
            fingerprint: ca.fingerprint(),
            problem: None,
        }
    }
}
