//! Uploaded files: media ids, and the addresses under which the page shows pictures.

use bytes::Bytes;

use crate::clock::DAY_MS;
use crate::kept::Kept;

/// A media id is valid for three days (docs/reference/wecom.md#media).
const LIFE_MS: i64 = 3 * DAY_MS;
/// The most bytes of all files; beyond it the oldest are forgotten, which the client sees as an early 40007.
const MAX_BYTES: usize = 128 * 1024 * 1024;
/// The most files that are remembered.
const MAX_FILES: usize = 2000;

/// Who may use a media id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// All apps of the corp.
    Corp(String),
    /// One webhook only.
    Webhook(String),
    /// One bot only.
    Bot(String),
}

/// An uploaded file.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) owner: Owner,
    /// image, voice, video or file.
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) mime: &'static str,
    pub(crate) bytes: Bytes,
    created_ms: i64,
}

/// The files.
#[derive(Debug)]
pub(crate) struct Vault {
    files: Kept<File>,
    bytes: usize,
    count: usize,
}

impl Vault {
    pub(crate) fn new() -> Self {
        Self { files: Kept::new(MAX_FILES), bytes: 0, count: 0 }
    }

    /// Stores a file and returns its media id.
    pub(crate) fn put(&mut self, owner: Owner, kind: &str, name: &str, bytes: Bytes, now: i64) -> String {
        while self.count >= MAX_FILES || (self.count > 0 && self.bytes + bytes.len() > MAX_BYTES) {
            let oldest = self.files.pop_oldest().expect("invariant: count is the number of files");
            self.bytes -= oldest.bytes.len();
            self.count -= 1;
        }
        self.bytes += bytes.len();
        self.count += 1;
        let id = format!("3{}", hex(&rand::random::<[u8; 24]>()));
        let file = File { owner, kind: kind.into(), name: name.into(), mime: mime(&bytes), bytes, created_ms: now };
        self.files.insert(id.clone(), file);
        id
    }

    /// The file, if `owner` may use it and it has not expired.
    pub(crate) fn get(&self, id: &str, owner: &Owner, now: i64) -> Option<&File> {
        self.files.get(id).filter(|file| file.owner == *owner && now < file.created_ms + LIFE_MS)
    }

    /// The file for the page, regardless of owner and age: a client keeps showing a picture it once received.
    pub(crate) fn show(&self, id: &str) -> Option<&File> {
        self.files.get(id)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("invariant: a String takes every write");
        text
    })
}

/// The type of a file by its first bytes: the page does not trust the client's declaration.
pub(crate) fn mime(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'#', b'!', b'A', b'M', b'R', b'\n', ..] => "audio/amr",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "video/mp4",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_make_room_when_the_bytes_are_used_up() {
        let mut vault = Vault::new();
        let owner = Owner::Corp("c".into());
        let big = Bytes::from(vec![0; MAX_BYTES / 2]);
        let first = vault.put(owner.clone(), "file", "a", big.clone(), 0);
        let second = vault.put(owner.clone(), "file", "b", big.clone(), 0);
        assert!(vault.get(&first, &owner, 0).is_some());
        let third = vault.put(owner.clone(), "file", "c", big, 0);
        assert!(vault.get(&first, &owner, 0).is_none());
        assert!(vault.get(&second, &owner, 0).is_some() && vault.get(&third, &owner, 0).is_some());
    }
}
