//! Who belongs to the school: pulled from the cloud, kept sealed on disk, answered from memory.
//!
//! Invariants:
//! - Data and cursor move together, in one transaction; a reader sees one [`View`], whole.
//! - Only what the school's cloud signed is applied; another school's, or older settings, are refused.
//! - Nobody waits for the internet: a scan asks the view in memory and nothing else.

pub mod demo;
pub mod portraits;
pub mod pull;
mod store;
#[cfg(test)]
mod tests;
mod view;

pub use self::{
    portraits::Portraits,
    pull::{PullFailed, Puller},
    store::{cursor, forget},
    view::{Keys, View},
};
