//! The line to the cloud: signed requests, no redirects, and no belief in what comes back until it is proven.

use std::{io::Read as _, time::Duration};

use hadir_shared::{
    ids::DeviceId,
    sign::SecretKey,
    wire::request::{DEVICE_HEADER, NONCE_HEADER, SIGNATURE_HEADER, SignedRequest},
};
use reqwest::{
    Client, Method,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER},
    redirect::Policy,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::ids::Ids;

/// An answer longer than this is not the cloud's, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(10);
/// A request may not take longer: 256 KiB on a 2G line take about half of it.
const WHOLE: Duration = Duration::from_mins(1);

/// What came back, from whoever answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Nobody answered, or not to the end.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the cloud cannot be reached: {0}")]
pub struct Unreachable(String);

impl From<reqwest::Error> for Unreachable {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

/// A connection pool to one cloud. Cheap to clone.
#[derive(Clone)]
pub struct Link {
    http: Client,
    base: String,
    ids: Ids,
    signer: Option<(DeviceId, SecretKey)>,
}

impl Link {
    /// `base` is the cloud's address, such as `https://absensi.sekolah.sch.id`; `signer` is missing only before the box
    /// has joined.
    pub fn new(base: &str, ids: Ids, signer: Option<(DeviceId, SecretKey)>) -> Result<Self, Unreachable> {
        let http = Client::builder()
            .user_agent(concat!("hadir-edge/", env!("CARGO_PKG_VERSION")))
            // A captive portal redirects; the cloud never does.
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(WHOLE)
            .build()?;
        Ok(Self { http, base: base.trim_end_matches('/').into(), ids, signer })
    }

    pub async fn get(&self, target: &str) -> Result<Answer, Unreachable> {
        self.ask(target, self.ids.random_uuid()).await
    }

    /// As [`Self::get`], with a nonce that the answer will name.
    pub async fn ask(&self, target: &str, nonce: Uuid) -> Result<Answer, Unreachable> {
        self.send(Method::GET, target, nonce, Vec::new(), None).await
    }

    pub async fn post_json(&self, target: &str, body: Vec<u8>) -> Result<Answer, Unreachable> {
        self.send(Method::POST, target, self.ids.random_uuid(), body, Some("identity")).await
    }

    /// `body` is JSON compressed with zstd.
    pub async fn post_zstd(&self, target: &str, body: Vec<u8>) -> Result<Answer, Unreachable> {
        self.send(Method::POST, target, self.ids.random_uuid(), body, Some("zstd")).await
    }

    /// Whether the cloud says it is well.
    pub async fn is_healthy(&self) -> bool {
        self.get("/healthz").await.is_ok_and(|answer| answer.status == 200)
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        nonce: Uuid,
        body: Vec<u8>,
        encoding: Option<&str>,
    ) -> Result<Answer, Unreachable> {
        let mut request = self
            .http
            .request(method.clone(), format!("{}{target}", self.base))
            .header(ACCEPT_ENCODING, "zstd");
        if let Some((device, key)) = &self.signer {
            let signed =
                SignedRequest { device: *device, nonce, method: method.as_str(), target, body: &body };
            request = request
                .header(DEVICE_HEADER, device.to_string())
                .header(NONCE_HEADER, nonce.to_string())
                .header(SIGNATURE_HEADER, signed.sign(key).to_string());
        }
        if let Some(encoding) = encoding {
            request = request.header(CONTENT_TYPE, "application/json");
            if encoding != "identity" {
                request = request.header(CONTENT_ENCODING, encoding);
            }
        }
        let mut response = request.body(body).send().await?;
        let text = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let content_type = text(CONTENT_TYPE).unwrap_or_default();
        let packed = text(CONTENT_ENCODING);
        let retry_after = text(RETRY_AFTER).and_then(|v| v.trim().parse().ok()).map(Duration::from_secs);
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            if body.len() + part.len() > MAX_ANSWER {
                return Err(Unreachable("the answer has no end".into()));
            }
            body.extend_from_slice(&part);
        }
        let body = if packed.as_deref() == Some("zstd") { unpack(&body)? } else { body };
        Ok(Answer { status, content_type, retry_after, body })
    }
}

/// No more than an answer may have: a few bytes can say a great many.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, Unreachable> {
    let broken = |error: std::io::Error| Unreachable(format!("the answer cannot be unpacked: {error}"));
    let most = MAX_ANSWER as u64 + 1;
    let mut body = Vec::new();
    zstd::Decoder::new(packed).and_then(|all| all.take(most).read_to_end(&mut body)).map_err(broken)?;
    if body.len() > MAX_ANSWER { Err(Unreachable("the answer has no end".into())) } else { Ok(body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_unpacked_whole_and_never_without_end() {
        let packed = zstd::encode_all(&b"{\"logs\":[]}"[..], 3).unwrap();
        assert_eq!(unpack(&packed).unwrap(), b"{\"logs\":[]}");
        assert!(unpack(&packed[..packed.len() - 3]).is_err(), "cut off");
        let endless = zstd::encode_all(std::io::repeat(0).take(MAX_ANSWER as u64 + 1), 3).unwrap();
        assert!(endless.len() < 64 * 1024);
        assert!(unpack(&endless).is_err());
    }
}
