//! Only `dialect.rs` builds an envelope: nobody else writes the key `success`.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::{Finding, Source, is_test_only};

/// The key every answer of the attendance contract starts with.
const KEY: &str = "success";

pub fn check(sources: &[Source]) -> Vec<Finding> {
    sources.iter().filter(|source| is_watched(source)).flat_map(check_one).collect()
}

fn is_watched(source: &Source) -> bool {
    let parts = source.parts();
    let member = parts.first().is_some_and(|member| matches!(*member, "cloud" | "edge"));
    member && source.is_rust() && !source.is_test() && parts.last() != Some(&"dialect")
}

fn check_one(source: &Source) -> Vec<Finding> {
    let Some(file) = source.parsed() else { return Vec::new() };
    let mut keys = Keys(Vec::new());
    keys.visit_file(&file);
    keys.0.iter().map(|line| source.finding(*line, "an envelope is built in `dialect.rs` only")).collect()
}

struct Keys(Vec<usize>);

impl Keys {
    /// Looks for `"success":` in what a macro such as `json!` is given.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        for (i, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Literal(literal) if literal.to_string() == format!("{KEY:?}") => {
                    let colon =
                        |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ':');
                    if tokens.get(i + 1).is_some_and(colon) {
                        self.0.push(literal.span().start().line);
                    }
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Keys {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test_only(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = field.ident.as_ref().filter(|name| *name == KEY) {
            self.0.push(name.span().start().line);
        }
        visit::visit_field(self, field);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.scan(call.tokens.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::{super::source, *};

    #[test]
    fn only_a_dialect_writes_the_key() {
        let json = "fn f() -> Value {\n json!({\"success\": true, \"data\": []}) }";
        let field = "struct Data<T> { success: bool, data: T }";
        assert_eq!(check(&[source("cloud/src/attendance/dialect.rs", json)]), []);
        assert_eq!(check(&[source("cloud/src/attendance/tests.rs", json)]), []);
        assert_eq!(
            check(&[source("cloud/src/x.rs", "fn f() { match s { \"success\" => g(Status::success()) } }")]),
            []
        );
        assert_eq!(check(&[source("cloud/src/attendance/card/mod.rs", json)])[0].line, 2);
        assert_eq!(check(&[source("edge/src/http/mod.rs", field)]).len(), 1);
    }
}
