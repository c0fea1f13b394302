//! What a client learns: the id token, the access token, and what userinfo answers.

use data_encoding::BASE64URL_NOPAD;
use hadir_shared::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256, Sha512};
use uuid::Uuid;

use super::{client::Client, scope::Scopes, store};
use crate::{
    app::App,
    db::Tx,
    fail::Fail,
    identity::{Alg, Assurance, Caller, user},
};

pub const ACCESS_MS: i64 = 15 * 60_000;
const ID_TOKEN: &str = "JWT";
const ACCESS_TOKEN: &str = "at+jwt";

/// An access token for userinfo and introspection. Its audience is this provider: the modules' APIs do not take it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Access {
    pub iss: String,
    pub aud: String,
    pub sub: Uuid,
    pub client_id: String,
    pub scope: String,
    pub sid: Uuid,
    pub jti: Uuid,
    pub iat: i64,
    pub exp: i64,
    pub ver: i64,
}

/// What an id token says that we read back, at sign-out.
#[derive(Debug, Deserialize)]
pub struct Hint {
    pub sub: Uuid,
    pub aud: String,
}

/// What tokens are made for.
#[derive(Debug)]
pub struct Holder<'a> {
    pub client: &'a Client,
    pub who: &'a Caller,
    pub scopes: &'a Scopes,
    pub auth_time: Millis,
    pub nonce: Option<&'a str>,
}

/// A signed access token, and when it ends.
pub fn access(app: &App, issuer: &str, holder: &Holder<'_>) -> Result<(String, Millis), Fail> {
    let until = app.now().plus_millis(ACCESS_MS).min(holder.who.expires_at);
    let claims = Access {
        iss: issuer.to_owned(),
        aud: issuer.to_owned(),
        sub: holder.who.uuid,
        client_id: holder.client.client_id.clone(),
        scope: holder.scopes.to_string(),
        sid: holder.who.session,
        jti: app.ids.random_uuid(),
        iat: seconds(app.now()),
        exp: seconds(until),
        ver: holder.who.token_version,
    };
    Ok((app.identity.keys().sign(Alg::EdDsa, ACCESS_TOKEN, &claims)?, until))
}

/// Who somebody is, and that he has just shown it; for one client alone.
pub fn id_token(app: &App, issuer: &str, holder: &Holder<'_>, access_token: &str) -> Result<String, Fail> {
    let alg = holder.client.about.alg;
    let amr = match holder.who.assurance {
        Assurance::Password => vec!["pwd"],
        Assurance::SecondFactor => vec!["pwd", "otp", "mfa"],
    };
    let mut claims = json!({
        "iss": issuer, "sub": holder.who.uuid, "aud": holder.client.client_id, "azp": holder.client.client_id,
        "iat": seconds(app.now()), "exp": seconds(app.now().plus_millis(ACCESS_MS)),
        "auth_time": seconds(holder.auth_time), "amr": amr, "sid": holder.who.session,
        "at_hash": half_hash(alg, access_token),
    });
    if let (Some(nonce), Some(claims)) = (holder.nonce, claims.as_object_mut()) {
        claims.insert("nonce".into(), nonce.into());
    }
    Ok(app.identity.keys().sign(alg, ID_TOKEN, &claims)?)
}

/// OpenID Connect Core, section 3.1.3.6: the left half of the hash that belongs to the algorithm.
fn half_hash(alg: Alg, text: &str) -> String {
    match alg {
        Alg::Rs256 => BASE64URL_NOPAD.encode(&Sha256::digest(text)[..16]),
        Alg::EdDsa => BASE64URL_NOPAD.encode(&Sha512::digest(text)[..32]),
    }
}

/// What the scopes open of a user.
pub async fn about(tx: &mut Tx, who: &Caller, scopes: &Scopes) -> Result<Value, Fail> {
    let user = user::by_id(tx, who.user).await?.ok_or_else(|| Fail::not_found("There is no such user"))?;
    let mut claims = Map::new();
    let mut say = |name: &str, value: Value| {
        if !value.is_null() {
            claims.insert(name.into(), value);
        }
    };
    say("sub", json!(who.uuid));
    if scopes.has("profile") {
        say("name", json!(user.name));
        let name = user.username.as_ref().or(user.nisn_nip_nik.as_ref()).or(user.email.as_ref());
        say("preferred_username", json!(name));
        say("updated_at", json!(seconds(user.updated_at)));
    }
    if scopes.has("email") && user.email.is_some() {
        say("email", json!(user.email));
        say("email_verified", json!(user.email_verified_at.is_some()));
    }
    if scopes.has("phone") && user.phone.is_some() {
        say("phone_number", json!(user.phone));
        say("phone_number_verified", json!(user.phone_verified_at.is_some()));
    }
    if scopes.has("school") {
        say("number", json!(user.nisn_nip_nik));
        let roles: Map<String, Value> =
            who.roles.iter().map(|(service, role)| (service.clone(), json!(role.code))).collect();
        say("roles", Value::Object(roles));
        if let Some(institution) = who.institution
            && let Some((code, name)) = store::school(tx, institution).await?
        {
            say("school_code", json!(code));
            say("school_name", json!(name));
        }
    }
    Ok(Value::Object(claims))
}

pub fn seconds(at: Millis) -> i64 {
    at.0.div_euclid(1000)
}
