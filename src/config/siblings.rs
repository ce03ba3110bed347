//! Files that the configuration names: people, rotas, mappings. Relative paths start at its folder.

use std::path::Path;

use super::finding::Place;
use super::resolve::Resolver;
use super::yaml;

/// A larger file is neither a list of people nor one of mappings.
const FILE_BYTES: u64 = 1 << 20;

impl Resolver<'_> {
    /// The result of `resolve` for the YAML in the file at `path`, which is recorded as a part of the configuration.
    /// Mistakes in it have its own name and places.
    pub(super) fn sibling<T: for<'de> serde::Deserialize<'de>, R>(
        &mut self,
        place: Place,
        key: &str,
        path: &Path,
        resolve: impl FnOnce(&mut Self, &T) -> Option<R>,
    ) -> Option<R> {
        let path = self.folder.join(path);
        self.files.push(path.clone());
        let odd = std::fs::metadata(&path).is_ok_and(|data| !data.is_file() || data.len() > FILE_BYTES);
        if odd {
            self.found.mistake(
                place,
                (
                    format!("`{key}`：{} 不是文件，或超过 1 MiB", path.display()),
                    format!("`{key}`: {} is no file, or larger than 1 MiB", path.display()),
                ),
                ("检查路径和大小", "check the path and its size"),
            );
            return None;
        }
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                self.unreadable(place, key, &path, &error);
                return None;
            }
        };
        let main = std::mem::replace(&mut self.found.file, path);
        let written = yaml::read::<T>(text.trim_start_matches('\u{feff}'), self.found);
        let made = written.and_then(|written| resolve(self, &written));
        self.found.file = main;
        made
    }
}
