//! A file over the socket, piece by piece (docs/reference/wecom.md#bot-uploads, page 101463).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::Bot;
use crate::errcode::Class;
use crate::media::{check_kind, kind_name, md5_hex, media};
use crate::outcome::{CallError, Failure, Fault};
use crate::send::json;
use crate::{Api, Media, MediaKind};

/// Bytes of a piece, before base64.
const CHUNK: usize = 512 * 1024;
/// Pieces in flight at once; more cause system errors (docs/reference/wecom.md#bot-uploads).
const AT_ONCE: usize = 2;
/// Tries of one piece, which may be repeated.
const TRIES: u32 = 3;
/// A piece at 300 kbit/s.
const PATIENCE: Duration = Duration::from_secs(20);
/// 20 MB (the largest file) at 3 Mbit/s.
const UPLOAD: Duration = Duration::from_mins(1);
/// Longest name.
const NAME_BYTES: usize = 256;

impl Bot {
    /// Uploads a picture or file for three days, for messages of this bot. After an unsure result it may be repeated:
    /// at worst a file exists twice.
    pub async fn upload(&self, kind: MediaKind, file_name: &str, bytes: Bytes) -> Result<Media, CallError> {
        check_kind(kind, &bytes).map_err(|why| CallError::NotDone(Failure::invalid(Api::BotUploadInit, &why)))?;
        let latest = Instant::now() + UPLOAD;
        let chunks = bytes.chunks(CHUNK).enumerate();
        let begin = begin(kind, file_name, &bytes, chunks.len());
        let begun = self.upload_call(Api::BotUploadInit, begin, latest).await?;
        let upload_id = begun["upload_id"].as_str().filter(|id| !id.is_empty());
        let upload_id = &upload_id.ok_or_else(|| incomplete(Api::BotUploadInit))?;
        // Boxed: the compiler cannot prove that the bare futures are `Send`.
        let pieces: Vec<_> = chunks.map(|(index, raw)| self.piece(upload_id, index, raw, latest).boxed()).collect();
        stream::iter(pieces).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        let done = self.upload_call(Api::BotUploadFinish, finish(upload_id), latest).await?;
        media(&done).ok_or_else(|| incomplete(Api::BotUploadFinish))
    }

    /// Uploads one piece, with retries after transient failures.
    async fn piece(&self, upload_id: &str, index: usize, raw: &[u8], latest: Instant) -> Result<(), CallError> {
        let body = chunk(upload_id, index, raw);
        let mut tries = 1;
        loop {
            match self.upload_call(Api::BotUploadChunk, body.clone(), latest).await {
                Err(error) if tries < TRIES && error.failure().class == Class::Transient => tries += 1,
                other => return other.map(drop),
            }
        }
    }

    async fn upload_call(&self, api: Api, body: Vec<u8>, latest: Instant) -> Result<Value, CallError> {
        self.ask(&self.0.pushes, api, self.req_id(api), body, PATIENCE, latest).await
    }
}

fn begin(kind: MediaKind, file_name: &str, bytes: &[u8], chunks: usize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Begin<'a> {
        r#type: &'a str,
        filename: &'a str,
        total_size: usize,
        total_chunks: usize,
        md5: String,
    }
    let name = &file_name[..file_name.floor_char_boundary(NAME_BYTES)];
    let filename = if name.trim().is_empty() { "file" } else { name };
    json(&Begin {
        r#type: kind_name(kind),
        filename,
        total_size: bytes.len(),
        total_chunks: chunks,
        md5: md5_hex(bytes),
    })
}

fn chunk(upload_id: &str, index: usize, raw: &[u8]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Piece<'a> {
        upload_id: &'a str,
        /// From 0, as the official SDK counts.
        chunk_index: usize,
        base64_data: String,
    }
    json(&Piece { upload_id, chunk_index: index, base64_data: STANDARD.encode(raw) })
}

fn finish(upload_id: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Finish<'a> {
        upload_id: &'a str,
    }
    json(&Finish { upload_id })
}

fn incomplete(api: Api) -> CallError {
    CallError::NotDone(Failure::new(api, Class::Transient, Fault::Incomplete, String::new()))
}
