//! A module's route says who may call it: it is registered so that the module's document has it, and the tests walk that
//! document. A route of axum's own would be in neither.

use super::{Finding, Source};

/// The cloud's modules; a route of theirs is an `api_route`.
const MODULES: &[&str] = &["cloud/src/attendance/"];

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let code = sources.iter().filter(|source| source.is_rust() && !source.is_test());
    code.filter(|source| MODULES.iter().any(|module| source.path.starts_with(module)))
        .flat_map(|source| {
            let routes = source.text.lines().enumerate().filter(|(_, line)| line.contains(".route("));
            routes.map(|(i, _)| source.finding(i + 1, "a route outside the document: use api_route"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{super::source, *};

    #[test]
    fn a_route_outside_the_document_is_found() {
        let hidden = "ApiRouter::new()\n    .route(\"/x\", get(x))";
        assert_eq!(check(&[source("cloud/src/attendance/x/mod.rs", hidden)]).len(), 1);
        let told = "ApiRouter::new().api_route(\"/x\", get_with(x, says(\"X\")))";
        assert_eq!(check(&[source("cloud/src/attendance/x/mod.rs", told)]), []);
        assert_eq!(check(&[source("cloud/src/ops/mod.rs", hidden)]), []);
        assert_eq!(check(&[source("cloud/src/attendance/x/tests.rs", hidden)]), []);
    }
}
