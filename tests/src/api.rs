//! A client of the attendance contract: a person who signs in and asks.

use anyhow::{Context as _, ensure};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::boxes;

/// The most rows a list gives at once.
const MOST_ROWS: usize = 100;

/// Somebody signed in, at a cloud or at a box.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: String,
}

impl Api {
    /// Signs in with a number and a password.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn login(base: &str, number: &str, password: &str) -> anyhow::Result<Self> {
        let mut api = Self { client: boxes::client()?, base: base.into(), token: String::new() };
        let credentials = json!({ "nisn_nip_nik": number, "password": password });
        let answer = api.post("/api/auth/login", &credentials).await?;
        answer["data"]["token"].as_str().context("a login without a token")?.clone_into(&mut api.token);
        Ok(api)
    }

    /// A request of this person, not sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        if self.token.is_empty() { request } else { request.bearer_auth(&self.token) }
    }

    /// The whole answer to a GET.
    ///
    /// # Errors
    /// When it is not a success.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        read(path, self.request(Method::GET, path)).await
    }

    /// The whole answer to a POST.
    ///
    /// # Errors
    /// When it is not a success.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        read(path, self.request(Method::POST, path).json(body)).await
    }

    /// Every row of a paginated list; `path` has its filters, or a bare `?`, at the end.
    ///
    /// # Errors
    /// When a page is not a success, or the list does not end.
    pub async fn rows(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut rows = Vec::new();
        for page in 1_usize.. {
            let answer = self.get(&format!("{path}&per_page={MOST_ROWS}&page={page}")).await?;
            let data = answer["data"]["data"].as_array().context("a list without rows")?;
            rows.extend(data.iter().cloned());
            let last = answer["data"]["last_page"].as_u64().context("a list without last_page")?;
            if page as u64 >= last {
                break;
            }
        }
        Ok(rows)
    }

    /// How many rows a paginated list has.
    ///
    /// # Errors
    /// As [`Api::rows`].
    pub async fn total(&self, path: &str) -> anyhow::Result<u64> {
        self.get(&format!("{path}&per_page=1")).await?["data"]["total"]
            .as_u64()
            .context("a list without total")
    }
}

async fn read(path: &str, request: RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await.with_context(|| format!("{path} is not answered"))?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).with_context(|| format!("{path}: not JSON: {text}"))
}
