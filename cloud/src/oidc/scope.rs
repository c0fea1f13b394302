//! What a client may ask for, and what each word of it opens.

use std::{collections::BTreeSet, fmt};

/// Every scope there is.
pub const ALL: [&str; 6] = ["openid", "profile", "email", "phone", "school", "offline_access"];
pub const OPENID: &str = "openid";
/// A hold on the user that outlives his browser's session.
pub const OFFLINE: &str = "offline_access";

/// Some of [`ALL`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<&'static str>);

impl Scopes {
    /// What of a text with spaces is known here.
    pub fn parse(text: &str) -> Self {
        let asked: BTreeSet<&str> = text.split(' ').collect();
        Self(ALL.into_iter().filter(|known| asked.contains(known)).collect())
    }

    pub fn has(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).copied().collect())
    }

    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// In the order of [`ALL`], in which people are told of them.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> {
        ALL.into_iter().filter(|scope| self.has(scope))
    }
}

/// With spaces between, in the order of the alphabet.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().copied().collect::<Vec<_>>().join(" "))
    }
}
