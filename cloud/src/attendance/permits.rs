//! What may be done in attendance, each with the words somebody reads who may not. Which role has which permission stands
//! in the database, seeded from `identity/seed.rs`.

use crate::http::Permission;

/// Has a role in attendance at all, in a school that has the service.
#[derive(Debug)]
pub struct Use;

impl Permission for Use {
    const CODE: &'static str = "attendance.use";
    const REFUSAL: &'static str = "Anda tidak memiliki izin untuk menggunakan absensi";
}
