//! What box and cloud say to each other. `contracts/sync.md` is this in prose.
//!
//! Every message carries [`PROTO`]. The cloud speaks the current version and the two before it; a box that is older still
//! keeps everything and says that it must be updated.

pub mod batch;
pub mod enrolment;
pub mod held;
pub mod record;
pub mod request;
pub mod roster;

/// The version of the protocol this build speaks.
pub const PROTO: u16 = 1;
/// The oldest version this build still understands.
pub const OLDEST_PROTO: u16 = 1;

/// Whether this build understands a message of that version.
pub const fn speaks(proto: u16) -> bool {
    proto >= OLDEST_PROTO && proto <= PROTO
}
