//! One process holds the database: an operating system lock on a file beside it, held for the life of the process, and on
//! Linux the number of its inode, so that another name of the same file (a hard link) is noticed as well.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::store::{StoreError, Unopened};
use crate::words::Words;

/// Held as long as this lives; the system releases it at the end of the process, also after a kill. The file stays:
/// removing it would let a third process lock another file of the same name.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    #[cfg(target_os = "linux")]
    held: Option<Held>,
}

/// An inode that this process holds: a name of an abstract socket, which exists once in a network namespace and ends with
/// the process. SQLite keeps a log for each name of a file, so two processes with different names would lose rows.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Held {
    name: String,
    // Closed in this order: the number of a deleted file's inode goes to a new file, which is not ours to hold.
    _socket: std::os::unix::net::UnixListener,
    _inode: std::os::fd::OwnedFd,
}

impl Lock {
    /// Takes the lock of the database at `path` and writes our process id for others to read.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        // A symbolic link is another name of the same file.
        let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = beside(path, ".lock");
        let failed = |error: std::io::Error| StoreError::refused(&name, Words::quoted(error.to_string()));
        let mut file = private().read(true).write(true).create(true).truncate(false).open(&name).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Its holder may be about to write it; a missing number does not change the answer.
                let _ = file.read_to_string(&mut pid);
                let pid = if pid.trim().is_empty() { "?".to_owned() } else { pid.trim().to_owned() };
                return Err(StoreError::Open { path: path.to_owned(), why: Unopened::InUse { pid } });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        let mut lock = Self {
            _file: file,
            #[cfg(target_os = "linux")]
            held: None,
        };
        lock.hold(path)?;
        Ok(lock)
    }

    /// Takes the file at `path` by its inode, if there is one, instead of the inode held before: again after the file was
    /// created or replaced.
    #[cfg(target_os = "linux")]
    pub(super) fn hold(&mut self, path: &Path) -> Result<(), StoreError> {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::{SocketAddr, UnixListener};

        use rustix::fs::{Mode, OFlags, fstat, open};

        // A path descriptor keeps the inode and, unlike another descriptor, releases no lock of SQLite's when it is closed.
        let Ok(inode) = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) else { return Ok(()) };
        let Ok(about) = fstat(&inode) else { return Ok(()) };
        let name = format!("wegraf/{}/{}", about.st_dev, about.st_ino);
        if self.held.as_ref().is_some_and(|held| held.name == name) {
            return Ok(());
        }
        let address = SocketAddr::from_abstract_name(&name);
        match address.and_then(|address| UnixListener::bind_addr(&address)) {
            Ok(socket) => self.held = Some(Held { name, _socket: socket, _inode: inode }),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                let why = Unopened::InUse { pid: "?".to_owned() };
                return Err(StoreError::Open { path: path.to_owned(), why });
            }
            // Where there are no such sockets the lock beside the file is all.
            Err(_) => {}
        }
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn hold(&mut self, _path: &Path) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The path of a companion file: `wegraf.db` and `.lock` make `wegraf.db.lock`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Options that create files readable by their owner only: the database holds alerts and access tokens.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_new_file_with_the_number_of_a_deleted_file_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("first");
        fs::write(&first, "").unwrap();
        let held = Lock::take(&first).unwrap();
        fs::remove_file(&first).unwrap();
        // A file system may give the number of a deleted inode to the very next file.
        for name in 0..20 {
            let next = folder.path().join(name.to_string());
            fs::write(&next, "").unwrap();
            Lock::take(&next).unwrap();
        }
        drop(held);
    }
}
