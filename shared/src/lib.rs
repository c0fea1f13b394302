//! What the box in the school and the cloud both mean.
//!
//! Invariant: nothing here reads a clock, a file, a socket or a random source, and nothing is async. Both sides decide
//! with the functions of [`rules`], so the offline path and the online path cannot disagree; both speak the messages of
//! [`wire`], so a record's bytes are the same wherever they lie.
//!
//! | module | what |
//! |---|---|
//! | [`ids`] | a newtype per identity |
//! | [`time`] | instants, school days, how far a clock is believed |
//! | [`settings`] | a school's settings: keys, defaults, validation |
//! | [`rules`] | status, duplicates, geofence, school days: pure, with tables of cases |
//! | [`qr`] | the rotating token and its six digits |
//! | [`card`] | signed and plain student cards |
//! | [`chain`], [`sign`] | the hash chain of a log; signatures bound to a purpose |
//! | [`wire`] | records, batches, receipts, the roster feed, enrolment |
//! | [`design`] | colours and mark of every page |
//! | [`demo`] | the demo school, which tests use too |

pub mod card;
pub mod chain;
pub mod demo;
pub mod design;
pub mod ids;
pub mod qr;
pub mod rules;
pub mod settings;
pub mod sign;
pub mod time;
pub mod wire;
