//! How answers write an instant.

use std::borrow::Cow;

use hadir_shared::time::Millis;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serializer;

/// `#[serde(with = "Instant")]`: UTC with microseconds, `2025-08-21T08:54:57.000000Z`.
#[derive(Debug)]
pub struct Instant;

impl Instant {
    /// The signature serde wants.
    pub fn serialize<S: Serializer>(at: &Millis, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&at.to_rfc3339_micros())
    }
}

impl JsonSchema for Instant {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}
