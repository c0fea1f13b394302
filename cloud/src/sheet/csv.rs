//! CSV. Written with semicolons and a byte order mark, because a spreadsheet in Indonesia (decimal comma) opens that with a
//! double click; read with whatever separates it.

use std::borrow::Cow;

use anyhow::Context as _;
use csv::{ReaderBuilder, WriterBuilder};
use encoding_rs::{Encoding, WINDOWS_1252};
use hadir_shared::time::Zone;

use super::{
    Cell, Columns,
    read::{Table, Unreadable},
};

const BYTE_ORDER_MARK: &str = "\u{feff}";
const SEPARATORS: &[u8] = b";,\t";
/// Lines that are looked at to tell the separator: titles may stand above the headings.
const HEAD: usize = 30;
/// A spreadsheet takes a cell that begins with one of these for a formula.
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

pub fn write<T: Columns>(zone: Zone, rows: &[T]) -> anyhow::Result<Vec<u8>> {
    let mut csv =
        WriterBuilder::new().delimiter(SEPARATORS[0]).from_writer(BYTE_ORDER_MARK.as_bytes().to_vec());
    csv.write_record(T::COLUMNS.iter().map(|(heading, _)| *heading))?;
    for row in rows {
        for (_, cell) in T::COLUMNS {
            csv.write_field(text(zone, cell(row)).as_bytes())?;
        }
        csv.write_record(None::<&[u8]>)?;
    }
    csv.into_inner().context("writing a table")
}

fn text(zone: Zone, cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::Nothing => "".into(),
        Cell::Text(text) => guarded(text),
        Cell::Number(number) => number.to_string().into(),
        Cell::YesNo(yes) => if yes { "ya" } else { "tidak" }.into(),
        Cell::Day(day) => day.to_string().into(),
        Cell::Instant(at) => format!("{} {}", zone.day(at), zone.time_of_day(at).format("%H:%M:%S")).into(),
    }
}

/// With an apostrophe before what a spreadsheet would run; numbers are what they are.
fn guarded(text: Cow<'_, str>) -> Cow<'_, str> {
    if is_risky(&text) { format!("'{text}").into() } else { text }
}

/// Without the apostrophe that [`guarded`] gave it.
fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| is_risky(rest)).unwrap_or(text)
}

/// What is guarded already begins so too: one apostrophe more is one to take away.
fn is_risky(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA) && !is_number(text)
}

fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned.split_once(['.', ',']) {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(unsigned),
    }
}

pub fn read(bytes: &[u8]) -> Result<Table, Unreadable> {
    // Excel for Mac ends lines with a bare CR, of which the reader counts none.
    let text = decoded(bytes)?.replace("\r\n", "\n").replace('\r', "\n");
    let mut csv = ReaderBuilder::new()
        .delimiter(separator(&text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut table = Table::default();
    for record in csv.records() {
        let record = record.map_err(|_| Unreadable::NoTable)?;
        let row = record.position().map_or(0, csv::Position::line);
        for (column, cell) in record.iter().enumerate() {
            table.put(row, column, unguarded(cell.trim()), false)?;
        }
    }
    Ok(table)
}

/// UTF-8, UTF-16 by its mark, or else what Windows wrote before. Whatever has control characters then is no text.
fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
    let text = match (Encoding::for_bom(bytes), str::from_utf8(bytes)) {
        (Some((encoding, mark)), _) => {
            let rest = bytes.get(mark..).unwrap_or_default();
            encoding.decode_without_bom_handling_and_without_replacement(rest).ok_or(Unreadable::NoTable)?
        }
        (None, Ok(text)) => text.into(),
        (None, Err(_)) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    };
    let is_text = text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'));
    if is_text { Ok(text) } else { Err(Unreadable::NoTable) }
}

/// The one that stands most often in one of the first lines, outside of quotes.
fn separator(text: &str) -> u8 {
    let mut best = (0, SEPARATORS[0]);
    for line in text.lines().take(HEAD) {
        for separator in SEPARATORS {
            let unquoted = line.split('"').step_by(2);
            let count = unquoted.map(|part| part.matches(char::from(*separator)).count()).sum();
            if count > best.0 {
                best = (count, *separator);
            }
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_run_is_guarded_and_comes_back_as_it_was() {
        for risky in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "\t=1",
            "'=1",
            "''@x",
            "+",
            "--",
            "＝1",
            "+62-812",
        ] {
            let written = guarded(risky.into());
            assert_eq!(written, format!("'{risky}"));
            assert_eq!(unguarded(&written), risky);
        }
        for plain in ["", "Budi", "O'Neil", "'sGravenhage", "'", "-6.2", "+6281234567890", "-7", "1,5", "a=b"]
        {
            assert_eq!(guarded(plain.into()), plain);
            assert_eq!(unguarded(plain), plain);
        }
    }

    #[test]
    fn separators() {
        for (text, expected) in [
            ("a;b;c\n1;2;3", b';'),
            ("a,b\n1,2", b','),
            ("a\tb\n1\t2", b'\t'),
            ("Daftar siswa, SMA 1\n\nNISN;Nama;Kelas", b';'),
            ("\"a;b;c;d\",\"e\",f", b','),
            ("Nama", b';'),
        ] {
            assert_eq!(separator(text), expected, "{text}");
        }
    }

    #[test]
    fn encodings() {
        let utf16 = |text: &str, big: bool| -> Vec<u8> {
            let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
        };
        assert_eq!(decoded("\u{feff}é".as_bytes()), Ok("é".into()));
        assert_eq!(decoded("é".as_bytes()), Ok("é".into()));
        assert_eq!(decoded(b"Ren\xe9e"), Ok("Renée".into()), "Windows-1252");
        assert_eq!(decoded(&utf16("Renée", false)), Ok("Renée".into()));
        assert_eq!(decoded(&utf16("Renée", true)), Ok("Renée".into()));
        for binary in [&b"a\0b"[..], b"\x7fELF\x02", b"\xff\xfea", b"\x89PNG\r\n\x1a\n"] {
            assert_eq!(decoded(binary), Err(Unreadable::NoTable), "{binary:?}");
        }
    }
}
