//! The sheet as a workbook. Texts are written as texts, so that none of them can be a formula.

use hadir_shared::time::Millis;
use rust_xlsxwriter::{
    Color, DocProperties, ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError,
};

use super::paper::{Cell, Column, Paper, Signature};

/// Excel's number for it.
const A4: u8 = 9;
/// Millimetres of a character's width in Calibri 11, Excel's unit for columns.
const CHARACTER: f32 = 1.9;
/// 1980-01-01 and 9999-12-31: what a workbook, which is a zip, has dates for.
const EARLIEST: Millis = Millis(315_532_800_000);
const LATEST: Millis = Millis(253_402_214_400_000);
const OFF: Color = Color::RGB(0x00D9_D9D9);
const HEADING: Color = Color::RGB(0x00EE_EEEE);

pub fn write(paper: &Paper, made_at: Millis) -> anyhow::Result<Vec<u8>> {
    let mut book = Workbook::new();
    let made_at = ExcelDateTime::from_timestamp(made_at.0.clamp(EARLIEST.0, LATEST.0).div_euclid(1000))?;
    book.set_properties(&DocProperties::new().set_title(paper.title).set_creation_datetime(&made_at));
    let sheet = book.add_worksheet();
    sheet.set_name(format!("Rekap {}", paper.month))?;
    let last = u16::try_from(paper.columns.len())?.saturating_sub(1);
    let title = Format::new().set_bold().set_align(FormatAlign::Center);
    sheet.merge_range(0, 0, 0, last, paper.title, &title.clone().set_font_size(14))?;
    sheet.merge_range(1, 0, 1, last, &paper.school, &title.set_font_size(12))?;
    let half = paper.head.len().div_ceil(2);
    for (n, (label, value)) in paper.head.iter().enumerate() {
        let column = if n < half { 0 } else { last.div_ceil(2) };
        sheet.write_string(2 + u32::try_from(n % half)?, column, format!("{label}: {value}"))?;
    }
    let mut row = 2 + u32::try_from(half)?;
    let first = row + 1;
    row = heading(sheet, &paper.columns, first)?;
    let body = row;
    sheet.set_repeat_rows(first, body - 1)?.set_freeze_panes(body, paper.fixed)?;
    for (cells, bold) in lines(paper) {
        put(sheet, &paper.columns, row, cells, bold)?;
        row += 1;
    }
    row += 1;
    for note in &paper.notes {
        sheet.write_string_with_format(row, 0, note, &Format::new().set_italic().set_font_size(9))?;
        row += 1;
    }
    signatures(sheet, &paper.signatures, row + 1, last)?;
    sheet.set_paper_size(A4).set_landscape().set_print_fit_to_pages(1, 0).set_print_center_horizontally(true);
    sheet.set_margins(0.4, 0.4, 0.5, 0.6, 0.3, 0.3).set_footer("&RHalaman &P dari &N");
    Ok(book.save_to_buffer()?)
}

fn lines(paper: &Paper) -> impl Iterator<Item = (&[Cell], bool)> {
    let rows = paper.rows.iter().map(|cells| (cells.as_slice(), false));
    rows.chain(paper.sums.iter().map(|cells| (cells.as_slice(), true)))
}

/// Gives the row after it.
fn heading(sheet: &mut Worksheet, columns: &[Column], row: u32) -> anyhow::Result<u32> {
    let has_two = columns.iter().any(|column| column.beneath.is_some());
    for (column, at) in columns.iter().zip(0..) {
        let format = bordered(column).set_bold().set_align(FormatAlign::Center).set_text_wrap();
        let format = if column.is_off { format } else { format.set_background_color(HEADING) };
        sheet.set_column_width(at, f64::from(column.width / CHARACTER))?;
        match column.beneath {
            Some(beneath) => {
                sheet.write_string_with_format(row, at, &column.title, &format)?;
                sheet.write_string_with_format(row + 1, at, beneath, &format.set_font_size(8))?;
            }
            None if has_two => {
                let format = if column.title.len() > 6 { format.set_font_size(8) } else { format };
                sheet.merge_range(row, at, row + 1, at, &column.title, &format)?;
            }
            None => {
                sheet.write_string_with_format(row, at, &column.title, &format)?;
            }
        }
    }
    Ok(row + 1 + u32::from(has_two))
}

fn put(
    sheet: &mut Worksheet,
    columns: &[Column],
    row: u32,
    cells: &[Cell],
    bold: bool,
) -> Result<(), XlsxError> {
    for ((column, cell), at) in columns.iter().zip(cells).zip(0..) {
        let format = bordered(column);
        let format = if bold { format.set_bold() } else { format };
        let format = if column.is_text { format.set_shrink() } else { format.set_align(FormatAlign::Center) };
        #[expect(clippy::cast_precision_loss, reason = "a spreadsheet knows no other numbers")]
        match cell {
            Cell::Nothing => sheet.write_blank(row, at, &format)?,
            Cell::Text(text) => sheet.write_string_with_format(row, at, text, &format)?,
            Cell::Number(number) => sheet.write_number_with_format(row, at, *number as f64, &format)?,
            Cell::Percent(percent) => {
                sheet.write_number_with_format(row, at, *percent, &format.set_num_format("0.0"))?
            }
        };
    }
    Ok(())
}

fn bordered(column: &Column) -> Format {
    let format = Format::new().set_border(FormatBorder::Thin).set_align(FormatAlign::VerticalCenter);
    if column.is_off { format.set_background_color(OFF) } else { format }
}

/// The last one to the right, any before it to the left.
fn signatures(sheet: &mut Worksheet, signatures: &[Signature], row: u32, last: u16) -> Result<(), XlsxError> {
    for (signature, from_right) in signatures.iter().rev().zip(0..) {
        let column = if from_right == 0 { last.saturating_sub(if last > 12 { 16 } else { 4 }) } else { 1 };
        let name = signature.name.as_deref().unwrap_or("........................................");
        let number = signature.number.as_deref().unwrap_or("........................................");
        sheet.write_string(row, column, signature.above)?;
        sheet.write_string(row + 1, column, signature.office)?;
        sheet.write_string_with_format(row + 5, column, name, &Format::new().set_bold())?;
        sheet.write_string(row + 6, column, format!("NIP {number}"))?;
    }
    Ok(())
}
