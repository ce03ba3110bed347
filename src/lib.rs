//! wegraf: alerts that arrive.

pub mod alert;
pub mod config;
pub mod ingest;
pub mod news;
pub mod route;
pub mod store;
