//! A box in a temporary folder, spoken to through its router.

#![expect(clippy::needless_pass_by_value, reason = "a request reads better without references")]

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, Method, Request, StatusCode, header},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use hadir_shared::{
    demo,
    ids::UserId,
    time::{Millis, SchoolDay, Zone},
    wire::roster::Entry,
};

use super::extract::Encrypted;
use crate::{
    node::Node,
    roster::View,
    testing::{Hands, TestBox},
};

/// A stand-alone box of the demo school, on a Friday at the given time in the school.
pub struct Served {
    on: TestBox,
    router: Router,
}

/// The school day of the tests.
pub const DAY: &str = "2026-11-20";

pub fn at(time: &str) -> Millis {
    let day: SchoolDay = DAY.parse().unwrap();
    Zone::JAKARTA.instant(day, time.parse().unwrap())
}

impl Served {
    pub async fn at(time: &str) -> Self {
        Self::over(TestBox::demo(at(time)).await)
    }

    /// A box that is there already.
    pub fn over(on: TestBox) -> Self {
        let router = super::router(on.node().clone());
        Self { on, router }
    }

    /// The same disk, served by a new process.
    pub async fn restart(self) -> Self {
        Self::over(self.on.restart().await)
    }

    pub fn node(&self) -> &Node {
        self.on.node()
    }

    pub fn router(&self) -> &Router {
        &self.router
    }

    pub fn hands(&self) -> &Arc<Hands> {
        self.on.hands()
    }

    /// From elsewhere in the school's network, over HTTPS.
    pub fn get(&self, path: &str) -> Ask {
        self.ask(Method::GET, path)
    }

    pub fn post(&self, path: &str, body: Value) -> Ask {
        self.ask(Method::POST, path).body("application/json", body.to_string())
    }

    pub fn ask(&self, method: Method, path: &str) -> Ask {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "kotak.local:8443");
        let peer = SocketAddr::from(([192, 168, 1, 50], 40_000));
        let request = request.body(Body::empty()).unwrap();
        Ask { router: self.router.clone(), request, peer, in_clear: false }
    }

    /// The token of a login.
    pub async fn token(&self, number: &str) -> String {
        let login = json!({"nisn_nip_nik": number, "password": demo::PASSWORD});
        let answer = self.post("/api/auth/login", login).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.json()["data"]["token"].as_str().unwrap().to_owned()
    }

    /// The rotating token now.
    pub fn qr(&self) -> String {
        self.node().qr().unwrap().token
    }

    /// How many records the log has.
    pub fn recorded(&self) -> u64 {
        self.node().store().position().head.seq
    }

    /// The text of a student's signed card.
    pub async fn card(&self, number: &str) -> String {
        self.node().demo_card(UserId(self.id(number))).await.unwrap()
    }

    /// Another school's people take the place of the demo's.
    pub fn shows(&self, entries: &[Entry]) {
        let institution = self.node().roster().institution.clone();
        let (view, unreadable) = View::build(institution, 1, None, entries);
        assert_eq!(unreadable, []);
        self.node().show(view);
    }

    /// One entry of a roster.
    pub fn entry(entity: &str, key: impl ToString, body: &Value) -> Entry {
        Entry { cseq: 1, entity: entity.into(), key: key.to_string(), deleted: false, body: body.to_string() }
    }

    /// The bytes of the newest record.
    pub async fn last_record(&self) -> Value {
        let body = self.node().store().read(|conn| {
            conn.query_row("SELECT body FROM log ORDER BY log DESC, seq DESC LIMIT 1", [], |row| {
                row.get::<_, String>(0)
            })
        });
        serde_json::from_str(&body.await.unwrap()).unwrap()
    }

    /// The id of whoever has a number.
    pub fn id(&self, number: &str) -> i64 {
        self.node().roster().person_by_number(number).unwrap().id.0
    }
}

/// A request on its way; `.await` sends it.
pub struct Ask {
    router: Router,
    request: Request<Body>,
    peer: SocketAddr,
    in_clear: bool,
}

impl Ask {
    pub fn bearer(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION, &format!("Bearer {token}"))
    }

    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.request.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    pub fn body(mut self, kind: &str, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self.header(header::CONTENT_TYPE, kind)
    }

    /// Without TLS.
    pub fn in_clear(mut self) -> Self {
        self.in_clear = true;
        self
    }

    /// From the box's own keyboard, in clear.
    pub fn here(mut self) -> Self {
        self.in_clear = true;
        self.peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        self.header(header::HOST, "localhost:8080")
    }
}

impl IntoFuture for Ask {
    type Output = Answer;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        self.request.extensions_mut().insert(ConnectInfo(self.peer));
        if !self.in_clear {
            self.request.extensions_mut().insert(Encrypted);
        }
        let answered = self.router.oneshot(self.request);
        Box::pin(async {
            let response = answered.await.unwrap();
            let (status, headers) = (response.status(), response.headers().clone());
            Answer { status, headers, body: to_bytes(response.into_body(), usize::MAX).await.unwrap() }
        })
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A refusal in the dialect, with this message.
    #[track_caller]
    pub fn refused(&self, status: u16, message: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        let body = self.json();
        assert_eq!(
            (&body["success"], body["message"].as_str()),
            (&Value::Bool(false), Some(message)),
            "{body}"
        );
    }

    /// 422, naming exactly these fields.
    #[track_caller]
    pub fn invalid(&self, fields: &[&str]) {
        self.refused(422, "Validasi gagal");
        let body = self.json();
        let named: Vec<&str> = body["errors"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(named, fields, "{body}");
    }

    /// Success, and its `data`.
    #[track_caller]
    pub fn data(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        let mut body = self.json();
        assert_eq!(body["success"], true, "{body}");
        body["data"].take()
    }
}
