//! Cards on paper, of a class or of some students: A4, ten to a page, to be cut apart.
//!
//! What always holds: a card is 85.6 by 54 mm (ISO/IEC 7810 ID-1) when the page is printed at 100 %; nothing on a card
//! leaves it, however long a name is; every module of a QR is ten dots of a 300-dot printer. Cards touch, so that one cut
//! parts two; the marks for it stand outside of them. No colour: a school's printer has none.

use hadir_shared::time::{Millis, SchoolDay};

use super::qr::Qr;
use crate::print::{Align, Area, Document, Page, Paper, Shade, Style};

const CARD: (f32, f32) = (85.6, 54.0);
const COLUMNS: usize = 2;
const ROWS: usize = 5;
const PER_PAGE: usize = COLUMNS * ROWS;
/// The upper left corner of the first card: the grid stands in the middle of the page.
const CORNER: (f32, f32) = (19.4, 13.5);
/// Between a cut mark and the cards, and its length.
const MARK: (f32, f32) = (1.5, 5.0);
/// The white that a cut may be off by, at a card's edge.
const MARGIN: f32 = 3.0;
/// The school's band across the top of a card.
const BAND: f32 = 9.0;
const MODULE: f32 = 25.4 / 30.0;
/// A side of a photo.
const PHOTO: f32 = 20.0;
/// Between the baselines of two lines, of the letters' size.
const LEADING: f32 = 1.2;
/// Millimetres in a point.
const POINT: f32 = 25.4 / 72.0;
const NAMES_PER_PAGE: usize = 48;

/// What stands on every card and around them.
#[derive(Debug)]
pub struct Class {
    pub school: String,
    /// Whose cards they are: a class's name, or a word for a choice of students.
    pub name: String,
    pub today: SchoolDay,
}

/// What stands on one card.
#[derive(Debug)]
pub struct Face {
    pub name: String,
    pub number: Option<String>,
    /// `None`: he is in none.
    pub class: Option<String>,
    /// What the QR holds.
    pub code: String,
    /// A square JPEG.
    pub photo: Option<Vec<u8>>,
}

/// The PDF. Who has no active card stands on a page of his own at the end, and gets no card.
pub fn draw(class: &Class, faces: Vec<Face>, without: &[String], made_at: Millis) -> anyhow::Result<Vec<u8>> {
    let mut document = Document::new(Paper::A4, &format!("Kartu siswa {}", class.name), made_at)?;
    let sheets = faces.len().div_ceil(PER_PAGE);
    let pages = sheets + without.len().div_ceil(NAMES_PER_PAGE);
    let mut faces = faces.into_iter();
    for sheet in 1..=sheets {
        let on_page: Vec<Face> = faces.by_ref().take(PER_PAGE).collect();
        document.page(|page| {
            headline(page, "Cetak pada ukuran sebenarnya (100%), lalu potong menurut tanda.");
            footline(page, class, sheet, pages);
            let rows = on_page.len().div_ceil(COLUMNS);
            for (place, face) in (0..).zip(on_page) {
                card(page, place_of(place), class, face)?;
            }
            marks(page, rows);
            anyhow::Ok(())
        })??;
    }
    for (sheet, names) in (sheets + 1..).zip(without.chunks(NAMES_PER_PAGE)) {
        document.page(|page| {
            footline(page, class, sheet, pages);
            absent(page, class, names);
        })?;
    }
    document.finish()
}

#[expect(clippy::cast_precision_loss, reason = "ten places")]
fn place_of(place: usize) -> Area {
    let (column, row) = ((place % COLUMNS) as f32, (place / COLUMNS) as f32);
    Area { x: CORNER.0 + column * CARD.0, y: CORNER.1 + row * CARD.1, width: CARD.0, height: CARD.1 }
}

fn headline(page: &mut Page<'_>, text: &str) {
    let line = Area { x: CORNER.0, y: 3.0, width: CARD.0 * 2.0, height: 4.0 };
    page.text(line, text, Style::regular(7.0), Align::Centre);
}

fn footline(page: &mut Page<'_>, class: &Class, sheet: usize, pages: usize) {
    let (half, y) = (CARD.0 - 6.0, 290.0);
    let left = Area { x: CORNER.0, y, width: half, height: 4.0 };
    let right = Area { x: CORNER.0 + CARD.0 * 2.0 - half, ..left };
    let what = format!("Kartu siswa {} · {}", class.name, class.today);
    page.text(left, &what, Style::regular(7.0), Align::Left);
    page.text(right, &format!("Halaman {sheet} dari {pages}"), Style::regular(7.0), Align::Right);
}

/// Solid where nothing is printed, dashed between the cards.
fn marks(page: &mut Page<'_>, rows: usize) {
    #[expect(clippy::cast_precision_loss, reason = "five rows")]
    let row = |row: usize| CORNER.1 + row as f32 * CARD.1;
    let (top, bottom) = (row(0), row(rows));
    let columns = [CORNER.0, CORNER.0 + CARD.0, CORNER.0 + CARD.0 * 2.0];
    let [left, _, right] = columns;
    let (gap, length) = MARK;
    let upright = columns.iter().flat_map(|x| {
        let ends = [(top - gap - length, top - gap), (bottom + gap, bottom + gap + length)];
        ends.map(|(from, to)| ((*x, from), (*x, to)))
    });
    let level = (0..=rows).map(row).flat_map(|y| {
        let ends = [(left - gap - length, left - gap), (right + gap, right + gap + length)];
        ends.map(|(from, to)| ((from, y), (to, y)))
    });
    page.lines(upright.chain(level), 0.15, None);
    let upright = columns.map(|x| ((x, top), (x, bottom)));
    let level = (0..=rows).map(|n| ((left, row(n)), (right, row(n))));
    page.lines(upright.into_iter().chain(level), 0.08, Some(1.0));
}

fn card(page: &mut Page<'_>, card: Area, class: &Class, face: Face) -> anyhow::Result<()> {
    let band = Area { height: BAND, ..card };
    page.fill([band], Shade(225));
    let school = Area { x: band.x + MARGIN, width: band.width - 2.0 * MARGIN, ..band };
    block(page, inset(school, 0.7), &class.school, (11.0, 4.0), 0.5);

    let code = Qr::new(&face.code)?;
    let side = length(code.side);
    let below = card.height - BAND;
    let (left, top) = (card.x + 0.5, card.y + BAND + (below - side) / 2.0);
    let squares = code.runs().into_iter().map(|run| Area {
        x: left + length(run.x),
        y: top + length(run.y),
        width: length(run.length),
        height: MODULE,
    });
    page.fill(squares, Shade::BLACK);

    // The quiet zone parts the code from what stands beside it.
    let x = left + side;
    let column = Area { x, y: card.y, width: card.x + card.width - MARGIN - x, height: card.height };
    let line = |y: f32, height: f32| Area { y: card.y + y, height, ..column };
    let has_photo = face.photo.is_some();
    if let Some(photo) = face.photo {
        page.jpeg(Area { width: PHOTO, ..line(11.5, PHOTO) }, photo)?;
    }
    let name = if has_photo { line(32.5, 8.5) } else { line(12.5, 28.0) };
    block(page, name, &face.name, (12.0, 4.0), 1.0);
    if let Some(class) = &face.class {
        page.text(line(41.5, 4.5), class, Style::regular(9.0), Align::Left);
    }
    if let Some(number) = &face.number {
        page.text(line(46.0, 4.5), &format!("NISN {number}"), Style::regular(9.0), Align::Left);
    }
    Ok(())
}

fn absent(page: &mut Page<'_>, class: &Class, names: &[String]) {
    let line = Area { x: CORNER.0, y: 16.0, width: CARD.0 * 2.0, height: 7.0 };
    let title = format!("Siswa {} tanpa kartu aktif", class.name);
    page.text(line, &title, Style::bold(13.0), Align::Left);
    let line = Area { y: 23.0, height: 5.0, ..line };
    page.text(line, "Buat kartunya, lalu cetak lagi.", Style::regular(9.0), Align::Left);
    let mut y = 31.0;
    for name in names {
        page.text(Area { y, ..line }, name, Style::regular(10.0), Align::Left);
        y += 5.2;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a code has 185 modules at most")]
fn length(modules: u32) -> f32 {
    modules as f32 * MODULE
}

fn inset(area: Area, by: f32) -> Area {
    Area { y: area.y + by, height: area.height - 2.0 * by, ..area }
}

/// A bold text in lines, as large as fits, between two sizes in points. `down` is how far down the area it stands: 0.5 is in
/// the middle of its height, 1 at its foot.
fn block(page: &mut Page<'_>, area: Area, text: &str, (most, least): (f32, f32), down: f32) {
    let measure = |line: &str, size: f32| page.width(line, Style::bold(size));
    let (size, lines) = set(text, (area.width, area.height), (most, least), measure);
    let height = size * LEADING * POINT;
    #[expect(clippy::cast_precision_loss, reason = "a few lines")]
    let mut y = area.y + (area.height - lines.len() as f32 * height) * down;
    for line in lines {
        page.text(Area { y, height, ..area }, &line, Style::bold(size), Align::Left);
        y += height;
    }
}

/// The largest size at which a text fits into a width and height, and its lines there. Words are broken, and what is still
/// too much left out behind an ellipsis, only at the smallest.
fn set(
    text: &str,
    (width, height): (f32, f32),
    (most, least): (f32, f32),
    measure: impl Fn(&str, f32) -> f32,
) -> (f32, Vec<String>) {
    let room = |size: f32| {
        let lines = (height / (size * LEADING * POINT)).floor();
        (1_u8..=50).rev().find(|n| f32::from(*n) <= lines).map_or(1, usize::from)
    };
    let mut size = most;
    while size > least {
        let lines = wrapped(text.split_whitespace().map(str::to_owned), |line| measure(line, size) <= width);
        if lines.len() <= room(size) && lines.iter().all(|line| measure(line, size) <= width) {
            return (size, lines);
        }
        size -= 0.5;
    }
    let fits = |line: &str| measure(line, least) <= width;
    let words = text.split_whitespace().flat_map(|word| broken(word, fits));
    let mut lines = wrapped(words, fits);
    if lines.len() > room(least) {
        lines.truncate(room(least));
        if let Some(last) = lines.last_mut() {
            last.push('…');
            while !fits(last) && last.chars().count() > 1 {
                last.pop();
                last.pop();
                last.push('…');
            }
        }
    }
    (least, lines)
}

/// Words put into lines, as many to a line as fit.
fn wrapped(words: impl Iterator<Item = String>, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let longer = lines.last().map(|line| format!("{line} {word}")).filter(|line| fits(line));
        match (lines.last_mut(), longer) {
            (Some(last), Some(longer)) => *last = longer,
            _ => lines.push(word),
        }
    }
    lines
}

/// A word in parts that fit.
fn broken(word: &str, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let mut parts = vec![String::new()];
    for letter in word.chars() {
        let longer = parts.last().map(|part| format!("{part}{letter}")).unwrap_or_default();
        match parts.last_mut() {
            Some(last) if last.is_empty() || fits(&longer) => *last = longer,
            _ => parts.push(letter.into()),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if every letter were half as wide as it is high.
    fn half(line: &str, size: f32) -> f32 {
        f32::from(u16::try_from(line.chars().count()).unwrap()) * size * POINT / 2.0
    }

    #[test]
    fn a_text_is_set_as_large_as_it_fits_and_never_leaves_its_place() {
        let cases = [
            ("Budi", 12.0, "Budi"),
            ("Siti Nurhaliza Rahmawati", 12.0, "Siti Nurhaliza|Rahmawati"),
            ("", 12.0, ""),
            ("  Ayu   Lestari ", 12.0, "Ayu Lestari"),
            ("Raden Mas Muhammad Abdurrahman Wahid Kusumawardhana bin Sulaiman", 8.5, ""),
        ];
        for (text, size, lines) in cases {
            let (got, set_lines) = set(text, (42.0, 12.0), (12.0, 4.0), half);
            assert!((got - size).abs() < 0.01, "{text:?} came out in {got}");
            if !lines.is_empty() {
                assert_eq!(set_lines.join("|"), lines);
            }
            assert_eq!(set_lines.join(" "), text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        for text in ["A".repeat(255), "Abdul ".repeat(42), "x y".repeat(85), "Ñ".repeat(30)] {
            let (size, lines) = set(&text, (42.0, 8.5), (12.0, 4.0), half);
            let high = f32::from(u16::try_from(lines.len()).unwrap()) * size * LEADING * POINT;
            assert!(high <= 8.5 + 0.001, "{high} mm high: {lines:?}");
            assert!(lines.iter().all(|line| half(line, size) <= 42.0), "{lines:?}");
        }
        let (_, cut) = set(&"A".repeat(1_000), (42.0, 8.5), (12.0, 4.0), half);
        assert!(cut.last().unwrap().ends_with("A…"), "{cut:?}");
    }

    #[test]
    fn ten_cards_lie_on_the_page_beside_each_other() {
        let places: Vec<Area> = (0..PER_PAGE).map(place_of).collect();
        for (n, one) in places.iter().enumerate() {
            assert!(one.x > 10.0 && one.x + one.width < 200.0 && one.y > 10.0 && one.y + one.height < 287.0);
            for other in &places[n + 1..] {
                let apart = one.x + one.width <= other.x + 0.01
                    || other.x + other.width <= one.x + 0.01
                    || one.y + one.height <= other.y + 0.01;
                assert!(apart, "{one:?} {other:?}");
            }
        }
    }
}
