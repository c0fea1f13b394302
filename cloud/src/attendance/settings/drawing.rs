//! The fence drawn to scale, in a plane that touches the earth at its middle: exact enough for a school's ground.

use std::fmt::Write as _;

use hadir_shared::rules::fence::{Fence, Point, Position, Verdict};

use crate::console::chart::escape;

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 400.0;
const MARGIN: f64 = 40.0;
/// Metres of a degree of latitude, on the sphere that the rule judges by.
const DEGREE: f64 = 111_195.08;
/// A point so many times farther away than the fence is wide would make a dot of it, and is not drawn.
const FAR: f64 = 6.0;

/// Where somebody might stand, and what the rule says of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tested {
    pub position: Position,
    pub verdict: Verdict,
}

impl Tested {
    /// The class of its colour.
    pub const fn class(&self) -> &'static str {
        match self.verdict {
            Verdict::Inside => "good",
            Verdict::Uncertain => "warn",
            Verdict::Outside => "bad",
        }
    }
}

/// A rectangle of the plane: metres east and north of the middle, and how many units a metre is.
struct Frame {
    middle: Point,
    west: f64,
    north: f64,
    scale: f64,
}

impl Frame {
    fn x(&self, point: Point) -> f64 {
        (self.metres(point).0 - self.west) * self.scale
    }

    fn y(&self, point: Point) -> f64 {
        (self.north - self.metres(point).1) * self.scale
    }

    fn metres(&self, point: Point) -> (f64, f64) {
        metres(self.middle, point)
    }
}

fn metres(middle: Point, point: Point) -> (f64, f64) {
    let east = (point.longitude - middle.longitude) * DEGREE * middle.latitude.to_radians().cos();
    (east, (point.latitude - middle.latitude) * DEGREE)
}

/// The drawing. `said` is what it is read as; `north` the letter of that direction.
pub fn draw(fence: &Fence, tested: Option<Tested>, said: &str, north: &str) -> String {
    let frame = frame(fence, tested);
    let degrees = 1.0 / (frame.scale * DEGREE);
    let mut svg = format!(
        r#"<svg class="map" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}" data-latitude="{:.7}" data-longitude="{:.7}" data-down="{:.12}" data-across="{:.12}"><rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>"#,
        escape(said),
        frame.middle.latitude + frame.north / DEGREE,
        frame.middle.longitude + frame.west / (DEGREE * frame.middle.latitude.to_radians().cos()),
        -degrees,
        degrees / frame.middle.latitude.to_radians().cos(),
    );
    outline(&mut svg, &frame, fence);
    if let Some(tested) = tested {
        let point = tested.position.point();
        let (x, y, class) = (frame.x(point), frame.y(point), tested.class());
        let accuracy = tested.position.accuracy.unwrap_or(0.0) * frame.scale;
        let _ = write!(
            svg,
            r#"<circle class="probe {class}" cx="{x:.1}" cy="{y:.1}" r="{accuracy:.1}"/><circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="5"/>"#
        );
    }
    rule(&mut svg, &frame);
    let _ = write!(
        svg,
        r#"<path class="north" d="M570 40 L576 58 L570 54 L564 58 Z"/><text x="570" y="74" text-anchor="middle">{}</text></svg>"#,
        escape(north)
    );
    svg
}

fn outline(svg: &mut String, frame: &Frame, fence: &Fence) {
    let _ = match fence {
        Fence::Circle { centre, metres } => write!(
            svg,
            r#"<circle class="fence" cx="{0:.1}" cy="{1:.1}" r="{2:.1}"/><circle class="calm" cx="{0:.1}" cy="{1:.1}" r="3"/>"#,
            frame.x(*centre),
            frame.y(*centre),
            metres * frame.scale
        ),
        Fence::Outline(outline) => {
            let corners = outline.corners().iter();
            let points: Vec<_> =
                corners.map(|at| format!("{:.1},{:.1}", frame.x(*at), frame.y(*at))).collect();
            write!(svg, r#"<polygon class="fence" points="{}"/>"#, points.join(" "))
        }
    };
}

/// A bar of a round length, about a quarter of the width.
fn rule(svg: &mut String, frame: &Frame) {
    let metres = round(WIDTH / 4.0 / frame.scale);
    let end = MARGIN / 2.0 + metres * frame.scale;
    let text = if metres >= 1000.0 { format!("{} km", metres / 1000.0) } else { format!("{metres} m") };
    let _ = write!(
        svg,
        r#"<path class="rule" d="M20 380 V386 H{end:.1} V380"/><text x="20" y="376">{text}</text>"#
    );
}

/// 1, 2 or 5 and zeros: the largest that is not longer.
fn round(metres: f64) -> f64 {
    let power = 10_f64.powf(metres.log10().floor());
    [5.0, 2.0, 1.0].map(|n| n * power).into_iter().find(|n| *n <= metres).unwrap_or(power)
}

fn frame(fence: &Fence, tested: Option<Tested>) -> Frame {
    let (middle, mut reach) = middle(fence);
    let place = tested.map(|tested| metres(middle, tested.position.point()));
    let far = place.filter(|(east, north)| east.hypot(*north) <= FAR * reach);
    if let (Some((east, north)), Some(tested)) = (far, tested) {
        let accuracy = tested.position.accuracy.unwrap_or(0.0).min(FAR * reach);
        reach = reach.max(east.abs().max(north.abs()) + accuracy);
    }
    let scale = (HEIGHT - 2.0 * MARGIN) / (2.0 * reach.max(1.0));
    Frame { middle, west: -WIDTH / 2.0 / scale, north: HEIGHT / 2.0 / scale, scale }
}

/// The fence's middle, and how far it reaches from there.
fn middle(fence: &Fence) -> (Point, f64) {
    match fence {
        Fence::Circle { centre, metres } => (*centre, *metres),
        Fence::Outline(outline) => {
            let corners = outline.corners();
            let span = |of: fn(&Point) -> f64| {
                let (low, high) = corners
                    .iter()
                    .map(of)
                    .fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
                f64::midpoint(low, high)
            };
            let middle = Point { latitude: span(|at| at.latitude), longitude: span(|at| at.longitude) };
            let reach =
                corners.iter().map(|at| metres(middle, *at)).map(|(east, north)| east.abs().max(north.abs()));
            (middle, reach.fold(1.0, f64::max))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHOOL: Point = Point { latitude: -6.2, longitude: 106.8166 };

    fn at(latitude: f64, longitude: f64, accuracy: f64) -> Tested {
        let position = Position { latitude, longitude, accuracy: Some(accuracy) };
        Tested { position, verdict: Verdict::Outside }
    }

    #[test]
    fn a_circle_is_drawn_to_the_scale_that_the_bar_says() {
        let svg = draw(&Fence::Circle { centre: SCHOOL, metres: 100.0 }, None, "Pagar", "U");
        // 200 m on 320 units: 1.6 to a metre, and a bar of 50 m.
        assert!(svg.contains(r#"cx="300.0" cy="200.0" r="160.0""#), "{svg}");
        assert!(svg.contains("M20 380 V386 H100.0 V380") && svg.contains(">50 m<"), "{svg}");
    }

    #[test]
    fn a_point_stands_where_it_is_and_a_pressed_place_is_that_point() {
        // 50 m north.
        let tested = at(SCHOOL.latitude + 50.0 / DEGREE, SCHOOL.longitude, 10.0);
        let svg = draw(&Fence::Circle { centre: SCHOOL, metres: 100.0 }, Some(tested), "x", "U");
        assert!(svg.contains(r#"class="probe bad" cx="300.0" cy="120.0" r="16.0""#), "{svg}");
        let value = |name: &str| -> f64 {
            svg.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        let latitude = value("data-latitude") + 120.0 * value("data-down");
        let longitude = value("data-longitude") + 300.0 * value("data-across");
        assert!((latitude - tested.position.latitude).abs() < 1e-6, "{latitude}");
        assert!((longitude - SCHOOL.longitude).abs() < 1e-6, "{longitude}");
    }

    #[test]
    fn an_outline_keeps_its_corners_inside_and_a_point_far_away_does_not_shrink_it() {
        let fence: Fence = Fence::Outline("-6.2,106.8; -6.2,106.81; -6.21,106.81".parse().unwrap());
        let near = draw(&fence, None, "a\"<b>", "N");
        let far = draw(&fence, Some(at(0.0, 0.0, 5.0)), "a\"<b>", "N");
        let points = |svg: &str| svg.split("points=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert_eq!(points(&near), points(&far));
        for number in points(&near).split([' ', ',']) {
            assert!((0.0..=WIDTH).contains(&number.parse::<f64>().unwrap()), "{near}");
        }
        assert!(!near.contains("<b>") && !near.contains("NaN") && !near.contains("inf"), "{near}");
    }

    #[test]
    fn a_bar_has_a_round_length() {
        for (metres, expected) in [(93.75, 50.0), (1.0, 1.0), (9.9, 5.0), (2.5, 2.0), (12_345.0, 10_000.0)] {
            assert!((round(metres) - expected).abs() < 1e-9, "{metres}");
        }
    }
}
