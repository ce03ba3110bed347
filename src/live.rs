//! Settings that a reload of the configuration replaces as a whole while others read them.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// A room's settings. Cheap to clone: all clones see the newest.
#[derive(Debug)]
pub struct Live<T>(Arc<ArcSwap<T>>);

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Live<T> {
    /// Begins with these settings.
    pub fn new(settings: impl Into<Arc<T>>) -> Self {
        Self(Arc::new(ArcSwap::from(settings.into())))
    }

    /// The settings as of now. Hold them for one request or one send.
    pub fn now(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Replaces them for all who ask from now on.
    pub fn replace(&self, settings: impl Into<Arc<T>>) {
        self.0.store(settings.into());
    }
}
