//! Files in pieces over the socket (docs/reference/wecom.md#bot-uploads).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::commands::{Done, new_id};
use crate::answer::Refusal;
use crate::api::media;
use crate::call::{filled, int, text};
use crate::clock::MINUTE_MS;
use crate::rate::Ceilings;
use crate::state::World;
use crate::vault::{Owner, hex};

/// Unfinished uploads; each holds at most 20 MB.
pub(super) const MAX_UPLOADS: usize = 8;
/// The most raw bytes of a chunk.
const CHUNK_BYTES: usize = 512 * 1024;
/// The most chunks of a file.
const CHUNKS: usize = 100;
/// The time from the first command to the last.
const LIFE_MS: i64 = 30 * MINUTE_MS;
/// The most bytes of a file's name.
const NAME_BYTES: usize = 256;
/// The rate limit of uploads per bot (page 101463).
const RATE: Ceilings = Ceilings { minute: 30, hour: 1000, ..Ceilings::NONE };

/// An upload in progress.
#[derive(Debug)]
pub(super) struct Upload {
    bot: String,
    kind: String,
    name: String,
    size: usize,
    chunks: usize,
    md5: Option<String>,
    begun_ms: i64,
    pieces: BTreeMap<usize, Vec<u8>>,
    done: bool,
}

impl World {
    pub(super) fn upload_init(&mut self, bot: &str, body: &Value) -> Done {
        let now = self.clock.now();
        let kind = text(body, "type").filter(|kind| matches!(*kind, "image" | "voice" | "video" | "file"));
        let kind = kind.ok_or_else(|| Refusal::code(40005))?;
        let name = filled(body, "filename").filter(|name| name.len() <= NAME_BYTES);
        let name = name.ok_or_else(|| Refusal::parameter("filename should have 1 to 256 bytes"))?;
        let number = |field| int(body, field).and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        let (size, chunks) = (number("total_size"), number("total_chunks"));
        if size < 5 {
            return Err(Refusal::code(40006));
        }
        if size > media::most(kind) {
            return Err(Refusal::code(45001));
        }
        if !(size.div_ceil(CHUNK_BYTES)..=CHUNKS).contains(&chunks) {
            return Err(Refusal::parameter("total_chunks should be 1 to 100, of 512 KB at most"));
        }
        self.count(&format!("bot upload {bot}"), 1, RATE, now)?;
        let id = new_id();
        let upload = Upload {
            bot: bot.into(),
            kind: kind.into(),
            name: name.into(),
            size,
            chunks,
            md5: filled(body, "md5").map(str::to_owned),
            begun_ms: now,
            pieces: BTreeMap::new(),
            done: false,
        };
        self.bots.uploads.insert(id.clone(), upload);
        Ok(Some(json!({"upload_id": id})))
    }

    /// Accepts a chunk, in any order and also repeatedly; chunks are numbered from 0 or from 1.
    pub(super) fn upload_chunk(&mut self, bot: &str, body: &Value) -> Done {
        let upload = self.upload(bot, body)?;
        let index = int(body, "chunk_index").and_then(|index| usize::try_from(index).ok());
        let index = index.filter(|index| *index <= upload.chunks);
        let index = index.ok_or_else(|| Refusal::parameter("chunk_index is out of range"))?;
        let piece = STANDARD.decode(text(body, "base64_data").unwrap_or_default());
        let piece = piece.map_err(|_| Refusal::parameter("base64_data is not base64"))?;
        if piece.is_empty() || piece.len() > CHUNK_BYTES {
            return Err(Refusal::code(40006));
        }
        upload.pieces.insert(index, piece);
        Ok(None)
    }

    pub(super) fn upload_finish(&mut self, bot: &str, body: &Value) -> Done {
        let now = self.clock.now();
        let upload = self.upload(bot, body)?;
        let numbered = |from: usize| upload.pieces.keys().copied().eq(from..from + upload.chunks);
        if !numbered(0) && !numbered(1) {
            return Err(Refusal::parameter("chunks are missing"));
        }
        let bytes = Bytes::from(upload.pieces.values().flatten().copied().collect::<Vec<u8>>());
        if upload.md5.as_ref().is_some_and(|stated| !stated.eq_ignore_ascii_case(&hex(&Md5::digest(&bytes)))) {
            return Err(Refusal::code(301_019));
        }
        media::check(&bytes, Some(upload.size), &upload.kind, media::most(&upload.kind))?;
        upload.done = true;
        upload.pieces.clear();
        let (kind, name) = (upload.kind.clone(), upload.name.clone());
        let id = self.vault.put(Owner::Bot(bot.into()), &kind, &name, bytes, now);
        Ok(Some(json!({"type": kind, "media_id": id, "created_at": (now / 1000).to_string()})))
    }

    fn upload(&mut self, bot: &str, body: &Value) -> Result<&mut Upload, Refusal> {
        let now = self.clock.now();
        let upload = self.bots.uploads.get_mut(text(body, "upload_id").unwrap_or_default());
        let upload = upload.filter(|upload| upload.bot == bot && !upload.done && now < upload.begun_ms + LIFE_MS);
        upload.ok_or_else(|| Refusal::parameter("upload_id is unknown, done or older than 30 minutes"))
    }
}
