//! From the bytes of one camera frame to the texts of the QR codes in it.
//!
//! What always holds: the size in a picture's header is checked before a pixel is allocated; the work on one frame is
//! bounded, whatever it shows; a frame without a code is an answer, not a failure.

use std::io::Cursor;

use axum::body::Bytes;
use image::{
    DynamicImage, GrayImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits,
    imageops::{self, FilterType},
};

/// The largest body of a frame: a 1920 × 1080 photograph has a few hundred KiB.
pub const FRAME_BYTES: usize = 4 * 1024 * 1024;
/// The longest side of a picture, in pixels.
const LONGEST_SIDE: u32 = 4096;
/// What decoding one picture may allocate: 4096 × 4096 in RGB, and the decoder's own rows.
const ALLOCATION: u64 = 64 * 1024 * 1024;
/// A frame is searched at this many pixels along its longer side at most; a card at arm's length is large enough then.
const SEARCHED_SIDE: u32 = 1280;
/// A frame smaller than this is also searched at twice its size: the finder needs about three pixels for a module.
const SMALL_SIDE: u32 = 800;
/// The smallest QR code has 21 modules a side.
const LEAST_SIDE: u32 = 21;
/// Codes read from one frame; a hand does not hold more cards.
const MOST_CODES: usize = 8;
/// A code of this project has at most 118 characters, a check-in address a little more.
const LONGEST_TEXT: usize = 512;

/// A picture as it arrived.
#[derive(Debug, Clone)]
pub enum Frame {
    /// PNG or JPEG.
    Encoded(Bytes),
    /// One byte a pixel, row by row.
    Grey { width: u32, height: u32, pixels: Bytes },
}

/// The bytes are no picture, or one beyond the limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no picture that can be read: {0}")]
pub struct NotAPicture(String);

impl From<ImageError> for NotAPicture {
    fn from(e: ImageError) -> Self {
        Self(e.to_string())
    }
}

/// The picture, turned the way its camera meant it.
pub fn picture(bytes: &[u8]) -> Result<DynamicImage, NotAPicture> {
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| NotAPicture(e.to_string()))?;
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(ALLOCATION);
    reader.limits(limits);
    if reader.format() == Some(ImageFormat::Jpeg) && !ends(bytes) {
        return Err(NotAPicture("a JPEG without its end".into()));
    }
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether a JPEG has its end marker; the decoder would fill what is missing with grey. Some cameras pad after it.
fn ends(jpeg: &[u8]) -> bool {
    let tail = &jpeg[jpeg.len().saturating_sub(64)..];
    tail.windows(2).any(|pair| pair == [0xFF, 0xD9])
}

/// The texts of the codes in a frame, each once. Blocks for some milliseconds.
pub fn codes(frame: Frame) -> Result<Vec<String>, NotAPicture> {
    let grey = shrink(grey(frame)?);
    if grey.width().min(grey.height()) < LEAST_SIDE {
        return Err(NotAPicture(format!("{} × {} pixels", grey.width(), grey.height())));
    }
    // Each look sees what the one before misses; most frames with a card need the first only.
    let looks: [fn(&GrayImage) -> GrayImage; 4] = [GrayImage::clone, resampled, stretched, inverted];
    Ok(looks.iter().map(|look| search(&look(&grey))).find(|found| !found.is_empty()).unwrap_or_default())
}

fn grey(frame: Frame) -> Result<GrayImage, NotAPicture> {
    match frame {
        Frame::Encoded(bytes) => Ok(picture(&bytes)?.into_luma8()),
        Frame::Grey { width, height, pixels } => {
            let fits = width <= LONGEST_SIDE && height <= LONGEST_SIDE;
            let right = usize::try_from(u64::from(width) * u64::from(height)) == Ok(pixels.len());
            GrayImage::from_raw(width, height, pixels.into())
                .filter(|_| fits && right)
                .ok_or_else(|| NotAPicture(format!("not {width} × {height} grey pixels")))
        }
    }
}

fn shrink(grey: GrayImage) -> GrayImage {
    let longest = grey.width().max(grey.height());
    if longest <= SEARCHED_SIDE {
        return grey;
    }
    let side = |n: u32| (n * SEARCHED_SIDE / longest).max(1);
    imageops::resize(&grey, side(grey.width()), side(grey.height()), FilterType::Triangle)
}

/// A small frame at twice its size, a large one at half: far cards grow, noise of near ones is averaged away.
fn resampled(grey: &GrayImage) -> GrayImage {
    let (width, height) = grey.dimensions();
    if width.max(height) <= SMALL_SIDE {
        imageops::resize(grey, width * 2, height * 2, FilterType::CatmullRom)
    } else {
        imageops::resize(grey, width / 2, height / 2, FilterType::Triangle)
    }
}

/// Contrast from edge to edge, without the brightest and darkest hundredth.
fn stretched(grey: &GrayImage) -> GrayImage {
    let mut histogram = [0_usize; 256];
    for pixel in grey.as_raw() {
        histogram[usize::from(*pixel)] += 1;
    }
    let (dark, bright) = (level(&histogram, 0..=255), level(&histogram, (0..=255).rev()));
    let range = u16::from(bright.saturating_sub(dark)).max(1);
    let table: Vec<u8> = (0..=255_u8)
        .map(|at| {
            let above = u16::from(at.clamp(dark, bright.max(dark)) - dark);
            u8::try_from(above * 255 / range).unwrap_or(255)
        })
        .collect();
    let mut picture = imageops::blur(grey, 0.8);
    picture.iter_mut().for_each(|pixel| *pixel = table[usize::from(*pixel)]);
    picture
}

/// The first level, counted in this order, with a hundredth of the pixels behind it.
fn level(histogram: &[usize; 256], levels: impl IntoIterator<Item = u8>) -> u8 {
    let hundredth = histogram.iter().sum::<usize>() / 100;
    let mut seen = 0;
    let mut past = |at: &u8| {
        seen += histogram[usize::from(*at)];
        seen > hundredth
    };
    levels.into_iter().find(|at| past(at)).unwrap_or_default()
}

/// A light code on a dark ground, as on a telephone in night mode.
fn inverted(grey: &GrayImage) -> GrayImage {
    let mut picture = grey.clone();
    imageops::invert(&mut picture);
    picture
}

fn search(grey: &GrayImage) -> Vec<String> {
    let (width, height) = grey.dimensions();
    let (Ok(columns), Ok(rows)) = (usize::try_from(width), usize::try_from(height)) else { return vec![] };
    let pixels = grey.as_raw();
    let mut prepared =
        rqrr::PreparedImage::prepare_from_greyscale(columns, rows, |x, y| pixels[y * columns + x]);
    let mut found = Vec::new();
    for grid in prepared.detect_grids().iter().take(4 * MOST_CODES) {
        if let Ok((_, text)) = grid.decode()
            && !text.is_empty()
            && text.len() <= LONGEST_TEXT
            && !found.contains(&text)
        {
            found.push(text);
        }
    }
    found.truncate(MOST_CODES);
    found
}

#[cfg(test)]
mod tests {
    use std::f32::consts::PI;

    use image::Luma;

    use super::*;

    /// As long as a signed card.
    const TEXT: &str = "HC1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[expect(clippy::cast_precision_loss, reason = "pixels of a small picture")]
    /// A 640 × 480 picture of a desk with a card of `side` pixels on it, turned by `degrees`.
    fn photographed(side: u32, degrees: f32) -> GrayImage {
        let code = qrcode::QrCode::with_error_correction_level(TEXT, qrcode::EcLevel::M).unwrap();
        let card = imageops::resize(
            &code.render::<Luma<u8>>().module_dimensions(8, 8).build(),
            side,
            side,
            FilterType::Triangle,
        );
        let (sin, cos) = (degrees * PI / 180.0).sin_cos();
        let half = side as f32 / 2.0;
        GrayImage::from_fn(640, 480, |x, y| {
            let (dx, dy) = (x as f32 - 320.0, y as f32 - 240.0);
            let (u, v) = (dx * cos + dy * sin + half, -dx * sin + dy * cos + half);
            imageops::interpolate_bilinear(&card, u, v)
                .filter(|_| u >= 0.0 && v >= 0.0)
                .unwrap_or(Luma([120]))
        })
    }

    fn png(picture: &GrayImage) -> Frame {
        encoded(picture, ImageFormat::Png)
    }

    fn encoded(picture: &GrayImage, format: ImageFormat) -> Frame {
        let mut bytes = Cursor::new(vec![]);
        picture.write_to(&mut bytes, format).unwrap();
        Frame::Encoded(bytes.into_inner().into())
    }

    #[test]
    fn cards_near_far_tilted_blurred_dim_and_inverted_are_read() {
        let near = photographed(400, 0.0);
        let mut dim = near.clone();
        dim.iter_mut().for_each(|p| *p = 12 + *p / 8);
        let cases = [
            ("near", near.clone()),
            ("far", photographed(140, 0.0)),
            ("tilted a little", photographed(320, 11.0)),
            ("tilted", photographed(300, 33.0)),
            ("upside down", photographed(300, 180.0)),
            ("blurred", imageops::blur(&near, 2.0)),
            ("dim", dim),
            ("inverted", inverted(&near)),
        ];
        for (what, picture) in cases {
            assert_eq!(codes(png(&picture)).unwrap(), [TEXT], "{what}");
            assert_eq!(codes(encoded(&picture, ImageFormat::Jpeg)).unwrap(), [TEXT], "{what}, as JPEG");
        }
    }

    #[test]
    fn grey_bytes_are_read_and_have_to_be_as_many_as_they_say() {
        let pixels = Bytes::from(photographed(300, 5.0).into_raw());
        let frame = |width, height| Frame::Grey { width, height, pixels: pixels.clone() };
        assert_eq!(codes(frame(640, 480)).unwrap(), [TEXT]);
        for (width, height) in [(480, 481), (0, 0), (640, 0), (u32::MAX, u32::MAX), (307_200, 1)] {
            assert!(codes(frame(width, height)).is_err(), "{width} × {height}");
        }
    }

    #[test]
    fn several_codes_in_one_frame_are_all_read() {
        let mut desk = GrayImage::from_pixel(640, 480, Luma([200]));
        for (x, text) in [(40, "ABC123XYZ"), (340, "DEF456")] {
            let code =
                qrcode::QrCode::new(text).unwrap().render::<Luma<u8>>().module_dimensions(6, 6).build();
            imageops::replace(&mut desk, &code, x, 100);
        }
        let mut found = codes(png(&desk)).unwrap();
        found.sort();
        assert_eq!(found, ["ABC123XYZ", "DEF456"]);
    }

    #[test]
    fn a_frame_without_a_code_is_no_failure() {
        assert_eq!(codes(png(&GrayImage::from_pixel(640, 480, Luma([90])))).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn rubbish_and_bombs_are_refused_before_they_are_unpacked() {
        let whole = encoded(&photographed(300, 0.0), ImageFormat::Jpeg);
        let Frame::Encoded(whole) = whole else { panic!("encoded") };
        // A PNG that says it is 60,000 × 60,000.
        let mut bomb = Cursor::new(vec![]);
        GrayImage::new(21, 21).write_to(&mut bomb, ImageFormat::Png).unwrap();
        let mut bomb = bomb.into_inner();
        bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
        let cases = [
            ("nothing", Bytes::new()),
            ("garbage", Bytes::from_static(b"GET / HTTP/1.1")),
            ("half a JPEG's header", whole.slice(..64)),
            ("half a JPEG", whole.slice(..whole.len() / 2)),
            ("a JPEG without its end", whole.slice(..whole.len() - 2)),
            ("a bomb", bomb.into()),
            ("a picture smaller than any code", {
                let Frame::Encoded(small) = png(&GrayImage::new(8, 8)) else { panic!("encoded") };
                small
            }),
        ];
        for (what, bytes) in cases {
            assert!(codes(Frame::Encoded(bytes)).is_err(), "{what}");
        }
    }
}
