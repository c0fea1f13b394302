//! What tests, demo and benchmarks need to run edge and cloud as real processes.
//!
//! | module | what |
//! |---|---|
//! | [`postgres`] | a private PostgreSQL in a temporary folder |
//! | [`process`] | a program of this workspace that is started, waited for and stopped by its id |
//! | [`school`], [`api`] | a cloud and a box as processes; a client of the contract |
//! | [`proxy`] | a TCP proxy that cuts the line, loses answers, or plays captive portal |
//! | [`cards`], [`frames`] | student cards as they are printed, and as a camera sees them |
//! | [`boxes`] | a box without a box: signed batches made by hand |
//! | [`browser`] | a real browser |
//! | [`relying`] | software that lets people sign in, which nobody here wrote |
//!
//! Invariant: whatever is started here listens on 127.0.0.1 at a free port, and ends with the value that started it.

pub mod api;
pub mod boxes;
pub mod browser;
pub mod cards;
pub mod frames;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod relying;
pub mod school;

/// The machine's wall clock, for tools, which have no [`hadir_shared::time::Clock`] handed to them.
#[expect(clippy::disallowed_methods, reason = "the one place where test tools read the clock")]
pub fn now() -> hadir_shared::time::Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    hadir_shared::time::Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A variable of the environment, for tools, which have no configuration.
#[expect(clippy::disallowed_methods, reason = "the one place where test tools read the environment")]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A new random id.
pub fn random_id() -> uuid::Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

/// A port of 127.0.0.1 nobody listens on right now. It lies below the range from which Linux takes ports for connections
/// (32768 and up), so that a program which is killed and started again finds it still free.
///
/// # Errors
/// When a hundred ports in a row are taken.
pub fn free_port() -> std::io::Result<u16> {
    let free = |_| {
        let port = rand::random_range(15_000..32_000);
        std::net::TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    };
    (0..100).find_map(free).ok_or_else(|| std::io::ErrorKind::AddrNotAvailable.into())
}
