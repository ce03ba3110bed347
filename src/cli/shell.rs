//! `wegraf completions` and `wegraf man`: shell completion and manual pages.

use std::io::Write as _;
use std::process::ExitCode;

use super::{Completions, Man, tongue};

/// Prints the completion script of a shell.
pub fn completions(arguments: &Completions) -> anyhow::Result<ExitCode> {
    // Into memory first: the generator panics if its output breaks off.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut tongue::spoken_tree(super::command()), "wegraf", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the man page, or writes the pages of all commands into a folder.
pub fn man(arguments: &Man) -> anyhow::Result<ExitCode> {
    match &arguments.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            clap_mangen::generate_to(tongue::spoken_tree(super::command()), folder)?;
        }
        None => clap_mangen::Man::new(tongue::spoken_tree(super::command())).render(&mut std::io::stdout().lock())?,
    }
    Ok(ExitCode::SUCCESS)
}
