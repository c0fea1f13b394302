//! Paper: PDF pages with text, lines, filled areas and photos. No routes, no layout of any one document.
//!
//! What always holds: coordinates are millimetres from the page's upper left corner; the same calls give the same bytes; no
//! character is lost. What the embedded font (`DejaVu` Sans Condensed: Latin, Greek, Cyrillic, Arabic letters and more) has no
//! glyph for is printed as its code point, `[U+5F20]`, never as an empty box. Deliberately absent: shaping and writing from
//! right to left, paragraphs, colour.

use std::borrow::Cow;

use anyhow::{Context as _, anyhow};
use chrono::{Datelike as _, Timelike as _};
use hadir_shared::time::Millis;
use krilla::{
    Document as Pdf,
    color::luma,
    geom::{PathBuilder, Point, Rect, Size, Transform},
    image::Image,
    metadata::{DateTime, Metadata},
    num::NormalizedF32,
    page::PageSettings,
    paint::{Fill, Stroke, StrokeDash},
    surface::Surface,
    text::{Font, GlyphId, KrillaGlyph},
};
use skrifa::{FontRef, MetadataProvider as _, instance::LocationRef};

#[cfg(test)]
mod tests;

/// Points per millimetre.
const MM: f32 = 72.0 / 25.4;
/// Height of a capital letter, of the font's size (OS/2 `sCapHeight` of `DejaVu` Sans).
const CAPITAL: f32 = 0.729;

/// Width and height of a sheet, in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paper {
    pub width: f32,
    pub height: f32,
}

impl Paper {
    pub const A4: Self = Self { width: 210.0, height: 297.0 };
    pub const A4_LANDSCAPE: Self = Self { width: 297.0, height: 210.0 };
}

/// A rectangle: its upper left corner and its size, in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

/// How light something is: 0 is black, 255 is white.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shade(pub u8);

impl Shade {
    pub const BLACK: Self = Self(0);
}

/// How letters look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// Of the font, in points (1/72 inch).
    pub size: f32,
    pub bold: bool,
}

impl Style {
    pub const fn regular(size: f32) -> Self {
        Self { size, bold: false }
    }

    pub const fn bold(size: f32) -> Self {
        Self { size, bold: true }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Centre,
    Right,
}

/// A document in the making.
pub struct Document {
    pdf: Pdf,
    paper: Paper,
    fonts: Fonts,
}

/// A page in the making.
pub struct Page<'a> {
    surface: Surface<'a>,
    fonts: &'a Fonts,
}

impl Document {
    /// `title` and `made_at` go into the document's properties, and `made_at` is all that tells two of one content apart.
    pub fn new(paper: Paper, title: &str, made_at: Millis) -> anyhow::Result<Self> {
        let mut pdf = Pdf::new();
        let metadata = Metadata::new()
            .title(title.into())
            .creator("Hadir".into())
            .language("id".into())
            .creation_date(date(made_at));
        pdf.set_metadata(metadata);
        Ok(Self { pdf, paper, fonts: Fonts::load()? })
    }

    /// Adds a page, and gives what `draw` gives.
    pub fn page<R>(&mut self, draw: impl FnOnce(&mut Page<'_>) -> R) -> anyhow::Result<R> {
        let settings = PageSettings::from_wh(self.paper.width * MM, self.paper.height * MM)
            .context("a page of no size")?;
        let mut sheet = self.pdf.start_page_with(settings);
        let mut page = Page { surface: sheet.surface(), fonts: &self.fonts };
        let drawn = draw(&mut page);
        // Dropping them finishes them, the surface first.
        drop(page);
        drop(sheet);
        Ok(drawn)
    }

    /// The file.
    pub fn finish(self) -> anyhow::Result<Vec<u8>> {
        self.pdf.finish().map_err(|e| anyhow!("PDF: {e}"))
    }
}

impl Page<'_> {
    /// One line of text in an area, in the middle of its height. A line too long for the area is set smaller until it fits.
    pub fn text(&mut self, area: Area, text: &str, style: Style, align: Align) {
        let wide = self.width(text, style);
        let fits = (area.width / wide).min(1.0);
        let (style, wide) = (Style { size: style.size * fits, ..style }, wide * fits);
        let x = match align {
            Align::Left => area.x,
            Align::Centre => area.x + (area.width - wide) / 2.0,
            Align::Right => area.x + area.width - wide,
        };
        self.text_at(x, area.y + area.height / 2.0 + style.size * CAPITAL / MM / 2.0, text, style);
    }

    /// One line of text whose baseline begins at a point.
    pub fn text_at(&mut self, x: f32, y: f32, text: &str, style: Style) {
        let typeface = self.fonts.of(style);
        let text = typeface.printable(text);
        let glyphs = typeface.glyphs(&text);
        self.surface.set_stroke(None);
        self.surface.set_fill(Some(fill(Shade::BLACK)));
        let start = Point::from_xy(x * MM, y * MM);
        self.surface.draw_glyphs(start, &glyphs, typeface.font.clone(), &text, style.size, false);
    }

    /// How wide a text comes out, in millimetres.
    pub fn width(&self, text: &str, style: Style) -> f32 {
        let typeface = self.fonts.of(style);
        typeface.printable(text).chars().map(|c| typeface.advance(c)).sum::<f32>() * style.size / MM
    }

    /// Fills areas as one shape: the modules of a QR code go in one call.
    pub fn fill(&mut self, areas: impl IntoIterator<Item = Area>, shade: Shade) {
        let mut path = PathBuilder::new();
        for rectangle in areas.into_iter().filter_map(rectangle) {
            path.push_rect(rectangle);
        }
        if let Some(path) = path.finish() {
            self.surface.set_stroke(None);
            self.surface.set_fill(Some(fill(shade)));
            self.surface.draw_path(&path);
        }
    }

    /// Straight lines, each from its first point to its second, `width` millimetres wide. `dash` is the length of a dash
    /// and of the gap after it, in millimetres: cut marks.
    pub fn lines(
        &mut self,
        lines: impl IntoIterator<Item = ((f32, f32), (f32, f32))>,
        width: f32,
        dash: Option<f32>,
    ) {
        let mut path = PathBuilder::new();
        for ((x, y), (to_x, to_y)) in lines {
            path.move_to(x * MM, y * MM);
            path.line_to(to_x * MM, to_y * MM);
        }
        if let Some(path) = path.finish() {
            let dash = dash.map(|dash| StrokeDash { array: vec![dash * MM; 2], offset: 0.0 });
            self.surface.set_fill(None);
            self.surface.set_stroke(Some(Stroke { width: width * MM, dash, ..Stroke::default() }));
            self.surface.draw_path(&path);
        }
    }

    /// A JPEG as large as fits into the area without changing its proportions, in the area's middle. It is embedded as it
    /// is. Fails for bytes that are none.
    pub fn jpeg(&mut self, area: Area, bytes: Vec<u8>) -> anyhow::Result<()> {
        let image = Image::from_jpeg(bytes.into(), true).map_err(|e| anyhow!("JPEG: {e}"))?;
        let (across, down) = image.size();
        #[expect(clippy::cast_precision_loss, reason = "pixels of a photo")]
        let (across, down) = (across as f32, down as f32);
        let scale = (area.width / across).min(area.height / down);
        let (width, height) = (across * scale, down * scale);
        let size = Size::from_wh(width * MM, height * MM).context("a photo of no size")?;
        let (x, y) = (area.x + (area.width - width) / 2.0, area.y + (area.height - height) / 2.0);
        self.surface.push_transform(&Transform::from_translate(x * MM, y * MM));
        self.surface.draw_image(image, size);
        self.surface.pop();
        Ok(())
    }
}

struct Fonts {
    regular: Typeface,
    bold: Typeface,
}

impl Fonts {
    fn load() -> anyhow::Result<Self> {
        Ok(Self {
            regular: Typeface::load(dejavu::sans_condensed::regular())?,
            bold: Typeface::load(dejavu::sans_condensed::bold())?,
        })
    }

    fn of(&self, style: Style) -> &Typeface {
        if style.bold { &self.bold } else { &self.regular }
    }
}

struct Typeface {
    font: Font,
    read: FontRef<'static>,
}

impl Typeface {
    fn load(bytes: &'static [u8]) -> anyhow::Result<Self> {
        let font = Font::new(bytes.into(), 0).context("the embedded font")?;
        Ok(Self { font, read: FontRef::new(bytes)? })
    }

    /// The text with every character that the font cannot show written out.
    fn printable<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let charmap = self.read.charmap();
        let shown = |c: char| !c.is_control() && charmap.map(c).is_some();
        if text.chars().all(shown) {
            return text.into();
        }
        let written = |c: char| if shown(c) { c.into() } else { format!("[U+{:04X}]", u32::from(c)) };
        text.chars().map(written).collect::<String>().into()
    }

    fn glyph(&self, c: char) -> skrifa::GlyphId {
        self.read.charmap().map(c).unwrap_or_default()
    }

    /// Of the font's size.
    fn advance(&self, c: char) -> f32 {
        let metrics = self.read.glyph_metrics(skrifa::instance::Size::unscaled(), LocationRef::default());
        metrics.advance_width(self.glyph(c)).unwrap_or_default() / self.font.units_per_em()
    }

    fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let glyph = |(start, c): (usize, char)| KrillaGlyph {
            glyph_id: GlyphId::new(self.glyph(c).to_u32()),
            text_range: start..start + c.len_utf8(),
            x_advance: self.advance(c),
            x_offset: 0.0,
            y_offset: 0.0,
            y_advance: 0.0,
            location: None,
        };
        text.char_indices().map(glyph).collect()
    }
}

fn fill(shade: Shade) -> Fill {
    Fill { paint: luma::Color::new(shade.0).into(), opacity: NormalizedF32::ONE, ..Fill::default() }
}

fn rectangle(area: Area) -> Option<Rect> {
    Rect::from_xywh(area.x * MM, area.y * MM, area.width * MM, area.height * MM)
}

fn date(at: Millis) -> DateTime {
    let at = at.to_utc().unwrap_or_default();
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}
