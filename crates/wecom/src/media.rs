//! Pictures and files: uploaded for three days, for ever, or carried inside a webhook's message
//! (docs/reference/wecom.md#media, #webhook-uploads).
//!
//! An upload with an unknown result may be repeated: at worst a file exists twice.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::Value;

use crate::http::{Body, Request};
use crate::message::Image;
use crate::outcome::{CallError, Failure};
use crate::text::Text;
use crate::{Api, App, Client, Webhook};

/// Largest picture inside a message of a webhook (page 99110), and of `media/uploadimg` (90256).
pub const INLINE_IMAGE_BYTES: usize = 2 * 1024 * 1024;
/// Largest picture of `media/upload` (90253; an older edition says 2 MB).
const IMAGE_BYTES: usize = 10 * 1024 * 1024;
/// Largest file (90253, 99110).
const FILE_BYTES: usize = 20 * 1024 * 1024;
/// WeCom accepts nothing of this size or smaller as a picture, and nothing smaller as a file
/// (docs/reference/wecom.md#webhook-uploads, #media).
const TOO_SMALL: usize = 5;

/// The kind of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// JPG or PNG, at most 10 MB.
    Image,
    /// Anything, at most 20 MB.
    File,
}

/// An uploaded file; it lives for three days, for all apps of the corp or for the one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Its id in messages.
    pub media_id: String,
    /// Unix seconds, if WeCom told.
    pub created_at: Option<i64>,
}

/// Why bytes cannot be sent as a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub enum PictureError {
    /// Neither JPG nor PNG.
    Format,
    /// Too large or too small.
    Size {
        /// Its size.
        bytes: usize,
        /// The limit.
        most: usize,
    },
}

impl PictureError {
    /// What is wrong with the picture.
    pub fn text(self) -> Text {
        match self {
            Self::Format => Text::new("不是 JPG 或 PNG 图片", "not a JPG or PNG picture"),
            Self::Size { bytes, most } => Text::new(
                format!("图片大小 {bytes} 字节，应大于 5 字节且不超过 {most} 字节"),
                format!("the picture has {bytes} bytes: more than 5 and at most {most} are taken"),
            ),
        }
    }
}

/// A picture inside a webhook's message: JPG or PNG, at most [`INLINE_IMAGE_BYTES`].
pub fn inline_image(bytes: &[u8]) -> Result<Image, PictureError> {
    check_picture(bytes, INLINE_IMAGE_BYTES)?;
    Ok(Image::Inline { base64: STANDARD.encode(bytes), md5: md5_hex(bytes) })
}

impl Client {
    /// Uploads a picture or file for three days, for messages of apps and into chats.
    pub async fn upload_media(
        &self,
        app: &App,
        kind: MediaKind,
        file_name: &str,
        bytes: Bytes,
    ) -> Result<Media, CallError> {
        check_kind(kind, &bytes).map_err(|why| refused(Api::MediaUpload, &why))?;
        let request = upload(Api::MediaUpload, vec![("type", kind_name(kind).to_owned())], file_name, &bytes);
        self.call_app::<MediaReply>(app, &request).await.map(Media::from)
    }

    /// Uploads a picture permanently, at most 2 MB, and returns its URL. Whether cards show it is not documented
    /// (docs/reference/wecom.md#picture-addresses).
    pub async fn upload_image(&self, app: &App, file_name: &str, bytes: Bytes) -> Result<String, CallError> {
        #[derive(Deserialize)]
        struct Reply {
            url: String,
        }
        check_picture(&bytes, INLINE_IMAGE_BYTES).map_err(|error| refused(Api::UploadImage, &error.text()))?;
        let reply: Reply = self.call_app(app, &upload(Api::UploadImage, Vec::new(), file_name, &bytes)).await?;
        Ok(reply.url)
    }

    /// Uploads a file for three days, for messages of this one webhook.
    pub async fn upload_webhook_file(
        &self,
        webhook: &Webhook,
        file_name: &str,
        bytes: Bytes,
    ) -> Result<Media, CallError> {
        check_file(&bytes).map_err(|why| refused(Api::WebhookUpload, &why))?;
        let request = upload(Api::WebhookUpload, vec![("type", "file".to_owned())], file_name, &bytes);
        self.call::<MediaReply>(("key", &webhook.key), &request).await.map(Media::from)
    }
}

#[derive(Deserialize)]
struct MediaReply {
    media_id: String,
    /// A Unix time as a string (docs/reference/wecom.md#media); a number is accepted, too.
    #[serde(default)]
    created_at: Value,
}

impl From<MediaReply> for Media {
    fn from(reply: MediaReply) -> Self {
        let created_at = match &reply.created_at {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        Self { media_id: reply.media_id, created_at }
    }
}

fn refused(api: Api, why: &Text) -> CallError {
    CallError::NotDone(Failure::invalid(api, why))
}

/// The value of `type`.
pub(crate) const fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::File => "file",
    }
}

/// Whether `bytes` are of that kind and not too many; the error is the reason why not.
pub(crate) fn check_kind(kind: MediaKind, bytes: &[u8]) -> Result<(), Text> {
    match kind {
        MediaKind::Image => check_picture(bytes, IMAGE_BYTES).map_err(PictureError::text),
        MediaKind::File => check_file(bytes),
    }
}

/// The file in an answer to its upload.
pub(crate) fn media(answer: &Value) -> Option<Media> {
    MediaReply::deserialize(answer).ok().map(Media::from).filter(|media| !media.media_id.is_empty())
}

fn check_picture(bytes: &[u8], most: usize) -> Result<(), PictureError> {
    if picture_type(bytes).is_none() {
        return Err(PictureError::Format);
    }
    if bytes.len() <= TOO_SMALL || bytes.len() > most {
        return Err(PictureError::Size { bytes: bytes.len(), most });
    }
    Ok(())
}

fn check_file(bytes: &[u8]) -> Result<(), Text> {
    if (TOO_SMALL..=FILE_BYTES).contains(&bytes.len()) {
        return Ok(());
    }
    let size = bytes.len();
    Err(Text::new(
        format!("文件大小 {size} 字节，应为 5 字节至 20 MB"),
        format!("the file has {size} bytes: 5 bytes to 20 MB are taken"),
    ))
}

/// By the first bytes, which WeCom checks, too (40123).
fn picture_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else {
        None
    }
}

/// One part named `media` with `filelength`, which reqwest's own form cannot write (page 90253).
fn upload(api: Api, query: Vec<(&'static str, String)>, file_name: &str, bytes: &[u8]) -> Request {
    // The bytes cannot practically contain their own hash.
    let boundary = format!("wegraf-{}", md5_hex(bytes));
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"{}\"; filelength={}\r\nContent-Type: {}\r\n\r\n",
        ascii_name(file_name),
        bytes.len(),
        picture_type(bytes).unwrap_or("application/octet-stream"),
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let body = [head.as_bytes(), bytes, tail.as_bytes()].concat();
    Request { api, query, body: Body::Multipart { boundary, bytes: body.into() }, end: None }
}

/// Characters outside ASCII break some of WeCom's parsers (docs/reference/wecom.md#media), and a quote would end the
/// name.
fn ascii_name(name: &str) -> String {
    let clean = |c: char| if c.is_ascii_alphanumeric() || "._- ()".contains(c) { c } else { '_' };
    let name: String = name.chars().map(clean).collect();
    if name.trim().is_empty() { "file".to_owned() } else { name }
}

pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().fold(String::with_capacity(32), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes everything");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    #[test]
    fn a_picture_is_carried_with_the_md5_of_its_raw_bytes() {
        let Image::Inline { base64, md5 } = inline_image(PNG).unwrap() else { panic!() };
        assert_eq!(STANDARD.decode(base64).unwrap(), PNG);
        // md5sum of the same twelve bytes.
        assert_eq!(md5, "fe70374a342a551816afeafd712d358c");
    }

    #[test]
    fn files_that_are_no_picture_or_too_large_are_refused() {
        assert_eq!(inline_image(b"<svg/> is text"), Err(PictureError::Format));
        assert_eq!(inline_image(b"\xff\xd8\xff\xe0"), Err(PictureError::Size { bytes: 4, most: INLINE_IMAGE_BYTES }));
        let mut large = PNG.to_vec();
        large.resize(INLINE_IMAGE_BYTES, 0);
        assert!(inline_image(&large).is_ok());
        large.push(0);
        assert!(matches!(inline_image(&large), Err(PictureError::Size { .. })));
    }

    #[test]
    fn an_upload_is_one_part_with_its_length_and_an_ascii_name() {
        let request = upload(Api::MediaUpload, Vec::new(), "面板\"\r\n x.png", PNG);
        let Body::Multipart { boundary, bytes } = request.body else { panic!() };
        let text = String::from_utf8_lossy(&bytes);
        let head = "Content-Disposition: form-data; name=\"media\"; filename=\"_____ x.png\"; filelength=12\r\nContent-Type: image/png\r\n\r\n";
        assert!(text.starts_with(&format!("--{boundary}\r\n{head}")), "{text}");
        assert!(text.ends_with(&format!("rest\r\n--{boundary}--\r\n")), "{text}");
    }
}
