//! Swagger UI, from the binary alone. It comes as one page with everything inside; here it is served in parts, so that the
//! page's policy needs to allow nothing inline.

use std::sync::LazyLock;

use aide::swagger::Swagger;

/// Nothing but what this cloud serves itself; a picture in a style sheet is inside it.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                          base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The parts that are the same for every module.
pub struct Parts {
    pub script: String,
    pub style: String,
}

pub static PARTS: LazyLock<Parts> = LazyLock::new(|| {
    let html = whole("");
    Parts { script: inside(&html, "script"), style: inside(&html, "style") }
});

/// What makes the page show a module's document: the last script of the whole.
pub fn start(module: &str) -> String {
    let html = whole(module);
    let last = html.rfind("<script>").unwrap_or_default();
    inside(html.get(last..).unwrap_or_default(), "script")
}

pub fn page(module: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Hadir: {module}</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/viewer/style.css\">\n<div id=\"swagger-ui\"></div>\n\
         <script src=\"/docs/viewer/script.js\"></script>\n<script src=\"/docs/{module}/start.js\"></script>\n</html>\n"
    )
}

fn whole(module: &str) -> String {
    Swagger::new(format!("/docs/{module}/openapi.json")).html()
}

/// What stands in the first element of this name.
fn inside(html: &str, element: &str) -> String {
    let rest = html.split_once(&format!("<{element}>")).map_or("", |(_, rest)| rest);
    rest.split_once(&format!("</{element}>")).map_or("", |(text, _)| text).to_owned()
}
