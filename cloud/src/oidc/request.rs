//! An authorization request, read: first whether there is anybody to answer to, then whether it can be granted.
//!
//! What always holds: as long as client and address are not known to belong together, a fault is told to the person in
//! front of the browser and to nobody else.

use hadir_shared::time::Millis;

use super::{
    client::{self, Client},
    params::Params,
    scope::{OPENID, Scopes},
};
use crate::{app::App, console::Lang, db::Cloud, fail::Fail, identity::equal};

/// Longer queries do not fit into the address that the sign-in page goes back to.
const LONGEST: usize = 1700;
/// Says since when somebody must have signed in; made by us, for one request.
pub const AFTER: &str = "hadir_after";
/// How long such a demand is remembered.
const AFTER_MS: i64 = 10 * 60_000;
const PURPOSE: &str = "oidc-after-v1";

#[derive(Debug)]
pub struct Request {
    pub client: Client,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub scopes: Scopes,
    pub nonce: Option<String>,
    pub challenge: String,
    pub prompt: Prompt,
    /// In seconds.
    pub max_age: Option<i64>,
    pub id_token_hint: Option<String>,
    pub login_hint: Option<String>,
    pub lang: Option<Lang>,
    /// The visitor was sent to sign in at this moment, for this request.
    pub after: Option<Millis>,
    /// The request as a query, without [`AFTER`].
    pub query: String,
    /// And with it, if it has one: what a form of ours carries on.
    pub whole: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prompt {
    pub none: bool,
    pub login: bool,
    pub consent: bool,
}

/// What is wrong with a request.
#[derive(Debug)]
pub enum Flawed {
    /// To be told here.
    Here(&'static str),
    /// To be told to the client.
    Back(Back),
}

/// An answer to the client that is no code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    pub redirect_uri: String,
    pub state: Option<String>,
    pub error: &'static str,
    pub description: &'static str,
}

impl Back {
    pub fn url(&self, issuer: &str) -> String {
        let pairs = [("error", self.error), ("error_description", self.description), ("iss", issuer)];
        url(&self.redirect_uri, &pairs, self.state.as_deref())
    }
}

impl Request {
    pub fn back(&self, error: &'static str, description: &'static str) -> Back {
        Back { redirect_uri: self.redirect_uri.clone(), state: self.state.clone(), error, description }
    }

    /// The address of the client, with a code.
    pub fn onward(&self, issuer: &str, code: &str) -> String {
        url(&self.redirect_uri, &[("code", code), ("iss", issuer)], self.state.as_deref())
    }

    /// This request's own address, to come back to after signing in now.
    pub fn again(&self, app: &App) -> String {
        let now = app.now().0;
        format!("/oauth2/authorize?{}&{AFTER}={now}.{}", self.query, mac(app, now, &self.query))
    }
}

/// An address with something added to its query; what it has of its own stays.
pub fn url(address: &str, pairs: &[(&str, &str)], state: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    let query = query.finish();
    match (query.is_empty(), address.contains('?')) {
        (true, _) => address.to_owned(),
        (false, true) => format!("{address}&{query}"),
        (false, false) => format!("{address}?{query}"),
    }
}

/// Reads a request. The outer failure is one of ours.
pub async fn read(app: &App, params: &Params) -> Result<Result<Request, Flawed>, Fail> {
    let Some(client_id) = params.get("client_id") else { return Ok(Err(Flawed::Here("client_id"))) };
    let client = client::by_id(&mut app.db.read(Cloud).await?, client_id).await?;
    let Some(client) = client.filter(|client| client.about.is_active) else {
        return Ok(Err(Flawed::Here("client_id")));
    };
    let address = params.get("redirect_uri");
    let known = address.filter(|given| client.about.redirect_uris.iter().any(|uri| uri == given));
    let repeated = params.repeated.as_deref();
    let Some(redirect_uri) = known.filter(|_| !matches!(repeated, Some("client_id" | "redirect_uri"))) else {
        return Ok(Err(Flawed::Here("redirect_uri")));
    };
    let state = params.get("state").filter(|_| repeated != Some("state")).map(str::to_owned);
    let back = |(error, description)| Back {
        redirect_uri: redirect_uri.to_owned(),
        state: state.clone(),
        error,
        description,
    };
    Ok(understand(app, params, client, redirect_uri, state.as_deref()).map_err(|why| Flawed::Back(back(why))))
}

type Why = (&'static str, &'static str);

fn understand(
    app: &App,
    params: &Params,
    client: Client,
    redirect_uri: &str,
    state: Option<&str>,
) -> Result<Request, Why> {
    if params.repeated.is_some() {
        return Err(("invalid_request", "A parameter came twice, or is too long."));
    }
    for (name, error) in [("request", "request_not_supported"), ("request_uri", "request_uri_not_supported")]
    {
        if params.get(name).is_some() {
            return Err((error, "Say it in the query."));
        }
    }
    match params.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(("unsupported_response_type", "Only code.")),
        None => return Err(("invalid_request", "response_type is missing.")),
    }
    if params.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(("invalid_request", "Only the response mode query."));
    }
    let asked = Scopes::parse(params.get("scope").unwrap_or_default());
    if !asked.has(OPENID) {
        return Err(("invalid_scope", "The scope must have openid."));
    }
    let query = params.query_without(AFTER);
    if query.len() > LONGEST {
        return Err(("invalid_request", "The request is too long."));
    }
    let after = params.get(AFTER).and_then(|text| Some((text, proved(app, text, &query)?)));
    let whole = after.map_or_else(|| query.clone(), |(text, _)| format!("{query}&{AFTER}={text}"));
    Ok(Request {
        scopes: asked.within(&client.about.scopes),
        client,
        redirect_uri: redirect_uri.to_owned(),
        state: state.map(str::to_owned),
        nonce: params.get("nonce").map(str::to_owned),
        challenge: challenge(params)?,
        prompt: prompt(params.get("prompt").unwrap_or_default())?,
        max_age: max_age(params)?,
        id_token_hint: params.get("id_token_hint").map(str::to_owned),
        login_hint: params.get("login_hint").map(str::to_owned),
        lang: params.get("ui_locales").and_then(language),
        after: after.map(|(_, at)| at),
        query,
        whole,
    })
}

/// PKCE with S256, from everybody (RFC 9700, section 2.1.1). A method that is left out means `plain`, which is none.
fn challenge(params: &Params) -> Result<String, Why> {
    let given =
        params.get("code_challenge").ok_or(("invalid_request", "PKCE: code_challenge is missing."))?;
    if params.get("code_challenge_method") != Some("S256") {
        return Err(("invalid_request", "PKCE: code_challenge_method must be S256."));
    }
    let sound = given.len() == 43 && data_encoding::BASE64URL_NOPAD.decode(given.as_bytes()).is_ok();
    if sound { Ok(given.to_owned()) } else { Err(("invalid_request", "PKCE: not a SHA-256.")) }
}

fn prompt(text: &str) -> Result<Prompt, Why> {
    let mut prompt = Prompt::default();
    for word in text.split_ascii_whitespace() {
        match word {
            "none" => prompt.none = true,
            "login" | "select_account" => prompt.login = true,
            "consent" => prompt.consent = true,
            _ => return Err(("invalid_request", "A prompt that is not known.")),
        }
    }
    if prompt.none && (prompt.login || prompt.consent) {
        return Err(("invalid_request", "prompt=none stands alone."));
    }
    Ok(prompt)
}

fn max_age(params: &Params) -> Result<Option<i64>, Why> {
    let Some(text) = params.get("max_age") else { return Ok(None) };
    let age: Option<u32> = text.parse().ok();
    age.map(|age| Some(age.into())).ok_or(("invalid_request", "max_age is a number of seconds."))
}

/// The first of the languages that there is.
fn language(locales: &str) -> Option<Lang> {
    locales.split_ascii_whitespace().find_map(|locale| match locale.split('-').next() {
        Some("id") => Some(Lang::Id),
        Some("en") => Some(Lang::En),
        _ => None,
    })
}

fn proved(app: &App, after: &str, query: &str) -> Option<Millis> {
    let (at, given) = after.split_once('.')?;
    let at: i64 = at.parse().ok()?;
    let is_ours = equal(given.as_bytes(), mac(app, at, query).as_bytes());
    let is_recent = (0..AFTER_MS).contains(&app.now().since(Millis(at)));
    (is_ours && is_recent).then_some(Millis(at))
}

fn mac(app: &App, at: i64, query: &str) -> String {
    data_encoding::BASE64URL_NOPAD.encode(&app.seal.mac(PURPOSE, format!("{at}\0{query}").as_bytes())[..16])
}
