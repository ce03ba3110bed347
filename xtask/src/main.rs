//! `cargo xtask`: see the library beside this for what it does.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{Skipped, bench, crash, fuzz, iofault, package, powercut, replicas, siege, storm};

#[derive(Parser)]
#[command(about = "Tasks of the repository")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measure intake, delivery, presses of buttons, memory, start-up and size, side by side with a bare handler.
    Bench(bench::Options),
    /// Run the fuzz targets one after the other and print what each did.
    Fuzz(fuzz::Options),
    /// Kill the gateway with signal 9 at random moments under load, and compare what was promised with what arrived.
    Crash(crash::Options),
    /// Let the disk fail at every k-th sync or write, and fill it up: no 2xx without its row after a restart.
    Iofault(iofault::Options),
    /// Cut the power of a loop-mounted disk under load: nothing acknowledged may be lost.
    Powercut(powercut::Options),
    /// 100,000 alerts within a minute: no limit exceeded, everything told, critical alerts first.
    Storm(storm::Options),
    /// Thousands of hostile connections and bursts of large bodies: the door stays open, the memory within its bound.
    Siege(siege::Options),
    /// A server that `bench` compares with: parses the same body and keeps nothing, or one commit for each request.
    Plain(bench::Plain),
    /// Make what people install: tar, deb, rpm, image, sums, SBOM; prove each with --check.
    Package(package::Options),
    /// Pause, kill and cut off replicas on one `PostgreSQL` under load: order, budgets and the bound on copies must hold.
    Replicas(replicas::Options),
}

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
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Crash(options) => crash::run(options).await,
        Task::Iofault(options) => iofault::run(options).await,
        Task::Powercut(options) => powercut::run(options).await,
        Task::Siege(options) => siege::run(options).await,
        Task::Storm(options) => storm::run(options).await,
        Task::Plain(plain) => bench::plain(plain).await,
        Task::Package(options) => package::run(&options),
        Task::Replicas(options) => replicas::run(options).await,
    }
}
