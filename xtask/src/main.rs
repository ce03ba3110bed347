//! Tasks of the repository. `cargo xtask bench` measures; `docs/performance.md` holds what it printed. The others try to
//! break the built program on a whole machine: each prints its seed and its figures, exits 1 if a promise did not hold
//! (or its control could not tell), and 77 where the machine does not allow it.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people: counts and times are far below 2^52"
)]

mod bench;
mod disk;
mod gateway;
mod http;
mod load;
mod powercut;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Tasks of the repository")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure intake, delivery, memory, start-up and size, side by side with a bare handler.
    Bench(bench::Options),
    /// Cut the power of a loop-mounted disk under load: nothing acknowledged may be lost.
    Powercut(powercut::Options),
    /// The bare handler `bench` compares with: parses the same body, keeps nothing.
    Bare {
        /// Where to listen.
        listen: std::net::SocketAddr,
    },
}

/// Why a task could not run here. It is not a success.
#[derive(Debug)]
struct Skipped(String);

impl Skipped {
    fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "skipped: {}", self.0)
    }
}

impl std::error::Error for Skipped {}

/// What a test driver takes for "skipped", as in automake.
const SKIPPED: u8 = 77;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            // What a task started, mounted or froze is undone when it is dropped; a signal must not prevent that.
            let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            tokio::select! {
                done = run(Args::parse().task) => done,
                _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
                _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(skipped) = error.downcast_ref::<Skipped>() {
                println!("{skipped}");
                return ExitCode::from(SKIPPED);
            }
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Bench(options) => bench::run(options).await,
        Task::Bare { listen } => bench::bare(listen).await,
        Task::Powercut(options) => powercut::run(options).await,
    }
}
