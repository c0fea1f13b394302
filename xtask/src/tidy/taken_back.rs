//! A statement that reads `attendance` leaves out what a gate took back, or says that it means that, too.

use super::{Finding, Source};
use crate::sql::of_cloud;

const TABLE: &str = "attendance";
const TAKEN_BACK: &str = "attendance_voids";
/// Stands behind the table's name in a statement that reads all there is.
const ALL_THE_SAME: &str = "/* taken back, too */";

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let careless = of_cloud(sources).into_iter().filter(|(_, sql)| reads_what_was_taken_back(sql));
    let places = careless.filter_map(|(place, _)| {
        let (path, line) = place.rsplit_once(':')?;
        Some((path.to_owned(), line.parse().ok()?))
    });
    let problem = format!("leave out `{TAKEN_BACK}`, or write `{TABLE} {ALL_THE_SAME}`");
    places.map(|(path, line)| Finding { path, line, problem: problem.clone() }).collect()
}

fn reads_what_was_taken_back(sql: &str) -> bool {
    let words: Vec<_> = sql.split_whitespace().collect();
    let reads = words.windows(2).any(|pair| {
        matches!(pair, [verb, table] if matches!(*verb, "FROM" | "JOIN") && table.trim_end_matches([',', ')']) == TABLE)
    });
    reads && !sql.contains(TAKEN_BACK) && !sql.contains(ALL_THE_SAME)
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
