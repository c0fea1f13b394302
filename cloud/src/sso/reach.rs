//! Whose rows a caller may touch: the tenant of this module.
//!
//! What always holds: it is made from the session alone; an institution a request names is looked up within it, so that one
//! beyond it is as unknown as one that does not exist.

use hadir_shared::ids::InstitutionId;

use super::permits::EVERYWHERE;
use crate::{db::Scope, fail::Fail, identity::Caller};

/// First argument of every store function here that touches an institution's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Every institution, and people who belong to none: who operates the cloud.
    Everywhere,
    Own(InstitutionId),
}

impl Reach {
    /// Fails for who neither operates the cloud nor belongs to an institution.
    pub fn of(who: &Caller) -> Result<Self, Fail> {
        if who.may(EVERYWHERE) {
            return Ok(Self::Everywhere);
        }
        let own = who
            .institution
            .ok_or_else(|| Fail::denied("Akun ini tidak terhubung dengan institusi mana pun"))?;
        Ok(Self::Own(own))
    }

    /// The institution rows are held to; `None`: to none. What a statement binds.
    pub const fn only(self) -> Option<i64> {
        match self {
            Self::Everywhere => None,
            Self::Own(own) => Some(own.0),
        }
    }
}

impl From<Reach> for Scope {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Everywhere => Self::Cloud,
            Reach::Own(own) => Self::School(own),
        }
    }
}
