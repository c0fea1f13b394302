//! Secrets at rest: ChaCha20-Poly1305 under one key of the deployment, which stands in a file and never in the database.
//!
//! What always holds: a sealed text opens only for the purpose it was sealed for; the key file is its owner's alone; a
//! database without its key file gives away no secret, and a key file without its database is nothing.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead as _, Payload},
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::clock::Ids;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;
/// Names the construction, so that a later one can stand beside it.
const VERSION: &str = "v1.";

/// The deployment's key.
#[derive(Clone)]
pub struct Seal(Arc<Keys>);

struct Keys {
    cipher: ChaCha20Poly1305,
    /// Another key from the same secret, so that no key does two things.
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal(…)")
    }
}

impl Seal {
    /// Reads the key file, or makes one (mode 0600). Refuses a file that is open to others.
    pub fn open_or_create(path: &Path, ids: &Ids) -> anyhow::Result<Self> {
        match create(path, ids) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => made.with_context(|| format!("cannot make the key file {}", path.display()))?,
        }
        check_mode(path)?;
        let text = Zeroizing::new(
            fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
        );
        let key = HEXLOWER.decode(text.trim().as_bytes()).ok().filter(|key| key.len() == KEY_LEN);
        let key = Zeroizing::new(key.with_context(|| {
            format!(
                "{} does not hold a key (64 hexadecimal digits); restore it from your backup",
                path.display()
            )
        })?);
        Self::from_key(&key)
    }

    /// From the 32 bytes themselves.
    pub fn from_key(key: &[u8]) -> anyhow::Result<Self> {
        let cipher = ChaCha20Poly1305::new_from_slice(key).ok().context("a key has 32 bytes")?;
        let derived = keyed(key)?.chain_update(b"hadir-mac-v1").finalize().into_bytes();
        Ok(Self(Arc::new(Keys { cipher, mac: keyed(&derived)? })))
    }

    /// HMAC-SHA256: what nobody can compute who does not have the key.
    pub fn mac(&self, purpose: &str, text: &[u8]) -> [u8; 32] {
        self.0
            .mac
            .clone()
            .chain_update(purpose)
            .chain_update([0])
            .chain_update(text)
            .finalize()
            .into_bytes()
            .into()
    }

    /// `purpose` is bound to the text: `signing-key`, `institution-key:7:qr`.
    pub fn seal(&self, ids: &Ids, purpose: &str, secret: &[u8]) -> anyhow::Result<String> {
        let nonce: [u8; NONCE_LEN] = ids.bytes();
        let payload = Payload { msg: secret, aad: purpose.as_bytes() };
        let hidden = self.0.cipher.encrypt(&Nonce::from(nonce), payload).ok().context("sealing failed")?;
        Ok(format!("{VERSION}{}", BASE64URL_NOPAD.encode(&[&nonce[..], &hidden].concat())))
    }

    /// Fails when the text was sealed by another key, for another purpose, or was altered.
    pub fn open(&self, purpose: &str, sealed: &str) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let text = sealed.strip_prefix(VERSION).context("a sealed text of an unknown kind")?;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).context("a sealed text that is not base64")?;
        let (nonce, hidden) =
            bytes.split_first_chunk::<NONCE_LEN>().context("a sealed text that is too short")?;
        let payload = Payload { msg: hidden, aad: purpose.as_bytes() };
        let secret = self.0.cipher.decrypt(&Nonce::from(*nonce), payload).ok();
        Ok(Zeroizing::new(secret.context("does not open: another secret.key, or altered")?))
    }
}

fn keyed(key: &[u8]) -> anyhow::Result<Hmac<Sha256>> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).ok().context("a key of HMAC")
}

/// Fails when everybody may read the file, or its group may change it. The group may read it: systemd hands a credential
/// over with an access list, which shows as mode 0440.
pub fn check_mode(path: &Path) -> anyhow::Result<()> {
    let mode =
        fs::metadata(path).with_context(|| format!("cannot see {}", path.display()))?.permissions().mode();
    let for_others = mode & 0o037;
    ensure!(for_others == 0, "{} is open to others; run: chmod 600 {}", path.display(), path.display());
    Ok(())
}

fn create(path: &Path, ids: &Ids) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let key = Zeroizing::new(ids.bytes::<KEY_LEN>());
    writeln!(file, "{}", HEXLOWER.encode(&*key))?;
    file.sync_all()?;
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_only_whole_with_its_key_and_for_its_purpose() {
        let ids = Ids::seeded(1);
        let seal = Seal::from_key(&[7; 32]).unwrap();
        let text = seal.seal(&ids, "signing-key", b"secret").unwrap();
        assert_eq!(&*seal.open("signing-key", &text).unwrap(), b"secret");
        assert!(seal.open("qr-key", &text).is_err(), "another purpose");
        assert!(Seal::from_key(&[8; 32]).unwrap().open("signing-key", &text).is_err(), "another key");
        assert!(seal.open("signing-key", &text[..text.len() - 2]).is_err(), "cut");
        assert!(seal.open("signing-key", "v1.").is_err(), "empty");
        assert_ne!(text, seal.seal(&ids, "signing-key", b"secret").unwrap(), "a nonce is used once");
        assert_eq!(seal.mac("p", b"x"), Seal::from_key(&[7; 32]).unwrap().mac("p", b"x"));
        assert_ne!(seal.mac("p", b"x"), seal.mac("q", b"x"));
        assert!(Seal::from_key(&[7; 31]).is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_must_be_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/secret.key");
        let first = Seal::open_or_create(&path, &Ids::system()).unwrap();
        let text = first.seal(&Ids::system(), "p", b"x").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(&*Seal::open_or_create(&path, &Ids::system()).unwrap().open("p", &text).unwrap(), b"x");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Seal::open_or_create(&path, &Ids::system()).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "half a k").unwrap();
        assert!(
            Seal::open_or_create(&path, &Ids::system()).is_err(),
            "a torn key is never replaced silently"
        );
    }
}
