//! The files that pages load: one script, one style, one icon, in the program and addressed by their content.
//!
//! An address changes with its file, so a browser keeps a file for good. Each is compressed once.

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// A file.
#[derive(Debug)]
pub struct Asset {
    /// Its name, the last part of its address.
    pub name: &'static str,
    /// Its kind, for `Content-Type`.
    pub kind: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
    made: LazyLock<Made>,
}

/// What follows from the content.
#[derive(Debug)]
struct Made {
    /// The first 8 hex digits of its SHA-256.
    hash: String,
    packed: Vec<u8>,
}

/// All files.
static ASSETS: [&Asset; 3] = [&STYLE, &SCRIPT, &ICON];

const CSS: &[u8] = include_bytes!("../../templates/console/wegraf.css");
const JS: &[u8] = include_bytes!("../../templates/console/wegraf.js");
const SVG: &[u8] = include_bytes!("../../templates/console/wegraf.svg");

pub(super) static STYLE: Asset =
    Asset { name: "wegraf.css", kind: "text/css; charset=utf-8", bytes: CSS, made: LazyLock::new(|| made(CSS)) };
pub(super) static SCRIPT: Asset =
    Asset { name: "wegraf.js", kind: "text/javascript; charset=utf-8", bytes: JS, made: LazyLock::new(|| made(JS)) };
pub(super) static ICON: Asset =
    Asset { name: "wegraf.svg", kind: "image/svg+xml", bytes: SVG, made: LazyLock::new(|| made(SVG)) };

fn made(bytes: &[u8]) -> Made {
    let hash = Sha256::digest(bytes)[..4].iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).expect("a Vec takes everything");
    Made { hash, packed: packed.finish().expect("a Vec takes everything") }
}

impl Asset {
    /// Its address, from a page for which `root` leads to the top of the site.
    pub fn address(&self, root: &str) -> String {
        format!("{root}assets/{}/{}", self.made.hash, self.name)
    }

    /// Its content, compressed by gzip.
    pub fn packed(&'static self) -> &'static [u8] {
        &self.made.packed
    }
}

/// The file at `/assets/{hash}/{name}`. An older program's hash finds nothing: its page is loaded again with the new one.
pub fn asset(hash: &str, name: &str) -> Option<&'static Asset> {
    ASSETS.iter().copied().find(|asset| asset.name == name && asset.made.hash == hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_hash_only_and_stays_within_its_bytes() {
        let address = STYLE.address("../");
        let (hash, name) = address.strip_prefix("../assets/").unwrap().split_once('/').unwrap();
        assert!(asset(hash, name).is_some() && hash.len() == 8, "{address}");
        assert!(asset("00000000", name).is_none() && asset(hash, "wegraf.js").is_none());
        for (asset, most) in [(&SCRIPT, 8), (&STYLE, 6), (&ICON, 1)] {
            assert!(asset.packed().len() <= most * 1024, "{} has {} bytes", asset.name, asset.packed().len());
        }
        assert!(JS.split(|byte| *byte == b'\n').count() <= 600);
    }
}
