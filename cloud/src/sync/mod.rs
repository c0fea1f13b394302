//! What boxes and cloud say to each other (`contracts/sync.md`), as far as no other module owns it.

pub mod enrolment;
