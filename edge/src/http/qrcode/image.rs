//! A QR code as a picture: error correction M, quiet zone, black on white whatever the page's colours are.

use std::io::Cursor;

use anyhow::Context as _;
use image::{ImageFormat, Luma};
use qrcode::{EcLevel, QrCode, render::svg};

/// Pixels of a module in the PNG: about 600 × 600 for a check-in address.
const MODULE: u32 = 14;

fn code(text: &str) -> anyhow::Result<QrCode> {
    QrCode::with_error_correction_level(text, EcLevel::M).context("the text does not fit a QR code")
}

pub fn svg(text: &str) -> anyhow::Result<String> {
    Ok(code(text)?.render::<svg::Color<'_>>().module_dimensions(8, 8).build())
}

pub fn png(text: &str) -> anyhow::Result<Vec<u8>> {
    let picture = code(text)?.render::<Luma<u8>>().module_dimensions(MODULE, MODULE).build();
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}
