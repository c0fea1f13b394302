//! Authorization codes: what the browser carries back to the client.
//!
//! What always holds: a code lives for a minute and is stored as its hash; whoever brings it must be the client it was made
//! for, name the same address, and know the verifier; a try uses it up, and a second one ends what the first one got.

use data_encoding::BASE64URL_NOPAD;
use hadir_shared::ids::UserId;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{
    client::{Client, hash},
    dialect::{INVALID_GRANT, Refusal},
    scope::{OFFLINE, Scopes},
    store,
};
use crate::{
    app::App,
    db::{Cloud, Tx},
    fail::Fail,
    identity::{Actor, Caller, Entry, NewSession, audit, session},
};

/// What made a client's session, as the list of sessions has it.
pub const CLIENT: &str = "oidc";
const LIFE_MS: i64 = 60_000;
/// A hold that outlives the browser's session ends after this at the latest.
const OFFLINE_MS: i64 = 90 * 24 * 3600 * 1000;

/// What a code is made for.
#[derive(Debug)]
pub struct NewCode<'a> {
    pub client: &'a Client,
    pub who: &'a Caller,
    pub scopes: &'a Scopes,
    pub redirect_uri: &'a str,
    pub challenge: &'a str,
    pub nonce: Option<&'a str>,
}

/// What a code was exchanged for.
#[derive(Debug)]
pub struct Redeemed {
    pub who: Caller,
    pub scopes: Scopes,
    pub nonce: Option<String>,
    pub auth_time: hadir_shared::time::Millis,
}

/// Makes a code for a user who has agreed.
pub async fn make(tx: &mut Tx, app: &App, new: &NewCode<'_>) -> Result<String, Fail> {
    let code = app.ids.token();
    store::insert_code(tx, &hash(&code), new, app.now().plus_millis(LIFE_MS)).await?;
    let entry =
        Entry::new(new.who.actor(), "oidc.authorize", format!("oidc_client:{}", new.client.client_id));
    audit(tx, app, &entry.about(new.who.user)).await?;
    Ok(code)
}

/// Exchanges a code for a session of the client's own. Runs its own transactions: that it was tried is kept, whatever
/// comes of it.
pub async fn redeem(
    app: &App,
    client: &Client,
    code: &str,
    redirect_uri: Option<&str>,
    verifier: Option<&str>,
) -> Result<Redeemed, Refusal> {
    let hash = hash(code);
    let mut tx = app.db.write(Cloud).await?;
    let is_first = store::spend_code(&mut tx, &hash, app.now()).await? == 1;
    let row = store::code(&mut tx, &hash).await?;
    if let Some(row) = row.as_ref().filter(|_| !is_first) {
        take_back(&mut tx, app, row).await?;
    }
    tx.commit().await?;
    let row = row.filter(|_| is_first).ok_or(INVALID_GRANT)?;
    let is_good = row.client == client.key
        && row.expires_at > app.now().0
        && redirect_uri == Some(row.redirect_uri.as_str())
        && verifier.is_some_and(|verifier| proves(verifier, &row.challenge));
    if !is_good {
        return Err(INVALID_GRANT);
    }
    open(app, client, &hash, row).await
}

/// Whether a verifier is the one behind a challenge (RFC 7636, section 4.6).
fn proves(verifier: &str, challenge: &str) -> bool {
    let sound = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    sound && BASE64URL_NOPAD.encode(&Sha256::digest(verifier)) == challenge
}

async fn open(app: &App, client: &Client, hash: &str, row: store::CodeRow) -> Result<Redeemed, Refusal> {
    let scopes = Scopes::parse(&row.scopes);
    let mut tx = app.db.write(Cloud).await?;
    let browser = session::living(&mut tx, row.browser, app.now()).await.map_err(gone)?;
    if !client.admits(&browser) {
        return Err(INVALID_GRANT);
    }
    let is_offline = scopes.has(OFFLINE);
    let left = browser.expires_at.since(app.now());
    let address = store::address_of(&mut tx, row.browser).await?.and_then(|text| text.parse().ok());
    let new = NewSession {
        client: CLIENT,
        address: address.unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
        user_agent: Some(&client.about.name),
        life_ms: if is_offline { OFFLINE_MS } else { left },
    };
    let parent = (!is_offline).then_some(row.browser);
    let from = session::From { assurance: browser.assurance, parent };
    let who = session::open(&mut tx, app, UserId(row.user_id), &new, from).await.map_err(gone)?;
    store::insert_grant(&mut tx, who.session, client.key, &row.scopes, browser.since).await?;
    store::set_issued(&mut tx, hash, who.session).await?;
    tx.commit().await?;
    Ok(Redeemed { who, scopes, nonce: row.nonce, auth_time: browser.since })
}

/// A user who may not sign in any more is the end of a grant, and no matter of an access token.
pub fn gone(fail: Fail) -> Refusal {
    match fail {
        Fail::Unauthenticated(_) => INVALID_GRANT,
        other => other.into(),
    }
}

/// A code that comes twice is known to two: what it gave is taken back.
async fn take_back(tx: &mut Tx, app: &App, row: &store::CodeRow) -> Result<(), Refusal> {
    tracing::warn!(user = row.user_id, "a used code came again: what it gave is taken back");
    let Some(session) = row.issued else { return Ok(()) };
    end(tx, app, UserId(row.user_id), session, "oidc.code_reuse").await?;
    Ok(())
}

/// Ends a client's hold on a user.
pub async fn end(
    tx: &mut Tx,
    app: &App,
    user: UserId,
    session: Uuid,
    action: &'static str,
) -> Result<(), Fail> {
    session::revoke(tx, app, user, session).await?;
    let entry = Entry::new(Actor::System, action, format!("session:{session}"));
    audit(tx, app, &entry.about(user)).await?;
    app.identity.forget();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    #[test]
    fn the_verifier_of_the_rfc() {
        let (verifier, challenge) =
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(proves(verifier, challenge));
        assert!(!proves(&verifier.replace('d', "e"), challenge));
        assert!(!proves(challenge, challenge), "the challenge itself, as `plain` would have it");
        assert!(!proves("short", &BASE64URL_NOPAD.encode(&Sha256::digest("short"))));
    }
}
