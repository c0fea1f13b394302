//! Entering somebody who is new, whoever does it: registering oneself, an administrator, an institution's first account.

use hadir_shared::ids::{InstitutionId, UserId};

use super::super::pictures::{self, Kept, Owner};
use crate::{
    app::App,
    db::{Cloud, Tx},
    fail::{Fail, Flaw},
    http::Check,
    identity::{
        Actor, Key, NewUser, password, user,
        verify::{self, Proven},
    },
    mail::Language,
};

/// Characters of a username.
pub const USERNAME: std::ops::RangeInclusive<usize> = 3..=64;
pub const NAME: std::ops::RangeInclusive<usize> = 1..=100;

/// Somebody whose fields are valid.
#[derive(Debug, Default)]
pub struct Person {
    pub username: String,
    pub email: String,
    pub password: String,
    pub name: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub institution: Option<InstitutionId>,
    pub applied_as: Option<&'static str>,
    pub role: Option<i64>,
}

/// What nobody can be without.
pub fn credentials(
    check: &mut Check,
    username: Option<String>,
    email: Option<String>,
    password: Option<String>,
) -> (String, String, String) {
    let username = check.line("username", username, USERNAME).to_lowercase();
    plain(check, &username);
    let email = check.email("email", email);
    let email = check.required("email", email);
    let password = check.required("password", password);
    (username, email, password)
}

/// That a username can stand in an address and in a log.
pub fn plain(check: &mut Check, username: &str) {
    let fits = username.chars().all(|c| c.is_ascii_alphanumeric() || "._-@+".contains(c));
    check.that(
        fits,
        "username",
        Flaw::Said("username hanya boleh memuat huruf, angka, dan . _ - @ +".into()),
    );
}

/// That a new password is one, for somebody who is known by these words.
pub fn strong(check: &mut Check, password: &str, known: &[&str]) {
    if let Some(flaw) = password::flaw_among(password, known).filter(|_| !password.is_empty()) {
        check.flaw("password", flaw);
    }
}

/// Hashes the password and keeps the pictures before anything is locked; `more` is done in the transaction of the new person.
pub async fn enter(
    app: &App,
    by: Actor,
    person: &Person,
    kept: &Kept,
    language: Language,
    more: impl AsyncFnOnce(&mut Tx, UserId) -> Result<(), Fail>,
) -> Result<UserId, Fail> {
    unique(app, Some(&person.username), Some(&person.email), None).await?;
    let hash = app.identity.hasher().hash(&app.ids, &person.password).await?;
    let new = NewUser {
        institution: person.institution,
        username: Some(&person.username),
        name: &person.name,
        email: Some(&person.email),
        password_hash: &hash,
        first_name: person.first_name.as_deref(),
        last_name: person.last_name.as_deref(),
        applied_as: person.applied_as,
        ..NewUser::default()
    };
    let mut tx = app.db.write(Cloud).await?;
    let id = match user::create(&mut tx, app, by, &new, taken()).await {
        Err(taken @ Fail::Taken { .. }) => {
            drop(tx);
            // Somebody else was quicker: he says which field it is.
            unique(app, Some(&person.username), Some(&person.email), None).await?;
            return Err(taken);
        }
        made => made?,
    };
    if let Some(role) = person.role {
        user::set_role(&mut tx, app, by, id, role).await?;
    }
    pictures::hang(&mut tx, app, Owner::User(id, person.institution), kept).await?;
    more(&mut tx, id).await?;
    let user = user::by_id(&mut tx, id).await?.ok_or_else(super::unknown)?;
    verify::start(&mut tx, app, &user, Proven::Email, language).await?;
    user::announce(&mut tx, app, &user).await?;
    tx.commit().await?;
    app.jobs.ring();
    Ok(id)
}

/// Both are unique over the whole cloud: a login names no institution.
pub async fn unique(
    app: &App,
    username: Option<&str>,
    email: Option<&str>,
    except: Option<UserId>,
) -> Result<(), Fail> {
    let mut tx = app.db.read(Cloud).await?;
    if let Some(username) = username
        && user::name_in_use(&mut tx, Key::Username(username), except).await?
    {
        return Err(taken());
    }
    if let Some(email) = email
        && user::name_in_use(&mut tx, Key::Email(email), except).await?
    {
        return Err(Fail::Taken { field: "email", message: "Email sudah digunakan".into() });
    }
    Ok(())
}

pub fn taken() -> Fail {
    Fail::Taken { field: "username", message: "Username sudah digunakan".into() }
}
