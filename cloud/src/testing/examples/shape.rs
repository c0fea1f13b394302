//! Whether what was sent and answered is what the documents show. Pure.

use serde_json::Value;

/// What an answer lacks of the documented one; more than that it may have. A field that is null in the documents may be
/// anything; others are null only where `nullable` names their path (`data.photo_path`, without the places in lists).
pub fn lacks(documented: &Value, answer: &Value, nullable: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    compare("", documented, answer, nullable, &mut found);
    found
}

fn compare(path: &str, documented: &Value, answer: &Value, nullable: &[String], found: &mut Vec<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (documented, answer) {
        (Value::Null, _) => {}
        (_, Value::Null) if nullable.iter().any(|nullable| nullable == path) => {}
        (Value::Object(documented), Value::Object(answer)) => {
            for (key, documented) in documented {
                match answer.get(key) {
                    Some(answer) => compare(&below(key), documented, answer, nullable, found),
                    None => found.push(format!("{} is missing", below(key))),
                }
            }
        }
        (Value::Array(documented), Value::Array(answer)) => {
            if documented.is_empty() != answer.is_empty() {
                found.push(format!("{path} has {} items", answer.len()));
            }
            for answer in answer {
                if let Some(documented) = documented.first() {
                    compare(path, documented, answer, nullable, found);
                }
            }
        }
        (Value::String(documented), Value::String(answer)) => {
            let same = if is_wording(path) {
                masked(documented) == masked(answer)
            } else {
                form(documented) == form(answer)
            };
            if !same {
                found.push(format!("{path} is {answer:?}, documented as {documented:?}"));
            }
        }
        (Value::Number(documented), Value::Number(answer)) => {
            if path == "statusCode" && documented != answer {
                found.push(format!("statusCode is {answer}"));
            }
            if documented.is_i64() && !answer.is_i64() {
                found.push(format!("{path} is {answer}, documented as {documented}"));
            }
        }
        (Value::Bool(documented), Value::Bool(answer)) => {
            if path == "success" && documented != answer {
                found.push(format!("success is {answer}"));
            }
        }
        _ => found.push(format!("{path} is {answer}, documented as {documented}")),
    }
}

/// A text for people: part of the contract word for word, but for the ids in it.
fn is_wording(path: &str) -> bool {
    path == "message" || path.starts_with("errors.") || path.split('.').next_back() == Some("error")
}

fn masked(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect()
}

/// How a text is written, for texts that programs read. Other texts are of one form.
fn form(text: &str) -> &'static str {
    const FORMS: &[(&str, &str)] = &[
        ("an instant", "9999-99-99T99:99:99.999999Z"),
        ("a local time", "9999-99-99 99:99:99"),
        ("a day", "9999-99-99"),
        ("degrees", "9.99999999"),
    ];
    let masked = masked(text.trim_start_matches('-'));
    if text.starts_with("http://") {
        return "an address";
    }
    if text.len() == 32 && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
        return "32 hexadecimal digits";
    }
    let known =
        FORMS.iter().find(|(_, form)| masked == *form || masked.trim_start_matches('9') == &form[1..]);
    known.map_or("a text", |(name, _)| name)
}

/// What a request has that its documented one has not, and the other way round: `{"accuracy": "float (optional)"}`.
/// `whole`: it is to have every field that is not optional.
pub fn strays(documented: &Value, request: &Value, whole: bool) -> Vec<String> {
    let mut found = Vec::new();
    match (documented, request) {
        (Value::Object(documented), Value::Object(request)) => {
            for (key, value) in request {
                match documented.get(key) {
                    Some(kind) => {
                        found.extend(strays(kind, value, whole).iter().map(|why| format!("{key}: {why}")));
                    }
                    None => found.push(format!("{key} is not documented")),
                }
            }
            let wanted = |kind: &Value| kind.as_str().is_none_or(|kind| !kind.contains("optional"));
            let absent = documented.iter().filter(|(key, kind)| wanted(kind) && !request.contains_key(*key));
            found.extend(absent.filter(|_| whole).map(|(key, _)| format!("{key} is missing")));
        }
        (Value::Array(documented), Value::Array(items)) => {
            found.extend(items.iter().flat_map(|item| strays(&documented[0], item, whole)));
        }
        // What may be left out, many clients send as null.
        (Value::String(kind), Value::Null) if kind.contains("optional") => {}
        (Value::String(kind), value) => {
            let fits = match kind.split([' ', '|']).next().unwrap() {
                "string" => value.is_string(),
                "integer" => value.is_i64(),
                "float" => value.is_f64() || value.is_i64(),
                "boolean" => value.is_boolean(),
                other => panic!("the documents have no type {other:?}"),
            };
            if !fits {
                found.push(format!("{value} is no {kind}"));
            }
        }
        (documented, request) => found.push(format!("{request} where {documented} is documented")),
    }
    found
}

#[test]
fn what_an_answer_lacks_is_found() {
    use serde_json::json;

    let documented = json!({
        "success": true, "message": "2 siswa", "data": [{"id": 1, "at": "2025-08-21T08:54:57.000000Z", "x": "-6.12345600", "n": null}],
    });
    let lacking = |pointer: &str, value: Value| {
        let mut answer = documented.clone();
        *answer.pointer_mut(pointer).unwrap() = value;
        lacks(&documented, &answer, &["data.at".to_owned()])
    };
    for (pointer, fine) in [
        ("/message", json!("3 siswa")),
        ("/data/0/n", json!(7)),
        ("/data/0/x", json!("106.87654300")),
        ("/data/0/at", Value::Null),
    ] {
        assert_eq!(lacking(pointer, fine.clone()), Vec::<String>::new(), "{pointer} {fine}");
    }
    for (pointer, wrong) in [
        ("/success", json!(false)),
        ("/message", json!("2 guru")),
        ("/data", json!([])),
        ("/data", json!({})),
        ("/data/0", json!({})),
        ("/data/0/id", json!("1")),
        ("/data/0/id", json!(1.5)),
        ("/data/0/id", Value::Null),
        ("/data/0/at", json!("2025-08-21T08:54:57Z")),
        ("/data/0/at", json!("2025-08-21 08:54:57")),
        ("/data/0/x", json!(-6.123_456)),
        ("/data/0/x", json!("-6.123456")),
    ] {
        assert_ne!(lacking(pointer, wrong.clone()), Vec::<String>::new(), "{pointer} {wrong}");
    }
}

#[test]
fn what_a_request_has_too_much_or_too_little_is_found() {
    use serde_json::json;

    let documented = json!({"ids": ["integer"], "at": "float", "name": "string|email (optional)"});
    let found = |request: Value| strays(&documented, &request, true);
    assert_eq!(found(json!({"ids": [1, 2], "at": 7})), Vec::<String>::new());
    assert_eq!(found(json!({"ids": [1, 2], "at": 7, "name": null})), Vec::<String>::new());
    assert_eq!(found(json!({"ids": [1, 2], "at": null})), ["at: null is no float"]);
    assert_eq!(found(json!({"ids": ["1"], "at": 7})), [r#"ids: "1" is no integer"#]);
    assert_eq!(
        found(json!({"ids": [], "name": true, "x": 1})),
        ["name: true is no string|email (optional)", "x is not documented", "at is missing"]
    );
    assert_eq!(strays(&documented, &json!({}), false), Vec::<String>::new());
}
