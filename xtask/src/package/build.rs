//! The program, and the tools that build and pack it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::{Order, output};

/// The oldest C library that the program starts with: `CentOS` 7's.
pub(super) const GLIBC: (u32, u32) = (2, 17);

/// The folder of the tools, which are installed from `PyPI` as `packaging/requirements.txt` says, once for each content.
pub(super) fn tools(order: &Order) -> anyhow::Result<PathBuf> {
    let (wanted, folder) = (order.home.join("packaging/requirements.txt"), order.home.join("target/packaging-tools"));
    let stamp = folder.join("installed.txt");
    let text = std::fs::read(&wanted)?;
    if std::fs::read(&stamp).ok().as_ref() != Some(&text) {
        println!("tools from PyPI into {}", folder.display());
        output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pip = folder.join("bin/python");
        output(
            Command::new(pip)
                .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
                .arg(&wanted),
        )?;
        std::fs::write(&stamp, text)?;
    }
    Ok(folder.join("bin"))
}

/// Builds the program of the profile `dist`. No folder of this machine is in it, so that two machines make the same.
pub(super) fn program(order: &Order, tools: &Path) -> anyhow::Result<PathBuf> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(&order.target);
    ensure!(library.exists(), "the target is not installed: rustup target add {}", order.target);
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo =
        cargo.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))).context("no home folder")?;
    let made = order.home.join("target");
    let names = [
        (cargo.join("registry/src"), "/registry"),
        (made.clone(), "/target"),
        (order.home.clone(), "/wegraf"),
        (PathBuf::from(sysroot.trim()), "/rust"),
    ];
    // The last one that fits is taken.
    let rust = names.iter().rev().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    let c = names.iter().map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut command = Command::new("cargo");
    command
        .current_dir(&order.home)
        .args(["zigbuild", "--locked", "--profile", "dist", "--bin", "wegraf", "--target"])
        .arg(format!("{}.{}.{}", order.target, GLIBC.0, GLIBC.1))
        .env("PATH", format!("{}:{}", tools.display(), path.display()))
        .env("CARGO_TARGET_DIR", &made)
        .env("SOURCE_DATE_EPOCH", order.time.to_string())
        .env("RUSTFLAGS", rust.collect::<Vec<_>>().join(" "))
        .env(format!("CFLAGS_{}", order.target.replace('-', "_")), c.collect::<Vec<_>>().join(" "));
    let done = command.status().context("cargo cannot be started")?;
    ensure!(done.success(), "the program could not be built");
    Ok(made.join(&order.target).join("dist/wegraf"))
}
