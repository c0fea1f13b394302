//! Decisions, as pure functions with tables of cases. Edge and cloud call the same ones.
//!
//! Invariant: a rule takes plain values and gives a plain value. It knows no database, no HTTP and no clock.

pub mod duplicate;
pub mod fence;
pub mod recap;
pub mod school_days;
pub mod status;
pub mod timetable;
pub mod undo;
