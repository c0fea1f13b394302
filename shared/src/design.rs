//! What all pages have in common to the eye, on the box and in the cloud: embedded there, served by both.

/// Colours and measures, as custom properties of CSS, in a light and a dark scheme.
pub const TOKENS: &str = include_str!("../design/tokens.css");

/// The mark, as SVG.
pub const ICON: &str = include_str!("../design/icon.svg");
