//! What the document of this module says besides its routes.

use aide::openapi::{
    ApiKeyLocation, Components, Info, OpenApi, ReferenceOr, Response, SecurityScheme, Server,
};
use hadir_shared::wire::request::{DEVICE_HEADER, NONCE_HEADER, SIGNATURE_HEADER};
use schemars::json_schema;

use super::dialect;
use crate::http::describe::{BEARER, SIGNED};

const ABOUT: &str = "\
Attendance (SiPresensi): check-ins, students at the gate, leaves, announcements, classes, cards, boxes and settings of a school.

**Signing in.** `POST /api/auth/login` with `nisn_nip_nik` and `password` answers `data.token`. Send it with every other \
request: `Authorization: Bearer …`. `POST /api/auth/logout` ends it.

**Who may do what.** `x-permission` of an operation is the permission it asks for; `session` is anybody who is signed in, \
`device` an enrolled box by its signature, `public` anybody at all. The school is that of the caller. What belongs to \
another school does not exist: 404.

**Answers.** `{\"success\": true, \"message\": …, \"data\": …}`. Refusals: `{\"success\": false, \"message\": …}`, with \
`errors: {field: [text]}` where fields are wrong (422). `message` is made to be shown.

**Lists** in pages take `page` and `per_page` (1 to 100), and answer Laravel's paginator: `data.data` holds the rows, \
`data.total` counts them all, `data.next_page_url` leads on.

**Instants** are UTC (`2025-08-21T08:54:57.000000Z`), days are the school's own (`2025-08-21`). Fields that are not known \
are passed over. After 429 and 503 wait for `Retry-After` seconds.";

/// The document without its routes.
pub fn head() -> OpenApi {
    OpenApi {
        info: Info {
            title: "Hadir: attendance".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            description: Some(ABOUT.into()),
            ..Info::default()
        },
        servers: vec![Server { url: "/".into(), ..Server::default() }],
        components: Some(Components {
            security_schemes: schemes()
                .into_iter()
                .map(|(name, scheme)| (name.to_owned(), ReferenceOr::Item(scheme)))
                .collect(),
            responses: refusals()
                .into_iter()
                .map(|(name, answer)| (name.to_owned(), ReferenceOr::Item(answer)))
                .collect(),
            schemas: [(
                "Refusal".to_owned(),
                aide::openapi::SchemaObject {
                    json_schema: dialect::refusal_schema(),
                    external_docs: None,
                    example: None,
                },
            )]
            .into_iter()
            .collect(),
            ..Components::default()
        }),
        ..OpenApi::default()
    }
}

#[expect(clippy::default_trait_access, reason = "the type of the maps is no dependency of ours")]
fn schemes() -> Vec<(&'static str, SecurityScheme)> {
    let bearer = SecurityScheme::Http {
        scheme: "bearer".into(),
        bearer_format: None,
        description: Some("The token of `POST /api/auth/login`.".into()),
        extensions: Default::default(),
    };
    let header = |name: &str, what: &str| SecurityScheme::ApiKey {
        location: ApiKeyLocation::Header,
        name: name.into(),
        description: Some(what.into()),
        extensions: Default::default(),
    };
    let [device, nonce, signature] = SIGNED;
    vec![
        (BEARER, bearer),
        (device, header(DEVICE_HEADER, "The id of an enrolled box.")),
        (nonce, header(NONCE_HEADER, "A UUID that is used once.")),
        (signature, header(SIGNATURE_HEADER, "Ed25519 over device, nonce, method, target and body.")),
    ]
}

/// The answers every operation may give, by the names `http::describe` refers to.
fn refusals() -> Vec<(&'static str, Response)> {
    let refusal = |text: &str| dialect::answer(text, json_schema!({"$ref": "#/components/schemas/Refusal"}));
    vec![
        ("Unauthenticated", refusal("No token, or none that is valid now.")),
        ("Denied", refusal("The caller lacks the permission.")),
        ("Unknown", refusal("There is no such thing in the caller's school.")),
        ("Refused", refusal("The request makes no sense now, or its body is no JSON.")),
        ("TooLarge", refusal("The body is too large.")),
        ("WrongContentType", refusal("The body is not `application/json`.")),
        ("Invalid", refusal("Fields are missing or wrong; `errors` says which.")),
        ("Failure", refusal("Any other failure, in the same envelope.")),
    ]
}
