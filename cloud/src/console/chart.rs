//! Charts, drawn here as SVG: no script, and readable aloud (`role="img"` with a sentence, and the numbers in a table beside
//! it where a page has them).
//!
//! Colours are classes of the stylesheet; the content security policy allows no inline style.

use std::fmt::Write as _;

/// One part of a bar: how much, and the class that colours it.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub value: i64,
    pub class: &'static str,
}

/// A horizontal bar of parts, `total` wide: for one line of a table. `said` is what it is read as.
#[expect(clippy::cast_precision_loss, reason = "a picture of 200 units")]
pub fn stacked(parts: &[Part], total: i64, said: &str) -> String {
    const WIDTH: f64 = 200.0;
    let scale = if total > 0 { WIDTH / total as f64 } else { 0.0 };
    let mut svg = format!(
        r#"<svg class="bar" viewBox="0 0 200 14" preserveAspectRatio="none" role="img" aria-label="{}"><rect class="rest" width="200" height="14"/>"#,
        escape(said)
    );
    let mut x = 0.0;
    for part in parts.iter().filter(|part| part.value > 0) {
        let width = part.value as f64 * scale;
        let _ = write!(svg, r#"<rect class="{}" x="{x:.2}" width="{width:.2}" height="14"/>"#, part.class);
        x += width;
    }
    svg.push_str("</svg>");
    svg
}

/// A point of a series: what stands under it, and its value where there is one.
#[derive(Debug, Clone)]
pub struct Point {
    pub label: String,
    pub value: Option<f64>,
}

/// A line over a row of points, from 0 to `most`. A point without a value interrupts it. `unit` stands behind the numbers.
#[expect(clippy::cast_precision_loss, reason = "a picture of 600 units")]
pub fn line(points: &[Point], most: f64, unit: &str, said: &str) -> String {
    const WIDTH: f64 = 600.0;
    const HEIGHT: f64 = 160.0;
    const LEFT: f64 = 44.0;
    const BOTTOM: f64 = 22.0;
    const TOP: f64 = 8.0;
    let most = if most > 0.0 { most } else { 1.0 };
    let step = (WIDTH - LEFT) / points.len().max(1) as f64;
    let x = |i: usize| LEFT + step * (i as f64 + 0.5);
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / most);
    let mut svg =
        format!(r#"<svg class="chart" viewBox="0 0 620 160" role="img" aria-label="{}">"#, escape(said));
    for part in [0.0, 0.5, 1.0] {
        let at = y(most * part);
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{at:.1}" y2="{at:.1}"/><text x="{:.0}" y="{:.1}" text-anchor="end">{:.0}{}</text>"#,
            LEFT - 6.0,
            at + 4.0,
            most * part,
            escape(unit)
        );
    }
    let mut path = String::new();
    let mut is_open = false;
    for (i, point) in points.iter().enumerate() {
        match point.value {
            Some(value) => {
                let _ = write!(path, "{}{:.1} {:.1}", if is_open { "L" } else { "M" }, x(i), y(value));
                is_open = true;
            }
            None => is_open = false,
        }
    }
    let _ = write!(svg, r#"<path class="line" d="{path}"/>"#);
    let every = points.len().div_ceil(8).max(1);
    for (i, point) in points.iter().enumerate() {
        if let Some(value) = point.value {
            let _ = write!(
                svg,
                r#"<circle class="dot" cx="{:.1}" cy="{:.1}" r="3"><title>{}: {value:.0}{}</title></circle>"#,
                x(i),
                y(value),
                escape(&point.label),
                escape(unit)
            );
        }
        if i % every == 0 {
            let _ = write!(
                svg,
                r#"<text x="{:.1}" y="{:.0}" text-anchor="middle">{}</text>"#,
                x(i),
                HEIGHT - 6.0,
                escape(&point.label)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// For a text inside an element or an attribute.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_wide_as_its_share() {
        let parts = [
            Part { value: 15, class: "good" },
            Part { value: 0, class: "warn" },
            Part { value: 5, class: "bad" },
        ];
        let svg = stacked(&parts, 40, "15 dari 40");
        assert!(svg.contains(r#"class="good" x="0.00" width="75.00""#), "{svg}");
        assert!(svg.contains(r#"class="bad" x="75.00" width="25.00""#), "{svg}");
        assert!(!svg.contains("warn"), "{svg}");
        assert!(!stacked(&parts, 0, "").contains("NaN"));
    }

    #[test]
    fn a_line_is_broken_where_nothing_was_measured() {
        let point = |value| Point { label: "1 Jul".into(), value };
        let svg = line(&[point(Some(10.0)), point(None), point(Some(20.0))], 20.0, "%", "x");
        assert_eq!(svg.matches('M').count(), 2, "{svg}");
        assert!(!line(&[], 0.0, "", "").contains("NaN"));
    }

    #[test]
    fn no_text_gets_out_of_its_place() {
        let svg = line(&[Point { label: "<script>".into(), value: Some(1.0) }], 1.0, "\"", "a\"b<c>");
        assert!(!svg.contains("<script>") && svg.contains("a&quot;b&lt;c&gt;"), "{svg}");
    }
}
