//! The registry: the software that may let people sign in here.
//!
//! What always holds: a secret is shown once and stored as its hash; an address is an `https` one, or one of the machine
//! itself, or an app's own scheme, and is compared as it stands.

use hadir_shared::{ids::InstitutionId, time::Millis};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{scope::Scopes, store};
use crate::{
    app::App,
    db::{ResultExt as _, Tx},
    fail::{Fail, Flaw},
    http::Check,
    identity::{Actor, Alg, Caller, Entry, audit, equal},
};

/// Addresses of one kind that a client may have.
pub const MOST_URIS: usize = 20;
const LONGEST_URI: usize = 512;
const HOUR_MS: i64 = 3600 * 1000;

/// Software that is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// In our own tables.
    pub key: i64,
    pub client_id: String,
    pub about: About,
    pub(super) secret_hash: Option<String>,
    pub(super) old_secret: Option<(String, Millis)>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// What is said of a client when it is registered or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub name: String,
    /// Whose people sign in; `None`: everybody.
    pub institution: Option<InstitutionId>,
    pub is_public: bool,
    pub redirect_uris: Vec<String>,
    pub logout_uris: Vec<String>,
    pub scopes: Scopes,
    pub alg: Alg,
    /// Nobody is asked for his consent.
    pub is_trusted: bool,
    pub is_active: bool,
}

impl Client {
    /// Whether this is its secret; one that was replaced counts until its time is over.
    pub fn has_secret(&self, given: &str, now: Millis) -> bool {
        let given = hash(given);
        let is = |stored: &str| equal(stored.as_bytes(), given.as_bytes());
        self.secret_hash.as_deref().is_some_and(is)
            || self.old_secret.as_ref().is_some_and(|(stored, until)| now < *until && is(stored))
    }

    /// Until when a secret that was replaced goes on to count, if one does.
    pub fn old_secret_until(&self, now: Millis) -> Option<Millis> {
        self.old_secret.as_ref().map(|(_, until)| *until).filter(|until| now < *until)
    }

    /// Whether this user may sign in to it.
    pub fn admits(&self, who: &Caller) -> bool {
        self.about.is_active
            && !who.is_half
            && self.about.institution.is_none_or(|institution| who.institution == Some(institution))
    }
}

impl About {
    /// Fails with [`Fail::Invalid`], with everything that is wrong.
    pub fn check(&self) -> Result<(), Fail> {
        let mut check = Check::new();
        check.that((1..=100).contains(&self.name.chars().count()), "name", Flaw::TooLong(100));
        check.that(
            !self.name.chars().any(char::is_control),
            "name",
            Flaw::Said("has control characters".into()),
        );
        check.that(!self.redirect_uris.is_empty(), "redirect_uris", Flaw::Missing);
        check.that(self.scopes.has(super::scope::OPENID), "scopes", Flaw::Said("must have openid".into()));
        for (field, uris) in
            [("redirect_uris", &self.redirect_uris), ("post_logout_redirect_uris", &self.logout_uris)]
        {
            check.that(uris.len() <= MOST_URIS, field, Flaw::TooLong(MOST_URIS));
            for (n, uri) in uris.iter().enumerate() {
                if let Err(said) = sound(uri, self.is_public) {
                    check.flaw(format!("{field}.{n}"), Flaw::Said(said.into()));
                }
            }
        }
        check.finish()
    }
}

/// Whether an address is one that people may be sent to, and if not, why.
fn sound(uri: &str, is_public: bool) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_graphic() && !"\\\"<>^`{|}*#".contains(c);
    if uri.len() > LONGEST_URI || !uri.chars().all(plain) {
        return Err("must be a plain address without a fragment, of at most 512 characters");
    }
    let (scheme, rest) = uri.split_once(':').ok_or("must be absolute")?;
    let Some(rest) = rest.strip_prefix("//") else {
        let is_own = scheme.contains('.') && rest.starts_with('/');
        return if is_own && is_public { Ok(()) } else { Err("must start with https://") };
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once(':').map_or(authority, |(host, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { host } else { authority }
    });
    if authority.contains('@') || host.is_empty() {
        return Err("must name a host, and nobody before it");
    }
    let path = path.split('?').next().unwrap_or_default().to_ascii_lowercase();
    if path.split('/').any(|part| matches!(part, "." | ".." | "%2e" | "%2e%2e" | ".%2e" | "%2e.")) {
        return Err("must not climb its own path");
    }
    match scheme {
        "https" => Ok(()),
        "http" if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => Ok(()),
        _ => Err("must be https, or http on the machine itself"),
    }
}

/// Registers software. The second value is its secret, to be shown now and never again; a public client has none.
pub async fn create(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    about: &About,
) -> Result<(Client, Option<String>), Fail> {
    about.check()?;
    let client_id = app.ids.random_uuid().simple().to_string();
    let secret = (!about.is_public).then(|| app.ids.token());
    store::insert_client(tx, &client_id, secret.as_deref().map(hash).as_deref(), about, app.now())
        .await
        .on_missing(no_school())?;
    note(tx, app, by, "oidc_client.create", &client_id, about).await?;
    let client = by_id(tx, &client_id).await?.ok_or_else(unknown)?;
    Ok((client, secret))
}

/// Changes all that is said of a client. What it holds of users stays; an inactive one can use none of it.
pub async fn replace(tx: &mut Tx, app: &App, by: Actor, client: &Client, about: &About) -> Result<(), Fail> {
    about.check()?;
    if about.is_public != client.about.is_public {
        return Err(Fail::invalid("type", Flaw::Said("cannot be changed: register it anew".into())));
    }
    store::update_client(tx, client.key, about, app.now()).await.on_missing(no_school())?;
    note(tx, app, by, "oidc_client.update", &client.client_id, about).await
}

/// Gives a client another secret; the old one counts for some hours more.
pub async fn renew_secret(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    client: &Client,
    overlap_hours: i64,
) -> Result<String, Fail> {
    if client.about.is_public {
        return Err(Fail::conflict("A public client has no secret"));
    }
    let secret = app.ids.token();
    let until = app.now().plus_millis(overlap_hours * HOUR_MS);
    store::set_secret(tx, client.key, &hash(&secret), until, app.now()).await?;
    note(tx, app, by, "oidc_client.secret", &client.client_id, &client.about).await?;
    Ok(secret)
}

/// Takes a client away, and ends what it holds of users. Afterwards: commit, then [`crate::identity::Identity::forget`].
pub async fn remove(tx: &mut Tx, app: &App, by: Actor, client: &Client) -> Result<(), Fail> {
    store::end_sessions_of(tx, client.key, app.now()).await?;
    store::delete_client(tx, client.key).await?;
    note(tx, app, by, "oidc_client.delete", &client.client_id, &client.about).await
}

pub async fn by_id(tx: &mut Tx, client_id: &str) -> Result<Option<Client>, Fail> {
    // No name of a client is otherwise, and a database takes no NUL.
    if client_id.len() > 64 || !client_id.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(None);
    }
    store::client(tx, client_id).await
}

/// All of them, by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<Client>, Fail> {
    store::clients(tx).await
}

pub fn unknown() -> Fail {
    Fail::not_found("There is no such client")
}

fn no_school() -> Fail {
    Fail::invalid("institution_id", Flaw::NoSuch)
}

/// 256 random bits need no slow hash.
pub(super) fn hash(secret: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(secret))
}

async fn note(
    tx: &mut Tx,
    app: &App,
    by: Actor,
    action: &'static str,
    client_id: &str,
    about: &About,
) -> Result<(), Fail> {
    let after = json!({"name": about.name, "redirect_uris": about.redirect_uris, "scopes": about.scopes.to_string(),
        "is_trusted": about.is_trusted, "is_active": about.is_active});
    let mut entry = Entry::new(by, action, format!("oidc_client:{client_id}")).after(after);
    entry.institution = about.institution;
    audit(tx, app, &entry).await
}

#[cfg(test)]
impl Client {
    /// One that is in no database.
    pub fn of(about: About) -> Self {
        let at = Millis(0);
        Self {
            key: 0,
            client_id: "client".into(),
            about,
            secret_hash: None,
            old_secret: None,
            created_at: at,
            updated_at: at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_people_may_be_sent_to() {
        for good in [
            "https://moodle.sekolah.sch.id/admin/oauth2callback.php",
            "https://a.example:8443/cb?x=1",
            "http://127.0.0.1:9000/cb",
            "http://localhost/cb",
            "http://[::1]:9000/cb",
        ] {
            assert_eq!(sound(good, false), Ok(()), "{good}");
        }
        assert_eq!(sound("id.sch.app:/cb", true), Ok(()));
        for bad in [
            "",
            "/cb",
            "https:",
            "https://",
            "https:///cb",
            "http://a.example/cb",
            "https://a.example/cb#x",
            "https://a.example/*",
            "https://user@a.example/cb",
            "https://a.example@evil.example/cb",
            "https://a.example\\@evil.example",
            "https://a.example/a/../cb",
            "https://a.example/%2e%2E/cb",
            "https://a.example/c b",
            "javascript:alert(1)",
            "data:text/html,x",
            "id.sch.app:/cb",
            "javascript://a.example/%0aalert(1)",
            "ftp://a.example/",
            "http://127.0.0.1.evil.example/",
        ] {
            assert!(sound(bad, false).is_err(), "{bad}");
        }
        assert!(sound("javascript:/x", true).is_err());
    }
}
