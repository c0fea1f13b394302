//! One's own account: signing in and out, who am I, profile and password. Sections 1 and 2 of the contract.
//!
//! What always holds: a new name or password travels to the school's boxes, which let people in with it when the internet is
//! gone.

use aide::axum::{
    ApiRouter,
    routing::{get_with, post_with, put_with},
};
use axum::{
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, header::USER_AGENT},
};
use hadir_shared::{ids::UserId, time::Millis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    SERVICE,
    dialect::{self, Done, Said},
    permits::Use,
    roster,
};
use crate::{
    app::App,
    fail::{Fail, Flaw},
    http::{
        AUTH_BODY_LIMIT, Allowed, Body, Check, ClientAddress, Permission as _,
        describe::{public, says},
    },
    identity::{self, Attempt, Caller, Key, NewSession, Proof, User, session, user},
};

#[cfg(test)]
mod tests;

const DAY_MS: i64 = 24 * 3600 * 1000;

pub fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/auth/login",
            post_with(login, public("Sign in with a number and a password"))
                .layer(DefaultBodyLimit::max(AUTH_BODY_LIMIT)),
        )
        .api_route("/auth/logout", post_with(logout, says("Sign out")))
        .api_route("/user", get_with(me, says("Who am I")))
        .api_route(
            "/profile",
            get_with(profile, says("One's own profile")).put_with(update, says("Change one's own profile")),
        )
        .api_route(
            "/profile/password",
            put_with(change_password, says("Change one's own password"))
                .layer(DefaultBodyLimit::max(AUTH_BODY_LIMIT)),
        )
}

/// A user as attendance shows one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Account {
    id: UserId,
    nisn_nip_nik: Option<String>,
    name: String,
    email: Option<String>,
    phone: Option<String>,
    role_id: Option<i64>,
    photo_path: Option<String>,
    is_active: bool,
    #[serde(with = "dialect::Instant")]
    created_at: Millis,
    #[serde(with = "dialect::Instant")]
    updated_at: Millis,
}

#[derive(Deserialize, JsonSchema)]
struct Login {
    nisn_nip_nik: Option<String>,
    password: Option<String>,
    /// The six digits of the authenticator app, or a recovery code: of whoever has a second factor.
    otp: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct LoggedIn {
    user: Account,
    token: String,
}

#[derive(Serialize, JsonSchema)]
struct Me {
    user: Account,
}

#[derive(Deserialize, JsonSchema)]
struct Update {
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct PasswordChange {
    current_password: Option<String>,
    new_password: Option<String>,
    new_password_confirmation: Option<String>,
}

async fn login(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Body(login): Body<Login>,
) -> Result<Said<LoggedIn>, Fail> {
    let mut check = Check::new();
    let number = check.text("nisn_nip_nik", login.nisn_nip_nik, 1..=64);
    let password = check.required("password", login.password);
    check.finish()?;
    let user_agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    let life_ms = app.config.session_days * DAY_MS;
    let session = NewSession { client: "attendance", address, user_agent, life_ms };
    let attempt = Attempt { key: Key::Number(&number), password: &password, session };
    let proof = Proof { code: login.otp.as_deref(), ..Proof::default() };
    let signed_in = identity::login_with(&app, &attempt, proof, admit).await?;
    let user = account(signed_in.user, &signed_in.caller);
    Ok(Said("Login berhasil", LoggedIn { user, token: signed_in.token }))
}

/// Who has no role here (or whose school has no attendance) signs in elsewhere.
fn admit(who: &Caller) -> Result<(), Fail> {
    if who.may(Use::CODE) { Ok(()) } else { Err(Fail::denied(Use::REFUSAL)) }
}

async fn logout(State(app): State<App>, who: Caller) -> Result<Done, Fail> {
    let mut tx = app.db.write(who.institution).await?;
    session::revoke(&mut tx, &app, who.user, who.session).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Done("Logout berhasil"))
}

async fn me(State(app): State<App>, who: Allowed<Use>) -> Result<Said<Me>, Fail> {
    Ok(Said("Data user berhasil diambil", Me { user: load(&app, &who).await? }))
}

async fn profile(State(app): State<App>, who: Allowed<Use>) -> Result<Said<Account>, Fail> {
    Ok(Said("Data profil berhasil diambil", load(&app, &who).await?))
}

async fn update(
    State(app): State<App>,
    who: Allowed<Use>,
    Body(new): Body<Update>,
) -> Result<Said<Account>, Fail> {
    let mut check = Check::new();
    let name = check.optional_line("name", new.name, 1..=255);
    let email = check.email("email", new.email);
    let phone = check.optional_text("phone", new.phone, 5..=20);
    check.finish()?;
    let mut tx = app.db.write(who.institution).await?;
    let before = user::by_id(&mut tx, who.user).await?.ok_or_else(gone)?;
    user::set_contact(&mut tx, &app, who.actor(), &before, &user::Contact { name, email, phone }).await?;
    let after = user::by_id(&mut tx, who.user).await?.ok_or_else(gone)?;
    roster::touch_person(&mut tx, &app, who.institution, who.user).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Said("Profil berhasil diperbarui", account(after, &who)))
}

async fn change_password(
    State(app): State<App>,
    who: Allowed<Use>,
    Body(new): Body<PasswordChange>,
) -> Result<Done, Fail> {
    let mut check = Check::new();
    let current = check.required("current_password", new.current_password);
    let wanted = check.required("new_password", new.new_password);
    let repeated = check.required("new_password_confirmation", new.new_password_confirmation);
    if !wanted.is_empty() {
        let mut tx = app.db.read(who.institution).await?;
        let user = user::by_id(&mut tx, who.user).await?.ok_or_else(gone)?;
        if let Some(flaw) = user::password_flaw(&mut tx, &user, &wanted, &[]).await? {
            check.flaw("new_password", flaw);
        }
    }
    check.that(wanted == repeated, "new_password", Flaw::NotConfirmed);
    check.finish()?;
    identity::prove(&app, &who, &current).await.map_err(|fail| match fail {
        Fail::BadCredentials => Fail::bad_request("Password saat ini salah"),
        other => other,
    })?;
    let hash = app.identity.hasher().hash(&app.ids, &wanted).await?;
    let mut tx = app.db.write(who.institution).await?;
    user::change_password(&mut tx, &app, &who, &hash).await?;
    roster::touch_person(&mut tx, &app, who.institution, who.user).await?;
    tx.commit().await?;
    app.identity.forget();
    Ok(Done("Password berhasil diubah"))
}

async fn load(app: &App, who: &Caller) -> Result<Account, Fail> {
    let user = user::by_id(&mut app.db.read(who.institution).await?, who.user).await?.ok_or_else(gone)?;
    Ok(account(user, who))
}

fn account(user: User, who: &Caller) -> Account {
    Account {
        id: user.id,
        nisn_nip_nik: user.nisn_nip_nik,
        name: user.name,
        email: user.email,
        phone: user.phone,
        role_id: who.role(SERVICE).map(|role| role.id),
        photo_path: user.photo_path,
        is_active: user.is_active,
        created_at: user.created_at,
        updated_at: user.updated_at,
    }
}

fn gone() -> Fail {
    Fail::not_found("User tidak ditemukan")
}
