//! The tree of matchers.

/// A compiled routing tree.
#[derive(Debug)]
pub struct Tree {}
