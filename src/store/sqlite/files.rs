//! Are the files that this process writes to still the ones that the next process will find?
//!
//! A file that was deleted or replaced goes on existing for whoever has it open: writes succeed, and all of them are
//! lost with the process. So the writing thread looks before and after each commit; a look takes a few calls of the
//! system, some microseconds beside the sync of the commit.
//!
//! Nothing here opens the main file: closing it again would take SQLite's locks on it away from this process.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::lock::beside;
use crate::store::{Space, StoreError};

/// Header of a log, and of each page in it.
const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// With what a log begins; its last bit says in which order its checksums read bytes.
const LOG_MAGIC: u32 = 0x377f_0682;
/// Files that were saved and never looked at: more would only fill the disk.
const RESCUED: u32 = 100;

/// The database file and its log as this process opened them.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    main: Known,
    log: Known,
    log_file: File,
}

/// A file that was opened.
#[derive(Debug)]
struct Known {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// Its length after the last commit: nobody else writes to it.
    length: u64,
}

impl Known {
    fn of(path: PathBuf) -> std::io::Result<Self> {
        let about = std::fs::metadata(&path)?;
        Ok(Self { path, device: about.dev(), inode: about.ino(), length: about.len() })
    }

    fn displaced(&self, reason: &str) -> StoreError {
        StoreError::Displaced { path: self.path.clone(), reason: reason.to_owned() }
    }

    /// The file that is at its path now, if it is the same. The error says what happened to it.
    fn look(&self) -> Result<Metadata, StoreError> {
        match std::fs::metadata(&self.path) {
            Ok(about) if (about.dev(), about.ino()) == (self.device, self.inode) => Ok(about),
            Ok(_) => Err(self.displaced("已被换成另一个文件 / was replaced by another file")),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(self.displaced("已被删除或移走 / was deleted or moved away"))
            }
            Err(error) => Err(self.displaced(&format!("无法访问 / cannot be looked at: {error}"))),
        }
    }
}

impl Files {
    /// The files of a database that is open, its log included; that stands beside what a symbolic link points to.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let log = beside(&std::fs::canonicalize(path)?, "-wal");
        let log_file = File::open(&log)?;
        let (main, log) = (Known::of(path.to_owned())?, Known::of(log)?);
        Ok(Self { path: path.to_owned(), main, log, log_file })
    }

    /// Are they still in their places, and may they be written to? Says no as well if somebody else cut one of them
    /// short since [`Files::note`].
    pub fn check(&self, connection: &Connection) -> Result<(), StoreError> {
        let (main, log) = (self.main.look()?, self.log.look()?);
        if main.len() < self.main.length && !has_all(connection, main.len()) {
            return Err(self.main.displaced("被截短了 / was cut short"));
        }
        if !self.begins(log.len()) || log.len() < self.log.length && !holds_all(connection, log.len()) {
            return Err(self.log.displaced("被截短了 / was cut short"));
        }
        if statvfs(&self.path).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY)) {
            return Err(self.main.displaced("所在的文件系统变成了只读 / is on a file system that became read-only"));
        }
        Ok(())
    }

    /// Has a log of this length its beginning? One that was emptied and written to since has a hole there.
    fn begins(&self, length: u64) -> bool {
        let mut magic = [0; 4];
        length == 0 || self.log_file.read_exact_at(&mut magic, 0).is_ok() && u32::from_be_bytes(magic) & !1 == LOG_MAGIC
    }

    /// Is the main file in its place?
    pub fn main_is_there(&self) -> bool {
        self.main.look().is_ok()
    }

    /// Notes how long they are after this process wrote to them, once [`Files::check`] finds nothing wrong: the length of
    /// a file that somebody else cut short meanwhile would hide the cut from every later check.
    pub fn note(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.check(connection)?;
        for known in [&mut self.main, &mut self.log] {
            known.length = known.look()?.len();
        }
        Ok(())
    }

    /// How long the log is.
    pub fn log_length(&self) -> u64 {
        self.log.length
    }

    /// Where what this process has is saved if the files are gone when it ends; not over another file, unless a hundred
    /// are there already.
    pub fn rescue(&self) -> PathBuf {
        let name = |number: u32| beside(&self.path, &format!(".rescued-{number}"));
        let first = beside(&self.path, ".rescued");
        let free = std::iter::once(first.clone()).chain((1..RESCUED).map(name)).find(|path| !path.exists());
        free.unwrap_or(first)
    }
}

/// Has a main file of this length all pages of the database? A checkpoint that somebody asked for by hand may have
/// shortened it. What cannot be read is not there.
fn has_all(connection: &Connection, length: u64) -> bool {
    let figure = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = figure("page_count").and_then(|pages| Ok(pages * figure("page_size")?));
    bytes.is_ok_and(|bytes| bytes > 0 && length >= bytes.unsigned_abs())
}

/// Has a log of this length all that was not moved to the main file yet? A checkpoint that somebody asked for by hand
/// may have emptied it.
fn holds_all(connection: &Connection, length: u64) -> bool {
    let frames = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get::<_, i64>(1));
    let page = connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0));
    let (Ok(frames), Ok(page)) = (frames, page) else { return false };
    let frames = frames.max(0).unsigned_abs();
    frames == 0 || length >= LOG_HEADER + frames * (FRAME_HEADER + page.unsigned_abs())
}

/// The room on the file system of the database at `path`.
pub(super) fn space(path: &Path) -> std::io::Result<Space> {
    let system = statvfs(path)?;
    Ok(Space { free: system.f_bavail * system.f_frsize, total: system.f_blocks * system.f_frsize })
}
