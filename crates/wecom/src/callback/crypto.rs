//! Signature and cipher of callbacks (docs/reference/wecom.md#callback-cipher, page 90968): SHA-1 over sorted parts,
//! AES-256-CBC, padded to 32.

use std::fmt::Write as _;

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::{BadKey, CallbackError, Signed, TOKEN_CHARS};

/// Characters of an `EncodingAESKey`.
const KEY_CHARS: usize = 43;
/// WeCom pads to twice the block of AES.
const PAD: usize = 32;
/// Random bytes before, and the length.
const HEAD: usize = 16 + 4;

/// 43 characters hold 258 bits, two more than needed, which are not always zero.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

pub(super) struct Crypto {
    token: SecretString,
    key: SecretBox<[u8; 32]>,
}

impl Crypto {
    pub(super) fn new(token: SecretString, encoding_aes_key: &SecretString) -> Result<Self, BadKey> {
        let plain = token.expose_secret();
        if !(1..=TOKEN_CHARS).contains(&plain.len()) || !plain.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(BadKey::Token);
        }
        let encoded = encoding_aes_key.expose_secret();
        let chars = encoded.chars().count();
        if chars != KEY_CHARS {
            return Err(BadKey::Length(chars));
        }
        let mut key = Box::new([0; 32]);
        match KEY_BASE64.decode_slice(encoded, &mut *key) {
            Ok(32) => Ok(Self { token, key: SecretBox::new(key) }),
            _ => Err(BadKey::Alphabet),
        }
    }

    /// Lower-case hex of SHA-1 over the four parts, sorted by their bytes.
    pub(super) fn signature(&self, timestamp: &str, nonce: &str, encrypt: &str) -> String {
        let mut parts = [self.token.expose_secret(), timestamp, nonce, encrypt];
        parts.sort_unstable();
        let mut hash = Sha1::new();
        for part in parts {
            hash.update(part);
        }
        hash.finalize().iter().fold(String::with_capacity(40), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes everything");
            hex
        })
    }

    /// Whether the sender of `encrypt` knows the token; takes constant time.
    pub(super) fn check(&self, signed: &Signed, encrypt: &str) -> Result<(), CallbackError> {
        let expected = self.signature(&signed.timestamp, &signed.nonce, encrypt);
        let matches: bool = expected.as_bytes().ct_eq(signed.msg_signature.as_bytes()).into();
        if matches { Ok(()) } else { Err(CallbackError::Signature) }
    }

    /// The message and its addressee. Only to be called with what [`Crypto::check`] accepted: the distinct errors would
    /// help a forger.
    pub(super) fn decrypt(&self, encrypt: &str) -> Result<(Vec<u8>, Vec<u8>), CallbackError> {
        let mut bytes = STANDARD.decode(encrypt).map_err(|_| CallbackError::Cipher("not base64"))?;
        let key = self.key.expose_secret();
        let decryptor = cbc::Decryptor::<Aes256>::new(key.into(), iv(key).into());
        let plain =
            decryptor.decrypt_padded::<NoPadding>(&mut bytes).map_err(|_| CallbackError::Cipher("not whole blocks"))?;
        let plain = unpad(plain).ok_or(CallbackError::Cipher("wrong padding"))?;
        let (head, rest) = plain.split_at_checked(HEAD).ok_or(CallbackError::Cipher("too short"))?;
        let length = head[16..].iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
        let (message, receive_id) = rest.split_at_checked(length).ok_or(CallbackError::Cipher("wrong length"))?;
        Ok((message.to_vec(), receive_id.to_vec()))
    }

    /// Encrypts, as base64.
    pub(super) fn encrypt(&self, message: &[u8], receive_id: &str, random: [u8; 16]) -> String {
        let length = u32::try_from(message.len()).expect("a reply is not as long as 4 GiB").to_be_bytes();
        let mut plain = [&random[..], &length, message, receive_id.as_bytes()].concat();
        pad(&mut plain);
        self.encrypt_blocks(plain)
    }

    /// `plain` must be whole blocks.
    pub(super) fn encrypt_blocks(&self, mut plain: Vec<u8>) -> String {
        let key = self.key.expose_secret();
        let encryptor = cbc::Encryptor::<Aes256>::new(key.into(), iv(key).into());
        let length = plain.len();
        let encrypted =
            encryptor.encrypt_padded::<NoPadding>(&mut plain, length).expect("it is padded to whole blocks");
        STANDARD.encode(encrypted)
    }
}

/// The IV is the first half of the key.
fn iv(key: &[u8; 32]) -> &[u8; 16] {
    key.first_chunk().expect("a key has 32 bytes")
}

/// PKCS#7 with blocks of 32: always at least one byte, a whole block if nothing is missing.
fn pad(plain: &mut Vec<u8>) {
    let missing = PAD - plain.len() % PAD;
    let byte = u8::try_from(missing).expect("it is at most 32");
    plain.resize(plain.len() + missing, byte);
}

fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let count = usize::from(*padded.last()?);
    if !(1..=PAD).contains(&count) {
        return None;
    }
    let (plain, padding) = padded.split_at_checked(padded.len().checked_sub(count)?)?;
    padding.iter().all(|byte| usize::from(*byte) == count).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_fills_blocks_of_32_and_is_a_whole_block_where_nothing_is_missing() {
        for (length, count) in [(0, 32), (1, 31), (31, 1), (32, 32), (33, 31), (64, 32)] {
            let mut bytes = vec![7; length];
            pad(&mut bytes);
            assert_eq!(bytes.len(), length + count);
            assert!(bytes[length..].iter().all(|byte| usize::from(*byte) == count), "{length}");
            assert_eq!(unpad(&bytes), Some(&vec![7; length][..]));
        }
    }

    #[test]
    fn invalid_padding_is_not_removed() {
        for padded in [&[][..], &[0], &[1, 33], &[2], &[3, 2, 3], &[255; 300]] {
            assert_eq!(unpad(padded), None, "{padded:?}");
        }
        // Sixteen and less is what a ready-made remover would take; more is as right here.
        assert_eq!(unpad(&[17; 17]), Some(&[][..]));
    }
}
