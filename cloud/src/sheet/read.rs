//! A table that somebody sent, whatever it calls itself: its first bytes tell what it is.

use tokio::{sync::Semaphore, task::spawn_blocking};

use super::{csv, xlsx};
use crate::fail::Fail;

/// The longest file, in bytes.
pub const MOST_BYTES: usize = 5 * 1024 * 1024;
/// Rows with anything in them: ten times the largest school.
pub const MOST_ROWS: usize = 20_000;
const MOST_COLUMNS: usize = 256;
/// Cells with anything in them.
const MOST_CELLS: usize = 500_000;
/// The longest cell, in bytes.
const MOST_OF_CELL: usize = 4_000;
/// All cells together, in bytes. A text that a workbook holds once can stand in every cell.
const MOST_OF_ALL: usize = 16 * 1024 * 1024;
/// Files unpacked at once, by all requests together: their memory is bounded. A permit lives inside the blocking task.
static READING: Semaphore = Semaphore::const_new(2);

/// Why a file is no table for us. The words go to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("file harus berupa CSV atau XLSX yang utuh")]
    NoTable,
    #[error("file .xls tidak didukung; simpan sebagai .xlsx atau .csv")]
    OldWorkbook,
    #[error("file terlalu besar setelah dibuka")]
    TooLarge,
    #[error("file berisi lebih dari {MOST_ROWS} baris")]
    TooManyRows,
    #[error("file berisi terlalu banyak kolom atau sel")]
    TooManyCells,
    #[error("baris {0} berisi sel yang terlalu panjang")]
    LongCell(u64),
}

/// The cells of a table that have anything in them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub lines: Vec<Line>,
    cells: usize,
    bytes: usize,
}

/// A row that is not empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// As a spreadsheet counts it: the first is 1.
    pub row: u64,
    cells: Vec<(usize, Given)>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Given {
    pub text: String,
    /// The file holds a number, which has no leading zeros.
    pub is_number: bool,
}

impl Line {
    pub fn cell(&self, column: usize) -> Option<&Given> {
        self.cells.iter().find(|(at, _)| *at == column).map(|(_, given)| given)
    }

    /// The columns that have something in them.
    pub fn cells(&self) -> impl Iterator<Item = (usize, &str)> {
        self.cells.iter().map(|(column, given)| (*column, given.text.as_str()))
    }
}

impl Table {
    /// Rows come in order; a blank cell is none.
    pub(super) fn put(
        &mut self,
        row: u64,
        column: usize,
        text: &str,
        is_number: bool,
    ) -> Result<(), Unreadable> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        self.cells += 1;
        self.bytes += text.len();
        if text.len() > MOST_OF_CELL {
            return Err(Unreadable::LongCell(row));
        }
        if column >= MOST_COLUMNS || self.cells > MOST_CELLS {
            return Err(Unreadable::TooManyCells);
        }
        if self.bytes > MOST_OF_ALL {
            return Err(Unreadable::TooLarge);
        }
        let given = (column, Given { text: text.to_owned(), is_number });
        let lines = self.lines.len();
        match self.lines.last_mut() {
            Some(line) if line.row == row => line.cells.push(given),
            Some(line) if line.row > row => return Err(Unreadable::NoTable),
            _ if lines == MOST_ROWS => return Err(Unreadable::TooManyRows),
            _ => self.lines.push(Line { row, cells: vec![given] }),
        }
        Ok(())
    }
}

/// Reads a CSV file or the first worksheet of a workbook, off the threads that answer.
pub async fn read(bytes: Vec<u8>) -> Result<Result<Table, Unreadable>, Fail> {
    let permit = READING.acquire().await.map_err(anyhow::Error::from)?;
    let reading = spawn_blocking(move || {
        let table = of(&bytes);
        drop(permit);
        table
    });
    Ok(reading.await.unwrap_or_else(|e| {
        tracing::warn!("a reader of tables failed on a file: {e}");
        Err(Unreadable::NoTable)
    }))
}

pub(super) fn of(bytes: &[u8]) -> Result<Table, Unreadable> {
    if bytes.len() > MOST_BYTES {
        return Err(Unreadable::TooLarge);
    }
    let table = match bytes {
        [b'P', b'K', 3, 4, ..] => xlsx::read(bytes)?,
        // Workbooks of before 2007, and those behind a password.
        [0xd0, 0xcf, 0x11, 0xe0, ..] => return Err(Unreadable::OldWorkbook),
        _ => csv::read(bytes)?,
    };
    if table.lines.is_empty() { Err(Unreadable::NoTable) } else { Ok(table) }
}
