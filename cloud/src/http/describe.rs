//! What the extractors say of themselves in a module's OpenAPI document.
//!
//! What always holds: a permission is declared by the extractor that checks it, so a route cannot have one without the
//! other; who may call a route stands in `x-permission`, and a route that says nothing there fails a test.

use aide::{
    OperationInput, OperationOutput,
    axum::ApiRouter,
    generate::{GenContext, reset_context},
    openapi::{
        MediaType, OpenApi, Operation, Parameter, ParameterData, ParameterSchemaOrContent, PathItem,
        PathStyle, QueryStyle, ReferenceOr, RequestBody, Response as Answer, Responses, SchemaObject,
        StatusCode,
    },
    transform::TransformOperation,
    util::iter_operations_mut,
};
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::{Value, json};

use super::{
    Allowed, Arrived, Body, ClientAddress, Holder, Member, Origin, Page, Params, Patch, Permission, Segment,
};
use crate::{
    app::App,
    fail::Fail,
    identity::Caller,
    sheet::{AsFile, Format, OrFile},
};

/// Who may call a route: the code of a permission, or one of the words below.
pub const PERMISSION: &str = "x-permission";
/// Anybody at all.
pub const PUBLIC: &str = "public";
/// Anybody who is signed in.
pub const SESSION: &str = "session";
/// An enrolled box, by its signature.
pub const DEVICE: &str = "device";

/// The names of the security schemes, which a module's document defines.
pub const BEARER: &str = "session";
pub const SIGNED: [&str; 3] = ["device", "deviceNonce", "deviceSignature"];

/// The schemas of a path's parameters wait here until the path is known.
const SEGMENT: &str = "x-segment";

/// A summary of an operation: `get_with(list, says("The classes of the school"))`.
pub fn says(summary: &'static str) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| operation.summary(summary)
}

/// [`says`], for a route that asks for nobody: it has to be said.
pub fn public(summary: &'static str) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |mut operation| {
        operation.inner_mut().extensions.insert(PERMISSION.into(), PUBLIC.into());
        operation.summary(summary)
    }
}

/// The document of a module's routes. `head` says what it is, and defines the answers and security schemes that the
/// operations refer to.
pub fn document(mut head: OpenApi, routes: impl FnOnce() -> ApiRouter<App>) -> OpenApi {
    // What other routers of this thread left behind belongs to other documents.
    reset_context();
    drop(routes().finish_api(&mut head));
    for (path, item) in head.paths.iter_mut().flat_map(|paths| &mut paths.paths) {
        if let ReferenceOr::Item(item) = item {
            complete(path, item);
        }
    }
    head
}

/// What no extractor knows: the path, and that anything can fail.
fn complete(path: &str, item: &mut PathItem) {
    let names: Vec<&str> =
        path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    let words: Vec<&str> = path.split(['/', '-', '{', '}']).filter(|word| !word.is_empty()).collect();
    for (method, operation) in iter_operations_mut(item) {
        // The same address with a slash at its end is an operation of its own.
        let slash = if path.ends_with('/') { "_" } else { "" };
        operation.operation_id = Some(format!("{method}_{}{slash}", words.join("_")));
        operation.tags = words.get(1).map(|word| (*word).to_owned()).into_iter().collect();
        let schemas = operation.extensions.shift_remove(SEGMENT);
        let schemas: Vec<Schema> =
            schemas.and_then(|all| serde_json::from_value(all).ok()).unwrap_or_default();
        for (n, name) in names.iter().enumerate() {
            let schema = schemas.get(n).cloned().unwrap_or_else(|| json_schema!({"type": "string"}));
            let parameter_data = parameter(name, schema, true);
            operation
                .parameters
                .insert(n, ReferenceOr::Item(Parameter::Path { parameter_data, style: PathStyle::Simple }));
        }
        let responses = operation.responses.get_or_insert_with(Responses::default);
        responses.default.get_or_insert_with(|| answer("Failure"));
    }
}

#[expect(clippy::default_trait_access, reason = "the type of the maps is no dependency of ours")]
fn parameter(name: &str, schema: Schema, required: bool) -> ParameterData {
    let description = schema.get("description").and_then(|text| text.as_str()).map(str::to_owned);
    let json_schema = SchemaObject { json_schema: schema, external_docs: None, example: None };
    ParameterData {
        name: name.to_owned(),
        description,
        required,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(json_schema),
        example: None,
        examples: Default::default(),
        explode: None,
        extensions: Default::default(),
    }
}

/// One of the answers that a module's document defines.
fn answer<T>(name: &str) -> ReferenceOr<T> {
    ReferenceOr::Reference {
        reference: format!("#/components/responses/{name}"),
        summary: None,
        description: None,
    }
}

/// That an operation may answer one of the refusals of the document.
pub fn may_answer(operation: &mut Operation, status: u16, name: &str) {
    let responses = operation.responses.get_or_insert_with(Responses::default);
    responses.responses.entry(StatusCode::Code(status)).or_insert_with(|| answer(name));
}

fn ask_for(operation: &mut Operation, permission: &str, schemes: &[&str]) {
    operation.extensions.insert(PERMISSION.into(), permission.into());
    operation.security.push(schemes.iter().map(|scheme| ((*scheme).to_owned(), Vec::new())).collect());
    may_answer(operation, 401, "Unauthenticated");
}

/// For the extractor of a box's signature.
pub fn ask_for_signature(operation: &mut Operation) {
    ask_for(operation, DEVICE, &SIGNED);
    may_answer(operation, 403, "Denied");
}

impl OperationInput for Caller {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        ask_for(operation, SESSION, &[BEARER]);
    }
}

impl OperationInput for Member {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        ask_for(operation, SESSION, &[BEARER]);
        may_answer(operation, 403, "Denied");
    }
}

impl<P: Permission> OperationInput for Allowed<P> {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        ask_for(operation, P::CODE, &[BEARER]);
        may_answer(operation, 403, "Denied");
    }
}

impl<P: Permission> OperationInput for Holder<P> {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        ask_for(operation, P::CODE, &[BEARER]);
        may_answer(operation, 403, "Denied");
    }
}

impl<T: JsonSchema> OperationInput for Body<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema =
            SchemaObject { json_schema: T::json_schema(&mut ctx.schema), external_docs: None, example: None };
        let media = MediaType { schema: Some(schema), ..MediaType::default() };
        operation.request_body = Some(ReferenceOr::Item(RequestBody {
            content: [("application/json".to_owned(), media)].into_iter().collect(),
            required: true,
            ..RequestBody::default()
        }));
        may_answer(operation, 400, "Refused");
        may_answer(operation, 413, "TooLarge");
        may_answer(operation, 415, "WrongContentType");
        may_answer(operation, 422, "Invalid");
    }
}

impl<T: JsonSchema> OperationInput for Params<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = T::json_schema(&mut ctx.schema);
        let fields = schema.get("properties").and_then(|fields| fields.as_object());
        for (name, schema) in fields.into_iter().flatten() {
            let schema = schema.clone().try_into().unwrap_or_default();
            queries(operation, name, schema);
        }
        may_answer(operation, 422, "Invalid");
    }
}

impl OperationInput for Page {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        let (last, usual, most) = (Self::LAST, Self::USUAL, Self::MOST);
        queries(
            operation,
            "page",
            json_schema!({"type": "integer", "minimum": 1, "maximum": last, "default": 1}),
        );
        queries(
            operation,
            "per_page",
            json_schema!({"type": "integer", "minimum": 1, "maximum": most, "default": usual}),
        );
        queries(operation, "format", format());
        may_answer(operation, 422, "Invalid");
    }
}

impl OperationInput for AsFile {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        queries(operation, "format", format());
        may_answer(operation, 422, "Invalid");
    }
}

fn format() -> Schema {
    json_schema!({
        "type": "string", "enum": Format::NAMES, "description": "The whole list as a file, instead of a page of it.",
    })
}

/// The usual answer, and the files it may be instead.
impl<T: OperationOutput> OperationOutput for OrFile<T> {
    type Inner = T::Inner;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Answer)> {
        let mut answers = T::inferred_responses(ctx, operation);
        for (_, answer) in answers.iter_mut().filter(|(status, _)| *status == Some(200)) {
            for format in [Format::Csv, Format::Xlsx] {
                answer.content.insert(format.media().to_owned(), MediaType::default());
            }
        }
        answers
    }
}

/// A parameter of the query.
pub fn queries(operation: &mut Operation, name: &str, schema: Schema) {
    let parameter_data = parameter(name, schema, false);
    let style = QueryStyle::Form;
    let parameter =
        Parameter::Query { parameter_data, allow_reserved: false, style, allow_empty_value: Some(true) };
    operation.parameters.push(ReferenceOr::Item(parameter));
}

impl<T: JsonSchema> OperationInput for Segment<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = T::json_schema(&mut ctx.schema);
        // A tuple's are in a list.
        let schemas = schema.get("items").cloned().filter(Value::is_array).unwrap_or_else(|| json!([schema]));
        operation.extensions.insert(SEGMENT.into(), schemas);
        may_answer(operation, 404, "Unknown");
    }
}

impl OperationInput for Arrived {}
impl OperationInput for ClientAddress {}
impl OperationInput for Origin {}

/// Its wording is the module's; every operation may fail.
impl OperationOutput for Fail {
    type Inner = Self;
}

/// As `Option`: what the difference is between left out and null cannot be said in a schema.
impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }
}
