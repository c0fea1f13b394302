//! Every migration file is named by the code that runs migrations: one that is not would never run.

use super::{Finding, Source};

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let is_listed = |member: &str, file: &str| {
        let folder = format!("{member}/src/");
        sources.iter().any(|source| source.path.starts_with(&folder) && source.text.contains(file))
    };
    let listed = |source: &Source| {
        let (member, file) = source.path.strip_prefix("migrations/")?.split_once('/')?;
        (source.ends_in("sql") && !is_listed(member, &format!("migrations/{member}/{file}")))
            .then(|| source.finding(1, format!("no file of `{member}` lists this migration")))
    };
    sources.iter().filter_map(listed).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::source, *};

    #[test]
    fn a_forgotten_migration_is_found() {
        let code = source("cloud/src/db.rs", "include_str!(\"../../migrations/cloud/0001_a.sql\")");
        assert_eq!(check(&[code.clone(), source("migrations/cloud/0001_a.sql", "")]), []);
        let found = check(&[
            code,
            source("migrations/cloud/0002_b.sql", ""),
            source("migrations/edge/0001_a.sql", ""),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
