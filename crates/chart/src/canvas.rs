//! SVG as PNG.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};
use skrifa::{FontRef, MetadataProvider as _};

use crate::SIZE;

/// Noto Sans SC Regular, a subset; see `font/README.md`.
static FONT: &[u8] = include_bytes!("../font/NotoSansSC-Regular.subset.ttf");
/// Pixels for each unit of the SVG.
const SCALE: f32 = 2.0;
/// Shown for a character that no font has: it would be a blank.
const MISSING: char = '□';

/// What draws: the fonts, read once. Nothing is read before the first one is made.
pub struct Canvas {
    options: usvg::Options<'static>,
    faces: Vec<fontdb::ID>,
}

impl fmt::Debug for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canvas").field("faces", &self.faces.len()).finish_non_exhaustive()
    }
}

/// A picture that could not be drawn; the reason is for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undrawn(pub String);

impl fmt::Display for Undrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Undrawn {}

impl Canvas {
    /// With the font that is carried along, and another one (TTF or OTF) for characters that it lacks.
    pub fn new(other: Option<Vec<u8>>) -> Result<Self, Undrawn> {
        let mut fonts = fontdb::Database::new();
        let mut faces: Vec<fontdb::ID> = fonts.load_font_source(fontdb::Source::Binary(Arc::new(FONT))).to_vec();
        if let Some(bytes) = other {
            let found = fonts.load_font_source(fontdb::Source::Binary(Arc::new(bytes)));
            if found.is_empty() {
                return Err(Undrawn("the file holds no font".to_owned()));
            }
            faces.extend(found);
        }
        if faces.is_empty() {
            return Err(Undrawn("the font that is carried along cannot be read".to_owned()));
        }
        let options = usvg::Options {
            font_family: "Noto Sans SC".to_owned(),
            fontdb: Arc::new(fonts),
            ..usvg::Options::default()
        };
        Ok(Self { options, faces })
    }

    /// Does a font have a sign for `letter`?
    pub fn has(&self, letter: char) -> bool {
        let covers = |face: &fontdb::ID| {
            let found = self.options.fontdb.with_face_data(*face, |data, index| {
                FontRef::from_index(data, index).is_ok_and(|font| font.charmap().map(letter).is_some())
            });
            found.unwrap_or_default()
        };
        letter.is_ascii() || self.faces.iter().any(covers)
    }

    /// `svg` as PNG of 1080 × 490 pixels.
    pub fn png(&self, svg: &str) -> Result<Vec<u8>, Undrawn> {
        let drawable: String = svg.chars().map(|letter| if self.has(letter) { letter } else { MISSING }).collect();
        let tree = usvg::Tree::from_str(&drawable, &self.options).map_err(|error| Undrawn(error.to_string()))?;
        let (wide, high) = (SIZE.0 * f64::from(SCALE), SIZE.1 * f64::from(SCALE));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "two constants")]
        let pixels = Pixmap::new(wide as u32, high as u32);
        let mut pixels = pixels.ok_or_else(|| Undrawn("no room for the picture".to_owned()))?;
        resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
        encode(&pixels).map_err(|error| Undrawn(error.to_string()))
    }
}

/// Colours of a palette.
const PALETTE: usize = 256;

/// The pixels as PNG with a palette: a quarter of the bytes, and rare shades at the edges of letters are all that it costs.
/// The picture is opaque.
fn encode(pixels: &Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let mut counts: HashMap<[u8; 3], (u32, u8)> = HashMap::new();
    let colours = || pixels.data().chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    let (mut last, mut run) = ([0; 3], 0);
    for colour in colours() {
        if colour != last {
            counts.entry(last).or_default().0 += run;
            (last, run) = (colour, 0);
        }
        run += 1;
    }
    counts.entry(last).or_default().0 += run;
    let mut usual: Vec<([u8; 3], u32)> = counts.iter().map(|(colour, (count, _))| (*colour, *count)).collect();
    usual.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let palette: Vec<[u8; 3]> = usual.iter().take(PALETTE).map(|(colour, _)| *colour).collect();
    let apart = |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum::<u32>();
    for (colour, (_, index)) in &mut counts {
        let nearest = palette.iter().enumerate().min_by_key(|(_, known)| apart(colour, known));
        *index = nearest.and_then(|(at, _)| u8::try_from(at).ok()).unwrap_or_default();
    }
    let indexes: Vec<u8> = colours().map(|colour| counts.get(&colour).map_or(0, |(_, index)| *index)).collect();
    let mut out = Vec::with_capacity(64 * 1024);
    let mut encoder = png::Encoder::new(&mut out, pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.concat());
    encoder.set_filter(png::Filter::NoFilter);
    encoder.write_header()?.write_image_data(&indexes)?;
    Ok(out)
}
