use super::*;

const AREA: Area = Area { x: 20.0, y: 20.0, width: 60.0, height: 10.0 };

fn page(draw: impl FnOnce(&mut Page<'_>)) -> Vec<u8> {
    let mut document = Document::new(Paper::A4, "Percobaan", Millis(1_763_682_300_000)).unwrap();
    document.page(draw).unwrap();
    document.finish().unwrap()
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    let draw = |page: &mut Page<'_>| {
        page.text(AREA, "Siti Nurhaliza", Style::bold(12.0), Align::Centre);
        page.fill([AREA], Shade(200));
        page.lines([((0.0, 0.0), (50.0, 50.0))], 0.2, Some(2.0));
    };
    let first = page(draw);
    assert!(first.starts_with(b"%PDF-"));
    assert_eq!(first, page(draw));
}

#[test]
fn what_the_font_lacks_is_written_out() {
    let typeface = Typeface::load(dejavu::sans_condensed::regular()).unwrap();
    let cases = [
        ("Siti Nurhaliza", "Siti Nurhaliza"),
        ("Dewi Ayu Łukasz Ñandú Ğ", "Dewi Ayu Łukasz Ñandú Ğ"),
        ("张 Wei", "[U+5F20] Wei"),
        ("a\tb\u{0}", "a[U+0009]b[U+0000]"),
        ("👩", "[U+1F469]"),
    ];
    for (text, printed) in cases {
        assert_eq!(typeface.printable(text), printed);
    }
}

#[test]
fn a_line_too_long_is_set_smaller_and_never_cut() {
    page(|page| {
        let long = "Muhammad ".repeat(20);
        let style = Style::regular(10.0);
        assert!(page.width(&long, style) > AREA.width);
        page.text(AREA, &long, style, Align::Left);
        let one = page.width("M", style);
        assert!((page.width("MM", style) - 2.0 * one).abs() < 0.001);
        assert!(page.width("M", Style::bold(10.0)) > one);
        page.text(AREA, "", style, Align::Right);
    });
}

#[test]
fn a_photo_is_one() {
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(30, 40).write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let drawn = page(|page| page.jpeg(AREA, jpeg.into_inner()).unwrap());
    assert!(drawn.windows(10).any(|bytes| bytes == b"/DCTDecode"));
    page(|page| assert!(page.jpeg(AREA, b"no photo".to_vec()).is_err()));
}
