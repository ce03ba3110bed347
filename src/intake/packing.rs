//! The content encoding of a body: it is measured before it is unpacked, so that a bomb takes no memory.

use std::io::Read as _;

use bytes::Bytes;

use super::{Refused, words};
use crate::ingest::Weight;
use crate::room::BODY_BYTES;

/// Bytes of a compressed body that are decompressed at a time to measure it.
const PIECE: usize = 64 << 10;

/// The content encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// None.
    Plain,
    /// One or more members of gzip.
    Gzip,
}

impl Packing {
    /// The size of the body when decompressed; bounded, whatever it claims of itself (F92,
    /// docs/reference/reliability.md#hostile-input).
    pub fn weigh(self, body: &[u8]) -> Result<Weight, Refused> {
        let mut weight = Weight::default();
        match self {
            Self::Plain => weight.add(body),
            Self::Gzip => {
                let mut plain = unpacked(body);
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
        match self {
            Self::Plain => Ok(body),
            Self::Gzip => {
                let mut plain = Vec::with_capacity(weight.bytes());
                unpacked(&body).read_to_end(&mut plain).map_err(|error| broken(&error))?;
                Ok(plain.into())
            }
        }
    }
}

/// One byte more than allowed shows that it is too large.
fn unpacked(body: &[u8]) -> impl std::io::Read {
    flate2::read::MultiGzDecoder::new(body).take(BODY_BYTES as u64 + 1)
}

fn broken(error: &std::io::Error) -> Refused {
    Refused::Encoding(words::broken_gzip(error).to_string())
}
