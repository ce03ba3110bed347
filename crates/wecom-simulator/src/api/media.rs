//! Files: `media/upload`, `media/get`, `media/uploadimg` (pages 90253, 90256).

use serde_json::json;

use crate::answer::{Outcome, Refusal, Reply};
use crate::call::Call;
use crate::rate::Ceilings;
use crate::state::World;
use crate::vault::{Owner, mime};

const MB: usize = 1024 * 1024;
/// Every file is larger than this.
const MIN_BYTES: usize = 5;
/// Pictures of a corp with a permanent address.
const UPLOADIMG: Ceilings = Ceilings { day: 1000, month: 3000, ..Ceilings::NONE };

/// Accepts a file for the messages of a corp.
pub(super) fn upload(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let kind = call.param("type").filter(|kind| matches!(*kind, "image" | "voice" | "video" | "file"));
    let kind = kind.ok_or_else(|| Refusal::code(40005))?;
    keep(world, call, Owner::Corp(badge.corp_id), kind)
}

/// Checks the uploaded file and keeps it for three days.
pub(super) fn keep(world: &mut World, call: &Call, owner: Owner, kind: &str) -> Outcome {
    let file = call.upload.as_ref().ok_or_else(|| Refusal::code(44001))?;
    check(&file.bytes, file.filelength, kind, most(kind))?;
    let now = world.clock.now();
    let id = world.vault.put(owner, kind, &file.filename, file.bytes.clone(), now);
    Ok(Reply::with(json!({"type": kind, "media_id": id, "created_at": (now / 1000).to_string()})))
}

/// Accepts a picture and gives it an address that does not expire.
pub(super) fn upload_image(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let file = call.upload.as_ref().ok_or_else(|| Refusal::code(44001))?;
    check(&file.bytes, file.filelength, "image", 2 * MB)?;
    let now = world.clock.now();
    world.count(&format!("uploadimg {}", badge.corp_id), 1, UPLOADIMG, now)?;
    let id = world.vault.put(Owner::Corp(badge.corp_id), "image", &file.filename, file.bytes.clone(), now);
    Ok(Reply::with(json!({"url": format!("{}/_simulator/media/{id}", world.url)})))
}

/// Returns a file.
pub(super) fn get(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let id = call.param("media_id").ok_or_else(|| Refusal::code(41006))?;
    let file = world.vault.get(id, &Owner::Corp(badge.corp_id), world.clock.now());
    let file = file.ok_or_else(|| Refusal::code(40007))?;
    Ok(Reply::File { mime: file.mime.into(), name: file.name.clone(), bytes: file.bytes.clone() })
}

/// The most bytes of a file of this kind.
pub(crate) fn most(kind: &str) -> usize {
    match kind {
        "image" | "video" => 10 * MB,
        "voice" => 2 * MB,
        _ => 20 * MB,
    }
}

/// Checks size and format against the table of docs/reference/wecom.md#media.
pub(crate) fn check(bytes: &[u8], stated: Option<usize>, kind: &str, most: usize) -> Result<(), Refusal> {
    let found = mime(bytes);
    let stated_wrongly = stated.is_some_and(|stated| stated != bytes.len());
    let code = match kind {
        _ if bytes.is_empty() => 44001,
        _ if bytes.len() <= MIN_BYTES && (kind != "file" || bytes.len() < MIN_BYTES) => 40006,
        "image" if bytes.len() > most => 40009,
        "video" if bytes.len() > most => 40011,
        _ if bytes.len() > most => 45001,
        "image" if stated_wrongly || !found.starts_with("image/") => 40123,
        _ if stated_wrongly => 40006,
        "voice" if found != "audio/amr" => 301_017,
        "voice" if amr_ms(bytes) > 60_000 => 45007,
        "video" if found != "video/mp4" => 40004,
        _ => return Ok(()),
    };
    Err(Refusal::code(code))
}

/// How long an AMR (narrow band) recording plays: frames of 20 ms whose size follows from their first byte (RFC 4867).
fn amr_ms(bytes: &[u8]) -> u64 {
    const FRAME_BYTES: [usize; 16] = [13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1];
    let mut at = b"#!AMR\n".len();
    let mut frames = 0;
    while let Some(&head) = bytes.get(at) {
        at += FRAME_BYTES[usize::from(head >> 3 & 0x0f)];
        frames += 1;
    }
    frames * 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amr_recording_lasts_twenty_milliseconds_a_frame() {
        let mut bytes = b"#!AMR\n".to_vec();
        for _ in 0..50 {
            bytes.push(0x3c); // 12.2 kbit/s
            bytes.extend([0; 31]);
        }
        assert_eq!(amr_ms(&bytes), 1000);
    }
}
