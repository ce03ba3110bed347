//! Plays WeCom (企业微信) for tests, demos and clients in any language.
//!
//! An independent reading of WeCom's documentation: nothing here is shared with the client crate, so that a mistake
//! in reading shows as a disagreement between the two. It owns the HTTP API under `/cgi-bin/`, a control API under
//! `/_simulator/` and a page at `/` that draws what the receivers see. It knows nothing of alerts.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let simulator = wecom_simulator::Simulator::start(listener, wecom_simulator::Setup::demo()).await;
//! println!("point your client at {}", simulator.url());
//! simulator.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! The control API is described in the README of this crate and in [`control`].

mod answer;
mod api;
mod bot;
mod call;
mod callback;
mod card;
mod clicks;
mod clock;
mod content;
pub mod control;
mod faults;
mod inbox;
mod journal;
mod kept;
mod log;
mod merge;
mod page;
mod people;
mod rate;
mod server;
mod setup;
mod sign_in;
mod state;
mod switches;
mod tokens;
mod vault;

use std::sync::Arc;

pub use setup::{App, Bot, BotGroup, CallbackServer, Chat, Corp, Department, Setup, Tag, User, Visible, Webhook};

/// A running simulator. Clones share it; it ends with [`Simulator::stop`] or when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Simulator(Arc<server::Running>);

impl Simulator {
    /// Serves `setup` on `listener` until stopped.
    #[expect(clippy::unused_async, reason = "spawning needs a runtime; an async start cannot be called outside one")]
    pub async fn start(listener: tokio::net::TcpListener, setup: Setup) -> Self {
        Self(Arc::new(server::start(listener, setup)))
    }

    /// Where it listens, without a slash at the end: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Ends it: closes the listener and every open connection, and returns when all are gone.
    pub async fn stop(self) {
        self.0.stop().await;
    }
}
