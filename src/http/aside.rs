//! Requests of people on a thread of their own: a page takes milliseconds of a processor, and no sender waits for it. The
//! thread gives way to all others: where processors are short, pages become slower first (docs/performance.md has figures).

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

/// How much the thread gives way: its share of a processor that others want, too, is a tenth (`nice`).
const GIVES_WAY: i32 = 10;

/// The thread, and a few for what blocks it. It lives as long as the process.
static PEOPLE: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let mut builder = Builder::new_multi_thread();
    builder.on_thread_start(|| {
        // Of the calling thread alone, under Linux. Where the system forbids it, the thread is like any other.
        let _ = rustix::process::setpriority_process(None, GIVES_WAY);
    });
    let runtime = builder.worker_threads(1).max_blocking_threads(8).thread_name("people").enable_all().build();
    runtime.inspect_err(|error| tracing::warn!(%error, "There is no thread for people's pages.")).ok()
});

/// Answers a request on people's thread; ends with the connection, as it would without it.
pub(super) async fn aside(request: Request, next: Next) -> Response {
    let Some(people) = PEOPLE.as_ref() else { return next.run(request).await };
    let answer = AbortOnDropHandle::new(people.spawn(next.run(request).in_current_span())).await;
    answer.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
