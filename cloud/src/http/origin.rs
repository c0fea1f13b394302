//! Who asks, and by which name he knows this cloud. What a proxy says is believed only when `trust_proxy` is set.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{header::HOST, request::Parts},
};

use crate::app::App;

/// The scheme and host of links in answers: `https://absensi.sekolah.sch.id`. The configured `public_url`, else what the
/// request says. (A link in a mail takes the configured one only: a request's host can be forged.)
#[derive(Debug, Clone)]
pub struct Origin(pub String);

impl FromRequestParts<App> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(origin(parts, app)))
    }
}

pub(super) fn origin(parts: &Parts, app: &App) -> String {
    if let Some(url) = &app.config.public_url {
        return url.clone();
    }
    let forwarded = |name| app.config.trust_proxy.then(|| header(parts, name)).flatten();
    let scheme = forwarded("x-forwarded-proto").filter(|&scheme| scheme == "https").unwrap_or("http");
    let host = forwarded("x-forwarded-host").or_else(|| header(parts, HOST.as_str()));
    let host = host.filter(|host| is_host(host)).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

/// The address of the client, for throttles and sessions.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        // The last entry is the one our own proxy added; those before it are the client's tale.
        let forwarded = app.config.trust_proxy.then(|| header(parts, "x-forwarded-for")).flatten();
        let told = forwarded.and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
        let address = told.or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Self(address.to_canonical()))
    }
}

fn header<'p>(parts: &'p Parts, name: &str) -> Option<&'p str> {
    parts.headers.get_all(name).iter().next_back()?.to_str().ok()
}

fn is_host(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    !host.is_empty() && host.len() <= 253 && host.chars().all(plain)
}
