//! Text messages, through an HTTP gateway: `POST sms_url` with `{"id", "to", "text"}`, signed.
//!
//! What always holds: the body is signed with the time (`X-Hadir-Signature: v1=` HMAC-SHA256 over `time.body`), so that nobody
//! else sends messages in the school's name and an old one cannot be sent again; unless `sms_allow_private` says so, it is never
//! sent to an address of this machine or its network, by whatever name; nothing it answers is followed or shown.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use hmac::{Hmac, KeyInit, Mac as _};
use reqwest::{
    Client, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};
use serde_json::json;
use sha2::Sha256;

use super::{Content, Unsent, store::Row};
use crate::app::App;

const PATIENCE: Duration = Duration::from_secs(20);

pub async fn send(app: &App, row: &Row, content: &Content) -> Result<(), Unsent> {
    let (Some(url), Some(secret)) = (&app.config.sms_url, &app.config.sms_secret_file) else {
        return Err(Unsent::Nowhere);
    };
    let secret = std::fs::read(secret).context("sms_secret_file").map_err(Unsent::Later)?;
    let body = json!({"id": content.id, "to": row.recipient, "text": content.text}).to_string();
    let seconds = app.now().0.div_euclid(1000);
    let signature = sign(secret.trim_ascii(), seconds, &body).map_err(Unsent::Refused)?;
    let client = client(url, app.config.sms_allow_private).map_err(Unsent::Refused)?;
    let asked = client
        .post(url)
        .header("content-type", "application/json")
        .header("x-hadir-time", seconds)
        .header("x-hadir-signature", format!("v1={signature}"))
        .body(body);
    let answer = asked.send().await.context("the gateway").map_err(Unsent::Later)?;
    let status = answer.status();
    let refused = anyhow!("the gateway answered {status}");
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(Unsent::Later(refused)),
        status if status.is_client_error() => Err(Unsent::Refused(refused)),
        _ => Err(Unsent::Later(refused)),
    }
}

fn sign(secret: &[u8], seconds: i64, body: &str) -> anyhow::Result<String> {
    anyhow::ensure!(secret.len() >= 16, "the secret in sms_secret_file is shorter than 16 bytes");
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).ok().context("a key of HMAC")?;
    let mac = mac.chain_update(format!("{seconds}.{body}")).finalize().into_bytes();
    Ok(data_encoding::HEXLOWER.encode(&mac))
}

/// A proxy would resolve names itself, and a redirect would lead anywhere: there is neither.
fn client(url: &str, allow_private: bool) -> anyhow::Result<Client> {
    let url: Url = url.parse().context("sms_url")?;
    let builder =
        Client::builder().timeout(PATIENCE).user_agent("hadir-cloud").redirect(Policy::none()).no_proxy();
    if allow_private {
        return Ok(builder.build()?);
    }
    // An address that stands in the URL is asked of no resolver.
    let literal = url.host_str().map(|host| host.trim_matches(['[', ']'])).and_then(|host| host.parse().ok());
    anyhow::ensure!(literal.is_none_or(is_public), "sms_url leads to an address of this network");
    Ok(builder.dns_resolver(Arc::new(PublicOnly)).build()?)
}

/// Knows public addresses alone. The address that is looked at is the one that is connected to.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> = found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Of the internet, and not of this machine, its network, or one of the special ranges (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let [a, b, c, _] = four.octets();
            !(four.is_private()
                || four.is_loopback()
                || four.is_link_local()
                || four.is_multicast()
                || four.is_broadcast()
                || four.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(six) => {
            let first = six.segments()[0];
            // Only what is routed on the internet (2000::/3), without the ranges that carry an IPv4 address inside.
            first & 0xe000 == 0x2000
                && first != 0x2002
                && !(first == 0x2001 && six.segments()[1] < 0x0200)
                && !(first == 0x2001 && six.segments()[1] == 0x0db8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t36_only_the_internet_is_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "203.0.114.1", "2606:4700:4700::1111", "2001:4860:4860::8888"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for url in [
            "http://127.0.0.1/sms",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://2130706433/",
            "http://0x7f.1/",
        ] {
            assert!(client(url, false).is_err(), "{url}");
        }
        client("https://sms.example.com/send", false).unwrap();
        client("http://127.0.0.1:9/sms", true).unwrap();
    }
}
