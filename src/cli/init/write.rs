//! The files: secrets that only the owner reads, then the configuration that refers to them.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::draft::{Draft, Existing};
use crate::cli::source::replace;
use crate::cli::{Init, SecretsIn};
use crate::config::gives_its_group;
use crate::words::told;

/// What was written.
pub(super) struct Written {
    pub(super) files: Vec<PathBuf>,
    pub(super) added: bool,
}

/// Writes all or nothing. `None` if the existing file cannot be extended as text.
pub(super) fn write(draft: &Draft, arguments: &Init, existing: Option<&Existing>) -> anyhow::Result<Option<Written>> {
    let Some(text) = &draft.text else { return Ok(None) };
    let path = arguments.output.as_path();
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files = Vec::new();
    let all = (|| {
        if arguments.secrets == SecretsIn::File {
            let secrets = folder.join("secrets");
            make(&secrets, folder)?;
            for secret in &draft.secrets {
                let file = secrets.join(&secret.name);
                private(&file, &format!("{}\n", secret.value))?;
                files.push(file);
            }
        }
        if existing.is_some() {
            replace(path, text).with_context(|| told!("不能写 {}", "{} cannot be written", path.display()))?;
        } else {
            private(path, text)?;
        }
        anyhow::Ok(())
    })();
    if let Err(error) = all {
        for file in &files {
            // The first error is the one that is told.
            let _ = std::fs::remove_file(file);
        }
        return Err(error);
    }
    files.push(path.to_path_buf());
    Ok(Some(Written { files, added: existing.is_some() }))
}

/// A folder for secrets. In a folder that gives its group to its files (of a package), the group of the service may read.
fn make(folder: &Path, beside: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if folder.is_dir() {
        return Ok(());
    }
    let mode = if gives_its_group(beside) { 0o2750 } else { 0o700 };
    let made = std::fs::DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.with_context(|| told!("不能建目录 {}", "the folder {} cannot be made", folder.display()))
}

/// A new file that only its owner can read, and the group that its folder gives it.
fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mode = if path.parent().is_some_and(gives_its_group) { 0o640 } else { 0o600 };
    let failed = || told!("不能写 {}", "{} cannot be written", path.display());
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    file.sync_all().with_context(failed)
}
