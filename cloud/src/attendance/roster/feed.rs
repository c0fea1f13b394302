//! How a change gets into the feed.

use hadir_shared::{
    chain::Hash,
    ids::InstitutionId,
    wire::roster::{Entry, entity},
};
use serde::Serialize;

use super::store;
use crate::{app::App, db::Tx, fail::Fail};

/// One thing that changed, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// One of [`entity`].
    entity: &'static str,
    /// Names the thing within its kind; a singleton's key is empty.
    key: String,
    /// `None`: the thing is gone.
    body: Option<String>,
    /// Something that worked yesterday must stop working: boxes fetch it first.
    revokes: bool,
}

impl Change {
    /// A thing and its wire type.
    pub fn put(entity: &'static str, key: &impl ToString, body: &impl Serialize) -> Result<Self, Fail> {
        let body = serde_json::to_string(body).map_err(anyhow::Error::from)?;
        Ok(Self { entity, key: key.to_string(), body: Some(body), revokes: false })
    }

    pub fn gone(entity: &'static str, key: &impl ToString) -> Self {
        let revokes = matches!(entity, entity::PERSON | entity::CARD);
        Self { entity, key: key.to_string(), body: None, revokes }
    }

    #[must_use]
    pub fn revoking(mut self, revokes: bool) -> Self {
        self.revokes = revokes;
        self
    }

    /// Kind and key.
    pub(super) fn name(&self) -> (String, String) {
        (self.entity.to_owned(), self.key.clone())
    }

    pub(super) fn hash(&self) -> Hash {
        self.clone().entry(0).1
    }

    /// What is kept and sent, at its place in the feed.
    fn entry(self, cseq: u64) -> (Entry, Hash) {
        let deleted = self.body.is_none();
        let body = self.body.unwrap_or_default();
        let entry = Entry { cseq, entity: self.entity.into(), key: self.key, deleted, body };
        let hash = entry.hash();
        (entry, hash)
    }
}

/// Publishes changes of one school in the transaction that makes them, in two statements.
///
/// The counter's row stays locked until the commit, so commit order is cursor order: a box whose cursor is `n` will never be
/// given a change numbered `n` or less. Do what is slow before this, not after. Of two changes of one thing the last counts.
pub async fn publish(
    tx: &mut Tx,
    app: &App,
    institution: InstitutionId,
    mut changes: Vec<Change>,
) -> Result<(), Fail> {
    if changes.is_empty() {
        return Ok(());
    }
    // Stable, so that of equal keys the later one stays the later one; then the later one is kept.
    changes.sort_by(|a, b| (b.entity, &b.key).cmp(&(a.entity, &a.key)));
    changes.reverse();
    changes.dedup_by(|a, b| (a.entity, &a.key) == (b.entity, &b.key));
    let revokes = changes.iter().any(|change| change.revokes);
    let count = i64::try_from(changes.len()).map_err(anyhow::Error::from)?;
    let latest = store::advance(tx, institution, app.ids.random_uuid(), count, revokes).await?;
    let first = u64::try_from(latest - count + 1).map_err(anyhow::Error::from)?;
    let entries: Vec<_> = (first..).zip(changes).map(|(cseq, change)| change.entry(cseq)).collect();
    store::put_entries(tx, institution, &entries, app.now()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_disappears_is_revoked_and_a_class_is_not() {
        assert!(Change::gone(entity::CARD, &1).revokes);
        assert!(Change::gone(entity::PERSON, &1).revokes);
        assert!(!Change::gone(entity::CLASS, &1).revokes);
        let (entry, hash) = Change::gone(entity::CLASS, &7).entry(3);
        assert_eq!((entry.cseq, entry.key.as_str(), entry.deleted, entry.body.as_str()), (3, "7", true, ""));
        assert_eq!(hash, entry.hash());
    }
}
