//! wegraf: alerts that arrive.

pub mod alert;
pub mod cli;
pub mod config;
pub mod ingest;
pub mod route;
