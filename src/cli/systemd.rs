//! What systemd is told (`man sd_notify`): ready, stopping, alive. Without systemd nothing is told.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tracing::{debug, warn};

use crate::app::App;

/// The socket of the service manager.
#[derive(Debug, Clone, Default)]
pub(super) struct Systemd {
    address: Option<SocketAddr>,
    /// It ends the process if it hears nothing for this long.
    patience: Option<Duration>,
}

impl Systemd {
    /// The manager that started this process, if one did.
    pub(super) fn of_environment() -> Self {
        let address = std::env::var_os("NOTIFY_SOCKET").and_then(|name| {
            let name = name.as_bytes();
            match name.strip_prefix(b"@") {
                Some(hidden) => SocketAddr::from_abstract_name(hidden).ok(),
                None => SocketAddr::from_pathname(std::path::Path::new(std::ffi::OsStr::from_bytes(name))).ok(),
            }
        });
        let number = |name: &str| std::env::var_os(name)?.to_str()?.parse::<u64>().ok();
        // Another process of the service may be meant.
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let patience = number("WATCHDOG_USEC").filter(|_| ours).map(Duration::from_micros);
        Self { address, patience }
    }

    /// The store is open and the listeners take connections.
    pub(super) fn ready(&self) {
        self.tell("READY=1\nSTATUS=ready");
    }

    /// No more is taken; what is in flight is finished.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=finishing what is in flight");
    }

    /// Tells that the process is alive for as long as the store's writer answers and delivery looks at its lanes. An
    /// error of the store is an answer, too: a process that cannot reach its database does not hang.
    pub(super) async fn watch(self, app: App) {
        let Some(patience) = self.patience.filter(|_| self.address.is_some()) else { return };
        let interval = patience / 3;
        let mut looks = app.deliver().looks();
        loop {
            tokio::time::sleep(interval).await;
            let answers = tokio::time::timeout(interval, app.store().check()).await.is_ok();
            let looked = std::mem::replace(&mut looks, app.deliver().looks()) != looks;
            if answers && looked {
                self.tell("WATCHDOG=1");
            } else {
                warn!(answers, looked, "The process seems to hang; systemd will restart it.");
            }
        }
    }

    fn tell(&self, state: &str) {
        let Some(address) = &self.address else { return };
        let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(state.as_bytes(), address));
        if let Err(error) = sent {
            debug!(%error, state, "systemd could not be told.");
        }
    }
}
