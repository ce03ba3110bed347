//! The least that a durable intake can do: one file, to which bodies are appended, and one sync for all that wait.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use axum::body::Bytes;
use tokio::sync::{mpsc, oneshot};

/// Bodies that wait for the next sync.
const WAITING: usize = 1024;

/// A body, and whom to tell that it is on disk.
type Order = (Bytes, oneshot::Sender<()>);

/// The file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Floor(mpsc::Sender<Order>);

impl Floor {
    /// Appends to `file`.
    pub fn new(file: &Path) -> anyhow::Result<Self> {
        let mut file = File::options().append(true).create(true).open(file)?;
        let (orders, mut waiting) = mpsc::channel::<Order>(WAITING);
        std::thread::spawn(move || {
            let mut group: Vec<Order> = Vec::new();
            let mut bytes: Vec<u8> = Vec::new();
            while waiting.blocking_recv_many(&mut group, WAITING) > 0 {
                bytes.clear();
                for (body, _) in &group {
                    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
                    bytes.extend_from_slice(body);
                }
                if file.write_all(&bytes).and_then(|()| file.sync_data()).is_err() {
                    // Nothing is answered any more.
                    return;
                }
                for (_, done) in group.drain(..) {
                    let _ = done.send(());
                }
            }
        });
        Ok(Self(orders))
    }

    /// Returns when `body` is on disk.
    pub async fn keep(&self, body: Bytes) -> anyhow::Result<()> {
        let (done, told) = oneshot::channel();
        self.0.send((body, done)).await.ok().context("the file takes no more")?;
        told.await.context("the file could not be written")
    }
}
