//! Compares passwords with the roster's verifiers (argon2id, made by the cloud).
//!
//! What always holds: at most one hash per core runs at a time, each holding its permit *inside* the blocking task, so
//! that clients who hang up do not free places that are still in use; an unknown login takes as long as a known one; a
//! stored verifier never asks for unbounded memory.

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use anyhow::anyhow;
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use zeroize::Zeroizing;

use crate::{http::fail::Fail, ids::Ids};

/// The parameters of the cloud's verifiers, which an unknown login is made to cost: OWASP ASVS 5.0, appendix C. The box cannot
/// choose them, so they were measured (argon2 0.6, one thread of a server's Xeon, 60 times, while both cores were busy with other
/// work): 23 ms at best, 32 ms at the median, 97 ms at worst; an unknown login 16, 29. A login must take less than 300 ms, which
/// leaves a box's core room to be nine times slower than this one. No such box was measured.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Parameters past these are not worked through: somebody else wrote them.
const MOST_MEMORY_KIB: u32 = 65_536;
const MOST_PASSES: u32 = 10;
const MOST_LANES: u32 = 4;
/// In bytes, so that nobody makes the box read a book.
const LONGEST: usize = 256;
/// Forty people sign in at once on the first morning; on two slow cores that takes some seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The queue in front of the hash function.
#[derive(Clone, Debug)]
pub struct Verifier(Arc<Semaphore>);

impl Verifier {
    /// One per process.
    #[expect(clippy::new_without_default, reason = "there is one queue per process")]
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(available_parallelism().map_or(1, usize::from))))
    }

    /// Whether `password` is the one `stored` was made from. With `None` it works as long and says no.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Fail> {
        let password = Zeroizing::new(password);
        if password.is_empty() || password.len() > LONGEST {
            return Ok(false);
        }
        Ok(self.in_turn(move || compare(&password, stored.as_deref())).await??)
    }

    /// A verifier for a short secret of this box's own, such as a PIN.
    pub async fn hash(&self, secret: String, ids: &Ids) -> Result<String, Fail> {
        let (secret, salt) = (Zeroizing::new(secret), ids.bytes());
        Ok(self.in_turn(move || hash(&secret, &salt)).await??)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fail> {
        let busy = || Fail::Busy(Duration::from_secs(5));
        let permit = timeout(LONGEST_WAIT, Arc::clone(&self.0).acquire_owned()).await.map_err(|_| busy())?;
        let permit = permit.map_err(|_| busy())?;
        let done = spawn_blocking(move || {
            let answer = work();
            drop(permit);
            answer
        });
        Ok(done.await.map_err(anyhow::Error::from)?)
    }
}

fn argon2() -> anyhow::Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| anyhow!("parameters: {e}"))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Blocks for as long as a login does.
pub fn hash(secret: &str, salt: &[u8; 16]) -> anyhow::Result<String> {
    let hash = argon2()?.hash_password_with_salt(secret.as_bytes(), salt);
    Ok(hash.map_err(|e| anyhow!("cannot hash: {e}"))?.to_string())
}

fn compare(password: &str, stored: Option<&str>) -> anyhow::Result<bool> {
    let argon2 = argon2()?;
    let Some(stored) = stored else {
        argon2
            .hash_password_with_salt(password.as_bytes(), &[0; 16])
            .map_err(|e| anyhow!("cannot hash: {e}"))?;
        return Ok(false);
    };
    let hash =
        PasswordHash::new(stored).map_err(|e| anyhow!("a verifier of the roster cannot be read: {e}"))?;
    let asked = Params::try_from(&hash).map_err(|e| anyhow!("a verifier of the roster is odd: {e}"))?;
    anyhow::ensure!(
        asked.m_cost() <= MOST_MEMORY_KIB && asked.t_cost() <= MOST_PASSES && asked.p_cost() <= MOST_LANES,
        "a verifier of the roster asks for too much work"
    );
    Ok(argon2.verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn right_wrong_unknown_and_greedy() {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8192, 1, 1, None).unwrap());
        let stored = argon2.hash_password_with_salt(b"Rahasia123!", &[1; 16]).unwrap().to_string();
        let verifier = Verifier::new();
        let ask = |password: &str, stored: Option<&str>| {
            let (verifier, password, stored) =
                (verifier.clone(), password.to_owned(), stored.map(str::to_owned));
            async move { verifier.verify(password, stored).await }
        };
        assert!(ask("Rahasia123!", Some(&stored)).await.unwrap());
        assert!(!ask("rahasia123!", Some(&stored)).await.unwrap());
        assert!(!ask("", Some(&stored)).await.unwrap());
        assert!(!ask("Rahasia123!", None).await.unwrap());
        assert!(!ask(&"x".repeat(257), Some("never looked at")).await.unwrap());
        let greedy = stored.replace("m=8192", "m=4000000");
        assert!(ask("Rahasia123!", Some(&greedy)).await.is_err(), "four gigabytes are not allocated");
    }
}
