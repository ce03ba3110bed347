//! Bodies as they are kept: compressed with a dictionary of what senders write, or plain.
//!
//! A codec is a number beside the bytes. Neither a codec nor its dictionary is ever changed or removed: what was written
//! with it is read with it. A better one gets the next number.

use std::borrow::Cow;

use bytes::Bytes;
use lz4_flex::block::{DecompressError, compress_into_with_dict, decompress_into_with_dict, get_maximum_output_size};

use super::{Admission, StoreError};

/// The dictionary of [`Codec::Lz4`]: our samples and captures, in the compact form in which Go programs write them.
const DICTIONARY: &[u8] = include_bytes!("body/dictionary-1.txt");
/// Shorter bodies stay plain: little is won, and their rows stay readable with any tool.
const SHORT: usize = 200;
/// Longer bodies are damage: none that is taken is half as long.
const LONGEST: usize = 64 << 20;
/// Longer bodies are compressed off the threads that serve connections.
const ASIDE: usize = 256 << 10;
/// Bytes of the length that stands before what is compressed.
const LENGTH: usize = 4;

/// How the bytes of a body are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// As they came.
    Plain,
    /// Their length in four bytes, the lowest first, then one block of LZ4 with the first dictionary.
    Lz4,
}

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Damaged {
    /// It has no length, or one that no body has.
    #[error("the length of the body is damaged")]
    Length,
    /// It is no block of LZ4.
    #[error("the compressed body is damaged: {0}")]
    Block(#[from] DecompressError),
    /// A later version of wegraf kept it.
    #[error("the body is kept with codec {0}, which this version does not know")]
    Codec(i64),
}

impl Codec {
    /// The number beside the bytes.
    pub const fn number(self) -> i64 {
        match self {
            Self::Plain => 0,
            Self::Lz4 => 1,
        }
    }

    /// The codec with this number; `None` for one of a later version of wegraf.
    pub fn of_number(number: i64) -> Option<Self> {
        [Self::Plain, Self::Lz4].into_iter().find(|codec| codec.number() == number)
    }

    /// The body that is kept as `bytes`.
    pub fn unpack(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, Damaged> {
        match self {
            Self::Plain => Ok(Cow::Borrowed(bytes)),
            Self::Lz4 => {
                let (length, block) = bytes.split_first_chunk::<LENGTH>().ok_or(Damaged::Length)?;
                let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
                if length > LONGEST {
                    return Err(Damaged::Length);
                }
                let mut raw = vec![0; length];
                match decompress_into_with_dict(block, &mut raw, DICTIONARY)? {
                    written if written == length => Ok(Cow::Owned(raw)),
                    _ => Err(Damaged::Length),
                }
            }
        }
    }
}

/// The body that is kept as `bytes` with the codec of this number; empty if it was given up.
pub fn unpacked(number: i64, bytes: &[u8]) -> Result<Bytes, Damaged> {
    if bytes.is_empty() {
        return Ok(Bytes::new());
    }
    let codec = Codec::of_number(number).ok_or(Damaged::Codec(number))?;
    Ok(Bytes::from(codec.unpack(bytes)?.into_owned()))
}

/// The admission with its body as it is kept.
pub async fn pack_admission(mut admission: Admission) -> Result<Admission, StoreError> {
    if admission.codec != 0 {
        return Ok(admission);
    }
    let raw = std::mem::take(&mut admission.raw);
    let kept = |raw: Bytes| match pack(&raw) {
        (codec, Cow::Owned(packed)) => (codec, Bytes::from(packed)),
        (codec, Cow::Borrowed(_)) => (codec, raw),
    };
    let (codec, raw) = if raw.len() < ASIDE {
        kept(raw)
    } else {
        tokio::task::spawn_blocking(move || kept(raw)).await.map_err(|error| StoreError::bug(error.to_string()))?
    };
    Ok(Admission { raw, codec: codec.number(), ..admission })
}

/// The shortest form of a body, and its codec.
pub fn pack(raw: &[u8]) -> (Codec, Cow<'_, [u8]>) {
    let plain = (Codec::Plain, Cow::Borrowed(raw));
    let Ok(length) = u32::try_from(raw.len()) else { return plain };
    if raw.len() < SHORT || raw.len() > LONGEST {
        return plain;
    }
    let mut packed = vec![0; LENGTH + get_maximum_output_size(raw.len())];
    packed[..LENGTH].copy_from_slice(&length.to_le_bytes());
    let Ok(written) = compress_into_with_dict(raw, &mut packed[LENGTH..], DICTIONARY) else { return plain };
    packed.truncate(LENGTH + written);
    packed.shrink_to_fit();
    if packed.len() < raw.len() { (Codec::Lz4, Cow::Owned(packed)) } else { plain }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn back(raw: &[u8]) -> Codec {
        let (codec, packed) = pack(raw);
        assert_eq!(codec.unpack(&packed).unwrap(), raw);
        assert!(packed.len() <= raw.len());
        codec
    }

    #[test]
    fn the_dictionary_is_the_one_that_bodies_were_written_with() {
        let digest = Sha256::digest(DICTIONARY).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert_eq!(digest, "c69f693233555fd5389f2626402b131e1c95ec42d9b9fead19295ebce68f2817");
        assert_eq!([0, 1, 2].map(Codec::of_number), [Some(Codec::Plain), Some(Codec::Lz4), None]);
    }

    #[test]
    fn what_was_written_with_a_codec_is_read_with_it() {
        // Written by the first version; never to be changed.
        let kept = hex(concat!(
            "f30000000b5a1100a901033f060f710d2e8f486f7374446f776e2b0d000f080d0e406973",
            "20643b000fc5150401092501480c115aa3080f4b1109004e0903e10760223a2234227d"
        ));
        let raw = concat!(
            r#"{"receiver":"wegraf","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"HostDown","#,
            r#""instance":"db-1"},"annotations":{"summary":"db-1 is down"},"startsAt":"2026-11-22T06:02:00Z","#,
            r#""endsAt":"0001-01-01T00:00:00Z"}],"version":"4"}"#
        );
        assert_eq!(Codec::Lz4.unpack(&kept).unwrap(), raw.as_bytes());
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn bodies_of_real_programs_take_a_fraction() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/senders");
        let (mut raw, mut kept) = (0, 0);
        for entry in std::fs::read_dir(folder).unwrap() {
            let body = std::fs::read(entry.unwrap().path()).unwrap();
            back(&body);
            raw += body.len();
            kept += pack(&body).1.len();
        }
        // None of these programs is in the dictionary.
        assert!(kept * 10 < raw * 8, "{kept} of {raw}");
    }

    #[test]
    fn short_and_random_bodies_stay_plain() {
        assert_eq!(back(b""), Codec::Plain);
        assert_eq!(back(&[b'x'; SHORT - 1]), Codec::Plain);
        assert_eq!(back(&[b'x'; SHORT]), Codec::Lz4);
        let random: Vec<u8> = (0..64_u8).flat_map(|block| Sha256::digest([block])).collect();
        assert_eq!(back(&random), Codec::Plain);
    }

    #[test]
    fn damage_is_an_error_and_takes_no_memory() {
        for damaged in [&b""[..], b"abc", b"\xFF\xFF\xFF\xFF", b"\x10\0\0\0", b"\x10\0\0\0\x10a"] {
            assert!(Codec::Lz4.unpack(damaged).is_err(), "{damaged:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_body_comes_back(words in prop::collection::vec("[a-z\"{}:,]{0,12}|startsAt|\\PC", 0..200)) {
            back(words.concat().as_bytes());
        }

        #[test]
        fn any_bytes_come_back_and_any_damage_is_seen(
            bytes in prop::collection::vec(any::<u8>(), 0..2_000),
            damaged in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            back(&bytes);
            back(&bytes.repeat(40));
            let _ = Codec::Lz4.unpack(&damaged);
        }
    }
}
