//! Saves a template or a mapping that was edited in the console: into a folder that `console.write` names and nowhere else,
//! in one rename, and only over the file that the person saw. Afterwards the configuration is read again: if that fails, the
//! old file is put back; otherwise it stays beside the new one as `NAME.old`. Meanwhile it is `NAME.undo`, which a process
//! that dies then leaves for a person.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::super::orders::reloaded;
use super::Gate;
use crate::console;
use crate::store::{Step, hash};
use crate::words::Words;

/// Parts of a name, with dots between: `duty`, `duty.zh.news`.
const PARTS: usize = 3;
/// Characters of a name.
const NAME: usize = 60;
/// Bytes of a file that is read to see whether it is the one that the person saw.
const FILE: u64 = 1 << 20;

/// What is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum What {
    Template,
    Mapping,
    /// A body, to try mappings on.
    Sample,
}

impl What {
    /// How names of its files end.
    pub(in crate::http) const fn ending(self) -> &'static str {
        match self {
            Self::Template => "j2",
            Self::Mapping => "yaml",
            Self::Sample => "body",
        }
    }

    /// The name of this step in the audit trail.
    const fn step(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Mapping => "mapping",
            Self::Sample => "sample",
        }
    }
}

/// Why it is not saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum Unsaved {
    /// That is no folder of `console.write`, or there is none.
    Folder,
    /// That is no name.
    Name,
    /// There is another file now than the one that the person saw.
    Changed,
    /// The system says so.
    System(String),
    /// With it the configuration is wrong.
    Reload(String),
}

impl Unsaved {
    pub(in crate::http) fn words(&self) -> Words {
        match self {
            Self::Folder => console::NO_FOLDER,
            Self::Name => console::NO_FILE_NAME,
            Self::Changed => console::FILE_CHANGED,
            Self::System(why) => console::not_written(why),
            Self::Reload(why) => console::not_taken(why),
        }
    }
}

/// Where a file of this name in one of the folders lies.
pub(in crate::http) fn place(folders: &[PathBuf], folder: &str, name: &str, what: What) -> Result<PathBuf, Unsaved> {
    let folder = folders.iter().find(|known| known.display().to_string() == folder).ok_or(Unsaved::Folder)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let mut parts = name.split('.');
    let fits = name.len() <= NAME
        && parts.clone().count() <= PARTS
        && parts.all(|part| !part.is_empty() && part.bytes().all(plain));
    if fits { Ok(folder.join(format!("{name}.{}", what.ending()))) } else { Err(Unsaved::Name) }
}

/// The mark of a text, by which a form says which file its person saw; empty for none.
pub(in crate::http) fn mark(text: Option<&str>) -> String {
    text.map(|text| hash(text).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))).unwrap_or_default()
}

/// The mark of the file that is there now.
pub(in crate::http) fn mark_of(path: &Path) -> Result<String, Unsaved> {
    Ok(mark(text_of(path)?.as_deref()))
}

/// Who saves: a person or a program, and from where.
#[derive(Debug, Clone)]
pub(in crate::http) struct Saver {
    pub name: String,
    pub address: String,
}

/// Saves `text` at `path`, over the file with the mark `seen`, and reads the configuration again. A client
/// that disconnects does not interrupt it: the file is checked, or put back, all the same.
pub(in crate::http) async fn save(
    gate: &Gate,
    saver: Saver,
    what: What,
    path: PathBuf,
    text: String,
    seen: String,
) -> Result<(), Unsaved> {
    let (gate, Saver { name: person, address }) = (gate.clone(), saver);
    let work = tokio::spawn(async move {
        let _one = gate.saving.lock().await;
        kept(&gate, &path, text, seen).await?;
        info!(path = %path.display(), person, "A file of the configuration was saved.");
        let step = Step {
            at: gate.server.clock.now(),
            person,
            what: what.step().to_owned(),
            way: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            address,
        };
        if let Err(error) = gate.server.store.leave(step).await {
            warn!(%error, "That a file was saved is not in the trail.");
        }
        Ok(())
    });
    work.await.unwrap_or_else(|error| Err(Unsaved::System(error.to_string())))
}

async fn kept(gate: &Gate, path: &Path, text: String, seen: String) -> Result<(), Unsaved> {
    let at = path.to_owned();
    let system = |error: std::io::Error| Unsaved::System(error.to_string());
    let old = blocking(move || {
        let old = text_of(&at)?;
        if mark(old.as_deref()) != seen {
            return Err(Unsaved::Changed);
        }
        write(&at, &text, old.as_deref()).map_err(system)?;
        Ok(old)
    })
    .await?;
    // Without an answer the process is ending: what was not checked must not meet the next start.
    let (at, was) = (path.to_owned(), old.is_some());
    let wrong = match reloaded(gate).await {
        Some(answer) if answer.error.is_empty() => return blocking(move || settle(&at, was).map_err(system)).await,
        Some(answer) => Unsaved::Reload(answer.error),
        None => Unsaved::System("the gateway is stopping".to_owned()),
    };
    let at = path.to_owned();
    blocking(move || back(&at, was).map_err(system)).await?;
    reloaded(gate).await;
    Err(wrong)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Unsaved> + Send + 'static) -> Result<T, Unsaved> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(Unsaved::System(error.to_string())))
}

/// The text of the file; `None`: there is none. A link could lead out of the folder.
pub(in crate::http) fn text_of(path: &Path) -> Result<Option<String>, Unsaved> {
    let system = |error: std::io::Error| Unsaved::System(error.to_string());
    let folder = path.parent().unwrap_or(Path::new("."));
    if !std::fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir()) {
        return Err(Unsaved::Folder);
    }
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(system(error)),
        Ok(found) if !found.is_file() || found.len() > FILE => Err(Unsaved::Name),
        Ok(_) => {
            let mut text = String::new();
            File::open(path).and_then(|file| file.take(FILE).read_to_string(&mut text)).map_err(system)?;
            Ok(Some(text))
        }
    }
}

/// Puts `text` at `path` by a rename, so that a reader finds the old file or the new one, whole. The old text stays beside it
/// until it is known whether the new one can be used.
fn write(path: &Path, text: &str, old: Option<&str>) -> std::io::Result<()> {
    let like = std::fs::metadata(path).ok();
    if let Some(old) = old {
        replace(&beside(path, UNDO), old, like.as_ref())?;
    }
    replace(path, text, like.as_ref())
}

/// The new file can be used: the one before it, if there `was` one, is the old one now.
fn settle(path: &Path, was: bool) -> std::io::Result<()> {
    if was { moved(&beside(path, UNDO), &beside(path, OLD)) } else { Ok(()) }
}

/// Puts the file back as it was.
fn back(path: &Path, was: bool) -> std::io::Result<()> {
    if was { moved(&beside(path, UNDO), path) } else { std::fs::remove_file(path) }
}

/// The ending of the file before the last one that could be used.
const OLD: &str = ".old";
/// The ending of a file whose successor is being tried.
const UNDO: &str = ".undo";

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn moved(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(from, to)?;
    File::open(to.parent().unwrap_or(Path::new(".")))?.sync_all()
}

fn replace(path: &Path, text: &str, like: Option<&Metadata>) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // No pattern takes a name with a dot in front.
    let fresh = folder.join(format!(".wegraf-{:016x}.tmp", rand::random::<u64>()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&fresh)?;
        if let Some(like) = like {
            file.set_permissions(like.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // It may be there or not; the fault is told above.
        let _ = std::fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_in_named_folders_have_a_place() {
        let folders = [PathBuf::from("/etc/wegraf/templates"), PathBuf::from("/etc/wegraf/payloads.d")];
        let at = |folder: &str, name: &str| place(&folders, folder, name, What::Template);
        assert_eq!(at("/etc/wegraf/templates", "duty.zh.news"), Ok("/etc/wegraf/templates/duty.zh.news.j2".into()));
        for folder in ["", "/", "/etc/wegraf", "/etc/wegraf/templates/", "/etc/wegraf/templates/..", "templates"] {
            assert_eq!(at(folder, "duty"), Err(Unsaved::Folder), "{folder}");
        }
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc/passwd",
            ".hidden",
            "a..b",
            "a.",
            "A",
            "a b",
            "a\0",
            "a\n",
            "模板",
            "a.b.c.d",
            "%2e%2e",
            "a%2fb",
            "-\u{202e}",
            "C:x",
            "~",
            "$x",
            "*",
            &"a".repeat(61),
        ] {
            assert_eq!(at("/etc/wegraf/templates", name), Err(Unsaved::Name), "{name:?}");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_its_old_text_stays_beside_it_and_no_link_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("duty.j2");
        assert_eq!(text_of(&path), Ok(None));
        write(&path, "one", None).unwrap();
        assert_eq!(mark_of(&path).unwrap(), mark(Some("one")));
        settle(&path, false).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let names = || {
            let mut names: Vec<_> = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        write(&path, "two", Some("one")).unwrap();
        assert_eq!((read("duty.j2"), read("duty.j2.undo")), ("two".to_owned(), "one".to_owned()));
        settle(&path, true).unwrap();
        assert_eq!(names(), ["duty.j2", "duty.j2.old"]);
        // A file that cannot be used takes neither the place of the good one nor that of the old one.
        write(&path, "three", Some("two")).unwrap();
        back(&path, true).unwrap();
        assert_eq!((read("duty.j2"), read("duty.j2.old")), ("two".to_owned(), "one".to_owned()));
        write(&folder.path().join("new.j2"), "four", None).unwrap();
        back(&folder.path().join("new.j2"), false).unwrap();
        assert_eq!(names(), ["duty.j2", "duty.j2.old"], "a half-written file is left");
        let (elsewhere, link) = (folder.path().join("elsewhere"), folder.path().join("link.j2"));
        std::fs::write(&elsewhere, "secret").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
        assert_eq!(text_of(&link), Err(Unsaved::Name));
        std::os::unix::fs::symlink(folder.path(), folder.path().join("linked")).unwrap();
        assert_eq!(text_of(&folder.path().join("linked/duty.j2")), Err(Unsaved::Folder));
    }
}
