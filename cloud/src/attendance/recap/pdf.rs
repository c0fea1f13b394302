//! The sheet as a PDF: A4 landscape, the head of the table on every page.

use hadir_shared::time::Millis;

use super::paper::{Cell, Column, Paper, Signature};
use crate::print::{Align, Area, Document, Page, Paper as Size, Shade, Style};

/// Around everything, in millimetres, as all lengths here.
const MARGIN: f32 = 10.0;
const WIDTH: f32 = 297.0 - 2.0 * MARGIN;
/// Where the table must end: below stands the page's number.
const BOTTOM: f32 = 210.0 - 14.0;
const LINE: f32 = 4.6;
const ROW: f32 = 4.5;
const HEADING: f32 = 8.0;
const SIGNATURE: f32 = 32.0;
/// Between a text and the line beside it.
const GAP: f32 = 0.8;
const HAIR: f32 = 0.1;
const OFF: Shade = Shade(217);
const HEAD: Shade = Shade(238);
const BODY: f32 = 7.5;
/// Students that stand with the sums on a last page that would have none.
const TOGETHER: usize = 3;

pub fn draw(paper: &Paper, made_at: Millis) -> anyhow::Result<Vec<u8>> {
    let title = format!("{} {} {}", paper.title, paper.school, paper.month);
    let mut document = Document::new(Size::A4_LANDSCAPE, &title, made_at)?;
    let pages = paginate(paper);
    for (number, rows) in pages.iter().enumerate() {
        document.page(|page| {
            let top = if number == 0 { head(page, paper) } else { MARGIN };
            let lines: Vec<(&[Cell], bool)> = rows.iter().map(|row| (row.as_slice(), false)).collect();
            if number + 1 == pages.len() {
                let sums = paper.sums.iter().map(|row| (row.as_slice(), true));
                let bottom = table(page, paper, top, &lines.into_iter().chain(sums).collect::<Vec<_>>());
                tail(page, paper, bottom);
            } else {
                table(page, paper, top, &lines);
            }
            let foot = Area { x: MARGIN, y: 210.0 - 12.0, width: WIDTH, height: LINE };
            let of = format!("Halaman {} dari {}", number + 1, pages.len());
            page.text(foot, &of, Style::regular(7.0), Align::Right);
        })?;
    }
    document.finish()
}

/// The rows of each page. Sums, notes and signatures stand together on the last, with some students.
fn paginate(paper: &Paper) -> Vec<&[Vec<Cell>]> {
    let tail = f(paper.sums.len()) * ROW + f(paper.notes.len()) * LINE + SIGNATURE;
    let mut pages = Vec::new();
    let mut rest = paper.rows.as_slice();
    let mut top = MARGIN + f(head_lines(paper)) * LINE + 14.0;
    loop {
        let room = BOTTOM - top - HEADING;
        if f(rest.len()) * ROW + tail <= room {
            pages.push(rest);
            return pages;
        }
        let fits = (1..=rest.len()).take_while(|rows| f(*rows) * ROW <= room).count();
        let kept = fits.min(rest.len().saturating_sub(TOGETHER));
        let (now, later) = rest.split_at(kept);
        pages.push(now);
        rest = later;
        top = MARGIN;
        if now.is_empty() && pages.len() > 1 {
            // A tail longer than a page: it is drawn as far as there is paper.
            pages.pop();
            pages.push(rest);
            return pages;
        }
    }
}

fn f(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

fn head_lines(paper: &Paper) -> usize {
    paper.head.len().div_ceil(2)
}

/// Gives where the table begins.
fn head(page: &mut Page<'_>, paper: &Paper) -> f32 {
    let line = |y, height| Area { x: MARGIN, y, width: WIDTH, height };
    page.text(line(MARGIN - 2.0, 6.0), paper.title, Style::bold(13.0), Align::Centre);
    page.text(line(MARGIN + 4.0, 5.0), &paper.school, Style::bold(11.0), Align::Centre);
    let top = MARGIN + 11.0;
    let lines = head_lines(paper);
    for (n, (label, value)) in paper.head.iter().enumerate() {
        let (x, y) = (MARGIN + if n < lines { 0.0 } else { WIDTH / 2.0 }, top + f(n % lines) * LINE);
        let area = |x, width| Area { x, y, width, height: LINE };
        page.text(area(x, 28.0), label, Style::regular(9.0), Align::Left);
        page.text(
            area(x + 28.0, WIDTH / 2.0 - 30.0),
            &format!(": {value}"),
            Style::regular(9.0),
            Align::Left,
        );
    }
    top + f(lines) * LINE + 3.0
}

/// Gives where the table ends.
fn table(page: &mut Page<'_>, paper: &Paper, top: f32, lines: &[(&[Cell], bool)]) -> f32 {
    let bottom = top + HEADING + f(lines.len()) * ROW;
    let edges = edges(&paper.columns);
    let areas = paper.columns.iter().zip(&edges);
    let off = areas.clone().filter(|(column, _)| column.is_off);
    page.fill(
        [Area { x: MARGIN, y: top, width: edges.last().map_or(0.0, |e| e - MARGIN), height: HEADING }],
        HEAD,
    );
    page.fill(off.map(|(column, x)| Area { x: *x, y: top, width: column.width, height: bottom - top }), OFF);
    for (column, x) in areas {
        let height = if column.beneath.is_some() { HEADING / 2.0 } else { HEADING };
        titled(page, column, Area { x: *x, y: top, width: column.width, height });
        if let Some(beneath) = column.beneath {
            let area = Area { x: *x, y: top + height, width: column.width, height };
            page.text(inside(area), beneath, Style::regular(6.0), Align::Centre);
        }
    }
    for (n, (cells, bold)) in lines.iter().enumerate() {
        let y = top + HEADING + f(n) * ROW;
        for ((column, cell), x) in paper.columns.iter().zip(*cells).zip(&edges) {
            let style = Style { size: BODY, bold: *bold };
            let align = if column.is_text { Align::Left } else { Align::Centre };
            page.text(
                inside(Area { x: *x, y, width: column.width, height: ROW }),
                &cell.text(),
                style,
                align,
            );
        }
    }
    let right = edges.last().copied().unwrap_or(MARGIN);
    let across = (0..=lines.len()).map(|n| top + HEADING + f(n) * ROW).chain([top]);
    page.lines(across.map(|y| ((MARGIN, y), (right, y))), HAIR, None);
    page.lines(edges.iter().map(|x| ((*x, top), (*x, bottom))), HAIR, None);
    bottom
}

/// A title of two words stands on two lines.
fn titled(page: &mut Page<'_>, column: &Column, area: Area) {
    match column.title.split_once(' ') {
        Some((first, second)) if column.width < 20.0 => {
            let half = Area { height: area.height / 2.0, ..area };
            page.text(inside(half), first, Style::bold(7.0), Align::Centre);
            let lower = Area { y: half.y + half.height, ..half };
            page.text(inside(lower), second, Style::bold(7.0), Align::Centre);
        }
        _ => page.text(inside(area), &column.title, Style::bold(7.0), Align::Centre),
    }
}

fn inside(area: Area) -> Area {
    let gap = GAP.min(area.width / 10.0);
    Area { x: area.x + gap, width: area.width - 2.0 * gap, ..area }
}

/// Where each column begins, and where the last ends.
fn edges(columns: &[Column]) -> Vec<f32> {
    let ends = columns.iter().scan(MARGIN, |x, column| {
        *x += column.width;
        Some(*x)
    });
    std::iter::once(MARGIN).chain(ends).collect()
}

fn tail(page: &mut Page<'_>, paper: &Paper, bottom: f32) {
    let mut y = bottom + 1.5;
    for note in &paper.notes {
        page.text(Area { x: MARGIN, y, width: WIDTH, height: LINE }, note, Style::regular(7.5), Align::Left);
        y += LINE;
    }
    for (signature, from_right) in paper.signatures.iter().rev().zip([0.0, 1.0]) {
        let x = MARGIN + WIDTH - 80.0 - from_right * (WIDTH - 100.0);
        sign(page, signature, x, y + 2.0);
    }
}

fn sign(page: &mut Page<'_>, signature: &Signature, x: f32, y: f32) {
    let dots = "........................................";
    let mut line = |down: f32, text: &str, style| {
        page.text(Area { x, y: y + down, width: 80.0, height: LINE }, text, style, Align::Left);
    };
    line(0.0, signature.above, Style::regular(9.0));
    line(LINE, signature.office, Style::regular(9.0));
    line(20.0, signature.name.as_deref().unwrap_or(dots), Style::bold(9.0));
    let number = signature.number.as_deref().unwrap_or(dots);
    line(20.0 + LINE, &format!("NIP {number}"), Style::regular(9.0));
}
