//! What a handler may ask of a request. Each fails with [`Fail`], never in plain text.

use std::net::{IpAddr, SocketAddr};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, FromRequest, FromRequestParts, OriginalUri, Request, rejection::BytesRejection},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONTENT_TYPE, HOST, ORIGIN},
        request::Parts,
    },
};
use hadir_shared::time::Reading;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{
    Web,
    fail::{Fail, Flaw},
};

/// What the clocks showed when the request's head had arrived: a rotating token is judged by this, not by the time after
/// the body and the login.
#[derive(Debug, Clone, Copy)]
pub struct Arrival(pub Reading);

impl FromRequestParts<Web> for Arrival {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_else(|| Self(web.node.reading())))
    }
}

/// A JSON body; an empty one is `{}`.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Web> for Body<T> {
    type Rejection = Fail;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Fail> {
        let is_json = essence(request.headers()).is_some_and(|e| e == "application/json");
        let RawBody(bytes) = RawBody::from_request(request, web).await?;
        match &bytes[..] {
            [] => parse(b"{}").map(Self),
            _ if !is_json => Err(Fail::WrongContentType),
            bytes => parse(bytes).map(Self),
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fail> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        let path = e.path().to_string();
        match e.inner().classify() {
            Category::Data => Fail::invalid(if path == "." { String::new() } else { path }, Flaw::Unreadable),
            _ => Fail::Malformed(e.inner().to_string()),
        }
    })?;
    json.end().map_err(|e| Fail::Malformed(e.to_string()))?;
    Ok(value)
}

/// The bytes of a body, whatever they are.
#[derive(Debug)]
pub struct RawBody(pub Bytes);

impl FromRequest<Web> for RawBody {
    type Rejection = Fail;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Fail> {
        let unread = |e: BytesRejection| match e.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Fail::TooLarge,
            _ => Fail::Malformed(e.body_text()),
        };
        Bytes::from_request(request, web).await.map(Self).map_err(unread)
    }
}

/// The media type, in lower case, without its parameters.
pub fn essence(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The query string. A parameter left empty counts as left out.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Web> for Params<T> {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Fail> {
        read_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Fail> {
    let given = form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty());
    let kept = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(kept.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|e| Fail::invalid(e.path().to_string(), Flaw::Unreadable))
}

/// A parameter of the path. One that cannot be read leads nowhere.
#[derive(Debug)]
pub struct Segment<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Web> for Segment<T> {
    type Rejection = Fail;

    #[expect(clippy::disallowed_types, reason = "the one place that turns its refusal into a Fail")]
    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        let path = axum::extract::Path::from_request_parts(parts, web).await.map_err(|_| Fail::NoRoute)?;
        Ok(Self(path.0))
    }
}

/// Where a request comes from, and by which name it calls this box.
#[derive(Debug, Clone)]
pub struct Peer {
    /// `None` when the server did not say; then nobody is trusted for where he is.
    pub address: Option<IpAddr>,
    /// The `Host` header, when it is one.
    pub host: Option<String>,
    /// A browser says that a page of somewhere else asks.
    pub for_another_site: bool,
}

impl Peer {
    /// Somebody at the box itself. The name is checked too: a page of somebody else's site whose name was pointed at
    /// 127.0.0.1 (DNS rebinding) and a proxy on this machine both come from the loopback address, under another name; and a
    /// page of another site can send some requests to the right name, though never read the answers.
    pub fn is_here(&self) -> bool {
        let name = self.host.as_deref().map(host_name);
        !self.for_another_site
            && self.address.is_some_and(|a| a.to_canonical().is_loopback())
            && name.is_some_and(|n| matches!(n, "localhost" | "127.0.0.1" | "[::1]"))
    }

    /// A key for throttles.
    pub fn key(&self) -> String {
        self.address.map_or_else(|| "?".into(), |a| a.to_canonical().to_string())
    }
}

impl FromRequestParts<Web> for Peer {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Fail> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let host = parts.headers.get(HOST).and_then(|h| h.to_str().ok()).filter(|h| is_host(h));
        let host = host.map(str::to_ascii_lowercase);
        let for_another_site = is_for_another_site(&parts.headers, host.as_deref());
        Ok(Self { address, host, for_another_site })
    }
}

/// `Origin` names the page's own site where a browser sends one, `Sec-Fetch-Site` tells how the two are related.
fn is_for_another_site(headers: &HeaderMap, host: Option<&str>) -> bool {
    let origin = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    let named = origin.and_then(|origin| origin.split_once("://")).map(|(_, name)| name.to_ascii_lowercase());
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    origin.is_some() && named.as_deref() != host
        || site.is_some_and(|site| !matches!(site, b"same-origin" | b"none"))
}

/// Without the port; an IPv6 address keeps its brackets.
pub fn host_name(host: &str) -> &str {
    match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or(host),
    }
}

fn is_host(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    !host.is_empty() && host.len() <= 253 && host.chars().all(plain)
}

/// Which part of a list is asked for: `?page` (from 1) and `?per_page` (1 to 100, 15 when left out).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub page: u32,
    pub per_page: u32,
    /// The list's own address, without its query.
    pub path: String,
    /// The rest of the query, so that a link keeps the filters it was made under.
    filters: String,
}

impl Page {
    /// Rows to skip.
    pub fn offset(&self) -> u64 {
        u64::from(self.page - 1) * u64::from(self.per_page)
    }

    /// The address of page `n`.
    pub fn url(&self, n: u64) -> String {
        let and = if self.filters.is_empty() { "" } else { "&" };
        format!("{}?{}{and}page={n}", self.path, self.filters)
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    page: Option<i64>,
    per_page: Option<i64>,
}

impl FromRequestParts<Web> for Page {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        let query = parts.uri.query().unwrap_or_default();
        let asked: Asked = read_query(query)?;
        let within = |field: &str, value: i64, most: i64| match u32::try_from(value) {
            Ok(n) if (1..=most).contains(&value) => Ok(n),
            _ => Err(Fail::invalid(field, Flaw::OutOfRange(1, most))),
        };
        let page = within("page", asked.page.unwrap_or(1), 1_000_000)?;
        let per_page = within("per_page", asked.per_page.unwrap_or(15), 100)?;
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0).clone();
        let others = form_urlencoded::parse(query.as_bytes()).filter(|(k, v)| k != "page" && !v.is_empty());
        let filters = form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
        let Origin(origin) = Origin::from_request_parts(parts, web).await?;
        Ok(Self { page, per_page, path: format!("{origin}{}", uri.path()), filters })
    }
}

/// The scheme and host the client used: `https://kotak.local:8443`.
#[derive(Debug, Clone)]
pub struct Origin(pub String);

/// Put into a request's extensions by a listener that speaks TLS.
#[derive(Debug, Clone, Copy)]
pub struct Encrypted;

impl FromRequestParts<Web> for Origin {
    type Rejection = Fail;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fail> {
        let peer = Peer::from_request_parts(parts, web).await?;
        let scheme = if parts.extensions.get::<Encrypted>().is_some() { "https" } else { "http" };
        Ok(Self(format!("{scheme}://{}", peer.host.as_deref().unwrap_or("localhost"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_somebody_at_the_box_who_calls_it_by_its_own_name_is_here() {
        let here = |address: Option<&str>, host: Option<&str>| {
            let address = address.map(|a| a.parse().unwrap());
            Peer { address, host: host.map(Into::into), for_another_site: false }.is_here()
        };
        for (address, host) in [
            ("127.0.0.1", "127.0.0.1:8080"),
            ("::1", "[::1]:8080"),
            ("127.0.0.1", "localhost"),
            ("::ffff:127.0.0.1", "localhost:1"),
        ] {
            assert!(here(Some(address), Some(host)), "{address} {host}");
        }
        assert!(!here(Some("192.168.1.5"), Some("localhost")));
        assert!(!here(Some("127.0.0.1"), Some("evil.example:8080")));
        assert!(!here(Some("127.0.0.1"), Some("127.0.0.1.evil.example")));
        assert!(!here(Some("127.0.0.1"), None));
        assert!(!here(None, Some("localhost")));
    }
}
