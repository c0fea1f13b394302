//! The box in the school: it records who passes, on its own disk, and hands the records to the cloud.
//!
//! Invariant: a scan waits for nothing but this box's disk. The cloud, the internet and the clock on the wall may all be
//! wrong or gone; what was answered green is on disk and reaches the cloud exactly once.
//!
//! | module | what |
//! |---|---|
//! | [`node`] | what a request handler may use; starts and stops the box |
//! | [`store`] | the durable log and everything else on disk; one writer, group commit |
//! | [`attendance`] | a person passes: who, what it means, the record |
//! | [`outbox`] | records to the cloud |
//! | [`roster`] | the school from the cloud |
//! | [`http`], [`ui`] | API and pages on the school's network |
//! | [`tls`], [`mdns`] | HTTPS and the box's name in the school's network |
//! | [`backup`] | a copy of all this in one file, and a box rebuilt from it and the cloud |
//! | [`membership`], [`link`] | which school the box belongs to, and the line to its cloud |
//! | [`enrol`] | joining a school |
//! | [`doctor`] | what the box stands on, looked at |
//! | [`cli`] | the commands |
//! | [`clock`], [`ids`], [`config`] | where time, randomness and settings come from |

pub mod attendance;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod enrol;
pub mod http;
pub mod ids;
pub mod link;
mod mdns;
pub mod membership;
pub mod node;
pub mod outbox;
mod periodic;
pub mod roster;
pub mod store;
#[cfg(test)]
pub mod testing;
pub mod tls;
pub mod ui;
