//! The program: hands its arguments to [`wegraf::main`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: wegraf_allocator::Jemalloc = wegraf_allocator::Jemalloc;

fn main() -> ExitCode {
    wegraf::main(std::env::args_os())
}
