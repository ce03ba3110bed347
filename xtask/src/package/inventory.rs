//! What the program is made of: the crates, for the SBOM and for the licences that packages carry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Order, output};

/// One crate.
#[derive(Debug)]
struct Crate {
    name: String,
    version: String,
    licence: String,
    folder: PathBuf,
    /// The SHA-256 of what the registry gave, as `Cargo.lock` has it.
    sum: Option<String>,
}

/// The crates that are compiled into the program, by name and version.
#[derive(Debug)]
pub(super) struct Inventory(Vec<Crate>);

/// Asks cargo: what the program needs on its target, without what only builds or tests it.
pub(super) fn read(order: &Order) -> anyhow::Result<Inventory> {
    let mut command = Command::new("cargo");
    command.current_dir(&order.home).args(["metadata", "--locked", "--format-version", "1", "--filter-platform"]);
    let metadata: Value = serde_json::from_str(&output(command.arg(&order.target))?)?;
    let sums = sums(&std::fs::read_to_string(order.home.join("Cargo.lock"))?);
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).filter_map(|package| Some((package["id"].as_str()?, package))).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).filter_map(|node| Some((node["id"].as_str()?, node))).collect();
    let own = packages.iter().find(|(_, package)| package["name"] == "wegraf").context("wegraf is a package")?.0;
    let (mut seen, mut next) = (BTreeSet::from([*own]), vec![*own]);
    while let Some(id) = next.pop() {
        for dependency in list(&nodes[id]["deps"]) {
            let used = list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
            let id = dependency["pkg"].as_str().unwrap_or_default();
            if used && seen.insert(id) {
                next.push(id);
            }
        }
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut crates: Vec<Crate> = seen
        .iter()
        .map(|id| {
            let package = packages[id];
            let (name, version) = (text(&package["name"]), text(&package["version"]));
            let manifest = text(&package["manifest_path"]);
            Crate {
                licence: text(&package["license"]),
                folder: Path::new(&manifest).parent().unwrap_or(Path::new(".")).to_path_buf(),
                sum: sums.get(&(name.clone(), version.clone())).cloned(),
                name,
                version,
            }
        })
        .collect();
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(Inventory(crates))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The checksums of a `Cargo.lock`.
fn sums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    let of = |block: &str| Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?));
    lock.split("[[package]]").filter_map(of).collect()
}

impl Inventory {
    /// A `CycloneDX` 1.5 bill of materials. It has no serial number and no hour, so that it is the same each time.
    pub(super) fn sbom(&self, order: &Order) -> anyhow::Result<String> {
        let components: Vec<Value> = self.0.iter().filter(|one| one.name != "wegraf").map(component).collect();
        let bill = json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": { "component": {
                "type": "application", "name": "wegraf", "version": order.version, "bom-ref": "wegraf",
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            } },
            "components": components,
        });
        Ok(serde_json::to_string_pretty(&bill)? + "\n")
    }

    /// The licence texts of all crates, each text once with the names of those that it is for.
    pub(super) fn licences(&self) -> String {
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut summary = String::new();
        for one in self.0.iter().filter(|one| one.sum.is_some()) {
            let name = format!("{} {}", one.name, one.version);
            summary.extend([&name, ": ", &one.licence, "\n"]);
            for text in licence_files(&one.folder) {
                texts.entry(text).or_default().push(name.clone());
            }
        }
        let bodies =
            texts.iter().map(|(text, names)| format!("\n{}\n{}\n\n{text}\n", "=".repeat(80), names.join(", ")));
        format!("wegraf contains these libraries:\n\n{summary}{}", bodies.collect::<String>())
    }
}

fn component(one: &Crate) -> Value {
    let purl = format!("pkg:cargo/{}@{}", one.name, one.version);
    let mut component = json!({
        "type": "library", "name": one.name, "version": one.version, "purl": purl, "bom-ref": purl,
        // Some still write MIT/Apache-2.0.
        "licenses": [{ "expression": one.licence.replace('/', " OR ") }],
    });
    if let Some(sum) = &one.sum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

fn licence_files(folder: &Path) -> Vec<String> {
    let names = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE", "COPYRIGHT"];
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_uppercase();
            path.is_file() && names.iter().any(|start| name.starts_with(start))
        })
        .collect();
    paths.sort();
    let text = |path: &PathBuf| Some(std::fs::read_to_string(path).ok()?.replace('\r', "").trim().to_owned());
    paths.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_has_the_sums_of_what_came_from_a_registry() {
        let lock = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"a\"\nversion = \"1.2.3\"\nsource = \"registry\"\nchecksum = \"00ff\"\n";
        let key = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(sums(lock), BTreeMap::from([(key("a", "1.2.3"), "00ff".to_owned())]));
    }
}
