//! A forgotten password: a code goes to the account's e-mail address, and a new password comes back with it.
//!
//! What always holds:
//! - asking does the same whether or not there is such an account: it writes a job. Who it is, is looked up by the worker;
//! - a mailbox gets one code a minute and [`CODES`] an hour at most, and each code bears five tries;
//! - a wrong code, an unknown address and an inactive account are answered alike, after the same work;
//! - a new password ends every session, opens none, and is told to its owner.

use hadir_shared::{ids::InstitutionId, time::Millis};
use serde_json::json;

use super::{
    audit::Actor,
    budget::Budget,
    code,
    login::Key,
    store,
    user::{self, User},
};
use crate::{
    app::App,
    db::{Cloud, Tx},
    fail::Fail,
    jobs::{self, NewJob, Work},
    mail::{self, Channel, Language, Said, To},
};

/// A job: sends the code, if there is somebody to send it to.
pub const KIND: &str = "identity.recovery";
const PURPOSE: &str = "reset";
const CODES: i64 = 5;
const BUDGET: Budget = Budget { of: "recovery", most: CODES, window_ms: 60 * 60_000 };

/// Asks for a code. Ring [`App::jobs`] after the commit.
pub async fn ask(tx: &mut Tx, email: &str, language: Language, now: Millis) -> Result<(), Fail> {
    let payload = json!({"email": email, "language": language});
    jobs::enqueue(tx, &NewJob { kind: KIND, institution: None, payload, run_at: now }, now).await.map(drop)
}

/// Does [`KIND`].
pub fn work<'a>(app: &'a App, job: &'a jobs::Row) -> Work<'a> {
    Box::pin(async move {
        let email = job.payload["email"].as_str().unwrap_or_default();
        let language = serde_json::from_value(job.payload["language"].clone()).unwrap_or_default();
        match BUDGET.spend_on(app, email).await {
            Err(Fail::TooMany { .. }) => return Ok(()),
            spent => spent?,
        }
        let mut tx = app.db.write(Cloud).await?;
        let Some(user) = known(&mut tx, email).await? else { return Ok(()) };
        if code::is_fresh(&mut tx, user.id, PURPOSE, app.now()).await? {
            return Ok(());
        }
        let code = code::make_for(&mut tx, app, user.id, PURPOSE, email).await?;
        mail::post(&mut tx, app, Channel::Email, to(&user, email), Said::Reset(&code), language).await?;
        tx.commit().await?;
        app.jobs.ring();
        Ok(())
    })
}

/// Sets the new password of who has the code. Fails with [`Fail::BadRequest`] when it is not right.
pub async fn finish(
    app: &App,
    email: &str,
    code: &str,
    wanted: &str,
    language: Language,
) -> Result<(), Fail> {
    // First: it takes as long whoever it is for, and a code is not lost when the queue is full.
    let hash = app.identity.hasher().hash(&app.ids, wanted).await?;
    let mut tx = app.db.write(Cloud).await?;
    let user = known(&mut tx, email).await?;
    let right = match &user {
        Some(user) => code::take_for(&mut tx, user.id, PURPOSE, email, code, app.now()).await?,
        None => false,
    };
    let Some(user) = user.filter(|_| right) else {
        tx.commit().await?;
        return Err(Fail::bad_request("Kode OTP tidak valid atau sudah kedaluwarsa"));
    };
    if let Some(flaw) = user::password_flaw(&mut tx, &user, wanted, &[]).await? {
        // Not committed: who had the right code may try another password with it.
        return Err(Fail::invalid("newPassword", flaw));
    }
    user::set_password(&mut tx, app, Actor::User(user.id), user.id, &hash).await?;
    store::verify_email(&mut tx, user.id, email, app.now()).await?;
    user::announce(&mut tx, app, &user).await?;
    mail::post(&mut tx, app, Channel::Email, to(&user, email), Said::PasswordChanged, language).await?;
    tx.commit().await?;
    app.identity.forget();
    app.jobs.ring();
    Ok(())
}

/// Somebody who may sign in.
async fn known(tx: &mut Tx, email: &str) -> Result<Option<User>, Fail> {
    let user = user::by_key(tx, Key::Email(email)).await?.filter(|user| user.is_active);
    let Some(institution) = user.as_ref().and_then(|user| user.institution_id) else { return Ok(user) };
    let is_open = store::is_open(tx, InstitutionId(institution)).await?;
    Ok(user.filter(|_| is_open))
}

fn to<'a>(user: &'a User, address: &'a str) -> To<'a> {
    To { name: &user.name, address, user: Some(user.id), institution: user.institution_id.map(InstitutionId) }
}
