//! A school's own certificate, from two files that somebody else looks after (certbot, or the administrator).

use std::{fs, path::PathBuf, sync::Arc};

use hadir_shared::time::Millis;
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};

use super::{
    CannotServe, Https, Voucher,
    bundle::{Bundle, Said},
    fingerprint,
};
use crate::config::Config;

/// Where the certificate (with those between it and its authority) and its key are.
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    /// `None` when none are configured.
    pub fn of(config: &Config) -> Option<Self> {
        let (certificate, key) = config.tls_cert.clone().zip(config.tls_key.clone())?;
        Some(Self { certificate, key })
    }

    /// What is in the files now, and a digest of it.
    pub fn load(&self) -> Result<(School, [u8; 32]), CannotServe> {
        let text = self.read()?;
        let school = School::parse(&text).map_err(CannotServe::School)?;
        Ok((school, Sha256::digest(text).into()))
    }

    /// The digest alone.
    pub fn seen(&self) -> Result<Option<[u8; 32]>, CannotServe> {
        Ok(Some(Sha256::digest(self.read()?).into()))
    }

    fn read(&self) -> Result<Vec<u8>, CannotServe> {
        let read = |path: &PathBuf| fs::read(path).map_err(CannotServe::disk(path));
        Ok([read(&self.certificate)?, b"\n".into(), read(&self.key)?].concat())
    }
}

/// A certificate and its key.
pub struct School {
    pub key: Arc<CertifiedKey>,
    said: Said,
}

impl School {
    fn parse(text: &[u8]) -> Result<Self, String> {
        let key = Bundle::parse(text)?.certified()?;
        let said = Said::by(key.cert.first().ok_or("no certificate")?)?;
        if said.names.is_empty() {
            return Err(
                "it names no host (no subject alternative name), and browsers take none without".into()
            );
        }
        Ok(Self { key, said })
    }

    /// Refuses one that is over. One that has not begun is served: it is the box's clock that is behind.
    pub fn check_time(&self, now: Millis) -> Result<(), CannotServe> {
        if now < self.said.not_before {
            tracing::warn!("the school's certificate has not begun; is the clock behind?");
        }
        not_over(self.said.not_after, now)
    }

    pub fn told(&self) -> Https {
        Https {
            voucher: Voucher::School,
            url: None,
            names: self.said.names.clone(),
            expires_at: self.said.not_after,
            fingerprint: self.key.cert.first().map(|der| fingerprint(der)).unwrap_or_default(),
            problem: None,
        }
    }
}

pub fn not_over(ends: Millis, now: Millis) -> Result<(), CannotServe> {
    let over = || CannotServe::School(format!("it ended at {}", ends.to_rfc3339_micros()));
    if now < ends { Ok(()) } else { Err(over()) }
}
