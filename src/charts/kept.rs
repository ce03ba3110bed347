//! Answers that are used for a while: each is asked for once, however many want it at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

/// The place of an answer, or of one to come.
type Place<T> = Arc<OnceCell<T>>;

/// Answers by what was asked, and when each was first asked for.
#[derive(Debug)]
pub(super) struct Kept<T> {
    places: Mutex<HashMap<String, (Instant, Place<T>)>>,
    lasts: Duration,
    most: usize,
}

impl<T> Kept<T> {
    /// Keeps `most` answers, each for as long as it `lasts`.
    pub fn new(lasts: Duration, most: usize) -> Self {
        Self { places: Mutex::default(), lasts, most }
    }

    /// The place of the answer to `asked`.
    pub fn place(&self, asked: String) -> Place<T> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        places.retain(|_, (made, _)| now.duration_since(*made) < self.lasts);
        if places.len() >= self.most {
            let oldest = places.iter().min_by_key(|(_, (made, _))| *made).map(|(asked, _)| asked.clone());
            oldest.map(|asked| places.remove(&asked));
        }
        places.entry(asked).or_insert_with(|| (now, Arc::default())).1.clone()
    }
}
