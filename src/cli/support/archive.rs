//! Files as one `.tar.gz` (POSIX.1-1988 ustar), readable by their owner.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::alert::Timestamp;

const BLOCK: usize = 512;

/// The packed files; names are shorter than 100 bytes.
pub(super) fn packed(files: &[(String, &[u8])], at: Timestamp) -> std::io::Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    for (name, bytes) in files {
        out.write_all(&head(name, bytes.len(), at))?;
        out.write_all(bytes)?;
        out.write_all(&vec![0; bytes.len().next_multiple_of(BLOCK) - bytes.len()])?;
    }
    out.write_all(&[0; 2 * BLOCK])?;
    out.finish()
}

fn head(name: &str, size: usize, at: Timestamp) -> [u8; BLOCK] {
    let mut head = [0; BLOCK];
    let mut put = |from: usize, text: &str| head[from..from + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, &format!("{:011o}\0", at.0 / 1000));
    // The sum is made with blanks in its own place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    head
}
