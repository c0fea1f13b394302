//! What must not stand in any file: a path of one person's machine, a note to do something later.

use super::{Finding, Source};

/// Put together here, so that this file does not break its own rule.
const HOMES: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/")];
const NOTES: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let watched = sources.iter().filter(|source| source.path != "Cargo.lock" && source.path != "LICENSE");
    watched.flat_map(check_one).collect()
}

fn check_one(source: &Source) -> Vec<Finding> {
    let problem = |line: &str| {
        if let Some(home) = HOMES.iter().find(|home| starts_a_path(line, home)) {
            return Some(format!("a path of one machine: {home}"));
        }
        let note = NOTES.iter().find(|note| is_word(line, note))?;
        Some(format!("{note}: do it, or open an issue"))
    };
    let lines = source.text.lines().enumerate();
    lines.filter_map(|(i, line)| Some(source.finding(i + 1, problem(line)?))).collect()
}

/// Whether `home` stands at the start of a path, and not within one: a URL may have such a segment.
fn starts_a_path(line: &str, home: &str) -> bool {
    line.match_indices(home).any(|(at, _)| {
        !line[..at]
            .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '}' | ')' | '_' | '-' | '~'))
    })
}

fn is_word(line: &str, word: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(letter) && !line[at + word.len()..].starts_with(letter))
}

#[cfg(test)]
mod tests {
    use super::{super::source, *};

    #[test]
    fn homes_and_notes_are_found() {
        for good in
            ["let url = \"https://example.org/home/x\";", "mastodon", "A_TODO_LIST", "the home/ folder"]
        {
            assert_eq!(check(&[source("a.md", good)]), [], "{good}");
        }
        for bad in
            [format!("see {}x", HOMES[0]), format!("\"{}me\"", HOMES[1]), format!("// {}: later", NOTES[0])]
        {
            assert_eq!(check(&[source("a.rs", &bad)]).len(), 1, "{bad}");
        }
    }
}
