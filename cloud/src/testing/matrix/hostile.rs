//! Input that means harm, or was never meant for us, at every route: it is refused in the dialect's words or does what it
//! says, is never our fault, and leaves nothing half done.

use axum::body::Body;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Case, Client, Content, Operation, World, assert_same, operations, rows};
use crate::{
    http::describe::DEVICE,
    testing::{Answer, TestApp, request},
};

/// As a path's parameter, percent-encoded.
const SEGMENTS: &[&str] = &[
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "1e3",
    "abc",
    "%00",
    "%ff",
    "..%2f..%2fetc%2fpasswd",
    "1%20OR%201%3D1",
    "%F0%9F%98%80",
];

/// As a query parameter's value, percent-encoded.
const VALUES: &[&str] = &[
    "0",
    "-1",
    "99999999999999999999999",
    "9223372036854775807",
    "abc",
    "%00",
    "%ff",
    "9999-12-31",
    "0000-00-00",
    "2025-02-30",
    "-9999-01-01",
    "%27%20OR%20%271%27%3D%271",
    "%25%5F%5C",
    "true",
];

/// As a field of a body.
fn fields() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!(""),
        json!("\u{0}"),
        json!("a\u{0}b"),
        json!("' OR '1'='1"),
        json!("%_\\"),
        json!("\u{1F600}\u{202E}"),
        json!("9999-12-31"),
        json!("99999-01-01"),
        json!("a".repeat(1 << 20)),
        json!([]),
        json!([[]]),
        json!([i64::MAX, -1, 0]),
        json!(vec![1; 2_000]),
        json!({}),
        json!({"id": {"$ne": null}}),
    ]
}

/// Bodies that are none, and must be refused as such.
fn malformed() -> Vec<Vec<u8>> {
    vec![
        b"{".to_vec(),
        b"{\"a\":1}{".to_vec(),
        b"\0".to_vec(),
        b"\xff\xfe".to_vec(),
        b"{\"a\":\"\xc3\x28\"}".to_vec(),
        "[".repeat(20_000).into_bytes(),
        "{\"a\":".repeat(5_000).into_bytes(),
        b"[]".to_vec(),
        b"\"text\"".to_vec(),
        b"7".to_vec(),
    ]
}

/// The whole of it.
pub async fn nothing_that_comes_in_is_our_fault<W: World>(t: &TestApp, world: &W) {
    let client = Client::new(t);
    for operation in &operations::<W>() {
        let before = rows::all(t).await;
        refuse_what_is_no_body(&client, world, operation).await;
        refuse_what_is_no_id(&client, world, operation).await;
        let what = format!("{operation}: what was refused left something");
        assert_same(&before, &rows::all(t).await, &what);
        take_any_query(&client, world, operation).await;
        take_any_field(t, &client, world, operation).await;
        take_twins(&client, world, operation).await;
    }
}

/// In the envelope where it is JSON, and never our fault. (503 would be: nothing here is busy.)
fn assert_answered<W: World>(answer: &Answer, what: &str) {
    let status = answer.status.as_u16();
    assert!(status < 500, "{what}: {status} {}", answer.body);
    if status >= 400 {
        assert!(W::is_refusal(&answer.body), "{what}: {status} {}", answer.body);
        assert!(
            answer.body["message"].as_str().is_some_and(|text| !text.is_empty()),
            "{what}: {}",
            answer.body
        );
    }
}

fn token<'w, W: World>(world: &'w W, operation: &Operation) -> &'w str {
    world.token(world.schools()[0], W::sender(operation))
}

async fn raw(
    client: &Client,
    operation: &Operation,
    path: &str,
    token: Option<&str>,
    body: Vec<u8>,
) -> Answer {
    let asked = request(&operation.method, path, token).header("content-type", "application/json");
    let response = client.router.clone().oneshot(asked.body(Body::from(body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn refuse_what_is_no_body<W: World>(client: &Client, world: &W, operation: &Operation) {
    if operation.document["requestBody"].is_null() {
        return;
    }
    let path = W::case(operation, world.schools()[0]).path;
    for body in malformed() {
        let shown = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
        let what = format!("{operation} with {shown:?}");
        let answer = raw(client, operation, &path, Some(token(world, operation)), body).await;
        assert_answered::<W>(&answer, &what);
        assert!(answer.status.is_client_error(), "{what}: {}", answer.body);
    }
}

async fn refuse_what_is_no_id<W: World>(client: &Client, world: &W, operation: &Operation) {
    let Some((before, rest)) = operation.path.split_once('{') else { return };
    let after = rest.split_once('}').unwrap().1;
    // The second of two is answered as the first.
    let after = after.split_once('{').map_or_else(
        || after.to_owned(),
        |(between, rest)| {
            let second = if rest.starts_with("log}") { "0190e5a0-0000-7000-8000-000000000000" } else { "1" };
            format!("{between}{second}{}", rest.split_once('}').unwrap().1)
        },
    );
    let long = "9".repeat(5_000);
    for segment in SEGMENTS.iter().copied().chain([long.as_str()]) {
        let path = format!("{before}{segment}{after}");
        let own = W::case(operation, world.schools()[0]);
        let answer =
            client.send(&Case { path, ..own }, &operation.method, Some(token(world, operation))).await;
        let what = format!("{operation} of {:?}", &segment[..segment.len().min(40)]);
        assert_answered::<W>(&answer, &what);
        assert!(answer.status.is_client_error(), "{what}: {}", answer.body);
    }
}

async fn take_any_query<W: World>(client: &Client, world: &W, operation: &Operation) {
    let parameters = operation.document["parameters"].as_array().into_iter().flatten();
    for name in parameters.filter(|one| one["in"] == "query").map(|one| one["name"].as_str().unwrap()) {
        let long = "a".repeat(5_000);
        for value in VALUES.iter().copied().chain([long.as_str()]) {
            for query in [
                format!("{name}={value}"),
                format!("{name}={value}&{name}={value}"),
                format!("{name}[]={value}"),
            ] {
                let own = W::case(operation, world.schools()[0]);
                let path = format!("{}?{query}", own.path);
                let answer = client
                    .send(&Case { path, ..own }, &operation.method, Some(token(world, operation)))
                    .await;
                assert_answered::<W>(&answer, &format!("{operation} ?{}", &query[..query.len().min(60)]));
            }
        }
    }
}

/// Each field alone is hostile; where every request was refused, nothing was written.
async fn take_any_field<W: World>(t: &TestApp, client: &Client, world: &W, operation: &Operation) {
    if operation.permission == DEVICE {
        return;
    }
    let own = W::case(operation, world.schools()[0]);
    let Content::Json(body) = &own.content else { return };
    let schema = &operation.document["requestBody"]["content"]["application/json"]["schema"];
    let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    for name in names.chain(["no_such_field"]) {
        let before = rows::all(t).await;
        let mut refused = true;
        for value in fields() {
            let mut body = body.clone();
            body[name] = value.clone();
            let shown: String = value.to_string().chars().take(40).collect();
            let case = Case { path: own.path.clone(), content: Content::Json(body) };
            let answer = client.send(&case, &operation.method, Some(token(world, operation))).await;
            assert_answered::<W>(&answer, &format!("{operation} with {name}: {shown}"));
            refused &= answer.status.is_client_error();
        }
        if refused && !operation.path.ends_with("/auth/login") && !operation.path.ends_with("/auth") {
            assert_same(&before, &rows::all(t).await, &format!("{operation}: a wrong {name} left something"));
        }
    }
}

/// The same twice at the same moment.
async fn take_twins<W: World>(client: &Client, world: &W, operation: &Operation) {
    let own = W::case(operation, world.schools()[0]);
    let (one, other) = tokio::join!(
        client.send(&own, &operation.method, Some(token(world, operation))),
        client.send(&own, &operation.method, Some(token(world, operation))),
    );
    assert_answered::<W>(&one, &format!("{operation}, the first of twins"));
    assert_answered::<W>(&other, &format!("{operation}, the second of twins"));
}
