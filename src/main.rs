//! The program: hands its arguments to [`wegraf::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    wegraf::cli::run(std::env::args_os())
}
