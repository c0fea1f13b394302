//! XLSX. A workbook is a zip of XML, and every number in it is a stranger's: nothing of it is unpacked without a limit, and
//! the reader is given only the parts a table is read from. Styles are not among them (a font's name may be a megabyte, and
//! is copied for each cell format that uses it), nor is a count of texts believed that would make the reader reserve a
//! terabyte and end the process.

use std::io::{Cursor, Read as _, Write as _};

use calamine::{DataRef, DataType as _, Reader as _, SheetType, Xlsx};
use chrono::{Datelike as _, NaiveDate, NaiveTime, Timelike as _};
use hadir_shared::time::Zone;
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{
    Cell, Columns,
    read::{Table, Unreadable},
};

/// Of all parts together, unpacked.
const MOST_UNPACKED: u64 = 32 * 1024 * 1024;
const MOST_PARTS: usize = 1_000;
/// Texts a workbook may announce; the reader makes room for as many.
const MOST_ANNOUNCED: u64 = 1_000_000;
/// What a spreadsheet holds in a cell.
const MOST_OF_CELL: usize = 32_767;

pub fn read(bytes: &[u8]) -> Result<Table, Unreadable> {
    let parts = unpacked(bytes)?;
    let mut book = Xlsx::new(Cursor::new(parts)).map_err(|_| Unreadable::NoTable)?;
    let first = book.sheets_metadata().iter().find(|sheet| sheet.typ == SheetType::WorkSheet);
    let name = first.ok_or(Unreadable::NoTable)?.name.clone();
    let mut cells = book.worksheet_cells_reader(&name).map_err(|_| Unreadable::NoTable)?;
    let mut table = Table::default();
    while let Some(cell) = cells.next_cell().map_err(|_| Unreadable::NoTable)? {
        let (row, column) = cell.get_position();
        let (row, column) = (u64::from(row) + 1, column as usize);
        match cell.get_value() {
            DataRef::Empty => {}
            DataRef::String(text) => table.put(row, column, text, false)?,
            DataRef::SharedString(text) => table.put(row, column, text, false)?,
            DataRef::Int(number) => table.put(row, column, &number.to_string(), true)?,
            // Whole numbers are written without a fraction.
            DataRef::Float(number) => table.put(row, column, &number.to_string(), true)?,
            other => table.put(row, column, &other.as_string().unwrap_or_default(), false)?,
        }
    }
    Ok(table)
}

/// The same workbook with nothing in it but what a table is read from, stored as it is.
fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, Unreadable> {
    let broken = |_| Unreadable::NoTable;
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    if archive.len() > MOST_PARTS {
        return Err(Unreadable::TooLarge);
    }
    let mut stored = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut left = MOST_UNPACKED;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(broken)?;
        let name = part.name().map_err(broken)?.into_owned();
        if !is_needed(&name) {
            continue;
        }
        let mut text = String::new();
        let length = part.take(left + 1).read_to_string(&mut text).map_err(|_| Unreadable::NoTable)?;
        left = left.checked_sub(length as u64).ok_or(Unreadable::TooLarge)?;
        if !is_modest(&text) {
            return Err(Unreadable::NoTable);
        }
        stored.start_file(name, options).map_err(broken)?;
        stored.write_all(text.as_bytes()).map_err(|_| Unreadable::NoTable)?;
    }
    Ok(stored.finish().map_err(broken)?.into_inner())
}

/// Relations, the workbook, its texts and its worksheets.
fn is_needed(part: &str) -> bool {
    let part = part.to_ascii_lowercase().replace('\\', "/");
    let file = part.rsplit('/').next().unwrap_or(&part);
    let is_xml = [".xml", ".rels"].iter().any(|end| file.ends_with(end));
    is_xml && !file.starts_with("styles") && !file.starts_with("theme")
}

/// Whether no count in it is beyond reason. XML has no NUL; without one, no encoding hides the word.
fn is_modest(xml: &str) -> bool {
    let count = |after: &str| {
        let digits = after.trim_start_matches(|c: char| !c.is_ascii_digit());
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        digits[..end].parse::<u64>().is_ok_and(|count| count <= MOST_ANNOUNCED)
    };
    !xml.contains('\0') && xml.split("uniqueCount").skip(1).all(count)
}

pub fn write<T: Columns>(zone: Zone, rows: &[T]) -> anyhow::Result<Vec<u8>> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    let heading = Format::new().set_bold();
    let day = Format::new().set_num_format("yyyy-mm-dd");
    let instant = Format::new().set_num_format("yyyy-mm-dd hh:mm:ss");
    for ((title, _), column) in T::COLUMNS.iter().zip(0..) {
        sheet.write_string_with_format(0, column, *title, &heading)?;
    }
    for (line, row) in rows.iter().zip(1..) {
        for ((_, cell), column) in T::COLUMNS.iter().zip(0..) {
            put(sheet, (row, column), zone, cell(line), (&day, &instant))?;
        }
    }
    sheet.set_freeze_panes(1, 0)?.autofit();
    Ok(book.save_to_buffer()?)
}

fn put(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    zone: Zone,
    cell: Cell<'_>,
    (as_day, as_instant): (&Format, &Format),
) -> Result<(), XlsxError> {
    let written = match cell {
        Cell::Nothing => return Ok(()),
        // A string, and so no formula, whatever it begins with.
        Cell::Text(text) => sheet.write_string(row, column, fitting(&text)),
        Cell::Number(number) => sheet.write_number(row, column, number),
        Cell::YesNo(yes) => sheet.write_string(row, column, if yes { "ya" } else { "tidak" }),
        Cell::Day(day) => sheet.write_datetime_with_format(row, column, &date(day, NaiveTime::MIN)?, as_day),
        Cell::Instant(at) => {
            let local = date(zone.day(at).0, zone.time_of_day(at))?;
            sheet.write_datetime_with_format(row, column, &local, as_instant)
        }
    };
    written.map(|_| ())
}

fn date(day: NaiveDate, time: NaiveTime) -> Result<ExcelDateTime, XlsxError> {
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(day.year()).unwrap_or_default();
    let (hour, minute) = (u16::try_from(time.hour()).unwrap_or_default(), small(time.minute()));
    ExcelDateTime::from_ymd(year, small(day.month()), small(day.day()))?.and_hms(
        hour,
        minute,
        f64::from(time.second()),
    )
}

/// As much of a text as a cell holds.
fn fitting(text: &str) -> String {
    text.chars().take(MOST_OF_CELL).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_are_believed() {
        assert!(is_modest(r#"<sst count="9" uniqueCount="1000000"><si><t>a</t></si></sst>"#));
        assert!(is_modest("<worksheet/>"));
        for greedy in [
            r#"<sst uniqueCount="1000001">"#,
            r"<sst uniqueCount = '99999999999999999999999'>",
            r#"<sst uniqueCount="1" x:uniqueCount="5000000">"#,
            "<sst uniqueCount=\"\">",
            "<\0s\0s\0t\0",
        ] {
            assert!(!is_modest(greedy), "{greedy}");
        }
    }

    #[test]
    fn parts_that_are_read() {
        for needed in ["_rels/.rels", "xl/workbook.xml", "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"] {
            assert!(is_needed(needed), "{needed}");
        }
        for other in
            ["xl/styles.xml", "xl/Styles.XML", "XL\\styles.xml", "xl/theme/theme1.xml", "xl/media/image1.png"]
        {
            assert!(!is_needed(other), "{other}");
        }
    }
}
