//! The program: hands its arguments to [`wegraf::cli`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: wegraf_allocator::Jemalloc = wegraf_allocator::Jemalloc;

fn main() -> ExitCode {
    wegraf::cli::main(std::env::args_os())
}
