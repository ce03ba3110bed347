//! JSON of any other shape, read through a mapping.

/// Mappings: the user's first, then the shipped ones.
#[derive(Debug, Default)]
pub struct Payloads {}
