//! The provider through the router, on both databases. The tests of the protocol are those of the OpenID Foundation's
//! certification, by their names; the attacks are at the end.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{Request, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use data_encoding::BASE64URL_NOPAD;
use hadir_shared::ids::{InstitutionId, UserId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    client::{self, About, Client},
    scope::Scopes,
};
use crate::{
    console::tests::Tab,
    db::Cloud,
    identity::{Actor, Alg, seed},
    testing::{Answer, PASSWORD, TestApp, request},
};

mod attacks;
mod basic_op;
mod logout_op;
mod registry;
mod second;

pub const ISSUER: &str = "https://sso.test";
pub const CALLBACK: &str = "https://rp.example/cb";
pub const GOODBYE: &str = "https://rp.example/bye";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A provider with a school in it.
pub struct World {
    pub t: TestApp,
    pub school: InstitutionId,
    pub siti: UserId,
}

impl World {
    pub async fn new(t: &TestApp) -> Self {
        let t = t.configured(|config| config.public_url = Some(ISSUER.into()));
        let school = t.institution("SMAN1").await;
        let siti = t.user(school, "2001", seed::TEACHER).await;
        Self { t, school, siti }
    }

    pub async fn tab(&self) -> Tab {
        Tab::of(&self.t, "2001").await
    }

    pub async fn rp(&self, change: impl FnOnce(&mut About)) -> Rp {
        Rp::new(&self.t, change).await
    }
}

/// What a client is if nothing else is said: the school's own, so that nobody is asked.
pub fn about() -> About {
    About {
        name: "Moodle".into(),
        institution: None,
        is_public: false,
        redirect_uris: vec![CALLBACK.into(), "https://rp.example/other".into()],
        logout_uris: vec![GOODBYE.into()],
        scopes: Scopes::parse("openid profile email phone school offline_access"),
        alg: Alg::Rs256,
        is_trusted: true,
        is_active: true,
    }
}

/// Software that lets people sign in.
pub struct Rp {
    pub t: TestApp,
    pub client: Client,
    pub secret: Option<String>,
}

pub type Change<'a> = (&'a str, Option<&'a str>);

impl Rp {
    pub async fn new(t: &TestApp, change: impl FnOnce(&mut About)) -> Self {
        let mut about = about();
        change(&mut about);
        let mut tx = t.app.db.write(Cloud).await.unwrap();
        let (client, secret) = client::create(&mut tx, &t.app, Actor::System, &about).await.unwrap();
        tx.commit().await.unwrap();
        Self { t: t.clone(), client, secret }
    }

    /// The query of a request; `changes` set or take away a parameter.
    pub fn query(&self, changes: &[Change<'_>]) -> String {
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(VERIFIER));
        let mut params: BTreeMap<&str, &str> = BTreeMap::from([
            ("response_type", "code"),
            ("client_id", &*self.client.client_id),
            ("redirect_uri", CALLBACK),
            ("scope", "openid"),
            ("state", "s1"),
            ("nonce", "n1"),
            ("code_challenge", &*challenge),
            ("code_challenge_method", "S256"),
        ]);
        for (name, value) in changes {
            match value {
                Some(value) => params.insert(name, value),
                None => params.remove(name),
            };
        }
        form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
    }

    pub async fn authorize(&self, tab: &Tab, changes: &[Change<'_>]) -> Answer {
        tab.get(&format!("/oauth2/authorize?{}", self.query(changes))).await
    }

    /// As somebody who is not signed in.
    pub async fn authorize_alone(&self, changes: &[Change<'_>]) -> Answer {
        self.t.get(&format!("/oauth2/authorize?{}", self.query(changes)), None).await
    }

    pub async fn code(&self, tab: &Tab, scope: &str) -> String {
        let answer = self.authorize(tab, &[("scope", Some(scope))]).await;
        went(&answer).1.remove("code").unwrap_or_else(|| panic!("{}: no code in {answer:?}", self.t.on))
    }

    /// The token endpoint, as this client.
    pub async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        self.ask("/oauth2/token", fields).await
    }

    /// Any endpoint for clients, as this client.
    pub async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let (id, secret) = (self.client.client_id.clone(), self.secret.clone());
        if let Some(secret) = secret {
            let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
            return post(&self.t, path, fields, Some(&basic)).await;
        }
        let fields: Vec<_> = fields.iter().copied().chain([("client_id", id.as_str())]).collect();
        post(&self.t, path, &fields, None).await
    }

    pub async fn exchange(&self, code: &str) -> Answer {
        self.token(&with_code(code)).await
    }

    /// Signs somebody in, to the end.
    pub async fn tokens(&self, tab: &Tab, scope: &str) -> Value {
        let code = self.code(tab, scope).await;
        let answer = self.exchange(&code).await;
        assert_eq!(answer.status, 200, "{}: {}", self.t.on, answer.body);
        answer.body
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub async fn userinfo(&self, token: &str) -> Answer {
        self.t.get("/oauth2/userinfo", Some(token)).await
    }
}

pub fn with_code(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

pub fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub async fn post(t: &TestApp, path: &str, fields: &[(&str, &str)], authorization: Option<&str>) -> Answer {
    let mut asked = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some(authorization) = authorization {
        asked = asked.header("authorization", authorization);
    }
    t.send(asked.body(Body::from(form(fields))).unwrap()).await
}

/// A form of a page, as a browser of this host sends it.
pub async fn submit(tab: &Tab, path: &str, fields: &[(&str, &str)]) -> Answer {
    let asked = tab.request("POST", path).header("content-type", "application/x-www-form-urlencoded");
    tab.t.send(asked.body(Body::from(form(fields))).unwrap()).await
}

/// The value of a hidden field.
pub fn field(page: &Answer, name: &str) -> String {
    let html = page.body.as_str().unwrap();
    let value = html.split(&format!("name=\"{name}\" value=\"")).nth(1);
    let value = value.unwrap_or_else(|| panic!("no {name} in {html}"));
    value.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&")
}

/// Where an answer leads, by redirect or by way of a page, and what stands in its query.
pub fn went(answer: &Answer) -> (String, BTreeMap<String, String>) {
    let text = |name| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let by_page = || Some(text(header::REFRESH)?.strip_prefix("0;url=").unwrap().to_owned());
    let to = text(header::LOCATION).or_else(by_page).unwrap_or_else(|| panic!("leads nowhere: {answer:?}"));
    let (address, query) = to.split_once('?').unwrap_or((&to, ""));
    (address.to_owned(), form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

/// What a client is told instead of a code.
pub fn error_of(answer: &Answer) -> String {
    let (address, params) = went(answer);
    assert_eq!(address, CALLBACK, "{answer:?}");
    assert!(!params.contains_key("code"), "{params:?}");
    assert_eq!(params["state"], "s1");
    assert_eq!(params["iss"], ISSUER);
    params["error"].clone()
}

/// A page that says what is wrong, and leads nowhere.
pub fn stays(answer: &Answer) {
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.headers.get(header::LOCATION).is_none() && answer.headers.get(header::REFRESH).is_none());
    assert!(answer.body.as_str().unwrap().contains("<html"), "{answer:?}");
}

pub fn is_login(answer: &Answer) -> bool {
    answer.headers.get(header::LOCATION).is_some_and(|to| to.to_str().unwrap().starts_with("/console/login?"))
}

pub fn refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status.as_u16(), answer.body["error"].as_str()), (status, Some(error)), "{answer:?}");
}

/// The claims of a token whose signature the published key set proves, by a library that knows nothing of us but that set.
pub fn proved(t: &TestApp, token: &str, audience: &str) -> (jsonwebtoken::Header, Value) {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_value(t.app.identity.keys().jwks()).unwrap();
    let jwk = jwks.find(header.kid.as_deref().unwrap()).unwrap();
    let mut rules = jsonwebtoken::Validation::new(header.alg);
    rules.set_audience(&[audience]);
    rules.set_issuer(&[ISSUER]);
    rules.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
    (header, jsonwebtoken::decode(token, &key, &rules).unwrap().claims)
}

/// The page on which one agrees, answered.
pub async fn decide(tab: &Tab, page: &Answer, decision: &str) -> Answer {
    let (request, csrf) = (field(page, "request"), field(page, "csrf"));
    submit(tab, "/oauth2/consent", &[("request", &request), ("csrf", &csrf), ("decision", decision)]).await
}

pub fn bearer(method: &str, path: &str, token: &str) -> axum::http::request::Builder {
    request(method, path, Some(token))
}

pub async fn actions(t: &TestApp, like: &str) -> Vec<String> {
    let mut tx = t.app.db.read(Cloud).await.unwrap();
    let rows: Vec<(String,)> = tx
        .query("SELECT action FROM audit_log WHERE action LIKE $1 ORDER BY id")
        .bind(like)
        .all()
        .await
        .unwrap();
    rows.into_iter().map(|(action,)| action).collect()
}
