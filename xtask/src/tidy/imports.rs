//! Who may know whom.
//!
//! `shared` knows no other member, its `rules` know no `wire`. Of the cloud, the core (`identity`, `jobs`, `db`, `fail`,
//! `http`) knows no module, and a module (a folder with a `dialect.rs`) knows no other module.

use std::collections::BTreeSet;

use syn::{
    UseTree,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{Finding, Source, is_test_only};

/// The cloud's parts that every module stands on.
const CORE: &[&str] = &["identity", "jobs", "db", "fail", "http"];
/// What each member may know of the others.
const MEMBERS: &[(&str, &[&str])] = &[
    ("shared", &["hadir_edge", "hadir_cloud", "hadir_tests", "xtask"]),
    ("edge", &["hadir_cloud", "hadir_tests", "xtask"]),
    ("cloud", &["hadir_edge", "hadir_tests", "xtask"]),
];

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let modules: BTreeSet<&str> = sources
        .iter()
        .filter_map(|source| source.path.strip_prefix("cloud/src/")?.strip_suffix("/dialect.rs"))
        .filter(|module| !module.contains('/'))
        .collect();
    sources
        .iter()
        .filter(|source| source.is_rust() && !source.is_test())
        .flat_map(|source| check_one(source, &modules))
        .collect()
}

fn check_one(source: &Source, modules: &BTreeSet<&str>) -> Vec<Finding> {
    let Some(file) = source.parsed() else { return Vec::new() };
    let mut paths = Paths { here: module_path(source), found: Vec::new() };
    paths.visit_file(&file);
    let forbidden = |path: &[String]| forbidden(source, path, modules);
    paths.found.iter().filter_map(|(line, path)| Some(source.finding(*line, forbidden(path)?))).collect()
}

/// Why this file may not name that path, if it may not. The path is absolute: it starts with `crate` or a crate's name.
fn forbidden(source: &Source, path: &[String], modules: &BTreeSet<&str>) -> Option<String> {
    let parts = source.parts();
    let (first, second) = (path.first()?.as_str(), path.get(1).map(String::as_str));
    let member = *parts.first()?;
    if MEMBERS.iter().any(|(name, others)| *name == member && others.contains(&first)) {
        return Some(format!("`{member}` does not know `{first}`"));
    }
    if first != "crate" {
        return None;
    }
    let own = *parts.get(2)?;
    let other = second?;
    if member == "shared" && own == "rules" && other == "wire" {
        return Some("`rules` decide on plain values and do not know `wire`".into());
    }
    if member != "cloud" || !modules.contains(other) || own == other {
        return None;
    }
    if CORE.contains(&own) {
        return Some(format!("`{own}` is under every module and does not know `{other}`"));
    }
    modules.contains(own).then(|| format!("module `{own}` does not know module `{other}`"))
}

/// `cloud/src/identity/mod.rs` is `crate::identity`.
fn module_path(source: &Source) -> Vec<String> {
    let inside = source.parts().into_iter().skip(2).filter(|part| !matches!(*part, "mod" | "lib" | "main"));
    std::iter::once("crate").chain(inside).map(str::to_owned).collect()
}

/// Collects every path, made absolute.
struct Paths {
    here: Vec<String>,
    found: Vec<(usize, Vec<String>)>,
}

impl Paths {
    fn add(&mut self, line: usize, path: &[String]) {
        let mut absolute = Vec::new();
        for (i, part) in path.iter().enumerate() {
            match part.as_str() {
                "self" if i == 0 => absolute.clone_from(&self.here),
                "super" => {
                    if i == 0 {
                        absolute.clone_from(&self.here);
                    }
                    absolute.pop();
                }
                _ => absolute.push(part.clone()),
            }
        }
        self.found.push((line, absolute));
    }

    fn add_tree(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.add(name.span().start().line, &with(&name.ident)),
            UseTree::Rename(name) => self.add(name.span().start().line, &with(&name.ident)),
            UseTree::Glob(glob) => self.add(glob.span().start().line, prefix),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test_only(&item.attrs) {
            self.add_tree(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(path.span().start().line, &names);
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test_only(&item.attrs) {
            self.here.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.here.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::source, *};

    fn problems(path: &str, text: &str) -> Vec<String> {
        let sources = [
            source("cloud/src/attendance/dialect.rs", ""),
            source("cloud/src/sso/dialect.rs", ""),
            source(path, text),
        ];
        check(&sources).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn what_is_allowed_is_silent() {
        for (path, text) in [
            ("shared/src/wire/batch.rs", "use crate::{ids::DeviceId, rules::status};"),
            (
                "shared/src/rules/status.rs",
                "use crate::time::Zone; #[cfg(test)] mod tests { use crate::wire::batch; }",
            ),
            (
                "cloud/src/attendance/card/mod.rs",
                "use crate::{attendance::dialect::Data, identity, db::Tx}; use super::dialect;",
            ),
            ("cloud/src/identity/tests.rs", "use crate::attendance::routes;"),
            ("cloud/src/lib.rs", "pub fn router() { crate::attendance::routes(); crate::sso::routes(); }"),
            ("edge/src/node.rs", "use hadir_shared::wire::batch::Batch;"),
        ] {
            assert_eq!(problems(path, text), [""; 0], "{path}");
        }
    }

    #[test]
    fn what_is_forbidden_is_found_where_it_stands() {
        for (path, text, problem) in [
            (
                "shared/src/lib.rs",
                "\nuse hadir_edge::store;",
                "shared/src/lib.rs:2: `shared` does not know `hadir_edge`",
            ),
            (
                "shared/src/rules/status.rs",
                "use crate::{time::Zone, wire::batch::Batch};",
                "`rules` decide on plain values",
            ),
            ("shared/src/rules/status.rs", "use super::super::wire;", "`rules` decide on plain values"),
            (
                "cloud/src/identity/session.rs",
                "fn f() { crate::attendance::f() }",
                "`identity` is under every module",
            ),
            (
                "cloud/src/attendance/card/mod.rs",
                "use crate::sso::user;",
                "module `attendance` does not know module `sso`",
            ),
            (
                "cloud/src/attendance/mod.rs",
                "use super::sso;",
                "module `attendance` does not know module `sso`",
            ),
            ("edge/src/node.rs", "fn f(_: hadir_cloud::App) {}", "`edge` does not know `hadir_cloud`"),
        ] {
            let found = problems(path, text);
            assert!(found.iter().any(|found| found.contains(problem)), "{path}: {found:?}");
        }
    }
}
