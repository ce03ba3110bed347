//! The program: hands its arguments to [`wegraf::cli`].

use std::process::ExitCode;

/// Gives memory back to the system after a burst of large bodies; the system's own keeps it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    wegraf::cli::run(std::env::args_os())
}
