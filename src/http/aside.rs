//! Requests of people on a thread of their own: a page takes milliseconds of a processor, and no sender waits for it. The
//! thread gives way to all others: where processors are short, pages become slower first (docs/performance.md has figures).

use std::future::Future;
use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::context::TokioContext;
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

tokio::task_local! {
    /// The runtime of the senders, for what a page on people's thread asks of other hosts.
    static SENDERS: Handle;
}

/// Answers a request that only looks on people's thread; ends with the connection, as it would without it. Acts stay
/// with the senders: they send, and what they begin goes on after their answer.
pub(super) async fn aside(request: Request, next: Next) -> Response {
    let people = PEOPLE.as_ref().filter(|_| request.method().is_safe());
    let Some(people) = people else { return next.run(request).await };
    let work = SENDERS.scope(Handle::current(), next.run(request)).in_current_span();
    let answer = AbortOnDropHandle::new(people.spawn(work)).await;
    answer.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// A question of a page to another host. A connection that it opens belongs to the senders' runtime, because the next
/// delivery may use it.
pub(super) fn outward<F: Future>(question: F) -> impl Future<Output = F::Output> {
    let senders = SENDERS.try_with(Handle::clone).unwrap_or_else(|_| Handle::current());
    TokioContext::new(question, senders)
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use axum::routing::get;
    use tokio::net::TcpListener;

    use super::*;

    /// The name of the thread that runs what is spawned here.
    async fn spawned() -> String {
        tokio::spawn(async { std::thread::current().name().unwrap_or_default().to_owned() }).await.unwrap()
    }

    #[tokio::test]
    async fn looks_run_on_peoples_thread_and_acts_and_outward_connections_do_not() {
        async fn look() -> String {
            format!("{} {}", spawned().await, outward(spawned()).await == "people")
        }
        let app = axum::Router::new().route("/", get(look).post(spawned)).route_layer(axum::middleware::from_fn(aside));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, app).await });
        // `Err` means that the process has one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let ask = async |method| client.request(method, &url).send().await.unwrap().text().await.unwrap();
        assert_eq!(ask(Method::GET).await, "people false");
        assert_ne!(ask(Method::POST).await, "people");
    }
}
