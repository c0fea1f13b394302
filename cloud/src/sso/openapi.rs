//! What the document of this module says besides its routes.

use aide::openapi::{Components, Info, OpenApi, ReferenceOr, Response, SchemaObject, SecurityScheme, Server};
use schemars::json_schema;

use super::dialect;
use crate::http::describe::BEARER;

const ABOUT: &str = "\
Single sign-on (Qrion): accounts, institutions, services, roles and permissions of this cloud.

**Signing in.** `POST /sso/auth` with `username` and `password` answers `data.token`. Send it with every other request: \
`Authorization: Bearer …`. It is valid in every module, and can be verified by anybody with `/sso/.well-known/jwks.json`. \
`GET /sso/auth/logout` ends it.

**Who may do what.** `x-permission` of an operation is the permission it asks for; `session` is anybody who is signed in, \
`public` anybody at all. Who belongs to an institution sees and changes that one; what belongs to another does not exist: 404.

**Answers.** `{\"statusCode\", \"message\", \"data\"}`. Refusals: `{\"statusCode\", \"message\", \"errorCode\"}`, with `data: \
[{\"field\", \"message\"}]` where fields are wrong (422) or taken (409).

**Lists** take `page`, `limit` (1 to 100), `search` and `sort` (`name`, `-name`, …), and answer `meta` beside `data`.

**Forms** are `multipart/form-data`; `avatar` and `cover` are JPEG, PNG or WebP of at most 2 MB each. Fields that are not \
known are passed over. After 429 and 503 wait for `Retry-After` seconds.";

/// The document without its routes.
#[expect(clippy::default_trait_access, reason = "the type of the maps is no dependency of ours")]
pub fn head() -> OpenApi {
    let bearer = SecurityScheme::Http {
        scheme: "bearer".into(),
        bearer_format: Some("JWT".into()),
        description: Some("The token of `POST /sso/auth`.".into()),
        extensions: Default::default(),
    };
    let refusal = SchemaObject { json_schema: dialect::refusal_schema(), external_docs: None, example: None };
    OpenApi {
        info: Info {
            title: "Hadir: single sign-on".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            description: Some(ABOUT.into()),
            ..Info::default()
        },
        servers: vec![Server { url: "/".into(), ..Server::default() }],
        components: Some(Components {
            security_schemes: [(BEARER.to_owned(), ReferenceOr::Item(bearer))].into_iter().collect(),
            responses: refusals()
                .into_iter()
                .map(|(name, answer)| (name.to_owned(), ReferenceOr::Item(answer)))
                .collect(),
            schemas: [("Refusal".to_owned(), refusal)].into_iter().collect(),
            ..Components::default()
        }),
        ..OpenApi::default()
    }
}

/// The answers every operation may give, by the names `http::describe` refers to.
fn refusals() -> Vec<(&'static str, Response)> {
    let refusal =
        |text: &str| dialect::described(text, json_schema!({"$ref": "#/components/schemas/Refusal"}));
    vec![
        ("Unauthenticated", refusal("No token, or none that is valid now.")),
        ("Denied", refusal("The caller lacks the permission.")),
        ("Unknown", refusal("There is no such thing within the caller's reach.")),
        ("Refused", refusal("The request makes no sense now, or its body cannot be read.")),
        ("TooLarge", refusal("The body is too large.")),
        ("WrongContentType", refusal("The body is of another type than the operation reads.")),
        ("Invalid", refusal("Fields are missing or wrong; `data` says which.")),
        ("Failure", refusal("Any other failure, in the same envelope.")),
    ]
}
