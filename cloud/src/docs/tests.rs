//! What the documents promise, and that they are whole.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::{http::describe::PERMISSION, testing::TestApp};

/// The contract's own list (`contracts/attendance.md` and the documents it keeps).
const DOCUMENTED: &[(&str, &str)] = &[
    ("post", "/api/auth/login"),
    ("post", "/api/auth/logout"),
    ("get", "/api/user"),
    ("get", "/api/profile"),
    ("put", "/api/profile"),
    ("put", "/api/profile/password"),
    ("get", "/api/qrcode/dynamic"),
    ("post", "/api/qrcode/verify"),
    ("post", "/api/attendance/checkin"),
    ("post", "/api/attendance/checkout"),
    ("get", "/api/attendance/history"),
    ("post", "/api/student-attendance/scan-qr"),
    ("post", "/api/student-attendance/bulk"),
    ("get", "/api/student-attendance/class-status/{class}"),
    ("get", "/api/leaves"),
    ("post", "/api/leaves"),
    ("get", "/api/leaves/{id}"),
    ("put", "/api/leaves/{id}"),
    ("delete", "/api/leaves/{id}"),
    ("get", "/api/announcements"),
    ("post", "/api/announcements"),
    ("get", "/api/announcements/{id}"),
    ("put", "/api/announcements/{id}"),
    ("delete", "/api/announcements/{id}"),
    ("get", "/api/classes"),
    ("get", "/api/classes/{id}"),
    ("post", "/api/classes"),
    ("put", "/api/classes/{id}"),
    ("delete", "/api/classes/{id}"),
    ("get", "/api/classes/{id}/students"),
    ("post", "/api/classes/{id}/assign-students"),
    ("post", "/api/classes/{id}/remove-students"),
    ("get", "/api/student-qr-cards"),
    ("get", "/api/student-qr-cards/{id}"),
    ("post", "/api/student-qr-cards/generate"),
    ("put", "/api/student-qr-cards/{id}/status"),
    ("get", "/api/offline-sync"),
    ("get", "/api/offline-sync/{id}"),
    ("post", "/api/offline-sync/process-attendance"),
    ("post", "/api/offline-sync/{id}/retry"),
    ("get", "/api/settings"),
    ("get", "/api/settings/{key}"),
    ("put", "/api/settings/{key}"),
    ("put", "/api/settings/bulk-update"),
    ("get", "/api/dashboard"),
    ("get", "/api/users"),
    ("post", "/api/users"),
    ("get", "/api/users/{id}"),
    ("put", "/api/users/{id}"),
    ("delete", "/api/users/{id}"),
];

/// Of `contracts/sso.md`.
const DOCUMENTED_SSO: &[(&str, &str)] = &[
    ("post", "/sso/auth/register"),
    ("post", "/sso/auth"),
    ("post", "/sso/auth/{uuid}"),
    ("get", "/sso/auth/me"),
    ("get", "/sso/auth/logout"),
    ("post", "/sso/auth/forgot-password"),
    ("get", "/sso/auth/forgot-password"),
    ("post", "/sso/auth/verify-token"),
    ("get", "/sso/.well-known/jwks.json"),
    ("get", "/sso/install"),
    ("post", "/sso/company"),
    ("get", "/sso/company"),
    ("post", "/sso/auth/add-new-institution"),
    ("get", "/sso/companies"),
    ("get", "/sso/companies/{id}"),
    ("post", "/sso/service-providers"),
    ("get", "/sso/service-providers"),
    ("post", "/sso/company-service-providers"),
    ("delete", "/sso/company-service-providers/{id}"),
    ("get", "/sso/company-service-providers/{id}"),
    ("post", "/sso/roles"),
    ("post", "/sso/auth/set-user-role/{uuid}"),
    ("get", "/sso/roles"),
    ("get", "/sso/roles/{id}"),
    ("put", "/sso/roles/{id}"),
    ("delete", "/sso/roles/{id}"),
    ("post", "/sso/permissions/{service}/service"),
    ("post", "/sso/role-permissions"),
    ("get", "/sso/role-permissions/{permission}/role/{role}/user"),
    ("get", "/sso/permissions"),
    ("post", "/sso/users/"),
];

fn attendance() -> Value {
    document_of("attendance")
}

fn document_of(module: &str) -> Value {
    serde_json::from_str(json(module).unwrap()).unwrap()
}

fn operations(document: &Value) -> BTreeMap<(&str, &str), &Value> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item)| {
        let item: &Value = item;
        let methods = item.as_object().unwrap();
        methods.iter().map(move |(method, operation)| ((method.as_str(), path), operation))
    };
    paths.iter().map(|(path, item)| (path.as_str(), item)).flat_map(of_path).collect()
}

#[test]
fn every_documented_operation_is_there() {
    for (module, documented) in [("attendance", DOCUMENTED), ("sso", DOCUMENTED_SSO)] {
        let document = document_of(module);
        let there: BTreeSet<_> = operations(&document).into_keys().collect();
        let missing: Vec<_> = documented.iter().filter(|operation| !there.contains(*operation)).collect();
        assert!(missing.is_empty(), "{module}: {missing:?}");
    }
}

#[test]
fn an_operation_says_who_may_call_it_what_it_is_and_what_it_answers() {
    let documents: Vec<_> = MODULES.iter().map(|(module, _)| document_of(module)).collect();
    for document in &documents {
        let mut ids = BTreeSet::new();
        for (at, operation) in operations(document) {
            assert!(operation[PERMISSION].is_string(), "{at:?}");
            let secured = operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty());
            assert_eq!(secured, operation[PERMISSION] != "public", "{at:?}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{at:?}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at:?}");
            assert!(operation["responses"].as_object().unwrap().contains_key("default"), "{at:?}");
        }
    }
}

/// Two types of one name get a number: they want names of their own (`#[schemars(rename = …)]`).
#[test]
fn every_reference_leads_somewhere_and_names_are_words() {
    fn references<'d>(value: &'d Value, found: &mut BTreeSet<&'d str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    for (module, _) in MODULES {
        let document = document_of(module);
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        let names = document["components"]["schemas"].as_object().unwrap();
        let numbered: Vec<_> =
            names.keys().filter(|name| name.ends_with(|c: char| c.is_ascii_digit())).collect();
        assert!(numbered.is_empty(), "{numbered:?}");
    }
}

#[tokio::test]
async fn the_page_runs_its_own_scripts_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let t = TestApp::sqlite(folder.path()).await;
    let page = t.get("/docs/attendance", None).await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let html = page.body.as_str().unwrap();
    assert!(!html.contains("<script>") && !html.contains("<style") && !html.contains("//"), "{html}");
    let parts: Vec<_> = html.split(['"']).filter(|part| part.starts_with("/docs/")).collect();
    assert_eq!(parts.len(), 3);
    let mut texts = String::new();
    for part in parts {
        let answer = t.get(part, None).await;
        let kind =
            if part.contains(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        assert_eq!(
            (answer.status.as_u16(), answer.headers["content-type"].to_str().unwrap()),
            (200, kind),
            "{part}"
        );
        texts.push_str(answer.body.as_str().unwrap());
    }
    assert!(texts.len() > 1_000_000 && texts.contains("'/docs/attendance/openapi.json'"));

    let document = t.get("/docs/attendance/openapi.json", None).await;
    assert_eq!(document.headers["content-type"], "application/json");
    assert_eq!(document.body, attendance());
    assert_eq!(t.get("/docs/nothing", None).await.status, 404);
    assert_eq!(t.get("/docs/nothing/openapi.json", None).await.status, 404);
    assert_eq!(t.get("/docs/nothing/start.js", None).await.status, 404);
}
