//! A field of a change.

use serde::{Deserialize, Deserializer};

/// Left out, `null`, or a value: a change that could not tell the first two apart could never take a value away. Needs
/// `#[serde(default)]` at the field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Patch<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// Whether anything is to be written.
    pub const fn changes(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// What is to be written; `None` clears.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Keep | Self::Clear => None,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Clear, Self::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Body {
        #[serde(default)]
        teacher: Patch<i64>,
    }

    #[test]
    fn left_out_is_not_null() {
        for (text, teacher) in
            [("{}", Patch::Keep), (r#"{"teacher":null}"#, Patch::Clear), (r#"{"teacher":7}"#, Patch::Set(7))]
        {
            assert_eq!(serde_json::from_str::<Body>(text).unwrap(), Body { teacher }, "{text}");
        }
        assert!(serde_json::from_str::<Body>(r#"{"teacher":"x"}"#).is_err());
    }
}
