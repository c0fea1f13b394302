//! How a box joins a school: `POST /api/offline-sync/enrolments`.
//!
//! The private key never travels. The call may be repeated with the same code and key, so a lost answer burns nothing.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{DeviceId, InstitutionId},
    sign::PublicKey,
    time::Millis,
};

/// What a box asks to be let in with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Enrol {
    pub proto: u16,
    /// The one-time code an administrator made. Case, spaces and dashes do not matter.
    pub code: String,
    pub public_key: PublicKey,
    /// What people will call the box.
    pub name: String,
    pub version: String,
}

/// The membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    pub proto: u16,
    pub device: DeviceId,
    pub institution: InstitutionId,
    pub institution_code: String,
    pub institution_name: String,
    /// Signs receipts and the roster. Later ones come with the roster, signed by this one.
    pub cloud_key: PublicKey,
    /// The cloud's clock.
    pub time: Millis,
}
