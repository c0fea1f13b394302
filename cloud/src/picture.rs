//! Pictures: read within limits, and written anew as JPEG. No I/O; long enough for a blocking task ([`drawing`]).
//!
//! What always holds: what comes out was drawn from pixels alone. Nothing that stood beside them (a position, a script, an
//! archive after the end) is in it. Deliberately absent: SVG and GIF, which nobody's camera makes.

use std::io::Cursor;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{
    DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits, codecs::jpeg::JpegEncoder,
    imageops::FilterType,
};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::fail::Fail;

/// Pictures worked on at once, by all requests together: their memory is bounded. A permit lives inside the blocking task.
static DRAWING: Semaphore = Semaphore::const_new(4);

/// A photo, in bytes.
pub const MOST_BYTES: usize = 2 * 1024 * 1024;
const MOST_PIXELS_ACROSS: u32 = 6_000;
const MOST_DECODER_BYTES: u64 = 64 * 1024 * 1024;
/// Phones make larger ones; a face is recognised in this.
const KEPT_ACROSS: u32 = 1_280;
/// A doctor's letter that was photographed can be read in this.
const LETTER_ACROSS: u32 = 2_400;
/// A side of a thumbnail: a face on a card, or beside a name at the gate.
const THUMB_ACROSS: u32 = 160;
const JPEG_QUALITY: u8 = 80;

/// Somebody's face, and the same small and square.
#[derive(Debug, PartialEq)]
pub struct Portrait {
    pub whole: Vec<u8>,
    pub thumb: Vec<u8>,
}

/// Does work of this module, when there is room for it.
pub async fn drawing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fail> {
    let permit = DRAWING.acquire().await.map_err(anyhow::Error::from)?;
    let done = spawn_blocking(move || {
        let made = work();
        drop(permit);
        made
    });
    Ok(done.await.map_err(anyhow::Error::from)?)
}

/// Base64 (bare, or a data URL) of at most [`MOST_BYTES`].
pub fn decoded(photo: &str) -> Option<Vec<u8>> {
    let base64 = match photo.strip_prefix("data:") {
        Some(url) => url.split_once(";base64,")?.1,
        None => photo,
    };
    if base64.len() > MOST_BYTES / 3 * 4 + 4 {
        return None;
    }
    STANDARD.decode(base64.trim()).ok().filter(|bytes| bytes.len() <= MOST_BYTES)
}

/// A photo as a JPEG of ours, or `None` when it is none within the limits.
pub fn photo(bytes: Vec<u8>) -> Option<Vec<u8>> {
    jpeg(&shrunk(read(bytes)?, KEPT_ACROSS))
}

/// As [`photo`], with letters large enough to be read.
pub fn letter(bytes: Vec<u8>) -> Option<Vec<u8>> {
    jpeg(&shrunk(read(bytes)?, LETTER_ACROSS))
}

/// As [`photo`], and its middle as a thumbnail.
pub fn portrait(bytes: Vec<u8>) -> Option<Portrait> {
    let whole = shrunk(read(bytes)?, KEPT_ACROSS);
    let side = whole.width().min(whole.height());
    // Cut before it is scaled: a strip of 6,000 by 1 would become one of a million by 160.
    let square = whole.crop_imm((whole.width() - side) / 2, (whole.height() - side) / 2, side, side);
    let thumb = square.resize_exact(THUMB_ACROSS, THUMB_ACROSS, FilterType::Triangle);
    Some(Portrait { whole: jpeg(&whole)?, thumb: jpeg(&thumb)? })
}

fn shrunk(picture: DynamicImage, across: u32) -> DynamicImage {
    if picture.width().max(picture.height()) > across { picture.thumbnail(across, across) } else { picture }
}

fn jpeg(picture: &DynamicImage) -> Option<Vec<u8>> {
    let mut jpeg = Vec::new();
    picture.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)).ok()?;
    Some(jpeg)
}

/// Upright: a phone notes how it was held beside the picture, and what we write has no such note.
fn read(bytes: Vec<u8>) -> Option<DynamicImage> {
    if image::guess_format(&bytes).ok()? == ImageFormat::Jpeg && !ends(&bytes) {
        return None;
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS_ACROSS);
    limits.max_image_height = Some(MOST_PIXELS_ACROSS);
    limits.max_alloc = Some(MOST_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    if decoder.total_bytes() > MOST_DECODER_BYTES {
        return None;
    }
    let orientation = decoder.orientation().ok()?;
    let mut picture = DynamicImage::from_decoder(decoder).ok()?;
    picture.apply_orientation(orientation);
    Some(picture)
}

/// Whether a JPEG was sent to its end. The decoder paints what is missing of one grey, and says nothing.
///
/// Segments are stepped over by their lengths, because one of them may hold a small JPEG with an end of its own. After the
/// first start of scan, the end's two bytes stand for nothing else (ITU-T T.81, B.1.1.5).
fn ends(jpeg: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    const END: [u8; 2] = [0xff, 0xd9];
    let mut rest = jpeg.get(2..).unwrap_or_default();
    while let [0xff, marker, high, low, ..] = *rest {
        if marker == START_OF_SCAN {
            return rest.windows(2).any(|two| two == END);
        }
        let length = if marker == 0xff { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};

    use super::*;
    use crate::attendance::tests::picture as data_url;

    fn png(across: u32) -> Vec<u8> {
        decoded(&data_url(across)).unwrap()
    }

    fn made(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let shade = |x: u32, y: u32| u8::try_from((x * 7 + y * 13) % 256).unwrap();
        RgbImage::from_fn(width, height, |x, y| Rgb([shade(x, y), 80, 200]))
            .write_to(&mut bytes, format)
            .unwrap();
        bytes.into_inner()
    }

    fn size(bytes: &[u8]) -> (u32, u32) {
        assert_eq!(image::guess_format(bytes).unwrap(), ImageFormat::Jpeg);
        let picture = image::load_from_memory(bytes).unwrap();
        (picture.width(), picture.height())
    }

    #[test]
    fn a_picture_is_written_anew_whatever_a_camera_made_it_in() {
        let url = data_url(40);
        assert_eq!(decoded(&url), decoded(url.split_once(',').unwrap().1));
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            assert_eq!(size(&photo(made(40, 30, format)).unwrap()), (40, 30), "{format:?}");
        }
        assert_eq!(size(&photo(png(2_000)).unwrap()), (1_280, 1_280));
        assert_eq!(size(&letter(png(2_000)).unwrap()), (2_000, 2_000));
    }

    #[test]
    fn a_thumbnail_is_small_and_square_whatever_the_picture_is() {
        for (width, height) in
            [(400, 300), (300, 400), (8, 8), (1, 1), (6_000, 1), (1, 6_000), (3_000, 3_000)]
        {
            let portrait = portrait(made(width, height, ImageFormat::Png)).unwrap();
            assert_eq!(size(&portrait.thumb), (THUMB_ACROSS, THUMB_ACROSS), "{width} x {height}");
        }
        // Its middle: white between black margins stays white.
        let mut wide = RgbImage::new(300, 100);
        (100..200).for_each(|x| (0..100).for_each(|y| wide.put_pixel(x, y, Rgb([255; 3]))));
        let mut bytes = Cursor::new(Vec::new());
        wide.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let thumb = image::load_from_memory(&portrait(bytes.into_inner()).unwrap().thumb).unwrap().to_luma8();
        assert!(thumb.pixels().all(|pixel| pixel.0[0] > 240));
    }

    #[test]
    fn a_phone_held_upright_makes_an_upright_picture() {
        // A TIFF header and one entry: orientation (0x0112) 6, a quarter turn.
        let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        // The left half black: a quarter turn to the right brings it to the top.
        let row = [[0; 3 * 20], [255; 3 * 20]].concat();
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif.clone()).unwrap();
        encoder.encode(&row.repeat(20), 40, 20, ExtendedColorType::Rgb8).unwrap();
        let portrait = portrait(bytes).unwrap();
        assert_eq!(size(&portrait.whole), (20, 40));
        assert!(!portrait.whole.windows(exif.len()).any(|part| part == exif), "no EXIF is left");
        let thumb = image::load_from_memory(&portrait.thumb).unwrap().to_luma8();
        assert!(thumb.get_pixel(80, 10).0[0] < 20 && thumb.get_pixel(80, 150).0[0] > 235);
    }

    #[test]
    fn what_stands_beside_the_pixels_is_gone() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let mut polyglot = made(40, 30, format);
            polyglot.extend(b"<script>alert(1)</script>PK\x05\x06");
            let portrait = portrait(polyglot).unwrap();
            for written in [portrait.whole, portrait.thumb] {
                assert!(!written.windows(7).any(|part| part == b"<script"), "{format:?}");
            }
        }
    }

    #[test]
    fn anything_else_is_none() {
        // A PNG that says it is 50,000 × 50,000 and holds nothing; its sum is right, so the decoder believes it.
        let mut header = b"IHDR".to_vec();
        header.extend([0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50, 8, 2, 0, 0, 0]);
        let crc = crc(&header);
        let mut bomb = [b"\x89PNG\r\n\x1a\n\0\0\0\r".as_slice(), &header, &crc.to_be_bytes()].concat();
        bomb.extend(&png(4)[33..]);
        let jpeg = made(200, 200, ImageFormat::Jpeg);
        let mut embedded = jpeg[..2].to_vec();
        let small = made(8, 8, ImageFormat::Jpeg);
        embedded.extend([0xff, 0xe1]);
        embedded.extend(u16::try_from(small.len() + 2).unwrap().to_be_bytes());
        embedded.extend(&small);
        embedded.extend(&jpeg[2..jpeg.len() - 2]);
        let webp = made(200, 200, ImageFormat::WebP);
        for (what, bad) in [
            ("nothing", Vec::new()),
            ("text", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>".to_vec()),
            ("a page", b"<!doctype html><img src=x onerror=alert(1)>".to_vec()),
            ("a GIF", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
            ("a bomb", bomb),
            ("more pixels than a phone has", png(6_001)),
            ("half a PNG", png(200)[..400].to_vec()),
            ("half a JPEG", jpeg[..jpeg.len() / 2].to_vec()),
            ("a JPEG without its end", jpeg[..jpeg.len() - 2].to_vec()),
            ("half a JPEG with a whole one inside", embedded),
            ("half a WebP", webp[..webp.len() / 2].to_vec()),
            ("the start of a JPEG", vec![0xff, 0xd8, 0xff]),
        ] {
            assert_eq!(portrait(bad), None, "{what}");
        }
        for bad in ["x", "data:image/png;base64", "data:text/html,<b>", "%%%", &"A".repeat(3 << 20)] {
            assert_eq!(decoded(bad), None, "{}", &bad[..bad.len().min(40)]);
        }
    }

    /// As PNG sums its chunks (RFC 2083, 15).
    fn crc(bytes: &[u8]) -> u32 {
        let step = |crc: u32, byte: &u8| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        };
        !bytes.iter().fold(u32::MAX, step)
    }
}
