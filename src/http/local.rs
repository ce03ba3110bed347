//! A listener in the file system, for a proxy on the same machine: the group of the file may connect.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};
use tracing::info;

use super::words;

/// Owner and group connect, others do not.
const MODE: u32 = 0o660;

/// The listener, and the file that goes with it.
#[derive(Debug)]
pub struct LocalListener {
    listener: UnixListener,
    /// `None`: systemd's.
    path: Option<PathBuf>,
}

impl LocalListener {
    /// Listens at `path`. A file of a process that ended is replaced; one that answers, or is no socket, is not.
    pub(super) async fn open(path: &Path) -> anyhow::Result<Self> {
        let refused = |error: io::Error| {
            let said = words::cannot_listen_locally(path, error.kind());
            anyhow::Error::new(error).context(said)
        };
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(refused(ErrorKind::AlreadyExists.into())),
            Ok(_) => match UnixStream::connect(path).await {
                Ok(_) => return Err(refused(ErrorKind::AddrInUse.into())),
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(refused)?;
                }
                Err(error) => return Err(refused(error)),
            },
            Err(_) => {}
        }
        // Until the mode is set only those connect whom the process's mask lets write: no others.
        let listener = UnixListener::bind(path).map_err(refused)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE)).map_err(refused)?;
        Ok(Self { listener, path: Some(path.to_owned()) })
    }

    /// One that the process was started with.
    pub(super) fn given(listener: std::os::unix::net::UnixListener) -> anyhow::Result<Self> {
        listener.set_nonblocking(true)?;
        info!("The socket is systemd's.");
        Ok(Self { listener: UnixListener::from_std(listener)?, path: None })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl AsFd for LocalListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for LocalListener {
    fn drop(&mut self) {
        // Before the socket closes: the file is not yet that of another process.
        if let Some(path) = &self.path {
            std::fs::remove_file(path).ok();
        }
    }
}

impl fmt::Display for LocalListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "unix:{}", path.display()),
            None => f.write_str("unix"),
        }
    }
}
