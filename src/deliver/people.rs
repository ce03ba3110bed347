//! `users_file`: one userid a line, like `Wechat_grafana`'s `Alarm_people.txt`; read again when it changes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tracing::warn;

use crate::config::users_in;
use crate::words::{Words, told, words};

/// A userid is at most 64 bytes and `message/send` takes 1000 of them; a larger file is not a list of people.
const FILE_BYTES: u64 = 1 << 20;

/// The lists read so far.
#[derive(Debug, Default)]
pub struct People(Mutex<HashMap<PathBuf, Known>>);

#[derive(Debug, Clone)]
struct Known {
    stamp: (SystemTime, u64),
    users: Arc<Vec<String>>,
}

impl People {
    /// The userids in `path`. If the file cannot be read now but could be before, the earlier userids; the error says
    /// what to repair if it never could be read.
    pub fn read(&self, path: &Path) -> Result<Arc<Vec<String>>, Words> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        match load(path, known.as_ref()) {
            Ok(fresh) => {
                let users = fresh.users.clone();
                self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), fresh);
                Ok(users)
            }
            Err(reason) => {
                let (path, Words { zh, en }) = (path.display(), &reason);
                let known = known.ok_or_else(|| told!("users_file {path}：{zh}", "users_file {path}: {en}"))?;
                warn!(%path, reason = %en, "The list of people cannot be read; the last one read stays in use.");
                Ok(known.users)
            }
        }
    }
}

fn load(path: &Path, known: Option<&Known>) -> Result<Known, Words> {
    let meta =
        std::fs::metadata(path).map_err(|error| told!("读不到文件（{error}）", "it cannot be read ({error})"))?;
    if meta.len() > FILE_BYTES {
        return Err(words("文件超过 1 MiB，不是名单", "it is larger than 1 MiB, not a list of people"));
    }
    let stamp = (meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len());
    if let Some(known) = known.filter(|known| known.stamp == stamp) {
        return Ok(known.clone());
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| told!("读不到文件（{error}）", "it cannot be read ({error})"))?;
    let users: Vec<String> = users_in(&text).into_iter().map(str::to_owned).collect();
    if users.is_empty() {
        return Err(words("里面没有人，请每行写一个 userid", "it names no one: write one userid a line"));
    }
    Ok(Known { stamp, users: Arc::new(users) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_people_forgives_blank_lines_comments_and_doubles() {
        assert_eq!(
            users_in("\u{feff}daixuan\r\n\r\n  zhangsan # on duty\nDaiXuan\n# nobody\n"),
            ["daixuan", "zhangsan"]
        );
    }

    #[test]
    fn a_changed_list_is_read_anew_and_a_vanished_one_stays_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Alarm_people.txt");
        let people = People::default();
        assert!(people.read(&path).unwrap_err().en.contains("cannot be read"));
        std::fs::write(&path, "daixuan\n").unwrap();
        assert_eq!(*people.read(&path).unwrap(), ["daixuan"]);
        std::fs::write(&path, "daixuan\nzhangsan\n").unwrap();
        assert_eq!(*people.read(&path).unwrap(), ["daixuan", "zhangsan"]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(*people.read(&path).unwrap(), ["daixuan", "zhangsan"]);
    }
}
