//! The files of a package, laid out as they are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use super::inventory::Inventory;
use super::{Order, output};

/// The root below which the installed files lie.
pub(super) fn root(order: &Order) -> PathBuf {
    order.work().join("root")
}

/// Lays the files out anew. `speaker` is the program for this machine, which writes its pages and completions: that of
/// another processor cannot be run.
pub(super) fn lay(order: &Order, program: &Path, speaker: &Path, inventory: &Inventory) -> anyhow::Result<()> {
    let (work, root) = (order.work(), root(order));
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    let file = |from: &str, to: &str| copy(&order.home.join(from), &root.join(to), 0o644);
    copy(program, &root.join("usr/bin/wegraf"), 0o755)?;
    file("deploy/wegraf.service", "usr/lib/systemd/system/wegraf.service")?;
    file("deploy/wegraf.socket", "usr/lib/systemd/system/wegraf.socket")?;
    file("deploy/wegraf.sysusers", "usr/lib/sysusers.d/wegraf.conf")?;
    for (from, to) in [
        ("deploy/secrets.conf", "secrets.conf"),
        ("deploy/wegraf.yaml", "wegraf.yaml"),
        ("wegraf.example.yaml", "wegraf.example.yaml"),
        ("docs/config.schema.json", "config.schema.json"),
        ("packaging/copyright", "copyright"),
        ("LICENSE-MIT", "LICENSE-MIT"),
        ("LICENSE-APACHE", "LICENSE-APACHE"),
        ("NOTICE", "NOTICE"),
        ("crates/chart/font/OFL.txt", "OFL.txt"),
        ("README.md", "README.md"),
        ("README.en.md", "README.en.md"),
        ("CHANGELOG.md", "CHANGELOG.md"),
        ("SECURITY.md", "SECURITY.md"),
    ] {
        file(from, &format!("usr/share/doc/wegraf/{to}"))?;
    }
    for folder in ["dashboards", "rules"] {
        for entry in fs::read_dir(order.home.join("deploy").join(folder)).into_iter().flatten() {
            let path = entry?.path();
            copy(&path, &root.join("usr/share/wegraf").join(folder).join(path.file_name().unwrap_or_default()), 0o644)?;
        }
    }
    fs::write(root.join("usr/share/doc/wegraf/THIRD-PARTY.txt"), inventory.licences())?;
    let pages = root.join("usr/share/man/man1");
    fs::create_dir_all(&pages)?;
    output(Command::new(speaker).arg("man").arg(&pages))?;
    for page in fs::read_dir(&pages)? {
        output(Command::new("gzip").args(["-n9"]).arg(page?.path()))?;
    }
    for (shell, to) in [
        ("bash", "usr/share/bash-completion/completions/wegraf"),
        ("zsh", "usr/share/zsh/site-functions/_wegraf"),
        ("fish", "usr/share/fish/vendor_completions.d/wegraf.fish"),
    ] {
        let script = output(Command::new(speaker).args(["completions", shell]))?;
        fs::create_dir_all(root.join(to).parent().unwrap_or(&root))?;
        fs::write(root.join(to), script)?;
    }
    let time = UNIX_EPOCH + Duration::from_secs(order.time);
    every_file(&root, &mut |file| Ok(fs::File::open(file)?.set_modified(time)?))
}

/// Calls `visit` for all files and folders at and below `path`, folders after what is in them.
pub(super) fn every_file(path: &Path, visit: &mut dyn FnMut(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            every_file(&entry?.path(), visit)?;
        }
    }
    visit(path)
}

/// The archive for where there is no package manager, or no network: everything below one folder.
pub(super) fn tar(order: &Order) -> anyhow::Result<()> {
    let (root, name) = (root(order), format!("wegraf-{}", order.version));
    let archive = order.work().join("wegraf.tar");
    let mut command = archiver(order, &archive, 0);
    output(command.arg("-C").arg(&root).arg(format!("--transform=s,^\\.,{name},")).arg("."))?;
    let packed = order.work().join("wegraf.tar.gz");
    output(Command::new("gzip").args(["-n9", "--force"]).arg(&archive))?;
    fs::rename(packed, order.tar())?;
    Ok(())
}

/// GNU tar, set to write the same bytes for the same files, all of which belong to `owner`. It adds to an archive that
/// exists.
pub(super) fn archiver(order: &Order, to: &Path, owner: u32) -> Command {
    let mut command = Command::new("tar");
    command.arg(if to.exists() { "-rf" } else { "-cf" }).arg(to);
    command.args(["--format=ustar", "--sort=name", "--numeric-owner", "--mode=go-w"]);
    command.arg(format!("--owner={owner}")).arg(format!("--group={owner}"));
    command.arg(format!("--mtime=@{}", order.time));
    command
}

fn copy(from: &Path, to: &Path, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to).map_err(|error| anyhow::anyhow!("{}: {error}", from.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}
