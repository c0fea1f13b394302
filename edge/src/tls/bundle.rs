//! A certificate and its key, as text in a file that only the box's own user can read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::HEXLOWER;
use hadir_shared::time::Millis;
use pem::{EncodeConfig, LineEnding, Pem, encode_config, encode_many_config};
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use sha2::{Digest as _, Sha256};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

/// A chain of certificates, the box's own first, and the key of that one.
pub struct Bundle {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Bundle {
    /// Reads the text of one file, or of several one after the other. Says in English what is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
        let chain = chain.map_err(|error| format!("no certificate can be read ({error})"))?;
        if chain.is_empty() {
            return Err("there is no certificate in it".into());
        }
        let key = PrivateKeyDer::from_pem_slice(text);
        Ok(Self { chain, key: key.map_err(|error| format!("no private key can be read ({error})"))? })
    }

    pub fn to_pem(&self) -> String {
        let certificates = self.chain.iter().map(|der| Pem::new("CERTIFICATE", der.as_ref()));
        let key = Pem::new("PRIVATE KEY", self.key.secret_der());
        encode_many_config(&certificates.chain([key]).collect::<Vec<_>>(), unix())
    }

    /// What is served, when the key is the certificate's.
    pub fn certified(self) -> Result<Arc<CertifiedKey>, String> {
        let certified = CertifiedKey::from_der(self.chain, self.key, &aws_lc_rs::default_provider());
        certified.map(Arc::new).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => "the key is not that of the certificate".into(),
            error => error.to_string(),
        })
    }
}

/// A certificate as text.
pub fn certificate_pem(der: &[u8]) -> String {
    encode_config(&Pem::new("CERTIFICATE", der), unix())
}

fn unix() -> EncodeConfig {
    EncodeConfig::new().set_line_ending(LineEnding::LF)
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub names: Vec<String>,
    pub not_before: Millis,
    pub not_after: Millis,
}

impl Said {
    pub fn by(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
        let alternatives = certificate.subject_alternative_name().map_err(|error| error.to_string())?;
        let names = alternatives.map(|found| found.value.general_names.iter().filter_map(name).collect());
        let at = |time: x509_parser::time::ASN1Time| Millis(time.timestamp().saturating_mul(1000));
        let validity = certificate.validity();
        Ok(Self {
            names: names.unwrap_or_default(),
            not_before: at(validity.not_before),
            not_after: at(validity.not_after),
        })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).into()),
        GeneralName::IPAddress(bytes) => super::ca::address(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

/// Makes the folder of the box's secrets, and makes it last.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => sync(folder.parent().unwrap_or(folder)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Writes a new secret file that nobody else has written meanwhile: `false` when somebody has. A power cut leaves a whole
/// one or none.
pub fn create(path: &Path, text: &str) -> io::Result<bool> {
    let aside = write_aside(path, text)?;
    let created = match fs::hard_link(&aside, path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    fs::remove_file(&aside)?;
    sync(path.parent().unwrap_or(path))?;
    Ok(created)
}

/// Writes a secret file in the place of the one before. A power cut leaves either.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    fs::rename(write_aside(path, text)?, path)?;
    sync(path.parent().unwrap_or(path))
}

/// Under a name of its own: somebody else may be writing the same file.
fn write_aside(path: &Path, text: &str) -> io::Result<PathBuf> {
    let aside = path.with_extension(HEXLOWER.encode(&Sha256::digest(text)[..8]));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(aside)
}

fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}
