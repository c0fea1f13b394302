//! The geofence: a circle around the school, or its outline, judged *with* the accuracy of the position.
//!
//! A phone does not know where it is; it knows a circle it is probably in. So there are three answers, and only "surely
//! outside" can ever refuse somebody.

use std::{fmt, str::FromStr};

use geo::{Contains as _, Distance as _, Euclidean, Haversine, LineString, Point as GeoPoint, Polygon};
use serde::{Deserialize, Serialize};

/// A place on earth, in degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub latitude: f64,
    pub longitude: f64,
}

impl Point {
    /// `None` for what is no place: not finite, or beyond ±90 and ±180 degrees.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let valid = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        valid.then_some(Self { latitude, longitude })
    }

    fn geo(self) -> GeoPoint {
        GeoPoint::new(self.longitude, self.latitude)
    }
}

/// Where a device says it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Position {
    pub latitude: f64,
    pub longitude: f64,
    /// Radius of the circle the device is probably in, in metres; absent when it did not say, and then taken as 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
}

impl Position {
    /// `None` for what is no place on earth.
    pub fn new(latitude: f64, longitude: f64, accuracy: Option<f64>) -> Option<Self> {
        Point::new(latitude, longitude).map(|_| Self { latitude, longitude, accuracy })
    }

    pub const fn point(&self) -> Point {
        Point { latitude: self.latitude, longitude: self.longitude }
    }
}

/// The school's ground.
#[derive(Debug, Clone, PartialEq)]
pub enum Fence {
    /// Within `metres` of the school's point.
    Circle { centre: Point, metres: f64 },
    /// Inside the school's outline.
    Outline(Outline),
}

/// A polygon of at least three corners, written `-6.2,106.8; -6.2,106.9; -6.3,106.9`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outline(Vec<Point>);

/// The text is no outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an outline is three or more corners, written as latitude,longitude; latitude,longitude; …")]
pub struct NotAnOutline;

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Inside,
    Uncertain,
    Outside,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::Uncertain => "uncertain",
            Self::Outside => "outside",
        }
    }
}

/// What a school does about "surely outside" (`geofence_policy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Store the verdict and accept.
    Flag,
    /// Refuse who is surely outside.
    Block,
}

impl Policy {
    /// Whether somebody with this verdict is turned away.
    pub const fn refuses(self, verdict: Verdict) -> bool {
        matches!((self, verdict), (Self::Block, Verdict::Outside))
    }
}

/// A millimetre, in metres, so that rounding in the sines does not put somebody exactly on the edge outside.
const ROUNDING: f64 = 0.001;

/// Judges a position. Exactly on the edge is inside.
pub fn judge(fence: &Fence, position: Position) -> Verdict {
    let accuracy = position.accuracy.filter(|a| a.is_finite()).unwrap_or(0.0).max(0.0);
    // Metres beyond the edge; negative is within.
    let beyond = match fence {
        Fence::Circle { centre, metres } => Haversine.distance(centre.geo(), position.point().geo()) - metres,
        Fence::Outline(outline) => outline.metres_beyond(position.point()),
    };
    if beyond + accuracy <= ROUNDING {
        Verdict::Inside
    } else if beyond - accuracy > ROUNDING {
        Verdict::Outside
    } else {
        Verdict::Uncertain
    }
}

impl Outline {
    /// Three corners at least.
    pub fn new(corners: Vec<Point>) -> Result<Self, NotAnOutline> {
        if corners.len() < 3 { Err(NotAnOutline) } else { Ok(Self(corners)) }
    }

    pub fn corners(&self) -> &[Point] {
        &self.0
    }

    /// In a plane that touches the earth at `from`: exact enough within some kilometres, where the answer matters.
    fn metres_beyond(&self, from: Point) -> f64 {
        const METRES_PER_DEGREE: f64 = 111_195.08; // mean earth radius 6,371,008.8 m (IUGG)
        let shrink = from.latitude.to_radians().cos();
        let plane = |p: &Point| {
            let mut east = p.longitude - from.longitude;
            if east > 180.0 {
                east -= 360.0;
            } else if east < -180.0 {
                east += 360.0;
            }
            (east * shrink * METRES_PER_DEGREE, (p.latitude - from.latitude) * METRES_PER_DEGREE)
        };
        let ring: LineString = self.0.iter().map(plane).collect::<Vec<_>>().into();
        let polygon = Polygon::new(ring, vec![]);
        let here = GeoPoint::new(0.0, 0.0);
        let to_edge = Euclidean.distance(&here, polygon.exterior());
        if polygon.contains(&here) { -to_edge } else { to_edge }
    }
}

impl FromStr for Outline {
    type Err = NotAnOutline;

    fn from_str(text: &str) -> Result<Self, NotAnOutline> {
        let corner = |t: &str| {
            let (latitude, longitude) = t.split_once(',')?;
            Point::new(latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
        };
        let corners: Option<Vec<Point>> = text.split(';').map(corner).collect();
        Self::new(corners.ok_or(NotAnOutline)?)
    }
}

impl fmt::Display for Outline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let corners: Vec<String> = self.0.iter().map(|p| format!("{},{}", p.latitude, p.longitude)).collect();
        f.write_str(&corners.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHOOL: Point = Point { latitude: -6.2, longitude: 106.8166 };

    fn circle(metres: f64) -> Fence {
        Fence::Circle { centre: SCHOOL, metres }
    }

    /// A point so many metres north of the school.
    fn north(metres: f64) -> Point {
        Point { latitude: SCHOOL.latitude + metres / 111_195.08, ..SCHOOL }
    }

    fn at(point: Point, accuracy: Option<f64>) -> Position {
        Position { latitude: point.latitude, longitude: point.longitude, accuracy }
    }

    #[test]
    fn a_circle_with_accuracy() {
        use Verdict::{Inside, Outside, Uncertain};
        let cases = [
            (0.0, None, Inside, "at the point"),
            (100.0, None, Inside, "exactly on the radius"),
            (100.1, None, Outside, "just past it, sure of itself"),
            (100.1, Some(5.0), Uncertain, "just past it, five metres unsure"),
            (94.9, Some(5.0), Inside, "the whole circle lies within"),
            (95.5, Some(5.0), Uncertain, "the circle crosses the edge"),
            (106.0, Some(5.0), Outside, "the whole circle lies beyond"),
            (5_000.0, Some(10_000.0), Uncertain, "a phone that knows nothing"),
            (50.0, Some(-3.0), Inside, "a negative accuracy counts as none"),
            (150.0, Some(f64::NAN), Outside, "a broken accuracy counts as none"),
        ];
        for (metres, accuracy, expected, why) in cases {
            assert_eq!(judge(&circle(100.0), at(north(metres), accuracy)), expected, "{why}");
        }
    }

    #[test]
    fn an_outline_with_a_notch() {
        // An L: the north-east quarter is the neighbour's.
        let outline: Outline =
            "-6.2,106.8; -6.2,106.802; -6.199,106.802; -6.199,106.801; -6.198,106.801; -6.198,106.8"
                .parse()
                .unwrap();
        let fence = Fence::Outline(outline);
        let cases = [
            ((-6.1995, 106.8005), None, Verdict::Inside, "in the middle"),
            ((-6.1985, 106.8015), None, Verdict::Outside, "in the notch"),
            ((-6.1985, 106.8015), Some(60.0), Verdict::Uncertain, "in the notch, 60 m unsure, 55 m away"),
            ((-6.2, 106.801), None, Verdict::Inside, "on the edge"),
            ((-6.1995, 106.8005), Some(200.0), Verdict::Uncertain, "inside, but 200 m unsure"),
        ];
        for ((lat, lon), accuracy, expected, why) in cases {
            assert_eq!(judge(&fence, at(Point::new(lat, lon).unwrap(), accuracy)), expected, "{why}");
        }
    }

    #[test]
    fn only_surely_outside_is_ever_refused() {
        for verdict in [Verdict::Inside, Verdict::Uncertain, Verdict::Outside] {
            assert!(!Policy::Flag.refuses(verdict));
            assert_eq!(Policy::Block.refuses(verdict), verdict == Verdict::Outside);
        }
    }

    #[test]
    fn what_is_no_place_is_no_point() {
        for (lat, lon) in [(91.0, 0.0), (0.0, 180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Point::new(lat, lon), None);
        }
        for rubbish in ["", "1,2", "1,2;3,4", "1,2;3,4;x,y", "1,2;3,4;95,6"] {
            assert_eq!(rubbish.parse::<Outline>(), Err(NotAnOutline), "{rubbish:?}");
        }
    }

    proptest! {
        #[test]
        fn less_accuracy_never_makes_a_verdict_surer(
            metres in 0.0..400.0_f64, a in 0.0..300.0_f64, more in 0.0..300.0_f64,
        ) {
            let sure = judge(&circle(100.0), at(north(metres), Some(a)));
            let unsure = judge(&circle(100.0), at(north(metres), Some(a + more)));
            prop_assert!(unsure == sure || unsure == Verdict::Uncertain, "{sure:?} became {unsure:?}");
        }

        #[test]
        fn a_fine_polygon_agrees_with_the_circle_it_draws(
            bearing in 0.0..360.0_f64, metres in prop::sample::select(vec![10.0, 60.0, 90.0, 110.0, 200.0]),
        ) {
            let around = |degrees: f64, r: f64| Point {
                latitude: SCHOOL.latitude + r * degrees.to_radians().cos() / 111_195.08,
                longitude: SCHOOL.longitude
                    + r * degrees.to_radians().sin() / (111_195.08 * SCHOOL.latitude.to_radians().cos()),
            };
            let outline = Outline::new((0..72).map(|i| around(f64::from(i) * 5.0, 100.0)).collect()).unwrap();
            let here = at(around(bearing, metres), None);
            prop_assert_eq!(judge(&Fence::Outline(outline), here), judge(&circle(100.0), here));
        }

        #[test]
        fn an_outline_survives_its_text(points in prop::collection::vec((-90.0..=90.0_f64, -180.0..=180.0_f64), 3..9)) {
            let outline = Outline::new(points.iter().map(|&(a, b)| Point::new(a, b).unwrap()).collect()).unwrap();
            prop_assert_eq!(outline.to_string().parse(), Ok(outline));
        }
    }
}
