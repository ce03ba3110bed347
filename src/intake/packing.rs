//! The content encoding of a body: it is measured before it is unpacked, so that a bomb takes no memory.

use std::io::{Error, ErrorKind, Read, Result as Unpacked};

use brotli_decompressor::{BrotliDecoderParameter, Decompressor};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use super::{Refused, words};
use crate::ingest::Weight;
use crate::room::BODY_BYTES;

/// Bytes of a compressed body that are decompressed at a time to measure it.
const PIECE: usize = 64 << 10;

/// The content encoding of a body (RFC 9110 §8.4.1, RFC 7932).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// None.
    Plain,
    /// One or more members of gzip.
    Gzip,
    /// A zlib stream, or a bare one of deflate, which some senders give the same name.
    Deflate,
    /// Brotli.
    Brotli,
}

impl Packing {
    /// By the value of `Content-Encoding`; `None`: unknown, or several.
    pub fn named(encoding: &str) -> Option<Self> {
        match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Plain),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            _ => None,
        }
    }

    /// The size of the body when decompressed; bounded, whatever it claims of itself (F92,
    /// docs/reference/reliability.md#hostile-input).
    pub fn weigh(self, body: &[u8]) -> Result<Weight, Refused> {
        let mut weight = Weight::default();
        match self.unpacker(body) {
            None => weight.add(body),
            Some(mut plain) => {
                let mut piece = vec![0; PIECE];
                loop {
                    match plain.read(&mut piece).map_err(|error| broken(&error))? {
                        0 => break,
                        length => weight.add(&piece[..length]),
                    }
                }
            }
        }
        if weight.bytes() > BODY_BYTES { Err(Refused::TooLarge) } else { Ok(weight) }
    }

    /// The decoded body; `weight` is its own.
    pub fn unpack(self, body: Bytes, weight: &Weight) -> Result<Bytes, Refused> {
        let Some(mut packed) = self.unpacker(&body) else { return Ok(body) };
        let mut plain = Vec::with_capacity(weight.bytes());
        packed.read_to_end(&mut plain).map_err(|error| broken(&error))?;
        drop(packed);
        Ok(plain.into())
    }

    /// What this body is packed with: gzip shows itself, also where the sender does not name it.
    fn of(self, body: &[u8]) -> Self {
        if self == Self::Plain && body.starts_with(&[0x1F, 0x8B, 8]) { Self::Gzip } else { self }
    }

    /// Decompresses up to one byte more than allowed, which shows that the body is too large.
    fn unpacker(self, body: &[u8]) -> Option<Box<dyn Read + '_>> {
        let most = BODY_BYTES as u64 + 1;
        match self.of(body) {
            Self::Plain => None,
            Self::Gzip => Some(Box::new(MultiGzDecoder::new(body).take(most))),
            Self::Deflate => Some(Box::new(Inflate::new(body).take(most))),
            Self::Brotli => {
                let mut packed = Decompressor::new(body, PIECE);
                // Windows above 16 MiB are an extension, and a way to ask for a gigabyte.
                packed.set_parameter(BrotliDecoderParameter::BROTLI_DECODER_PARAM_LARGE_WINDOW, 0);
                Some(Box::new(packed.take(most)))
            }
        }
    }
}

/// Decompresses deflate. Unlike the readers of `flate2`, it reports a stream that was cut off.
struct Inflate<'a> {
    rest: &'a [u8],
    state: Decompress,
    ended: bool,
}

impl<'a> Inflate<'a> {
    fn new(body: &'a [u8]) -> Self {
        // RFC 1950 §2.2: the method is 8, and the first two bytes are a multiple of 31.
        let zlib =
            matches!(body, [method, flags, ..] if method & 15 == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0);
        Self { rest: body, state: Decompress::new(zlib), ended: false }
    }
}

impl Read for Inflate<'_> {
    fn read(&mut self, piece: &mut [u8]) -> Unpacked<usize> {
        while !self.ended {
            let (read, written) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(self.rest, piece, FlushDecompress::None)?;
            let read = usize::try_from(self.state.total_in() - read).map_err(Error::other)?;
            let written = usize::try_from(self.state.total_out() - written).map_err(Error::other)?;
            self.rest = &self.rest[read..];
            self.ended = status == Status::StreamEnd;
            if written > 0 {
                return Ok(written);
            }
            if read == 0 && !self.ended {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

fn broken(error: &Error) -> Refused {
    Refused::Encoding(words::broken_encoding(error).to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const TEXT: &[u8] = b"{\"title\":\"disk full\",\"text\":\"disk full disk full disk full\"}";
    /// `TEXT` in Brotli, by the reference implementation.
    const BROTLI: &[u8] = &[
        27, 59, 0, 64, 157, 9, 118, 44, 196, 178, 121, 12, 29, 200, 107, 17, 182, 185, 189, 77, 102, 150, 86, 39, 89,
        116, 250, 26, 68, 100, 141, 13, 108, 192, 1, 115, 154, 142, 180, 206, 120, 130, 58, 153, 156, 120, 66, 11, 111,
        1, 53, 155, 0, 14,
    ];

    fn unpacked(packing: Packing, body: &[u8]) -> Result<Bytes, Refused> {
        packing.unpack(Bytes::copy_from_slice(body), &packing.weigh(body)?)
    }

    fn packed(packing: Packing) -> Vec<u8> {
        let level = flate2::Compression::best();
        let mut out = Vec::new();
        match packing {
            Packing::Plain => out.extend_from_slice(TEXT),
            Packing::Gzip => flate2::write::GzEncoder::new(&mut out, level).write_all(TEXT).unwrap(),
            Packing::Deflate => flate2::write::ZlibEncoder::new(&mut out, level).write_all(TEXT).unwrap(),
            Packing::Brotli => out.extend_from_slice(BROTLI),
        }
        out
    }

    #[test]
    fn every_known_encoding_is_undone() {
        for (name, packing) in [
            ("", Packing::Plain),
            (" identity", Packing::Plain),
            ("X-Gzip", Packing::Gzip),
            ("gzip", Packing::Gzip),
            ("Deflate", Packing::Deflate),
            ("br", Packing::Brotli),
        ] {
            assert_eq!(Packing::named(name), Some(packing), "{name}");
            assert_eq!(&unpacked(packing, &packed(packing)).unwrap()[..], TEXT, "{name}");
        }
        for unknown in ["zstd", "gzip, gzip", "compress", "?"] {
            assert_eq!(Packing::named(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn gzip_that_no_header_names_is_undone() {
        assert_eq!(&unpacked(Packing::Plain, &packed(Packing::Gzip)).unwrap()[..], TEXT);
    }

    #[test]
    fn deflate_without_the_frame_of_zlib_is_undone() {
        let mut bare = Vec::new();
        flate2::write::DeflateEncoder::new(&mut bare, flate2::Compression::fast()).write_all(TEXT).unwrap();
        assert_eq!(&unpacked(Packing::Deflate, &bare).unwrap()[..], TEXT);
    }

    #[test]
    fn what_was_cut_off_or_is_something_else_is_refused() {
        for packing in [Packing::Gzip, Packing::Deflate, Packing::Brotli] {
            let whole = packed(packing);
            for length in [1, whole.len() / 2, whole.len() - 1] {
                assert!(
                    matches!(unpacked(packing, &whole[..length]), Err(Refused::Encoding(_))),
                    "{packing:?} {length}"
                );
            }
            assert!(matches!(unpacked(packing, TEXT), Err(Refused::Encoding(_))), "{packing:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused_without_being_unpacked() {
        let mut bomb = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        bomb.write_all(&vec![b' '; BODY_BYTES + 1]).unwrap();
        assert!(matches!(Packing::Deflate.weigh(&bomb.finish().unwrap()), Err(Refused::TooLarge)));
    }
}
