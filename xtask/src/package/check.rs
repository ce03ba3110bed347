//! Proofs of what was made. Each prints a line; a tool that is missing skips its proof, unless `WEGRAF_TEST_EVERYTHING`
//! is set.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context as _, ensure};

use super::build::GLIBC;
use super::{Order, image, machine, manifests, need, output, stage};

/// Tries something; returns a line that says what was found.
type Proof = fn(&Order) -> anyhow::Result<String>;

/// All proofs; an error names those that failed.
pub(super) fn all(order: &Order) -> anyhow::Result<()> {
    let proofs: [(&str, Proof); 8] = [
        ("program", program),
        ("sums", sums),
        ("deb in a booted systemd", machine::boot),
        ("rpm in an empty root", rpm),
        ("deb by lintian", lint),
        ("image from its root file system", container),
        ("rules", manifests::rules),
        ("chart, manifests and compose", manifests::kubernetes),
    ];
    let mut failed = Vec::new();
    for (name, proof) in proofs {
        let begun = Instant::now();
        match proof(order) {
            Ok(said) => println!("✓ {name} ({:.1} s): {said}", begun.elapsed().as_secs_f64()),
            Err(error) if error.is::<crate::Skipped>() => println!("- {name}: {error}"),
            Err(error) => {
                println!("✗ {name}: {error:#}");
                failed.push(name);
            }
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

/// What the program asks of the system it runs on, and that nothing of this machine is in it.
fn program(order: &Order) -> anyhow::Result<String> {
    need(&["readelf"])?;
    let path = stage::root(order).join("usr/bin/wegraf");
    let read = |flag: &str| output(Command::new("readelf").args(["-W", flag]).arg(&path));
    let (newest, needed) = (newest_symbol(&read("--version-info")?), needed(&read("--dynamic")?));
    let newest = newest.context("it names no symbol of glibc")?;
    ensure!(newest <= GLIBC, "it asks for GLIBC_{}.{}", newest.0, newest.1);
    let system = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"];
    let foreign: Vec<_> =
        needed.iter().filter(|name| !system.contains(&name.as_str()) && !name.starts_with("ld-linux")).collect();
    ensure!(foreign.is_empty(), "it needs {foreign:?}");
    let (header, segments, dynamic) = (read("--file-header")?, read("--program-headers")?, read("--dynamic")?);
    ensure!(header.contains("DYN (") && dynamic.contains("PIE"), "it is not position independent");
    ensure!(segments.contains("GNU_RELRO") && dynamic.contains("NOW"), "its tables stay writable");
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).context("it says nothing of its stack")?;
    ensure!(!stack.contains("RWE"), "its stack is executable");
    let content = std::fs::read(&path)?;
    let home = std::env::var_os("HOME").unwrap_or_default().display().to_string();
    for place in [order.home.display().to_string(), format!("{home}/.cargo"), format!("{home}/.rustup")] {
        ensure!(!holds(&content, place.as_bytes()), "{place} is in it");
    }
    Ok(format!("{:.1} MB, GLIBC_{}.{}, {}, PIE, RELRO", content.len() as f64 / 1e6, newest.0, newest.1, needed.len()))
}

/// The newest version of glibc that `readelf --version-info` names.
fn newest_symbol(text: &str) -> Option<(u32, u32)> {
    let versions = text.split("Name: GLIBC_").skip(1);
    let parsed = versions.filter_map(|rest| {
        let mut parts = rest.split(|letter: char| !letter.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    });
    parsed.max()
}

/// The libraries that `readelf --dynamic` names.
fn needed(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.contains("(NEEDED)"));
    lines.filter_map(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned())).collect()
}

fn holds(content: &[u8], part: &[u8]) -> bool {
    content.windows(part.len()).any(|window| window == part)
}

/// The sums agree, and no file tells when it was packed: deb, rpm and Arch packages keep the times of the files.
fn sums(order: &Order) -> anyhow::Result<String> {
    let time = UNIX_EPOCH + Duration::from_secs(order.time);
    stage::every_file(&stage::root(order), &mut |file| {
        ensure!(std::fs::metadata(file)?.modified()? == time, "{} has a time of its own", file.display());
        Ok(())
    })?;
    output(Command::new("sha256sum").current_dir(&order.to).args(["--check", "--strict", "SHA256SUMS"]))
        .map(|said| format!("{} files", said.lines().count()))
}

/// Installs into an empty root and looks at what the package asks for.
fn rpm(order: &Order) -> anyhow::Result<String> {
    need(&["rpm"])?;
    let asked = output(Command::new("rpm").arg("-qp").args(["--requires", "--nosignature"]).arg(order.rpm()))?;
    ensure!(asked.contains("glibc >= 2.17"), "it does not say which glibc it needs: {asked}");
    ensure!(asked.contains("PayloadIsXz") || !asked.contains("PayloadIsZstd"), "rpm of EL 7 cannot open it");
    let root = tempfile::tempdir()?;
    let mut install = Command::new("rpm");
    install.arg("--root").arg(root.path()).args(["--install", "--nodeps", "--noscripts", "--nosignature"]);
    output(install.arg(order.rpm()))?;
    ensure!(root.path().join("usr/bin/wegraf").exists(), "the program is not where it belongs");
    let mode = |path: &str| -> anyhow::Result<u32> {
        use std::os::unix::fs::PermissionsExt as _;
        Ok(std::fs::metadata(root.path().join(path))?.permissions().mode() & 0o7777)
    };
    ensure!(mode("etc/wegraf/secrets")? == 0o700, "others can look for secrets");
    let mut remove = Command::new("rpm");
    output(remove.arg("--root").arg(root.path()).args(["--erase", "--noscripts", "wegraf"]))?;
    ensure!(!root.path().join("usr/bin/wegraf").exists(), "the program stays behind");
    Ok("installed, removed".to_owned())
}

/// Tags of lintian that are ignored: they are matters of style, and none is a defect of the package.
const TASTE: [&str; 6] = [
    "bad-distribution-in-changes-file",
    "initial-upload-closes-no-bugs",
    "no-manual-page",
    "extra-license-file",
    "description-starts-with-package-name",
    "non-standard-dir-perm",
];

/// Debian's own checker.
fn lint(order: &Order) -> anyhow::Result<String> {
    need(&["lintian"])?;
    let mut command = Command::new("lintian");
    command.args(["--allow-root", "--no-tag-display-limit", "--fail-on", "none", "--suppress-tags"]);
    let said = output(command.arg(TASTE.join(",")).arg(order.deb()))?;
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("E:")).collect();
    ensure!(errors.is_empty(), "{}", errors.join("\n"));
    Ok(format!("no error, {} warnings", said.lines().filter(|line| line.starts_with("W:")).count()))
}

/// Unpacks the image, looks at it, and runs it as a container engine would: read-only, without rights.
fn container(order: &Order) -> anyhow::Result<String> {
    use std::os::unix::fs::MetadataExt as _;
    need(&["skopeo", "umoci", "runc"])?;
    let folder = tempfile::tempdir()?;
    let layout = folder.path().join("layout");
    for kind in ["oci-archive", "docker-archive"] {
        output(Command::new("skopeo").args(["inspect", "--config"]).arg(format!("{kind}:{}", order.image().display())))
            .with_context(|| format!("it is no {kind}"))?;
    }
    let mut copy = Command::new("skopeo");
    copy.args(["copy", "--quiet"]).arg(format!("oci-archive:{}", order.image().display()));
    output(copy.arg(format!("oci:{}:it", layout.display())))?;
    let bundle = folder.path().join("bundle");
    output(Command::new("umoci").args(["unpack", "--image"]).arg(format!("{}:it", layout.display())).arg(&bundle))?;
    let root = bundle.join("rootfs");
    let data = std::fs::metadata(root.join("data"))?;
    ensure!((data.uid(), data.gid()) == (image::USER, image::USER), "/data belongs to {}", data.uid());
    for shell in ["bin/sh", "usr/bin/sh", "bin/bash", "usr/bin/env"] {
        ensure!(!root.join(shell).exists(), "it has {shell}");
    }
    machine::contain(order, &bundle)
}

/// The bytes of everything below `folder`.
pub(super) fn weight(folder: &Path) -> anyhow::Result<u64> {
    let said = output(Command::new("du").args(["-sb"]).arg(folder))?;
    said.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).context("du prints a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_is_found_by_number() {
        let text = "  0x0010:   Name: GLIBC_2.9  Flags: none\n  0x0020:   Name: GLIBC_2.17  Flags: none\n  Name: GLIBC_2.2.5\n";
        assert_eq!(newest_symbol(text), Some((2, 17)));
        assert_eq!(newest_symbol(&text.replace("2.17", "2.34")), Some((2, 34)), "a newer one is seen");
        assert_eq!(newest_symbol("nothing"), None);
    }

    #[test]
    fn the_libraries_are_read_from_the_dynamic_section() {
        let text = " 0x01 (NEEDED)             Shared library: [libm.so.6]\n 0x1e (FLAGS) NOW\n";
        assert_eq!(needed(text), BTreeSet::from(["libm.so.6".to_owned()]));
    }

    #[test]
    fn a_path_is_found_anywhere() {
        assert!(holds(b"abc/home/x", b"/home") && !holds(b"abc", b"/home"));
    }
}
