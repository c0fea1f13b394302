//! Student cards as they are printed: the QR, the name, the number, the class.

use anyhow::Context as _;
use font8x8::UnicodeFonts as _;
use image::{GrayImage, Luma, imageops};
use qrcode::{EcLevel, QrCode};

/// What stands on a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    pub school: String,
    pub name: String,
    pub number: String,
    pub class: String,
    /// What the QR holds.
    pub code: String,
}

/// A card's size in pixels: 85.6 × 54 mm (ISO/IEC 7810 ID-1) at 250 dots per inch.
pub const SIZE: (u32, u32) = (843, 531);
/// Light modules around the QR on every side. The standard asks for four; a worn edge takes some.
const QUIET: u32 = 8;
/// Pixels of a letter's cell at scale 1.
const CELL: u32 = 8;
const WHITE: Luma<u8> = Luma([255]);
const BLACK: Luma<u8> = Luma([20]);

/// The QR alone, `module` pixels a module, with its quiet zone.
///
/// # Errors
/// When the text is too long for a QR.
pub fn qr(code: &str, module: u32) -> anyhow::Result<GrayImage> {
    let qr = QrCode::with_error_correction_level(code, EcLevel::M).context("too long for a QR")?;
    let width = u32::try_from(qr.width())?;
    let side = (width + 2 * QUIET) * module;
    let modules = qr.to_colors();
    Ok(GrayImage::from_fn(side, side, |x, y| {
        let at = |pixel: u32| (pixel / module).checked_sub(QUIET).filter(|n| *n < width);
        let dark = at(x).zip(at(y)).and_then(|(x, y)| modules.get((y * width + x) as usize));
        if dark.is_some_and(|color| *color == qrcode::Color::Dark) { BLACK } else { WHITE }
    }))
}

/// The whole card.
///
/// # Errors
/// When the code is too long for a QR.
pub fn draw(face: &Face) -> anyhow::Result<GrayImage> {
    let (width, height) = SIZE;
    let mut card = GrayImage::from_pixel(width, height, WHITE);
    for y in 0..72 {
        for x in 0..width {
            card.put_pixel(x, y, Luma([40]));
        }
    }
    write(&mut card, &face.school, 28, 24, 3, WHITE);
    let qr = qr(&face.code, 8)?;
    imageops::overlay(&mut card, &qr, 8, 90);
    let column = qr.width() + 24;
    let room = (width - column) / (CELL * 3);
    let mut line = 170;
    for part in wrapped(&face.name, room) {
        write(&mut card, &part, column, line, 3, BLACK);
        line += 36;
    }
    write(&mut card, &face.number, column, line + 24, 3, BLACK);
    write(&mut card, &face.class, column, line + 72, 3, BLACK);
    Ok(card)
}

/// Words put into lines of at most `room` letters.
fn wrapped(text: &str, room: u32) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= room as usize {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Letters of an 8×8 font, `scale` pixels a dot. What the font does not have is left out.
fn write(card: &mut GrayImage, text: &str, x: u32, y: u32, scale: u32, ink: Luma<u8>) {
    for (n, letter) in (0..).zip(text.chars()) {
        let glyph =
            font8x8::BASIC_FONTS.get(letter).or_else(|| font8x8::LATIN_FONTS.get(letter)).unwrap_or_default();
        for (row, bits) in (0..).zip(glyph) {
            for column in (0..CELL).filter(|column| bits >> column & 1 == 1) {
                dot(card, x + (n * CELL + column) * scale, y + row * scale, scale, ink);
            }
        }
    }
}

fn dot(card: &mut GrayImage, left: u32, top: u32, scale: u32, ink: Luma<u8>) {
    for (x, y) in (0..scale).flat_map(|x| (0..scale).map(move |y| (left + x, top + y))) {
        if let Some(pixel) = card.get_pixel_mut_checked(x, y) {
            *pixel = ink;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_put_on_several_lines() {
        assert_eq!(wrapped("Siti Nurhaliza Rahmawati", 12), ["Siti", "Nurhaliza", "Rahmawati"]);
        assert_eq!(wrapped("Siti Nur Rahma", 12), ["Siti Nur", "Rahma"]);
    }

    #[test]
    fn a_qr_has_its_quiet_zone() {
        let image = qr("ABC123XYZ", 2).unwrap();
        assert_eq!(image.width(), (21 + 16) * 2);
        assert_eq!(image.get_pixel(15, 15), &WHITE);
        assert_eq!(image.get_pixel(16, 16), &BLACK, "the finder pattern starts here");
    }
}
