//! The rooms keep to the table in ARCHITECTURE.md: which room may import which. A room imports only rooms that stand above
//! it there, so no circle of rooms can arise. `app`, which starts them all, stands above `cli` alone: only the commands,
//! which start it, import it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The head of the table.
const HEAD: &str = "| room | may import |";
/// Written for a room that may import every room above it.
const ALL: &str = "all above";

/// A source file: its path below `src`, and its text.
type File = (PathBuf, String);

/// The rooms in their order, and what each may import.
#[derive(Debug, Default)]
struct Table {
    order: Vec<String>,
    allowed: BTreeMap<String, BTreeSet<String>>,
}

impl Table {
    /// Reads it from the page. Every mistake in it is returned, too.
    fn of(page: &str) -> (Self, Vec<String>) {
        let (mut table, mut wrong) = (Self::default(), Vec::new());
        let rows = page.lines().skip_while(|line| *line != HEAD).skip(2).take_while(|line| line.starts_with('|'));
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [rooms, imports] = cells[..] else {
                wrong.push(format!("a row has two cells: {row}"));
                continue;
            };
            let above: BTreeSet<String> = table.order.iter().cloned().collect();
            let imports = if imports == ALL { above.clone() } else { quoted(imports).collect() };
            wrong.extend(imports.difference(&above).map(|room| format!("{room} does not stand above {rooms}")));
            for room in quoted(rooms) {
                table.order.push(room.clone());
                table.allowed.insert(room, imports.clone());
            }
        }
        (table, wrong)
    }

    /// What `files` import against the table.
    fn broken_by(&self, files: &[File]) -> Vec<String> {
        let only_tests: BTreeSet<PathBuf> = files.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
        let is_test = |path: &Path| {
            path.ancestors().any(|at| only_tests.contains(at) || only_tests.contains(&at.with_extension("")))
        };
        let mut wrong = Vec::new();
        for (path, text) in files.iter().filter(|(path, _)| !is_test(path)) {
            let room = room_of(path);
            if matches!(room.as_str(), "lib" | "main") {
                continue;
            }
            let Some(allowed) = self.allowed.get(&room) else {
                wrong.push(format!("{}: the room {room} is not in the table", path.display()));
                continue;
            };
            for imported in imports(path, text) {
                if imported != room && !allowed.contains(&imported) {
                    wrong.push(format!("{}: {room} may not import {imported}", path.display()));
                }
            }
        }
        wrong
    }

    /// What rooms may import by name and do not.
    fn unused_by(&self, files: &[File]) -> Vec<String> {
        let of_room = |room: &str| -> BTreeSet<String> {
            let own = files.iter().filter(|(path, _)| room_of(path) == room);
            own.flat_map(|(path, text)| imports(path, text)).collect()
        };
        let mut unused = Vec::new();
        for room in &self.order {
            let (allowed, used) = (&self.allowed[room], of_room(room));
            // A room for which the page says "all above" lists nothing by name.
            let by_name = allowed.len() < self.order.iter().take_while(|above| *above != room).count();
            unused.extend(allowed.difference(&used).filter(|_| by_name).map(|other| format!("{room} uses no {other}")));
        }
        unused
    }
}

/// The texts in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The first part of a path below `src`.
fn room_of(path: &Path) -> String {
    path.with_extension("").iter().next().map(|room| room.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The modules that a file declares for tests only, as paths without an ending.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let folder = path.with_extension("");
    let folder = if room_of(path) == "lib" { PathBuf::new() } else { folder };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]").filter_map(|pair| {
        let (_, rest) = pair[1].split_once("mod ")?;
        rest.strip_suffix(';')
    });
    declared.map(|module| folder.join(module)).collect()
}

/// The rooms that the code of a file names, without its comments and its tests.
fn imports(path: &Path, text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut found = BTreeSet::new();
    // Modules above the file's own, as far as its room reaches.
    let depth = path.iter().count() - 1;
    for line in lines {
        if line.contains(&"super::".repeat(depth + 1)) {
            found.insert("a room by `super`, which the table cannot see".to_owned());
        }
        for after in line.split("crate::").skip(1) {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            let (name, rest) = after.split_at(end);
            // A macro of the crate is no room.
            if !rest.starts_with('!') {
                found.insert(if name.is_empty() { "rooms in one list".to_owned() } else { name.to_owned() });
            }
        }
    }
    found
}

fn sources(folder: &Path, below: &Path, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), below.join(entry.file_name()));
        if path.is_dir() {
            sources(&path, &name, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push((name, std::fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn a_room_imports_what_the_table_allows_and_only_rooms_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (table, mut wrong) = Table::of(&page);
    let mut files = Vec::new();
    sources(&root.join("src"), Path::new(""), &mut files);
    let rooms: BTreeSet<String> = files.iter().map(|(path, _)| room_of(path)).collect();
    wrong.extend(
        table.order.iter().filter(|room| !rooms.contains(*room)).map(|room| format!("there is no room {room}")),
    );
    wrong.extend(table.broken_by(&files));
    wrong.extend(table.unused_by(&files));
    assert!(wrong.is_empty(), "see `Imports between rooms` in ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn a_wrong_import_a_circle_and_a_way_around_the_table_are_found() {
    let page = format!("{HEAD}\n|---|---|\n| `alert`, `names` | — |\n| `store` | `alert` |\n| `app` | {ALL} |\n");
    let (table, wrong) = Table::of(&page);
    assert_eq!(wrong, [""; 0]);
    let broken = |path: &str, text: &str| {
        let declared = ("store.rs".into(), "#[cfg(test)]\nmod memory;\n".to_owned());
        table.broken_by(&[declared, (path.into(), text.to_owned())])
    };
    for (path, text) in [
        ("store/sqlite.rs", "use crate::alert::Alert;\nuse crate::store::Store;\n"),
        ("app.rs", "use crate::store::Store;\nuse crate::names::Lane;\n"),
        ("store/sqlite.rs", "//! See [`crate::names`].\ntransaction!(crate::values!());\n"),
        ("store/sqlite.rs", "use super::super::store::Row;\n"),
        ("store.rs", "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    use crate::app::App;\n}\n"),
        ("store/memory.rs", "use crate::app::App;\n"),
        ("store/memory/claim.rs", "use crate::app::App;\n"),
    ] {
        let outside = text.contains("super::super");
        assert_eq!(broken(path, text).is_empty(), !outside, "{path}: {text}");
    }
    assert_eq!(
        broken("store/sqlite.rs", "let lane = crate::names::lane();"),
        ["store/sqlite.rs: store may not import names"]
    );
    assert_eq!(broken("store/sqlite.rs", "use crate::app::App;").len(), 1);
    assert_eq!(broken("store/sqlite.rs", "use crate::{alert, app};").len(), 1);
    assert_eq!(broken("attic.rs", "fn f() {}"), ["attic.rs: the room attic is not in the table"]);
    let file = |path: &str, text: &str| (path.into(), text.to_owned());
    assert_eq!(table.unused_by(&[file("store.rs", "use crate::alert::Alert;")]), [""; 0]);
    assert_eq!(table.unused_by(&[file("store.rs", "fn f() {}")]), ["store uses no alert"]);
    let (_, circle) = Table::of(&format!("{HEAD}\n|---|---|\n| `alert` | `store` |\n| `store` | `alert` |\n"));
    assert_eq!(circle, ["store does not stand above `alert`"]);
}
