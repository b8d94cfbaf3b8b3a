//! A QR code (ISO/IEC 18004) as a picture inside a page.

use qrcode::{Color, EcLevel, QrCode};

/// The outline of the dark squares and how wide the picture is, in squares, with the quiet zone around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Qr {
    /// A path of SVG.
    pub(super) path: String,
    /// Width and height.
    pub(super) size: usize,
}

/// Squares that must stay light on every side.
const QUIET: usize = 4;

impl Qr {
    /// The code of a text; `None` for one that is longer than a code can hold.
    pub(super) fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (index, color) in code.to_colors().into_iter().enumerate() {
            if color == Color::Dark {
                let (x, y) = (index % width + QUIET, index / width + QUIET);
                path.push_str(&format!("M{x} {y}h1v1h-1z"));
            }
        }
        Some(Self { path, size: width + 2 * QUIET })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_quiet_zone_and_its_three_corners() {
        let qr = Qr::of("https://mdm.example.test/go").unwrap();
        // Version 3 has 29 squares.
        assert_eq!(qr.size, 29 + 8);
        for corner in ["M4 4h", "M32 4h", "M4 32h"] {
            assert!(qr.path.contains(corner), "{corner}");
        }
        assert!(!qr.path.contains("M3 "));
        assert_eq!(Qr::of(&"x".repeat(10_000)), None);
    }
}
