//! The QR of a card: what it holds, as dark squares on white.
//!
//! What always holds: error correction M (15 % of the code may be worn off), and four light modules on every side, as ISO/IEC
//! 18004 asks. A signed code is in alphanumeric mode, which makes 37 modules of its 118 characters.

use anyhow::Context as _;
use png::{BitDepth, ColorType, Encoder, PixelDimensions, Unit};
use qrcode::{Color, EcLevel, QrCode};

/// Light modules around the code.
const QUIET: u32 = 4;
/// Printers' dots of a module in the PNG. At 300 dots an inch a module is one millimetre, and the whole 45.7 mm.
const DOTS: u32 = 12;
const DOTS_PER_METRE: u32 = 11_811;
/// The same in the SVG.
const MODULE_MM: f32 = 25.4 * 12.0 / 300.0;

/// The code with its quiet zone: a square of `side` modules.
#[derive(Debug)]
pub struct Qr {
    modules: Vec<Color>,
    pub side: u32,
}

/// Dark modules beside each other, counted from the upper left corner of the quiet zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub x: u32,
    pub y: u32,
    pub length: u32,
}

impl Qr {
    pub fn new(text: &str) -> anyhow::Result<Self> {
        let qr = QrCode::with_error_correction_level(text, EcLevel::M).context("too long for a QR code")?;
        let side = u32::try_from(qr.width())? + 2 * QUIET;
        Ok(Self { modules: qr.into_colors(), side })
    }

    /// The dark modules, row by row.
    pub fn runs(&self) -> Vec<Run> {
        let width = (self.side - 2 * QUIET) as usize;
        let rows = (QUIET..).zip(self.modules.chunks(width));
        rows.flat_map(|(y, row)| {
            let mut x = QUIET;
            row.chunk_by(|a, b| a == b)
                .filter_map(|same| {
                    let run = Run { x, y, length: u32::try_from(same.len()).ok()? };
                    x += run.length;
                    (same.first() == Some(&Color::Dark)).then_some(run)
                })
                .collect::<Vec<_>>()
        })
        .collect()
    }

    /// Black and white, one bit a pixel, with its size in the file: printed at 100 %, it comes out as meant.
    pub fn png(&self) -> anyhow::Result<Vec<u8>> {
        let across = self.side * DOTS;
        let line = usize::try_from(across.div_ceil(8))?;
        let mut bits = vec![0xff; line * usize::try_from(across)?];
        for run in self.runs() {
            for (x, y) in dots(run) {
                let at = usize::try_from(y)? * line + usize::try_from(x / 8)?;
                if let Some(byte) = bits.get_mut(at) {
                    *byte &= !(0x80 >> (x % 8));
                }
            }
        }
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, across, across);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::One);
        let size = PixelDimensions { xppu: DOTS_PER_METRE, yppu: DOTS_PER_METRE, unit: Unit::Meter };
        encoder.set_pixel_dims(Some(size));
        encoder.write_header()?.write_image_data(&bits)?;
        Ok(bytes)
    }

    /// One path in one colour on white, as large as the PNG.
    pub fn svg(&self) -> String {
        let side = self.side;
        #[expect(clippy::cast_precision_loss, reason = "a code has 185 modules at most")]
        let across = side as f32 * MODULE_MM;
        let square = |run: Run| format!("M{} {}h{}v1h-{}z", run.x, run.y, run.length, run.length);
        let path: String = self.runs().into_iter().map(square).collect();
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{across:.2}mm\" height=\"{across:.2}mm\" \
             viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
             <path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>"
        )
    }
}

fn dots(run: Run) -> impl Iterator<Item = (u32, u32)> {
    let (left, right) = (run.x * DOTS, (run.x + run.length) * DOTS);
    (run.y * DOTS..(run.y + 1) * DOTS).flat_map(move |y| (left..right).map(move |x| (x, y)))
}

#[cfg(test)]
pub mod tests {
    use hadir_shared::{
        card::Card,
        ids::{InstitutionId, UserId},
        sign::SecretKey,
    };
    use image::{DynamicImage, GrayImage, imageops::FilterType};

    use super::*;

    fn signed() -> String {
        let card = Card { institution: InstitutionId(1), student: UserId(1_001), serial: 1, epoch: 0 };
        card.sign(&SecretKey::from_seed(&[5; 32])).unwrap()
    }

    /// What a scanner reads.
    pub fn scanned(picture: &GrayImage) -> Option<String> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let shade = |x: usize, y: usize| picture.as_raw()[y * width + x];
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, shade);
        let grids = prepared.detect_grids();
        grids.first().and_then(|grid| grid.decode().ok()).map(|(_, text)| text)
    }

    #[test]
    fn a_signed_code_is_alphanumeric_and_scans_large_and_small() {
        let text = signed();
        let code = Qr::new(&text).unwrap();
        // In byte mode it would take version 7, of 45 modules.
        assert_eq!(code.side, 37 + 8);
        let picture = image::load_from_memory(&code.png().unwrap()).unwrap();
        assert_eq!((picture.width(), picture.height()), (540, 540));
        for across in [200, 250, 400, 540, 1_000, 1_500] {
            let seen = picture.resize_exact(across, across, FilterType::Triangle).to_luma8();
            assert_eq!(scanned(&seen), Some(text.clone()), "{across} pixels");
        }
        for turned in [picture.rotate90(), picture.rotate180()] {
            assert_eq!(scanned(&turned.to_luma8()), Some(text.clone()));
        }
    }

    #[test]
    fn a_worn_corner_is_read_all_the_same() {
        let text = signed();
        let mut worn = image::load_from_memory(&Qr::new(&text).unwrap().png().unwrap()).unwrap().to_luma8();
        // Four by four modules of the lower right, where no finder is.
        for (x, y) in (0..48).flat_map(|x| (0..48).map(move |y| (540 - 49 - x, 540 - 49 - y))) {
            worn.put_pixel(x, y, image::Luma([255]));
        }
        assert_eq!(scanned(&worn), Some(text));
    }

    #[test]
    fn the_quiet_zone_is_four_modules_on_every_side() {
        let code = Qr::new("ABC123XYZ").unwrap();
        let runs = code.runs();
        let edge = code.side - QUIET;
        assert!(runs.iter().all(|run| run.x >= QUIET && run.x + run.length <= edge));
        assert!(runs.iter().all(|run| (QUIET..edge).contains(&run.y)));
        // The upper left finder begins with seven dark modules.
        assert_eq!(runs.first(), Some(&Run { x: QUIET, y: QUIET, length: 7 }));
        let dark = code.modules.iter().filter(|color| **color == Color::Dark).count();
        assert_eq!(runs.iter().map(|run| run.length as usize).sum::<usize>(), dark);
    }

    #[test]
    fn a_png_says_how_large_it_is_on_paper() {
        let png = Qr::new(&signed()).unwrap().png().unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
        let size = decoder.info().pixel_dims.unwrap();
        assert_eq!((size.xppu, size.unit), (DOTS_PER_METRE, Unit::Meter));
        assert!(png.len() < 4_000, "{} bytes", png.len());
    }

    #[test]
    fn an_svg_draws_the_same_squares() {
        let code = Qr::new(&signed()).unwrap();
        let svg = code.svg();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"45.72mm\""), "{svg}");
        let path = svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut drawn = GrayImage::from_pixel(code.side, code.side, image::Luma([255]));
        for square in path.split('M').filter(|square| !square.is_empty()) {
            let (corner, rest) = square.split_once('h').unwrap();
            let (x, y) = corner.split_once(' ').unwrap();
            let (length, _) = rest.split_once('v').unwrap();
            let [x, y, length] = [x, y, length].map(|number| number.parse::<u32>().unwrap());
            (x..x + length).for_each(|x| drawn.put_pixel(x, y, image::Luma([0])));
        }
        let large = DynamicImage::from(drawn).resize_exact(450, 450, FilterType::Nearest).to_luma8();
        assert_eq!(scanned(&large), Some(signed()));
    }
}
