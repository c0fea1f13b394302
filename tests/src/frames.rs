//! Cards as a camera at the gate sees them: smaller or larger, turned, darker, noisy, compressed.

use std::io::Cursor;

use image::{GrayImage, ImageEncoder as _, Luma, codecs::jpeg::JpegEncoder};
use rand::{Rng, RngExt as _};

use crate::cards;

/// A frame's size: what a page asks a phone's camera for.
pub const SIZE: (u32, u32) = (640, 480);
/// JPEG quality of a canvas in a browser, roughly.
const QUALITY: u8 = 80;

/// How a card is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shot {
    /// Frame pixels per card pixel.
    pub scale: f32,
    /// Degrees, clockwise.
    pub turn: f32,
    /// Where the QR's centre is, from the frame's centre, in pixels.
    pub offset: (f32, f32),
    /// 1.0 is as printed.
    pub brightness: f32,
    /// The grey behind the card.
    pub background: u8,
    /// Grey levels a pixel is off by, at most.
    pub noise: u8,
}

impl Shot {
    /// Somebody in a queue, in the morning.
    pub fn random(rng: &mut impl Rng) -> Self {
        Self {
            scale: rng.random_range(0.5..0.85),
            turn: rng.random_range(-25.0..25.0),
            offset: (rng.random_range(-50.0..50.0), rng.random_range(-30.0..30.0)),
            brightness: rng.random_range(0.5..1.1),
            background: rng.random_range(30..140),
            noise: rng.random_range(0..14),
        }
    }
}

/// The frame, its centre on the card's QR.
pub fn frame(card: &GrayImage, shot: Shot, rng: &mut impl Rng) -> GrayImage {
    let (sin, cos) = shot.turn.to_radians().sin_cos();
    let (centre_x, centre_y) = qr_centre(card);
    GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        // Backwards: where on the card does this pixel look?
        let (dx, dy) =
            (pixel(x) - pixel(SIZE.0) / 2.0 - shot.offset.0, pixel(y) - pixel(SIZE.1) / 2.0 - shot.offset.1);
        let at_x = (dx * cos + dy * sin) / shot.scale + centre_x;
        let at_y = (dy * cos - dx * sin) / shot.scale + centre_y;
        let seen = sample(card, at_x, at_y).map_or(f32::from(shot.background), |grey| grey * shot.brightness);
        let noise = rng.random_range(-f32::from(shot.noise)..=f32::from(shot.noise));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
        let grey = (seen + noise).clamp(0.0, 255.0) as u8;
        Luma([grey])
    })
}

/// As a browser sends it.
///
/// # Errors
/// When the encoder refuses.
pub fn jpeg(frame: &GrayImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).write_image(
        frame,
        frame.width(),
        frame.height(),
        image::ExtendedColorType::L8,
    )?;
    Ok(bytes.into_inner())
}

/// A card of [`cards::draw`] carries its QR on the left; any other image is taken as a QR.
fn qr_centre(card: &GrayImage) -> (f32, f32) {
    let middle = (pixel(card.width()) / 2.0, pixel(card.height()) / 2.0);
    if card.dimensions() == cards::SIZE { (220.0, 302.0) } else { middle }
}

/// Between the four pixels around a point; `None` outside.
fn sample(image: &GrayImage, x: f32, y: f32) -> Option<f32> {
    if x < 0.0 || y < 0.0 {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be positive and small"
    )]
    let (left, top) = (x as u32, y as u32);
    let grey = |x, y| Some(f32::from(image.get_pixel_checked(x, y)?.0[0]));
    let (right, down) = (x - pixel(left), y - pixel(top));
    let upper = grey(left, top)? * (1.0 - right) + grey(left + 1, top)? * right;
    let lower = grey(left, top + 1)? * (1.0 - right) + grey(left + 1, top + 1)? * right;
    Some(upper * (1.0 - down) + lower * down)
}

#[expect(clippy::cast_precision_loss, reason = "an image's side is far below 2^23")]
fn pixel(n: u32) -> f32 {
    n as f32
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::cards::Face;

    fn read(frame: &GrayImage) -> Option<String> {
        let (width, height) = frame.dimensions();
        let grey =
            |x: usize, y: usize| frame.get_pixel(u32::try_from(x).unwrap(), u32::try_from(y).unwrap()).0[0];
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width as usize, height as usize, grey);
        prepared.detect_grids().first()?.decode().ok().map(|(_, text)| text)
    }

    #[test]
    fn nearly_every_frame_can_be_read_and_none_is_read_wrongly() {
        let mut rng = StdRng::seed_from_u64(1);
        let code = format!("HC1.{}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".repeat(4).split_at(114).0);
        let face = Face {
            school: "SMA Negeri 1 Hadir".into(),
            name: "Siti Nurhaliza Rahmawati".into(),
            number: "1001".into(),
            class: "X IPA 1".into(),
            code: code.clone(),
        };
        let card = cards::draw(&face).unwrap();
        let mut missed = 0;
        for n in 0..60 {
            let shot = Shot::random(&mut rng);
            let frame = frame(&card, shot, &mut rng);
            let seen = image::load_from_memory(&jpeg(&frame).unwrap()).unwrap().to_luma8();
            match read(&seen) {
                Some(text) => assert_eq!(text, code, "{n}: {shot:?}"),
                None => missed += 1,
            }
        }
        assert!(missed <= 6, "{missed} of 60 frames could not be read");
    }
}
