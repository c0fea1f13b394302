//! A newtype per identity, so that a class can never be passed where a person is meant.
//!
//! Integers are given by the cloud's database; UUIDs are made where the thing is born (version 7, except where
//! an id must not tell its age).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl From<i64> for $name {
            fn from(id: i64) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

integer_id!(
    /// A school: the tenant. It leads every key of a school's data.
    InstitutionId
);
integer_id!(
    /// A person with an account: student, teacher, staff, principal, administrator.
    UserId
);
integer_id!(
    /// A class (*rombel*).
    ClassId
);
uuid_id!(
    /// An enrolled box. Given by the cloud at enrolment.
    DeviceId
);
uuid_id!(
    /// One append-only log of a box. Random, made when the log's database is created; a box that had to fork
    /// its history has more than one.
    LogId
);
uuid_id!(
    /// One record, for people and for APIs. Never used as a unique index on the cloud: the identity of a record is
    /// (institution, device, log, seq).
    EventId
);
uuid_id!(
    /// One upload attempt, echoed by its receipt.
    BatchId
);
