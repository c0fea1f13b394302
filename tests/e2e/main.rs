//! Edge and cloud as real processes, on SQLite and on PostgreSQL, with faults between and under them.
//!
//! What every test checks at the end, by its own reading of both databases, is in [`ledger`]. How a fault test was seen to fail
//! on a sabotaged build stands at the test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's helpers are test code: to fail is to panic"
)]

mod album;
mod browser;
mod cards;
mod cloud_backup;
mod console;
mod gates;
mod https;
mod install;
mod ledger;
mod lost_reply;
mod oidc;
mod outage;
mod poison;
mod portal;
mod restore;
mod school;
mod undo;
mod walkthroughs;
