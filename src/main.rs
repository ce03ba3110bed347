//! The program: hands its arguments to [`wegraf::cli`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: wegraf_allocator::Jemalloc = wegraf_allocator::Jemalloc;

fn main() -> ExitCode {
    wegraf::cli::run(std::env::args_os())
}
