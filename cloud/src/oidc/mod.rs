//! OpenID Connect: other software lets people sign in here. Contract: `contracts/oidc.md`.
//!
//! What always holds:
//! - nobody is sent to an address that the client did not register, byte for byte; not even with an error;
//! - a code is good for a minute, once, for the client, the address and the PKCE verifier it was made for; used a second
//!   time, it takes back what it gave;
//! - every client proves possession by PKCE with S256, whether it has a secret or not;
//! - a client's hold on a user is a session of its own: it stands in the user's list, and ends with his password, his role,
//!   his account, his school or, unless he was asked for more, his browser's session;
//! - an access token for other software opens nothing of the modules' APIs, and theirs nothing here;
//! - what a client learns of a user is what the scopes say that he agreed to.
//!
//! Absent on purpose: the implicit and hybrid flows, passwords in exchange for tokens, requests by reference.
//!
//! | route | what |
//! |---|---|
//! | `GET /.well-known/openid-configuration` | what this provider can do |
//! | `GET, POST /oauth2/authorize`, `POST /oauth2/consent` | the pages |
//! | `POST /oauth2/token`, `/revoke`, `/introspect` | for clients |
//! | `GET, POST /oauth2/userinfo` | with an access token |
//! | `GET, POST /oauth2/logout`, `POST /oauth2/logout/confirm` | signing out from a client |
//! | `/oauth2/clients…` | the registry, for super admins; its pages stand in the console (`console/clients/`) |

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

use crate::{
    app::App,
    console,
    fail::Fail,
    http::{AUTH_BODY_LIMIT, any_origin, speak_part},
};

mod access;
mod authorize;
mod claims;
pub mod client;
mod clients;
mod code;
pub mod dialect;
mod discovery;
mod logout;
mod params;
mod request;
pub mod scope;
mod store;
#[cfg(test)]
mod tests;
mod token;
mod userinfo;

pub use clients::{KEEP_CLIENTS, LONGEST_OVERLAP_HOURS, USUAL_OVERLAP_HOURS};
pub use store::purge;

/// For programs: what no cookie counts for.
pub fn routes() -> Router<App> {
    let open = Router::new()
        .route("/.well-known/openid-configuration", get(discovery::document))
        .route("/.well-known/oauth-authorization-server", get(discovery::document))
        .route("/oauth2/token", post(token::exchange))
        .route("/oauth2/revoke", post(access::revoke))
        .route("/oauth2/introspect", post(access::introspect))
        .route("/oauth2/userinfo", get(userinfo::get).post(userinfo::post))
        .layer(DefaultBodyLimit::max(AUTH_BODY_LIMIT));
    speak_part(open.layer(any_origin()).nest("/oauth2/clients", registry()), dialect::failure)
}

/// The registry, wherever it stands: its failures are worded by whoever puts it there.
pub fn registry() -> Router<App> {
    Router::new()
        .route("/", get(clients::list).post(clients::create))
        .route("/{client_id}", get(clients::show).put(clients::replace).delete(clients::remove))
        .route("/{client_id}/secret", post(clients::renew_secret))
}

/// For people: what the browser's session counts for, in the words and the looks of the console.
pub fn pages() -> Router<App> {
    let pages = Router::new()
        .route("/oauth2/authorize", get(authorize::show).post(authorize::posted))
        .route("/oauth2/consent", post(authorize::consent))
        .route("/oauth2/logout", get(logout::show).post(logout::posted))
        .route("/oauth2/logout/confirm", post(logout::confirm))
        .layer(DefaultBodyLimit::max(AUTH_BODY_LIMIT));
    speak_part(pages, console::failure)
}

/// Who this provider is: what tokens name as their issuer. Without a configured address there is no provider, because a
/// request's own host can be forged.
fn issuer(app: &App) -> Result<&str, Fail> {
    app.config.public_url.as_deref().ok_or(Fail::NoRoute)
}
