//! A [`Paper`] as a table of a page.

use super::super::paper::{Cell, Column, Paper, Signature};

/// What `parts` of a template draw.
pub struct Sheet {
    pub title: &'static str,
    pub school: String,
    pub head: Vec<(&'static str, String)>,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Shown>>,
    pub sums: Vec<Vec<Shown>>,
    pub notes: Vec<String>,
    pub signatures: Vec<Signature>,
}

/// A cell: what stands in it, how, and where it leads.
pub struct Shown {
    pub text: String,
    pub class: &'static str,
    pub href: Option<String>,
}

impl Sheet {
    /// `link` says where a cell leads: its line, its column, its text.
    pub fn new(paper: Paper, link: impl Fn(usize, usize, &str) -> Option<String>) -> Self {
        let shown = |line: Option<usize>, cells: &[Cell]| {
            let cell = |(at, (cell, column)): (usize, (&Cell, &Column))| {
                let text = cell.text();
                let href = line.and_then(|line| link(line, at, &text));
                Shown { class: class(column, &text), href, text }
            };
            cells.iter().zip(&paper.columns).enumerate().map(cell).collect()
        };
        Self {
            rows: paper.rows.iter().enumerate().map(|(line, cells)| shown(Some(line), cells)).collect(),
            sums: paper.sums.iter().map(|cells| shown(None, cells)).collect(),
            title: paper.title,
            school: paper.school,
            head: paper.head,
            columns: paper.columns,
            notes: paper.notes,
            signatures: paper.signatures,
        }
    }

    pub fn has_two_lines(&self) -> bool {
        self.columns.iter().any(|column| column.beneath.is_some())
    }
}

/// Colours stand beside the letters, never instead of them.
fn class(column: &Column, text: &str) -> &'static str {
    match text {
        _ if column.is_off => "off",
        _ if column.is_text => "text",
        "A" => "bad",
        "S" | "I" => "calm",
        _ => "",
    }
}
