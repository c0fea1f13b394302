//! That an e-mail address or a telephone is somebody's own: a code is sent there, and comes back.
//!
//! What always holds: a code proves the address it was sent to, and no other the account may have by then; a mailbox gets one a
//! minute at most; a new address is not verified, whoever sets it.

use hadir_shared::ids::InstitutionId;

use super::{
    audit::{Actor, Entry, audit},
    code, store,
    user::User,
};
use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    mail::{self, Channel, Language, Said, To},
};

/// What of an account is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    Email,
    Phone,
}

impl Proven {
    /// Where the code goes, if the account has such an address.
    pub fn of(self, user: &User) -> Option<&str> {
        match self {
            Self::Email => user.email.as_deref(),
            Self::Phone => user.phone.as_deref(),
        }
    }

    /// A code for one is none for the other.
    const fn purpose(self) -> &'static str {
        match self {
            Self::Email => "verify-email",
            Self::Phone => "verify-phone",
        }
    }

    /// In the audit log.
    const fn action(self) -> &'static str {
        match self {
            Self::Email => "user.email_verified",
            Self::Phone => "user.phone_verified",
        }
    }
}

/// Sends a code to one of the account's addresses. `false`: it has none, or one was sent a moment ago. Afterwards: commit, and
/// ring [`App::jobs`].
pub async fn start(
    tx: &mut Tx,
    app: &App,
    user: &User,
    what: Proven,
    language: Language,
) -> Result<bool, Fail> {
    let Some(address) = what.of(user) else { return Ok(false) };
    if code::is_fresh(tx, user.id, what.purpose(), app.now()).await? {
        return Ok(false);
    }
    let code = code::make_for(tx, app, user.id, what.purpose(), address).await?;
    let (channel, said) = match what {
        Proven::Email => (Channel::Email, Said::VerifyEmail(&code)),
        Proven::Phone => (Channel::Sms, Said::VerifyPhone(&code)),
    };
    let institution = user.institution_id.map(InstitutionId);
    let to = To { name: &user.name, address, user: Some(user.id), institution };
    mail::post(tx, app, channel, to, said, language).await?;
    Ok(true)
}

/// Whether the code is right. **Commit in either case**, as for [`code::take`].
pub async fn finish(tx: &mut Tx, app: &App, user: &User, what: Proven, code: &str) -> Result<bool, Fail> {
    let Some(address) = what.of(user) else { return Ok(false) };
    let now = app.now();
    if !code::take_for(tx, user.id, what.purpose(), address, code, now).await? {
        return Ok(false);
    }
    let rows = match what {
        Proven::Email => store::verify_email(tx, user.id, address, now).await?,
        Proven::Phone => store::verify_phone(tx, user.id, address, now).await?,
    };
    let entry = Entry::new(Actor::User(user.id), what.action(), format!("user:{}", user.id));
    audit(tx, app, &entry.about(user.id)).await?;
    Ok(rows == 1)
}
