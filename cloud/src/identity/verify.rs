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

const EMAIL: &str = "verify-email";
const PHONE: &str = "verify-phone";

/// How somebody is written to.
fn to<'a>(user: &'a User, address: &'a str) -> To<'a> {
    To { name: &user.name, address, user: Some(user.id), institution: user.institution_id.map(InstitutionId) }
}

/// Sends a code to the account's e-mail address. `false`: it has none, or one was sent a moment ago. Afterwards: commit, and
/// ring [`App::jobs`].
pub async fn start_email(tx: &mut Tx, app: &App, user: &User, language: Language) -> Result<bool, Fail> {
    let Some(email) = &user.email else { return Ok(false) };
    if code::is_fresh(tx, user.id, EMAIL, app.now()).await? {
        return Ok(false);
    }
    let code = code::make_for(tx, app, user.id, EMAIL, email).await?;
    mail::post(tx, app, Channel::Email, to(user, email), Said::VerifyEmail(&code), language).await?;
    Ok(true)
}

/// Whether the code is right. **Commit in either case**, as for [`code::take`].
pub async fn finish_email(tx: &mut Tx, app: &App, user: &User, code: &str) -> Result<bool, Fail> {
    let Some(email) = &user.email else { return Ok(false) };
    let now = app.now();
    if !code::take_for(tx, user.id, EMAIL, email, code, now).await? {
        return Ok(false);
    }
    let is_still_his = store::verify_email(tx, user.id, email, now).await? == 1;
    let entry = Entry::new(Actor::User(user.id), "user.email_verified", format!("user:{}", user.id));
    audit(tx, app, &entry.about(user.id)).await?;
    Ok(is_still_his)
}

/// As [`start_email`], by a text message.
pub async fn start_phone(tx: &mut Tx, app: &App, user: &User, language: Language) -> Result<bool, Fail> {
    let Some(phone) = &user.phone else { return Ok(false) };
    if code::is_fresh(tx, user.id, PHONE, app.now()).await? {
        return Ok(false);
    }
    let code = code::make_for(tx, app, user.id, PHONE, phone).await?;
    mail::post(tx, app, Channel::Sms, to(user, phone), Said::VerifyPhone(&code), language).await?;
    Ok(true)
}

/// As [`finish_email`].
pub async fn finish_phone(tx: &mut Tx, app: &App, user: &User, code: &str) -> Result<bool, Fail> {
    let Some(phone) = &user.phone else { return Ok(false) };
    let now = app.now();
    if !code::take_for(tx, user.id, PHONE, phone, code, now).await? {
        return Ok(false);
    }
    let is_still_his = store::verify_phone(tx, user.id, phone, now).await? == 1;
    let entry = Entry::new(Actor::User(user.id), "user.phone_verified", format!("user:{}", user.id));
    audit(tx, app, &entry.about(user.id)).await?;
    Ok(is_still_his)
}
