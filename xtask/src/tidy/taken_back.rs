//! A statement that reads `attendance` leaves out what a gate took back, or says that it means that, too.

use syn::visit::Visit;

use super::{Finding, Source, is_test_only};
use crate::sql::{is_statement, tokens};

const TABLE: &str = "attendance";
const TAKEN_BACK: &str = "attendance_voids";
/// Stands behind the table's name in a statement that reads all there is.
const ALL_THE_SAME: &str = "/* taken back, too */";

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let watched = sources.iter().filter(|source| source.path.starts_with("cloud/") && !source.is_test());
    watched.filter(|source| source.is_rust()).flat_map(check_one).collect()
}

fn check_one(source: &Source) -> Vec<Finding> {
    let Some(file) = source.parsed() else { return Vec::new() };
    let mut literals = Literals { lines: Vec::new() };
    literals.visit_file(&file);
    let problem = format!("leave out `{TAKEN_BACK}`, or write `{TABLE} {ALL_THE_SAME}`");
    literals.lines.into_iter().map(|line| source.finding(line, &problem)).collect()
}

fn reads_what_was_taken_back(sql: &str) -> bool {
    let words: Vec<_> = sql.split_whitespace().collect();
    let reads = words.windows(2).any(|pair| {
        matches!(pair, [verb, table] if matches!(*verb, "FROM" | "JOIN") && table.trim_end_matches([',', ')']) == TABLE)
    });
    reads && !sql.contains(TAKEN_BACK) && !sql.contains(ALL_THE_SAME)
}

struct Literals {
    lines: Vec<usize>,
}

impl<'ast> Visit<'ast> for Literals {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test_only(&item.attrs) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        let sql = literal.value();
        if is_statement(&sql) && reads_what_was_taken_back(&sql) {
            self.lines.push(literal.span().start().line);
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        for literal in tokens(&call.tokens) {
            self.visit_lit_str(&literal);
        }
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
}

#[cfg(test)]
mod tests {
    use super::{super::source, *};

    #[test]
    fn a_statement_says_what_it_does_with_what_was_taken_back() {
        let found = |sql: &str| {
            let text = format!("fn f(tx: Tx) {{ tx.query({sql:?}).all() }}");
            check(&[source("cloud/src/attendance/recap/store.rs", &text)]).len()
        };
        assert_eq!(found("SELECT a.status FROM attendance a WHERE a.day = $1"), 1);
        assert_eq!(found("SELECT 1 FROM classes c\n LEFT JOIN attendance a ON a.class_id = c.id"), 1);
        assert_eq!(
            found(
                "SELECT 1 FROM attendance a WHERE NOT EXISTS (SELECT 1 FROM attendance_voids v WHERE v.attendance_id = a.id)"
            ),
            0
        );
        assert_eq!(found("SELECT COUNT(*) FROM attendance /* taken back, too */ WHERE day >= $2"), 0);
        assert_eq!(found("SELECT 1 FROM attendance_corrections c WHERE c.id = $1"), 0);
        assert_eq!(found("INSERT INTO attendance (id) VALUES ($1)"), 0);
    }
}
