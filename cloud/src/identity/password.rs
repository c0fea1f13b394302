//! Passwords: argon2id, m = 19456 KiB, t = 2, p = 1 (OWASP ASVS 5.0, appendix C), about 30 ms of one core.
//!
//! What always holds: at most one hash per core runs at a time, each holding its permit *inside* the blocking task, so that
//! clients who hang up do not free places that are still in use; what they work in is one memory a place, kept from hash to
//! hash; who waits longer than two seconds is told to come back; the length is checked before anything is hashed.

use std::{
    collections::HashSet,
    fmt::Display,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread::available_parallelism,
    time::Duration,
};

use anyhow::anyhow;
use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use zeroize::Zeroizing;

use crate::{
    clock::Ids,
    fail::{Fail, Flaw},
};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Parameters past these in a stored hash are not worked through: somebody else wrote them.
const MOST_MEMORY_KIB: u32 = 65_536;
const MOST_PASSES: u32 = 10;
const MOST_LANES: u32 = 4;

pub const SHORTEST: usize = 8;
/// In bytes, so that nobody makes us read a book.
pub const LONGEST: usize = 256;

const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The most guessed passwords of eight characters and more, in lower case: the ten thousand most common of that length, what
/// Django refuses, and what is guessed in Indonesia besides. `common_passwords.license.txt` says where they are from.
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());
/// A word of the surroundings that is shorter stands in too many passwords by chance.
const SHORTEST_WORD: usize = 4;
/// What is left of a password without those words must be this long to be one.
const SHORTEST_REST: usize = 5;

/// [`flaw`], and whether the password is little more than what everybody around knows: the school's name and code, the
/// user's own names (ASVS 6.2.11).
pub fn flaw_among(password: &str, known: &[&str]) -> Option<Flaw> {
    flaw(password).or_else(|| {
        let too_plain = rest_without(password, known) < SHORTEST_REST;
        too_plain.then(|| Flaw::Said("Kata sandi ini memuat nama sekolah atau nama Anda".into()))
    })
}

/// Letters and digits that stay when every word of `known` is taken out of the password.
fn rest_without(password: &str, known: &[&str]) -> usize {
    let plain = |text: &str| text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let parts = known.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()).chain([*text]));
    let mut words: Vec<_> = parts.map(plain).filter(|word| word.chars().count() >= SHORTEST_WORD).collect();
    if words.is_empty() {
        return SHORTEST_REST;
    }
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let whole = plain(password);
    let rest = words.iter().fold(whole.clone(), |rest, word| rest.replace(word.as_str(), ""));
    if rest == whole { SHORTEST_REST } else { rest.chars().count() }
}

/// What is wrong with a new password, if anything. No rules of composition (ASVS 6.2.5).
pub fn flaw(password: &str) -> Option<Flaw> {
    if password.chars().count() < SHORTEST {
        return Some(Flaw::TooShort(SHORTEST));
    }
    if password.len() > LONGEST {
        return Some(Flaw::TooLong(LONGEST));
    }
    let lower = password.to_lowercase();
    COMMON.contains(lower.as_str()).then(|| Flaw::Said("Kata sandi ini terlalu umum".into()))
}

/// The answer to a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    No,
    Yes,
    /// Right, but hashed with older parameters: hash it again.
    Outdated,
}

/// The queue in front of the hash function.
#[derive(Clone, Debug)]
pub struct Hasher {
    places: Arc<Semaphore>,
    /// Of the places that are free and were used before.
    memories: Arc<Mutex<Vec<Memory>>>,
}

/// What a hash is worked out in. Given back to the allocator after each one it would stay with the thread that had it, and
/// there are many more of those than places.
#[derive(Debug, Default)]
struct Memory(Vec<Block>);

impl Hasher {
    #[expect(clippy::new_without_default, reason = "there is one queue per process")]
    pub fn new() -> Self {
        Self::with(available_parallelism().map_or(1, usize::from))
    }

    fn with(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), memories: Arc::default() }
    }

    /// Every place at once: while this is held, whatever wants to hash is told to come back.
    #[cfg(test)]
    pub(super) async fn taken(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = available_parallelism().map_or(1, usize::from);
        Arc::clone(&self.places).acquire_many_owned(all.try_into().unwrap()).await.unwrap()
    }

    /// How much it keeps: a memory for each place that was ever used, and no more.
    #[cfg(test)]
    pub(super) fn memories(&self) -> usize {
        self.memories.lock().unwrap().len()
    }

    /// A PHC string. The caller has checked the password with [`flaw`].
    pub async fn hash(&self, ids: &Ids, password: &str) -> Result<String, Fail> {
        let salt: [u8; 16] = ids.bytes();
        let password = Zeroizing::new(password.to_owned());
        self.run(move |memory| Ok(memory.hash(&password, &salt)?.to_string())).await
    }

    /// Compares with a stored PHC string; with `None` (no such user) it works as long and says no.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<Match, Fail> {
        if password.is_empty() || password.len() > LONGEST {
            return Ok(Match::No);
        }
        let password = Zeroizing::new(password.to_owned());
        let stored = stored.map(str::to_owned);
        self.run(move |memory| match stored {
            Some(stored) => memory.compare(&password, &stored),
            None => memory.hash(&password, &[0; 16]).map(|_| Match::No),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Fail> {
        let busy = || Fail::Unavailable { retry_after: Duration::from_secs(5) };
        let place = timeout(LONGEST_WAIT, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| busy())?.map_err(|_| busy())?;
        let memories = Arc::clone(&self.memories);
        let done = spawn_blocking(move || {
            let kept = || memories.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = kept().pop().unwrap_or_default();
            let result = work(&mut memory);
            kept().push(memory);
            drop(place);
            result
        });
        Ok(done.await.map_err(anyhow::Error::from)??)
    }
}

impl Memory {
    fn hash(&mut self, password: &str, salt: &[u8]) -> anyhow::Result<PasswordHash> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| anyhow!("parameters: {e}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(argon2.params()).map_err(|e| anyhow!("parameters: {e}"))?,
            salt: Some(Salt::new(salt).map_err(|e| anyhow!("salt: {e}"))?),
            hash: Some(self.output(&argon2, password, salt, Params::DEFAULT_OUTPUT_LEN)?),
        })
    }

    fn compare(&mut self, password: &str, stored: &str) -> anyhow::Result<Match> {
        let unreadable = |why: &dyn Display| anyhow!("a stored password hash cannot be read: {why}");
        let hash = PasswordHash::new(stored).map_err(|e| unreadable(&e))?;
        let params = Params::try_from(&hash).map_err(|e| unreadable(&e))?;
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(|e| unreadable(&e))?;
        let version = hash.version.map_or(Ok(Version::V0x13), Version::try_from);
        let version = version.map_err(|e| unreadable(&e))?;
        let (salt, right) = hash.salt.as_ref().zip(hash.hash).ok_or_else(|| unreadable(&"it has no hash"))?;
        anyhow::ensure!(
            params.m_cost() <= MOST_MEMORY_KIB
                && params.t_cost() <= MOST_PASSES
                && params.p_cost() <= MOST_LANES,
            "a stored password hash asks for too much work"
        );
        let current = algorithm == Algorithm::Argon2id
            && (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES);
        let argon2 = Argon2::new(algorithm, version, params);
        // The comparison of two outputs takes as long wherever they differ.
        let is_right = self.output(&argon2, password, salt, right.len())? == right;
        Ok(match (is_right, current) {
            (false, _) => Match::No,
            (true, true) => Match::Yes,
            (true, false) => Match::Outdated,
        })
    }

    fn output(
        &mut self,
        argon2: &Argon2<'_>,
        password: &str,
        salt: &[u8],
        length: usize,
    ) -> anyhow::Result<Output> {
        let blocks = argon2.params().block_count();
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::new());
        }
        let mut output = vec![0; length];
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, &mut self.0)
            .map_err(|e| anyhow!("cannot hash: {e}"))?;
        Output::new(&output).map_err(|e| anyhow!("cannot hash: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHasher as _;

    use super::*;

    #[tokio::test]
    async fn right_wrong_old_and_greedy() {
        let hasher = Hasher::new();
        let stored = hasher.hash(&Ids::seeded(1), "Rahasia123!").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(hasher.verify("Rahasia123!", Some(&stored)).await.unwrap(), Match::Yes);
        assert_eq!(hasher.verify("rahasia123!", Some(&stored)).await.unwrap(), Match::No);
        assert_eq!(hasher.verify("Rahasia123!", None).await.unwrap(), Match::No);
        assert_eq!(
            hasher.verify(&"x".repeat(257), Some("not even a hash")).await.unwrap(),
            Match::No,
            "never hashed"
        );

        let old = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8192, 1, 1, None).unwrap());
        let old = old.hash_password_with_salt(b"Rahasia123!", &[1; 16]).unwrap().to_string();
        assert_eq!(hasher.verify("Rahasia123!", Some(&old)).await.unwrap(), Match::Outdated);
        let greedy = stored.replace("m=19456", "m=4000000");
        assert!(
            hasher.verify("Rahasia123!", Some(&greedy)).await.is_err(),
            "four gigabytes are not allocated"
        );
        let kept = hasher.memories.lock().unwrap();
        assert_eq!(kept.len(), 1, "one after the other they work in the same place");
        assert_eq!(kept[0].0.len(), MEMORY_KIB as usize);
    }

    #[tokio::test]
    async fn who_hangs_up_does_not_free_a_place_that_is_still_used() {
        let hasher = Hasher::with(1);
        let (started, is_started) = std::sync::mpsc::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let task = tokio::spawn({
            let hasher = hasher.clone();
            async move {
                hasher
                    .run(move |_| {
                        started.send(()).unwrap();
                        Ok(may_go_on.recv()?)
                    })
                    .await
            }
        });
        spawn_blocking(move || is_started.recv().unwrap()).await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(hasher.places.available_permits(), 0, "the hash still runs");
        go_on.send(()).unwrap();
        let _free = timeout(Duration::from_secs(5), hasher.places.acquire()).await.unwrap().unwrap();
    }

    #[test]
    fn new_passwords() {
        assert_eq!(flaw("Rahasia123!"), None);
        assert_eq!(flaw("kunci rumah nenek"), None);
        assert_eq!(flaw("1234567"), Some(Flaw::TooShort(8)));
        assert_eq!(flaw(&"x".repeat(257)), Some(Flaw::TooLong(256)));
        assert!(matches!(flaw("Password1"), Some(Flaw::Said(_))));
        for common in ["1234567890", "qwertyuiop", "1q2w3e4r5t", "Sayang123", "indonesia", "football"] {
            assert!(matches!(flaw(common), Some(Flaw::Said(_))), "{common}");
        }
        // Of each source: dates and runs of keys, which Django leaves out, and what stands last of the ten thousand.
        for common in ["23041992", "lkjhgfds", "password123", "18051978", "!qaz2wsx"] {
            assert!(matches!(flaw(common), Some(Flaw::Said(_))), "{common}");
        }
        let lines: Vec<_> = include_str!("common_passwords.txt").lines().collect();
        assert!(lines.len() >= 10_000, "{}", lines.len());
        assert!(lines.iter().all(|line| line.chars().count() >= SHORTEST && *line == line.to_lowercase()));
        assert!(lines.is_sorted_by(|one, next| one < next), "each once, by its bytes");
    }

    #[test]
    fn what_everybody_around_knows_is_no_password() {
        let known = ["SMA Negeri 1 Hadir", "SMAN1", "budi.santoso", "budi@sekolah.sch.id"];
        for plain in
            ["negeri1hadir", "SMAN1-Hadir", "Hadir.2025", "budi-santoso", "Santoso99", "smanegeri1hadir!"]
        {
            assert!(matches!(flaw_among(plain, &known), Some(Flaw::Said(_))), "{plain}");
        }
        for good in ["hadir di pagi buta", "kunci rumah nenek", "Rahasia123!", "budi7gajah2"] {
            assert_eq!(flaw_among(good, &known), None, "{good}");
        }
        assert_eq!(flaw_among("short", &known), Some(Flaw::TooShort(8)));
        assert_eq!(flaw_among("kunci rumah", &["", "a b", "SD"]), None, "no words to look for");
    }
}
