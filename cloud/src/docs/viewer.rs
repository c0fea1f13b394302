//! Swagger UI in one page, from the binary alone.

use aide::swagger::Swagger;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// A page and the content security policy it is served under.
pub struct Page {
    pub html: String,
    /// Names each script and style sheet of the page by its hash; anything else a document might smuggle in does not run.
    pub policy: String,
}

/// Shows `/docs/{module}/openapi.json`.
pub fn page(module: &str) -> Page {
    let html = Swagger::new(format!("/docs/{module}/openapi.json")).with_title("Hadir").html();
    let scripts = hashes(&html, "<script>", "</script>");
    let styles = hashes(&html, "<style>", "</style>");
    let policy = format!(
        "default-src 'none'; script-src {scripts}; style-src {styles}; img-src 'self' data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    Page { html, policy }
}

/// `'sha256-…' 'sha256-…'`, for what stands between the tags.
fn hashes(html: &str, open: &str, close: &str) -> String {
    let inside = html.split(open).skip(1).filter_map(|rest| rest.split_once(close));
    let hash = |(text, _): (&str, &str)| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    inside.map(hash).collect::<Vec<_>>().join(" ")
}
