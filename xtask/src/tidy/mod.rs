//! `cargo xtask tidy`: the rules of the house that no lint knows.
//!
//! Each rule is a function from the sources to what it found, with a small good and a small bad source as its test.

use std::{fmt, fs, path::Path};

use clap::Args;
use hadir_tests::process::workspace;

mod contracts;
mod envelope;
mod imports;
mod migrations;
mod routes;
mod statements;
mod taken_back;
mod text;

#[derive(Args, Default)]
pub struct Arguments {
    /// Confirm that the contract pages were reread after their dialect changed
    #[arg(long)]
    bless: bool,
}

/// A file of the project, its path relative to the workspace.
#[derive(Debug, Clone)]
pub struct Source {
    pub path: String,
    pub text: String,
}

/// A broken rule, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.problem)
    }
}

type Rule = fn(&[Source]) -> Vec<Finding>;

const RULES: &[Rule] = &[
    imports::check,
    statements::check,
    envelope::check,
    migrations::check,
    contracts::check,
    routes::check,
    taken_back::check,
    text::check,
];

/// A file this long is worth a look.
const LONG: usize = 450;

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.bless {
        contracts::bless(&sources()?)?;
    }
    let sources = sources()?;
    for source in sources.iter().filter(|source| source.is_rust() && source.text.lines().count() > LONG) {
        eprintln!("warning: {} has {} lines", source.path, source.text.lines().count());
    }
    let mut findings: Vec<_> = RULES.iter().flat_map(|rule| rule(&sources)).collect();
    findings.sort();
    findings.dedup();
    for finding in &findings {
        eprintln!("{finding}");
    }
    anyhow::ensure!(findings.is_empty(), "{} broken rules", findings.len());
    Ok(())
}

/// Every text file that is, or is about to be, in the repository.
pub fn sources() -> anyhow::Result<Vec<Source>> {
    let output = std::process::Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(workspace())
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let paths = String::from_utf8(output.stdout)?;
    let read = |path: &str| {
        let text = fs::read_to_string(workspace().join(path)).ok()?;
        Some(Source { path: path.to_owned(), text })
    };
    Ok(paths.split('\0').filter(|path| !path.is_empty()).filter_map(read).collect())
}

impl Source {
    pub fn is_rust(&self) -> bool {
        self.ends_in("rs")
    }

    /// Whether the file's name has this ending, given without the dot.
    pub fn ends_in(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }

    /// The folders and the file's name without its ending: `cloud/src/db.rs` is `["cloud", "src", "db"]`.
    fn parts(&self) -> Vec<&str> {
        self.path.trim_end_matches(".rs").split('/').collect()
    }

    /// Whether it holds tests only: such a file may look behind every wall.
    pub fn is_test(&self) -> bool {
        self.parts().iter().skip(1).any(|part| matches!(*part, "tests" | "testing" | "examples" | "matrix"))
    }

    fn finding(&self, line: usize, problem: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, problem: problem.into() }
    }

    /// The parsed file; one that does not parse is the compiler's business.
    fn parsed(&self) -> Option<syn::File> {
        syn::parse_file(&self.text).ok()
    }
}

/// Whether an item is compiled for tests only.
fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|what| what.is_ident("test"))
    })
}

#[cfg(test)]
fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.into() }
}
