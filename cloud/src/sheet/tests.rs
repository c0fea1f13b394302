//! Files that mean harm, and files that come back as they were written.

use std::io::{Cursor, Write as _};

use hadir_shared::time::{Millis, Zone};
use rust_xlsxwriter::Workbook;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{Cell, Column, Columns, MOST_BYTES, Table, Unreadable, csv, read::of, xlsx};

struct Line(String, Option<f64>);

impl Columns for Line {
    const COLUMNS: &'static [Column<Self>] = &[
        ("Teks", |line| line.0.as_str().into()),
        ("Angka", |line| line.1.into()),
        ("Kapan", |_| Millis(1_763_682_300_000).into()),
        ("Ya", |_| true.into()),
        ("Hari", |_| Zone::JAKARTA.day(Millis(1_763_682_300_000)).into()),
        ("Kosong", |_| Cell::Nothing),
    ];
}

/// The cells of a table, row by row.
fn cells(table: &Table) -> Vec<Vec<&str>> {
    table.lines.iter().map(|line| line.cells().map(|(_, text)| text).collect()).collect()
}

/// A workbook of these parts, compressed.
fn zipped(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in parts {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const RELS: &[u8] = br#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const WORKBOOK: &[u8] = br#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const WORKBOOK_RELS: &[u8] = br#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;

/// A workbook with this sheet and these texts, and whatever else.
fn workbook(sheet: &str, texts: &str, more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut parts: Vec<(&str, &[u8])> = vec![
        ("_rels/.rels", RELS),
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", WORKBOOK_RELS),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
        ("xl/sharedStrings.xml", texts.as_bytes()),
    ];
    parts.extend(more);
    zipped(&parts)
}

fn sheet(rows: &str) -> String {
    format!("<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData>{rows}</sheetData></worksheet>")
}

const ONE_TEXT: &str = r#"<sst count="1" uniqueCount="1"><si><t>Nama</t></si></sst>"#;

#[test]
fn lines_end_as_any_machine_ends_them() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["NISN;Nama", "1;\"Siti\nAminah\"", "2;Budi"].join(end);
        let table = of(text.as_bytes()).unwrap();
        assert_eq!(cells(&table), [["NISN", "Nama"], ["1", "Siti\nAminah"], ["2", "Budi"]], "{end:?}");
    }
}

#[test]
fn t39_what_is_written_is_no_formula_and_is_read_again() {
    let texts = ["=1+1", "+62812", "Siti; \"Aminah\",\nbaris", "@x", "-", "Renée 日本", "'=a"];
    let rows: Vec<Line> = texts.iter().map(|text| Line((*text).into(), Some(-6.25))).collect();
    let when = ["-6.25", "2025-11-21 06:45:00", "ya", "2025-11-21"];

    let file = csv::write(Zone::JAKARTA, &rows).unwrap();
    let shown = String::from_utf8(file.clone()).unwrap();
    assert!(
        shown.starts_with("\u{feff}Teks;Angka;Kapan;Ya;Hari;Kosong\n'=1+1;-6.25;2025-11-21 06:45:00;ya;"),
        "{shown}"
    );
    assert!(!shown.contains(";=") && !shown.contains("\n="), "nothing in it is a formula: {shown}");
    let table = of(&file).unwrap();
    assert_eq!(cells(&table)[0], ["Teks", "Angka", "Kapan", "Ya", "Hari", "Kosong"]);
    for (row, text) in cells(&table)[1..].iter().zip(texts) {
        assert_eq!(row[0], text);
        assert_eq!(row[1..], when);
    }

    let table = of(&xlsx::write(Zone::JAKARTA, &rows).unwrap()).unwrap();
    for (row, text) in cells(&table)[1..].iter().zip(texts) {
        // Days and instants are numbers there, which a format shows as such: 45,982 days since 1900.
        assert_eq!((row[0], row[1], row[3], row[4]), (text, "-6.25", "ya", "45982"));
        assert_eq!(row[2], "45982.28125", "a quarter to seven by the school's clocks");
    }
}

#[test]
fn a_text_longer_than_a_cell_does_not_fail_the_file() {
    let table = xlsx::write(Zone::JAKARTA, &[Line("é".repeat(40_000), None)]).unwrap();
    assert_eq!(of(&table), Err(Unreadable::LongCell(2)), "it was written, and is too long for us");
}

#[test]
fn numbers_stay_what_they_are() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, number) in [51_234_567.0, 3_201_234_567_890_123.0, 0.5, -3.0].into_iter().enumerate() {
        sheet.write_number(0, u16::try_from(column).unwrap(), number).unwrap();
    }
    sheet.write_string(0, 4, "0012345678").unwrap();
    let table = of(&book.save_to_buffer().unwrap()).unwrap();
    assert_eq!(cells(&table), [["51234567", "3201234567890123", "0.5", "-3", "0012345678"]]);
    assert!(table.lines[0].cell(0).unwrap().is_number && !table.lines[0].cell(4).unwrap().is_number);
}

#[test]
fn what_is_no_table() {
    let whole = workbook(&sheet("<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row>"), ONE_TEXT, &[]);
    assert_eq!(cells(&of(&whole).unwrap()), [["Nama"]], "the workbook that the others are broken from");
    let mut cases: Vec<(&str, Vec<u8>, Unreadable)> = vec![
        ("nothing", Vec::new(), Unreadable::NoTable),
        ("blank", b" \n;;;\n\t".to_vec(), Unreadable::NoTable),
        ("a program", b"\x7fELF\x02\x01\x01\0\0\0".to_vec(), Unreadable::NoTable),
        ("a NUL", b"NISN;Nama\n1;Bu\0di".to_vec(), Unreadable::NoTable),
        ("an old workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest".to_vec(), Unreadable::OldWorkbook),
        ("an empty zip", zipped(&[]), Unreadable::NoTable),
        ("another zip", zipped(&[("word/document.xml", b"<w/>")]), Unreadable::NoTable),
        ("too long", vec![b'a'; MOST_BYTES + 1], Unreadable::TooLarge),
        ("a cell without end", [b"a;\"".as_slice(), &[b'b'; 1 << 20]].concat(), Unreadable::LongCell(1)),
        ("a long cell", [b"a;".as_slice(), &[b'b'; 1 << 20]].concat(), Unreadable::LongCell(1)),
        ("rows without end", b"a\n".repeat(1_000_000), Unreadable::TooManyRows),
        ("columns without end", b"a;".repeat(1_000), Unreadable::TooManyCells),
    ];
    for cut in [5, whole.len() / 3, whole.len() / 2, whole.len() - 1] {
        cases.push(("a cut workbook", whole[..cut].to_vec(), Unreadable::NoTable));
    }
    for (what, bytes, expected) in cases {
        assert_eq!(of(&bytes), Err(expected), "{what}");
    }
    // As an empty zip begins; whatever it is taken for, it is no table.
    assert!(of(b"PK\x05\x06").is_err());
}

#[test]
fn workbooks_that_mean_harm() {
    let spaces = " ".repeat(64 << 20);
    let far = "<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>";
    let rows: Vec<String> =
        (1..=20_001).map(|n| format!("<row r=\"{n}\"><c r=\"A{n}\"><v>1</v></c></row>")).collect();
    let rows = rows.concat();
    let long = format!("<sst uniqueCount=\"1\"><si><t>{}</t></si></sst>", "x".repeat(1 << 20));
    let text = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row>";
    let repeated: Vec<String> =
        (1..=5_000).map(|n| format!("<row r=\"{n}\"><c t=\"s\"><v>0</v></c></row>")).collect();
    let repeated = repeated.concat();
    let heavy = format!("<sst uniqueCount=\"1\"><si><t>{}</t></si></sst>", "x".repeat(4_000));
    for (what, bytes, expected) in [
        ("a bomb in the sheet", workbook(&sheet(&spaces), ONE_TEXT, &[]), Unreadable::TooLarge),
        (
            "a bomb beside it",
            workbook(&sheet(text), ONE_TEXT, &[("xl/a.xml", spaces.as_bytes())]),
            Unreadable::TooLarge,
        ),
        ("rows without end", workbook(&sheet(&rows), ONE_TEXT, &[]), Unreadable::TooManyRows),
        ("a cell at the end of the world", workbook(&sheet(far), ONE_TEXT, &[]), Unreadable::TooManyCells),
        ("a cell of a megabyte", workbook(&sheet(text), &long, &[]), Unreadable::LongCell(1)),
        ("one text in every cell", workbook(&sheet(&repeated), &heavy, &[]), Unreadable::TooLarge),
        (
            "a count that would end the process",
            workbook(&sheet(text), "<sst uniqueCount=\"100000000000000\"><si><t>a</t></si></sst>", &[]),
            Unreadable::NoTable,
        ),
        (
            "a text that is not there",
            workbook(&sheet("<row r=\"1\"><c r=\"A1\" t=\"s\"><v>7</v></c></row>"), ONE_TEXT, &[]),
            Unreadable::NoTable,
        ),
        (
            "rows in disorder",
            workbook(
                &sheet("<row r=\"2\"><c><v>1</v></c></row><row r=\"1\"><c><v>1</v></c></row>"),
                ONE_TEXT,
                &[],
            ),
            Unreadable::NoTable,
        ),
        ("a sheet without end", workbook("<worksheet><sheetData><row>", ONE_TEXT, &[]), Unreadable::NoTable),
        ("no XML", workbook("\u{1}\u{2}", ONE_TEXT, &[]), Unreadable::NoTable),
    ] {
        assert!(bytes.len() < MOST_BYTES, "{what} could be sent");
        assert_eq!(of(&bytes), Err(expected), "{what}");
    }
    // Neither pictures nor styles are unpacked, however large they would be.
    let beside = workbook(
        &sheet(text),
        ONE_TEXT,
        &[("xl/styles.xml", spaces.as_bytes()), ("xl/media/a.png", spaces.as_bytes())],
    );
    assert_eq!(cells(&of(&beside).unwrap()), [["Nama"]]);
}

/// What panics in the reader is the file's fault, and ends nothing.
#[tokio::test]
async fn a_row_beyond_all_numbers() {
    let far = sheet("<row r=\"99999999999999\"><c><v>1</v></c></row>");
    let table = super::read(workbook(&far, ONE_TEXT, &[])).await.unwrap();
    assert!(table.is_err(), "{table:?}");
    let again = super::read(b"a;b".to_vec()).await.unwrap();
    assert_eq!(again.unwrap().lines.len(), 1, "its place is free again");
}
