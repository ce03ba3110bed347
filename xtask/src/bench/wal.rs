//! How many pages a program writes into the log of its SQLite database, seen from outside: the log's index is a file that
//! every process may read.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

/// Between two looks. The log begins again after about a thousand pages, which takes some tens of milliseconds under
/// load: what is written between the last look and that moment is not seen, a few pages in a hundred.
const PAUSE: Duration = Duration::from_millis(1);
/// Where the index has the number of pages in the log, as the machine writes a `u32`.
const PAGES_AT: u64 = 16;

/// Counts until it is dropped.
#[derive(Debug)]
pub struct Watch {
    pages: Arc<AtomicU64>,
    watching: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Watch {
    /// Of the database in `file`.
    pub fn of(file: &Path) -> Self {
        let pages = Arc::new(AtomicU64::new(0));
        let (count, index) = (pages.clone(), PathBuf::from(format!("{}-shm", file.display())));
        let watching = tokio::spawn(async move {
            let mut before = logged(&index).unwrap_or_default();
            loop {
                tokio::time::sleep(PAUSE).await;
                let Some(now) = logged(&index) else { continue };
                // A log that is shorter than before began again.
                let new = now.checked_sub(before).unwrap_or(now);
                count.fetch_add(u64::from(new), Ordering::Relaxed);
                before = now;
            }
        });
        Self { pages, watching }
    }

    /// Pages so far.
    pub fn pages(&self) -> u64 {
        self.pages.load(Ordering::Relaxed)
    }
}

fn logged(index: &Path) -> Option<u32> {
    let mut bytes = [0; 4];
    std::fs::File::open(index).ok()?.read_exact_at(&mut bytes, PAGES_AT).ok()?;
    Some(u32::from_ne_bytes(bytes))
}
