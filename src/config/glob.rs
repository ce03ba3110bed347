//! File patterns such as `templates/*.j2`: `*` and `?` inside one part of a path.

use std::path::{Component, Path, PathBuf};

/// The files that match `pattern`, seen from `folder`, sorted; a leading dot must be written.
pub(super) fn expand(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in folder.join(pattern).components() {
        let wild = match part {
            Component::Normal(name) => name.to_str().filter(|name| name.contains(['*', '?'])),
            _ => None,
        };
        found = match wild {
            None => found.into_iter().map(|path| path.join(part)).collect(),
            Some(wild) => found.iter().flat_map(|path| children(path, wild)).collect(),
        };
    }
    found.retain(|path| path.is_file());
    found.sort();
    found
}

fn children(folder: &Path, wild: &str) -> Vec<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
    let fits = |name: &String| (!name.starts_with('.') || wild.starts_with('.')) && matches(wild, name);
    entries.filter_map(name).filter(fits).map(|name| folder.join(name)).collect()
}

/// Linear in the product of both lengths: `*` remembers only its last try.
fn matches(wild: &str, name: &str) -> bool {
    let (wild, name): (Vec<char>, Vec<char>) = (wild.chars().collect(), name.chars().collect());
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < name.len() {
        match wild.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&letter) if letter == '?' || letter == name[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((back, tried)) = star else { return false };
                star = Some((back, tried + 1));
                at = back + 1;
                seen = tried + 1;
            }
        }
    }
    wild[at..].iter().all(|&letter| letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_inside_a_name() {
        for (wild, name, expected) in [
            ("*.j2", "ops.j2", true),
            ("*.j2", "ops.j2.bak", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?.j2", "值.j2", true),
            ("?.j2", "ab.j2", false),
            ("*", "", true),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(wild, name), expected, "{wild} {name}");
        }
    }

    #[test]
    fn files_are_found_below_the_folder_and_sorted() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one/b.j2", "one/a.j2", "two/c.j2", "one/.hidden.j2", "one/note.txt"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let names = |pattern: &str| -> Vec<String> {
            let found = expand(folder.path(), pattern);
            found.iter().map(|path| path.strip_prefix(folder.path()).unwrap().display().to_string()).collect()
        };
        assert_eq!(names("one/*.j2"), ["one/a.j2", "one/b.j2"]);
        assert_eq!(names("*/?.j2"), ["one/a.j2", "one/b.j2", "two/c.j2"]);
        assert_eq!(names("one/note.txt"), ["one/note.txt"]);
        assert!(names("nowhere/*.j2").is_empty());
    }
}
