//! wegraf: alerts that arrive.

pub mod alert;
pub mod config;
pub mod ingest;
pub mod render;
pub mod route;
