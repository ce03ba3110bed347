//! A disk whose power can be cut: an ext4 image on a loop device, in a file that can be copied at one instant.
//!
//! What the gateway's file system has written to its "disk" is in the image file; its page cache is not. So a copy of
//! the unsynced image is the disk after a power cut — if it shows one instant, which a plain copy of a file that is
//! being written does not. Therefore the image lies on a second loop-mounted ext4: freezing that one (FIFREEZE) stops
//! all writes to the image between two of them, without notifying the inner file system, let alone syncing it.
//!
//! What this disk does not model: torn sectors, and a drive that loses its own cache.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use tokio::process::Command;

use crate::Skipped;

/// Large enough never to fill up, since a full disk would hide the effect of a cut. Sparse: it only takes what is
/// written.
const IMAGE: &str = "256M";
/// Room for the image and its journal.
const OUTER: &str = "600M";

/// The disk. Everything is unmounted and gone when it is dropped.
#[derive(Debug)]
pub struct Disk {
    // Field order matters: the inner mount must be dropped first.
    inner: Option<Mount>,
    outer: Mount,
    folder: TempDir,
}

impl Disk {
    /// Creates it; [`Skipped`] where this machine does not permit it.
    pub async fn new() -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix("wegraf-disk-")?;
        let outer = folder.path().join("outer.img");
        let template = folder.path().join("empty.img");
        let made = async {
            format(&outer, OUTER).await?;
            format(&template, IMAGE).await?;
            let outer = Mount::new(&outer, &folder.path().join("outer")).await?;
            // Also tests whether it may be frozen.
            run("fsfreeze", &["--freeze".as_ref(), outer.at()]).await?;
            run("fsfreeze", &["--unfreeze".as_ref(), outer.at()]).await?;
            anyhow::Ok(outer)
        };
        let outer = made.await.map_err(|error| Skipped::new(format!("loop mounts are not allowed here: {error:#}")))?;
        Ok(Self { inner: None, outer, folder })
    }

    fn image(&self) -> PathBuf {
        self.outer.at.join("disk.img")
    }

    /// Mounts a fresh file system and returns its mount point.
    pub async fn insert(&mut self) -> anyhow::Result<PathBuf> {
        self.eject().await?;
        copy(&self.folder.path().join("empty.img"), &self.image()).await?;
        let mount = Mount::new(&self.image(), &self.folder.path().join("inner")).await?;
        let at = mount.at.clone();
        self.inner = Some(mount);
        Ok(at)
    }

    /// The disk after a power cut at this instant. The file system in use does not notice.
    pub async fn cut(&self) -> anyhow::Result<Wreck> {
        let image = self.folder.path().join("cut.img");
        let frozen = Frozen::new(&self.outer).await?;
        let copied = copy(&self.image(), &image).await;
        frozen.thaw().await?;
        copied?;
        Ok(Wreck { image, at: self.folder.path().join("cut") })
    }

    /// Unmounts the file system in use; no process may have open files on it.
    pub async fn eject(&mut self) -> anyhow::Result<()> {
        if let Some(mount) = self.inner.take() {
            mount.end().await?;
        }
        Ok(())
    }
}

/// The disk after the cut.
#[derive(Debug)]
pub struct Wreck {
    image: PathBuf,
    at: PathBuf,
}

impl Wreck {
    /// Mounts it, which replays the journal.
    pub async fn mount(&self) -> anyhow::Result<Mount> {
        Mount::new(&self.image, &self.at).await
    }
}

/// A mounted image; unmounted when it is dropped.
#[derive(Debug)]
pub struct Mount {
    at: PathBuf,
    mounted: bool,
}

impl Mount {
    async fn new(image: &Path, at: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(at)?;
        run("mount", &["-o".as_ref(), "loop,noatime".as_ref(), image, at]).await?;
        Ok(Self { at: at.to_owned(), mounted: true })
    }

    /// The mount point.
    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Unmounts it.
    pub async fn end(mut self) -> anyhow::Result<()> {
        run("umount", &[self.at.as_path()]).await?;
        self.mounted = false;
        Ok(())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            // Lazily: a process that still has an open file on it is being killed at this moment.
            let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.at).status();
        }
    }
}

/// A frozen file system. It must always be thawed: everything that writes to it hangs.
struct Frozen<'a> {
    mount: &'a Mount,
    frozen: bool,
}

impl<'a> Frozen<'a> {
    async fn new(mount: &'a Mount) -> anyhow::Result<Self> {
        // Before the call: the future may be dropped after the freeze.
        let frozen = Self { mount, frozen: true };
        run("fsfreeze", &["--freeze".as_ref(), mount.at()]).await?;
        Ok(frozen)
    }

    async fn thaw(mut self) -> anyhow::Result<()> {
        run("fsfreeze", &["--unfreeze".as_ref(), self.mount.at()]).await?;
        self.frozen = false;
        Ok(())
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        if self.frozen {
            let _ = std::process::Command::new("fsfreeze").arg("--unfreeze").arg(self.mount.at()).status();
        }
    }
}

async fn format(image: &Path, size: &str) -> anyhow::Result<()> {
    run("truncate", &["--size".as_ref(), size.as_ref(), image]).await?;
    run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), image]).await
}

async fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    run("cp", &["--sparse=always".as_ref(), from, to]).await
}

async fn run(program: &str, arguments: &[&Path]) -> anyhow::Result<()> {
    let output = Command::new(program).args(arguments).output().await;
    let output = output.with_context(|| format!("{program} cannot be run"))?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
