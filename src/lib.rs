//! wegraf: receives alerts from Grafana and Prometheus, stores them, and delivers them to people and groups in WeCom.
//!
//! The path of an alert: [`http`] → [`intake`] (which asks [`proof`], [`ingest`] and [`route`]) → [`store`] (which asks
//! `engine`); then the sender gets its 200; → [`deliver`] → [`render`] → the `wecom` crate → [`store`]. `ARCHITECTURE.md`
//! describes it.

pub mod alert;
pub mod answer;
pub mod app;
pub mod bots;
pub mod budget;
pub mod card_name;
pub mod charts;
pub mod cli;
pub mod config;
pub mod console;
pub mod deliver;
pub mod duty;
pub(crate) mod engine;
pub mod fuse;
pub mod http;
pub mod incidents;
pub mod ingest;
pub mod intake;
pub mod level;
pub mod links;
pub mod live;
pub mod measure;
pub mod metrics;
pub mod names;
pub(crate) mod plain;
pub mod preview;
pub mod proof;
pub mod render;
pub mod room;
#[cfg(test)]
mod rooms;
pub mod route;
pub mod said;
pub mod search;
pub mod shown;
pub mod sockets;
pub mod standing;
pub mod stats;
pub mod store;
pub mod subject;
pub mod telemetry;
pub mod time;
pub mod upstream;
pub mod watch;
pub mod words;
