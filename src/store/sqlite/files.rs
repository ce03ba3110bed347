//! Checks that the files this process writes to are still the ones that the next process will open.
//!
//! A deleted or replaced file continues to exist for a process that has it open: writes succeed and are lost with the
//! process. So the writing thread checks before and after each commit; a check takes a few system calls, some
//! microseconds beside the sync of the commit.
//!
//! Nothing here opens the main file: closing it again would release this process's SQLite locks on it.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::{StatVfsMountFlags, statvfs};

use super::lock::beside;
use crate::store::words;
use crate::store::{Retry, Space, StoreError};
use crate::words::Words;

/// Header of a log, and of each page in it.
const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;
/// First bytes of a log; the last bit gives the byte order of its checksums.
const LOG_MAGIC: u32 = 0x377f_0682;
/// Most rescued files that are kept: more would only fill the disk.
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
    /// Its length after the last commit: no other process should write to it.
    length: u64,
}

impl Known {
    fn of(path: PathBuf) -> std::io::Result<Self> {
        let about = std::fs::metadata(&path)?;
        Ok(Self { path, device: about.dev(), inode: about.ino(), length: about.len() })
    }

    fn displaced(&self, reason: Words) -> StoreError {
        StoreError::Retry(Retry::Displaced { path: self.path.clone(), reason })
    }

    /// Metadata of the file at its path, if it is the same file. The error says what happened to it.
    fn look(&self) -> Result<Metadata, StoreError> {
        match std::fs::metadata(&self.path) {
            Ok(about) if (about.dev(), about.ino()) == (self.device, self.inode) => Ok(about),
            Ok(_) => Err(self.displaced(words::REPLACED)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Err(self.displaced(words::MOVED))
            }
            Err(error) => Err(self.displaced(words::out_of_reach(&error))),
        }
    }
}

impl Files {
    /// The files of an open database, its log included, which lies beside the target of a symbolic link.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let log = beside(&std::fs::canonicalize(path)?, "-wal");
        let log_file = File::open(&log)?;
        let (main, log) = (Known::of(path.to_owned())?, Known::of(log)?);
        Ok(Self { path: path.to_owned(), main, log, log_file })
    }

    /// Are they still in their places and writable? Also fails if another process truncated one of them since
    /// [`Files::note`].
    pub fn check(&self, connection: &Connection) -> Result<(), StoreError> {
        let (main, log) = (self.main.look()?, self.log.look()?);
        if main.len() < self.main.length && !has_all(connection, main.len()) {
            return Err(self.main.displaced(words::CUT));
        }
        if !self.begins(log.len()) || log.len() < self.log.length && !holds_all(connection, log.len()) {
            return Err(self.log.displaced(words::CUT));
        }
        if statvfs(&self.path).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY)) {
            return Err(self.main.displaced(words::READ_ONLY));
        }
        Ok(())
    }

    /// Does a log of this length have its beginning? One that was truncated and written to since has a hole there.
    fn begins(&self, length: u64) -> bool {
        let mut magic = [0; 4];
        length == 0 || self.log_file.read_exact_at(&mut magic, 0).is_ok() && u32::from_be_bytes(magic) & !1 == LOG_MAGIC
    }

    /// Is the main file in its place?
    pub fn main_is_there(&self) -> bool {
        self.main.look().is_ok()
    }

    /// Records their lengths after this process wrote to them, once [`Files::check`] passes: recording the length of a
    /// file that was truncated meanwhile would hide that from every later check.
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

    /// Where this process saves its data if the files are gone when it ends; not over another file, unless a hundred
    /// exist already.
    pub fn rescue(&self) -> PathBuf {
        let name = |number: u32| beside(&self.path, &format!(".rescued-{number}"));
        let first = beside(&self.path, ".rescued");
        let free = std::iter::once(first.clone()).chain((1..RESCUED).map(name)).find(|path| !path.exists());
        free.unwrap_or(first)
    }
}

/// Does a main file of this length have all pages of the database? A manual checkpoint may have shortened it. An
/// unreadable figure counts as no.
fn has_all(connection: &Connection, length: u64) -> bool {
    let figure = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let bytes = figure("page_count").and_then(|pages| Ok(pages * figure("page_size")?));
    bytes.is_ok_and(|bytes| bytes > 0 && length >= bytes.unsigned_abs())
}

/// Does a log of this length have all frames that are not in the main file yet? A manual checkpoint may have emptied
/// it.
fn holds_all(connection: &Connection, length: u64) -> bool {
    let frames = connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get::<_, i64>(1));
    let page = connection.pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0));
    let (Ok(frames), Ok(page)) = (frames, page) else { return false };
    let frames = frames.max(0).unsigned_abs();
    frames == 0 || length >= LOG_HEADER + frames * (FRAME_HEADER + page.unsigned_abs())
}

/// Bytes of the database at `path` and of what is not merged into it yet.
pub(super) fn bytes(path: &Path) -> std::io::Result<u64> {
    let log = std::fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len());
    Ok(std::fs::metadata(path)?.len() + log)
}

/// The space of the file system of the database at `path`.
pub(super) fn space(path: &Path) -> std::io::Result<Space> {
    let system = statvfs(path)?;
    Ok(Space { free: system.f_bavail * system.f_frsize, total: system.f_blocks * system.f_frsize })
}
