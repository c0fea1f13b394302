//! Only `store.rs` (or a folder `store/`) and `db.rs` hold SQL.

use syn::visit::{self, Visit};

use super::{Finding, Source, is_test_only};
use crate::sql::{is_statement, tokens};

pub fn check(sources: &[Source]) -> Vec<Finding> {
    sources.iter().filter(|source| is_watched(source)).flat_map(check_one).collect()
}

fn is_watched(source: &Source) -> bool {
    let parts = source.parts();
    let member = parts.first().is_some_and(|member| matches!(*member, "cloud" | "edge" | "shared"));
    let may = parts.iter().any(|part| matches!(*part, "store" | "db"));
    member && source.is_rust() && !source.is_test() && !may
}

fn check_one(source: &Source) -> Vec<Finding> {
    let Some(file) = source.parsed() else { return Vec::new() };
    let mut calls = Calls { cloud: source.path.starts_with("cloud/"), lines: Vec::new() };
    calls.visit_file(&file);
    calls
        .lines
        .iter()
        .map(|line| source.finding(*line, "SQL belongs into a function of `store.rs`"))
        .collect()
}

struct Calls {
    cloud: bool,
    lines: Vec<usize>,
}

impl<'ast> Visit<'ast> for Calls {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test_only(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        // A URI has a `query()` too, which takes nothing.
        if self.cloud && !call.args.is_empty() && (call.method == "query" || call.method == "query_split") {
            self.lines.push(call.method.span().start().line);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        if is_statement(&literal.value()) {
            self.lines.push(literal.span().start().line);
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        for literal in tokens(&call.tokens) {
            self.visit_lit_str(&literal);
        }
    }

    // A doc comment is an attribute with a literal in it.
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}

#[cfg(test)]
mod tests {
    use super::{super::source, *};

    #[test]
    fn sql_is_found_outside_the_store_only() {
        let sql = "/// SELECT in a comment\nfn f(tx: Tx) { tx.query(\"SELECT 1 FROM t\").all() }";
        for good in [
            "cloud/src/attendance/card/store.rs",
            "cloud/src/db.rs",
            "edge/src/store/log.rs",
            "cloud/src/jobs/tests.rs",
        ] {
            assert_eq!(check(&[source(good, sql)]), [], "{good}");
        }
        assert_eq!(
            check(&[source(
                "edge/src/upload.rs",
                "fn f() { client.get(url).query(&[(1, 2)]); say(\"select a card\") }"
            )]),
            []
        );
        let found = check(&[source("cloud/src/attendance/card/mod.rs", sql)]);
        assert_eq!(found.first().map(|finding| finding.line), Some(2));
        let found = check(&[source(
            "edge/src/node.rs",
            "fn f() { c.execute(\"DELETE FROM log WHERE seq < 1\", []) }",
        )]);
        assert_eq!(found.len(), 1);
    }
}
