//! deb, rpm and Arch packages, by nfpm from `packaging/nfpm.yaml`.

use std::path::Path;
use std::process::Command;

use super::{Order, output};

/// Makes all three.
pub(super) fn make(order: &Order, tools: &Path) -> anyhow::Result<()> {
    let work = order.work();
    std::fs::write(work.join("changelog.yaml"), changelog(order)?)?;
    let recipe = work.join("nfpm.yaml");
    std::fs::write(&recipe, filled(order, &std::fs::read_to_string(order.home.join("packaging/nfpm.yaml"))?)?)?;
    for (kind, to) in [("deb", order.deb()), ("rpm", order.rpm()), ("archlinux", order.arch_linux())] {
        let mut command = Command::new(tools.join("nfpm"));
        command.current_dir(&order.home).env("SOURCE_DATE_EPOCH", order.time.to_string());
        command.args(["package", "--packager", kind, "--config"]).arg(&recipe).arg("--target").arg(&to);
        output(&mut command)?;
    }
    Ok(())
}

/// The recipe with its variables filled in: nfpm itself fills in only some of them.
fn filled(order: &Order, recipe: &str) -> anyhow::Result<String> {
    let root = order.work().display().to_string();
    let values = [("ARCH", order.arch()), ("VERSION", &order.version), ("TIME", &stamp(order)?), ("ROOT", &root)];
    let filled = values
        .iter()
        .fold(recipe.to_owned(), |text, (name, value)| text.replace(&format!("${{WEGRAF_{name}}}"), value));
    anyhow::ensure!(!filled.contains("${WEGRAF_"), "packaging/nfpm.yaml names a variable that does not exist");
    Ok(filled)
}

fn stamp(order: &Order) -> anyhow::Result<String> {
    Ok(jiff::Timestamp::from_second(i64::try_from(order.time)?)?.to_string())
}

/// The newest entry, which Debian wants; all of them are in CHANGELOG.md.
fn changelog(order: &Order) -> anyhow::Result<String> {
    Ok(format!(
        "- semver: {}\n  date: {}\n  packager: wegraf <wegraf@example.org>\n  changes:\n    - note: see CHANGELOG.md\n",
        order.version,
        stamp(order)?
    ))
}
