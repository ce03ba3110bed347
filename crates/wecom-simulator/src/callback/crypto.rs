//! The encryption of callbacks (pages 90968, 91144; docs/reference/wecom.md#callback-cipher).

use aes::Aes256;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use sha1::{Digest, Sha1};

use crate::vault::hex;

/// The block size of the padding, twice the cipher's own.
const PAD: usize = 32;
/// Random bytes, then the length of the text in four bytes.
const HEAD: usize = 16 + 4;

/// 43 characters carry 258 bits, and WeCom's keys do not always leave the last two empty.
const KEY_BASE64: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The token and key of one callback URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    token: String,
    key: [u8; 32],
}

impl Keys {
    /// Parses an `EncodingAESKey` of 43 letters and digits.
    pub(crate) fn new(token: &str, encoding_aes_key: &str) -> Result<Self, String> {
        if token.is_empty() || token.len() > 32 || !token.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("the token should have 1 to 32 letters and digits".into());
        }
        if encoding_aes_key.len() != 43 || !encoding_aes_key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("encoding_aes_key should have 43 letters and digits".into());
        }
        let key = KEY_BASE64.decode(format!("{encoding_aes_key}=")).ok().and_then(|key| key.try_into().ok());
        let key = key.ok_or("encoding_aes_key does not decode to 32 bytes")?;
        Ok(Self { token: token.into(), key })
    }

    /// SHA-1 over the four parts, sorted by bytes.
    pub(crate) fn sign(&self, timestamp: &str, nonce: &str, encrypted: &str) -> String {
        let mut parts = [self.token.as_str(), timestamp, nonce, encrypted];
        parts.sort_unstable();
        hex(&Sha1::digest(parts.concat()))
    }

    /// Encrypts the text for `receiveid`; the result is base64.
    pub(crate) fn encrypt(&self, text: &str, receiveid: &str, random: [u8; 16]) -> String {
        let length = u32::try_from(text.len()).expect("invariant: a text is shorter than 4 GiB");
        let mut plain = [&random[..], &length.to_be_bytes(), text.as_bytes(), receiveid.as_bytes()].concat();
        let pad = PAD - plain.len() % PAD;
        plain.extend(std::iter::repeat_n(u8::try_from(pad).expect("invariant: 1 to 32"), pad));
        let (key, iv) = self.key_and_iv();
        STANDARD.encode(cbc::Encryptor::<Aes256>::new(&key.into(), &iv.into()).encrypt_padded_vec::<NoPadding>(&plain))
    }

    /// Decrypts to the text and its `receiveid`.
    pub(crate) fn decrypt(&self, encrypted: &str) -> Result<(String, String), String> {
        let cipher = STANDARD.decode(encrypted).map_err(|_| "Encrypt is not base64")?;
        let (key, iv) = self.key_and_iv();
        let plain = cbc::Decryptor::<Aes256>::new(&key.into(), &iv.into()).decrypt_padded_vec::<NoPadding>(&cipher);
        let plain = plain.map_err(|_| "Encrypt is no whole number of blocks")?;
        let pad = usize::from(*plain.last().ok_or("Encrypt is empty")?);
        let filling = plain.len().checked_sub(pad).map(|at| &plain[at..]);
        if !(1..=PAD).contains(&pad) || !filling.is_some_and(|all| all.iter().all(|&b| usize::from(b) == pad)) {
            return Err("the padding is wrong: another key?".into());
        }
        let plain = &plain[..plain.len() - pad];
        let head = plain.get(..HEAD).ok_or("the text is shorter than its head")?;
        let length = u32::from_be_bytes(head[16..].try_into().expect("invariant: the head ends with four bytes"));
        let length = usize::try_from(length).map_err(|_| "the stated length is absurd")?;
        let text = plain[HEAD..].get(..length).ok_or("the stated length is longer than the text")?;
        let word = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| "the text is not UTF-8".to_owned());
        Ok((word(text)?, word(&plain[HEAD + length..])?))
    }

    /// The initial vector is the beginning of the key.
    fn key_and_iv(&self) -> ([u8; 32], [u8; 16]) {
        (self.key, *self.key.first_chunk().expect("invariant: 32 bytes hold 16"))
    }
}

#[cfg(test)]
#[path = "crypto_vectors.rs"]
mod vectors;
