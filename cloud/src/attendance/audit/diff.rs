//! What a change changed, field by field: as a person reads it.

use std::collections::BTreeSet;

use serde_json::Value;

/// The longest value that is shown whole, in characters.
const LONGEST: usize = 160;

/// A field, as it was and as it is; `None`: it was not there.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub field: String,
    pub was: Option<String>,
    pub is: Option<String>,
}

/// The fields that differ, by name. What is no object is one field without a name.
pub fn between(before: Option<&Value>, after: Option<&Value>) -> Vec<Change> {
    let (was, is) = (before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null));
    let mut changes = Vec::new();
    differ("", was, is, &mut changes);
    changes
}

fn differ(at: &str, was: &Value, is: &Value, changes: &mut Vec<Change>) {
    if was == is {
        return;
    }
    let empty = serde_json::Map::new();
    match (was, is) {
        (Value::Object(_) | Value::Null, Value::Object(_)) | (Value::Object(_), Value::Null) => {
            let (was, is) = (was.as_object().unwrap_or(&empty), is.as_object().unwrap_or(&empty));
            let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            for name in names {
                let inner = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                let of =
                    |fields: &serde_json::Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
                differ(&inner, &of(was), &of(is), changes);
            }
        }
        _ => changes.push(Change { field: at.to_owned(), was: text(was), is: text(is) }),
    }
}

fn text(value: &Value) -> Option<String> {
    let whole = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let cut: String = whole.chars().take(LONGEST).collect();
    Some(if cut.len() < whole.len() { format!("{cut}…") } else { cut })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
        let line = |change: Change| {
            let of = |text: Option<String>| text.unwrap_or_else(|| "-".into());
            format!("{}: {} > {}", change.field, of(change.was), of(change.is))
        };
        between(before, after).into_iter().map(line).collect()
    }

    #[test]
    fn only_what_differs_is_told() {
        let cases = [
            (Some(json!({"a": 1, "b": 2})), Some(json!({"a": 1, "b": 3})), vec!["b: 2 > 3"]),
            (None, Some(json!({"name": "Siti", "email": null})), vec!["name: - > Siti"]),
            (Some(json!({"name": "Siti"})), None, vec!["name: Siti > -"]),
            (
                Some(json!({"x": {"y": 1, "z": 2}})),
                Some(json!({"x": {"y": 1, "z": true}})),
                vec!["x.z: 2 > true"],
            ),
            (Some(json!({"x": [1]})), Some(json!({"x": [1, 2]})), vec!["x: [1] > [1,2]"]),
            (Some(json!({"x": {"y": 1}})), Some(json!({"x": "teks"})), vec!["x: {\"y\":1} > teks"]),
            (Some(json!("a")), Some(json!("b")), vec![": a > b"]),
            (None, None, vec![]),
        ];
        for (before, after, expected) in cases {
            assert_eq!(said(before.as_ref(), after.as_ref()), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let [line] = &said(None, Some(&json!({"x": "é".repeat(200)})))[..] else { panic!("one line") };
        assert!(line.ends_with("é…") && line.chars().count() == "x: - > ".len() + 161, "{line}");
    }
}
