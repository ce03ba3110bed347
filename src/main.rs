//! The program: hands its arguments to [`wegraf::cli`].

use std::process::ExitCode;

/// Gives memory back to the system some seconds after a burst of large bodies, also that of SQLite; the system's own
/// allocator keeps it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    wegraf::cli::run(std::env::args_os())
}
