//! How a box joins a school: `POST /api/offline-sync/enrolments`.
//!
//! The private key never travels. The call may be repeated with the same code and key, so a lost answer burns nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{DeviceId, InstitutionId},
    sign::PublicKey,
    time::Millis,
};

/// What a box asks to be let in with.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Enrol {
    pub proto: u16,
    /// The one-time code an administrator made. Case, spaces and dashes do not matter.
    pub code: String,
    #[schemars(with = "String", regex(pattern = "^[0-9a-f]{64}$"))]
    pub public_key: PublicKey,
    /// What people will call the box.
    pub name: String,
    pub version: String,
}

/// The membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrolled {
    pub proto: u16,
    pub device: DeviceId,
    pub institution: InstitutionId,
    pub institution_code: String,
    pub institution_name: String,
    /// Signs receipts and the roster. Later ones come with the roster, signed by this one.
    #[schemars(with = "String", regex(pattern = "^[0-9a-f]{64}$"))]
    pub cloud_key: PublicKey,
    /// The cloud's clock, in milliseconds since 1970.
    #[schemars(with = "i64")]
    pub time: Millis,
}
