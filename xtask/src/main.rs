//! Tasks of the repository. `cargo xtask bench` measures; `docs/performance.md` holds what it printed.
//! `cargo xtask fuzz` feeds the parsers and the templates with what nobody should send.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people: counts and times are far below 2^52"
)]

mod bench;
mod fuzz;
mod load;

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
    /// Run the fuzz targets one after the other and print what each did.
    Fuzz(fuzz::Options),
    /// The bare handler `bench` compares with: parses the same body, keeps nothing.
    Bare {
        /// Where to listen.
        listen: std::net::SocketAddr,
    },
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            match Args::parse().task {
                Task::Bench(options) => bench::run(options).await,
                Task::Fuzz(options) => fuzz::run(&options),
                Task::Bare { listen } => bench::bare(listen).await,
            }
        })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
