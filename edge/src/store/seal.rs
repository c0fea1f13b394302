//! Secrets on the disk are sealed with a key that only the box's own user can read.
//!
//! It protects what a copied database would show, not a box whose whole disk was taken, and not a backup: that holds the key.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use chacha20poly1305::{
    ChaCha20Poly1305, Key, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};

use crate::ids::Ids;

const NONCE: usize = 12;

/// Seals and opens. Cheap to clone.
#[derive(Clone)]
pub struct Seal(ChaCha20Poly1305);

/// The bytes were not sealed by this key for this name, or were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes cannot be opened: another secret.key, or damage")]
pub struct CannotOpen;

impl Seal {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(ChaCha20Poly1305::new(&Key::from(*key)))
    }

    /// The key in `data_dir/secret.key`, which is made at the first start.
    pub fn in_folder(data_dir: &Path, ids: &Ids) -> io::Result<Self> {
        let path = data_dir.join("secret.key");
        match Self::kept_in(data_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = ids.bytes::<32>();
                // Written aside and renamed: a power cut leaves a whole key or none.
                let aside = data_dir.join("secret.key.new");
                let mut file =
                    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
                file.write_all(&key)?;
                file.sync_all()?;
                fs::rename(&aside, &path)?;
                fs::File::open(data_dir)?.sync_all()?;
                Ok(Self::new(&key))
            }
            kept => kept,
        }
    }

    /// The key in `data_dir/secret.key`, which must be there.
    pub fn kept_in(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join("secret.key");
        let key: Result<[u8; 32], _> = fs::read(&path)?.try_into();
        let wrong =
            |_| io::Error::new(io::ErrorKind::InvalidData, format!("{} is not 32 bytes", path.display()));
        Ok(Self::new(&key.map_err(wrong)?))
    }

    /// Bound to `name`: sealed bytes moved to another row do not open there.
    pub fn seal(&self, ids: &Ids, name: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = ids.bytes::<NONCE>();
        let payload = Payload { msg: plain, aad: name.as_bytes() };
        // Encryption fails only for messages of 256 GiB.
        let sealed = self.0.encrypt(&Nonce::from(nonce), payload).unwrap_or_default();
        [nonce.as_slice(), &sealed].concat()
    }

    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(CannotOpen)?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        self.0.decrypt(&Nonce::from(*nonce), payload).map_err(|_| CannotOpen)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_sealed_opens_under_its_own_name_and_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let ids = Ids::seeded(1);
        let seal = Seal::in_folder(folder.path(), &ids).unwrap();
        let sealed = seal.seal(&ids, "person/1", b"Andi");
        assert!(!sealed.windows(4).any(|w| w == b"Andi"));
        let again = Seal::in_folder(folder.path(), &ids).unwrap();
        assert_eq!(again.open("person/1", &sealed).unwrap(), b"Andi");
        assert_eq!(again.open("person/2", &sealed), Err(CannotOpen));
        assert_eq!(Seal::new(&[0; 32]).open("person/1", &sealed), Err(CannotOpen));
        assert_eq!(again.open("person/1", b"short"), Err(CannotOpen));
        let mode = fs::metadata(folder.path().join("secret.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
