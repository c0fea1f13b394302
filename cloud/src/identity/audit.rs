//! The audit log: who did what to what, with before and after. A row of the change's own transaction; never edited.

use std::fmt;

use hadir_shared::ids::{DeviceId, InstitutionId, UserId};
use serde_json::Value;

use super::store;
use crate::{app::App, db::Tx, fail::Fail, http::RequestId};

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    User(UserId),
    Device(DeviceId),
    /// A scheduled job, the command line, a seed.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Device(id) => write!(f, "device:{id}"),
            Self::System => f.write_str("system"),
        }
    }
}

/// One row. Never put a password, a token or a code into `before` or `after`.
#[derive(Debug, Clone)]
pub struct Entry {
    pub actor: Actor,
    /// `thing.verb`: `setting.update`, `user.create`.
    pub action: &'static str,
    /// `kind:id`.
    pub subject: String,
    pub institution: Option<InstitutionId>,
    /// Whom it is about: the row is his school's, where [`Entry::of`] names none.
    pub person: Option<UserId>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Entry {
    pub fn new(actor: Actor, action: &'static str, subject: impl Into<String>) -> Self {
        Self {
            actor,
            action,
            subject: subject.into(),
            institution: None,
            person: None,
            before: None,
            after: None,
        }
    }

    #[must_use]
    pub fn of(mut self, institution: InstitutionId) -> Self {
        self.institution = Some(institution);
        self
    }

    #[must_use]
    pub fn about(mut self, person: UserId) -> Self {
        self.person = Some(person);
        self
    }

    #[must_use]
    pub fn before(mut self, before: Value) -> Self {
        self.before = Some(before);
        self
    }

    #[must_use]
    pub fn after(mut self, after: Value) -> Self {
        self.after = Some(after);
        self
    }
}

/// Writes the row, with the id of the request it is part of. It stands or falls with the transaction.
pub async fn audit(tx: &mut Tx, app: &App, entry: &Entry) -> Result<(), Fail> {
    let request = RequestId::current();
    Ok(store::insert_audit(tx, entry, request.as_ref().map(|id| &*id.0), app.now()).await?)
}
