//! Under which address a telephone reaches the check-in page.

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{
    http::{
        Web,
        extract::{Encrypted, Origin, Peer, host_name},
        fail::Fail,
    },
    tls::Tls,
};

/// The address the QR starts with. The configured `public_url`; else the one by which the screen itself calls the box, where
/// a telephone finds it too; else the one the box knows of itself ([`Tls::url`]): an address rather than a name under
/// `.local`, because old telephones do not find those.
#[derive(Debug, Clone)]
pub struct CheckInBase(String);

impl CheckInBase {
    pub fn url(&self, token: &str) -> String {
        format!("{}/c/{token}", self.0)
    }
}

impl FromRequestParts<Web> for CheckInBase {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        let configured = web.node.config().public_url.trim_end_matches('/');
        if !configured.is_empty() {
            return Ok(Self(configured.into()));
        }
        let Origin(origin) = Origin::from_request_parts(parts, web).await?;
        let peer = Peer::from_request_parts(parts, web).await?;
        let is_encrypted = parts.extensions.get::<Encrypted>().is_some();
        let is_found = is_encrypted && peer.host.as_deref().is_some_and(telephones_find);
        let own = || web.node.tls().and_then(Tls::url);
        Ok(Self(if is_found { origin } else { own().unwrap_or(origin) }))
    }
}

/// Not the loopback addresses, names of multicast DNS, or names without a dot.
fn telephones_find(host: &str) -> bool {
    let name = host_name(host);
    let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let is_whole = || name.rsplit_once('.').is_some_and(|(_, last)| last != "local");
    address.map_or_else(|_| is_whole(), |address| !address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephones_find_addresses_and_whole_names() {
        for (host, found) in [
            ("192.168.1.10:8443", true),
            ("[fd00::1]:8443", true),
            ("absensi.sekolah.sch.id", true),
            ("hadir-1a2b.local:8443", false),
            ("localhost:8443", false),
            ("kotak:8443", false),
            ("127.0.0.1:8443", false),
            ("[::1]:8443", false),
        ] {
            assert_eq!(telephones_find(host), found, "{host}");
        }
    }
}
