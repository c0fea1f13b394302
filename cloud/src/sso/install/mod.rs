//! The first start of a cloud, over HTTP. Section 2 of the contract.
//!
//! What always holds: it answers who has the setup token of the configuration, and does not exist for anybody else; it makes a
//! super admin where there is none, and refuses (409) ever after; of many at once, one does it; the password it makes up is
//! in the server's log, once, and in no answer.

use aide::axum::{ApiRouter, routing::get_with};
use axum::{extract::State, http::HeaderMap};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dialect::Said;
use crate::{
    app::App,
    db::Cloud,
    fail::Fail,
    http::{ClientAddress, Params, describe::public},
    identity::{Actor, NewUser, budget::Budget, password, seed, user},
};

mod store;
#[cfg(test)]
mod tests;

const TOKEN_HEADER: &str = "x-setup-token";
const USERNAME: &str = "super_admin";
const NAME: &str = "Super Admin";
const GUESSES: Budget = Budget { of: "install", most: 20, window_ms: 60 * 60_000 };

pub fn routes() -> ApiRouter<App> {
    let summary = "Make the first super admin, once, with the setup token (`X-Setup-Token` or `?token=`)";
    ApiRouter::new().api_route("/install", get_with(install, public(summary)))
}

#[derive(Deserialize, JsonSchema)]
struct Asked {
    token: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Installed")]
struct Installed {
    username: &'static str,
    roles: usize,
    permissions: usize,
    services: usize,
    /// The password was made up, and stands in the server's log.
    password_in_log: bool,
}

async fn install(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Params(asked): Params<Asked>,
) -> Result<Said<Installed>, Fail> {
    let wanted = app.config.setup_token.as_deref().ok_or(Fail::NoRoute)?;
    GUESSES.spend(&app, address).await?;
    let header = headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
    let given = header.map(str::to_owned).or(asked.token).unwrap_or_default();
    let mac = |token: &str| app.seal.mac("setup-token", token.as_bytes());
    if mac(&given) != mac(wanted) {
        return Err(Fail::NoRoute);
    }
    let installed = Fail::conflict("Sistem sudah terpasang");
    if store::has_role(&mut app.db.read(Cloud).await?, seed::SUPER_ADMIN).await? {
        return Err(installed);
    }
    seed::seed(&app.db, app.now(), &app.ids).await?;
    let chosen = app.config.super_admin_password.clone();
    let password_in_log = chosen.is_none();
    let password = chosen.unwrap_or_else(|| app.ids.token());
    if password::flaw_among(&password, &[USERNAME, NAME]).is_some() {
        return Err(Fail::conflict("super_admin_password terlalu lemah"));
    }
    let hash = app.identity.hasher().hash(&app.ids, &password).await?;
    let new = NewUser { username: Some(USERNAME), name: NAME, password_hash: &hash, ..NewUser::default() };
    let mut tx = app.db.write(Cloud).await?;
    // Of two at once, the second fails here.
    let id = user::create(&mut tx, &app, Actor::System, &new, installed).await?;
    user::set_role(&mut tx, &app, Actor::System, id, seed::SUPER_ADMIN).await?;
    tx.commit().await?;
    if password_in_log {
        tracing::warn!(username = USERNAME, password, "the first super admin was made: change this password");
    }
    Ok(Said(
        "Instalasi berhasil",
        Installed {
            username: USERNAME,
            roles: seed::ROLES.len(),
            permissions: seed::PERMISSIONS.len(),
            services: seed::SERVICES.len(),
            password_in_log,
        },
    ))
}
