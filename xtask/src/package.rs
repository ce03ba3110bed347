//! `cargo xtask package`: what people install, made from one program: tar, deb, rpm, Arch, image, sums, SBOM. With
//! `--check` each of them is installed or run where it can be.
//!
//! Linked by zig against glibc 2.17 (`CentOS` 7), so that it starts with that and every newer glibc, and resolves names
//! as its host does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use sha2::{Digest as _, Sha256};

mod build;
mod check;
mod image;
mod inventory;
mod machine;
mod manifests;
mod packages;
mod stage;

/// The only target whose standard library every toolchain has.
const USUAL: &str = "x86_64-unknown-linux-gnu";

/// What `cargo xtask package` was asked.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Where the packages go.
    #[arg(long, default_value = "target/package")]
    to: PathBuf,
    /// Package this program instead of building one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// x86_64-unknown-linux-gnu or aarch64-unknown-linux-gnu.
    #[arg(long, default_value = USUAL)]
    target: String,
    /// Install, run and remove what was made, in roots that are thrown away.
    #[arg(long)]
    check: bool,
    /// Check what is there already.
    #[arg(long, requires = "check")]
    only_check: bool,
    /// Only check that Cargo.toml, the chart, the manifests and the changelog name this version.
    #[arg(long, value_name = "VERSION")]
    agrees: Option<String>,
}

/// What is made, and from what.
#[derive(Debug, Clone)]
struct Order {
    /// The repository.
    home: PathBuf,
    /// Where the packages go.
    to: PathBuf,
    target: String,
    version: String,
    /// Seconds since 1970: the time of every file.
    time: u64,
}

impl Order {
    /// The processor as Debian and images name it.
    fn arch(&self) -> &'static str {
        if self.target.starts_with("aarch64") { "arm64" } else { "amd64" }
    }

    /// As rpm and Linux name it.
    fn machine(&self) -> &'static str {
        if self.target.starts_with("aarch64") { "aarch64" } else { "x86_64" }
    }

    /// Where packages are put together.
    fn work(&self) -> PathBuf {
        self.to.join("work").join(&self.target)
    }

    fn tar(&self) -> PathBuf {
        self.to.join(format!("wegraf-{}-{}-linux.tar.gz", self.version, self.machine()))
    }

    fn deb(&self) -> PathBuf {
        self.to.join(format!("wegraf_{}_{}.deb", self.version, self.arch()))
    }

    fn rpm(&self) -> PathBuf {
        self.to.join(format!("wegraf-{}-1.{}.rpm", self.version, self.machine()))
    }

    fn arch_linux(&self) -> PathBuf {
        self.to.join(format!("wegraf-{}-1-{}.pkg.tar.zst", self.version, self.machine()))
    }

    fn image(&self) -> PathBuf {
        self.to.join(format!("wegraf-{}-{}.image.tar", self.version, self.arch()))
    }

    fn sbom(&self) -> PathBuf {
        self.to.join(format!("wegraf-{}-{}.cdx.json", self.version, self.machine()))
    }
}

/// Makes the packages; with `check`, proves them.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the repository")?.to_path_buf();
    let order = Order {
        to: home.join(&options.to),
        target: options.target.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: time(&home)?,
        home,
    };
    if let Some(version) = &options.agrees {
        return manifests::agree(&order, version);
    }
    std::fs::create_dir_all(&order.to)?;
    if !options.only_check {
        make(&order, options.program.as_deref())?;
    }
    if options.check { check::all(&order) } else { Ok(()) }
}

fn make(order: &Order, program: Option<&Path>) -> anyhow::Result<()> {
    let tools = build::tools(order)?;
    let program = match program {
        Some(program) => program.to_path_buf(),
        None => build::program(order, &tools)?,
    };
    let speaker = if order.machine() == std::env::consts::ARCH {
        program.clone()
    } else {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        build::program(&Order { target, ..order.clone() }, &tools)?
    };
    let inventory = inventory::read(order)?;
    std::fs::write(order.sbom(), inventory.sbom(order)?)?;
    stage::lay(order, &program, &speaker, &inventory)?;
    stage::tar(order)?;
    packages::make(order, &tools)?;
    match image::make(order) {
        Err(error) if error.is::<crate::Skipped>() => println!("image: {error}"),
        done => done?,
    }
    let sums = sums(&order.to)?;
    std::fs::write(order.to.join("SHA256SUMS"), &sums)?;
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap_or_default();
        let size = std::fs::metadata(order.to.join(name))?.len();
        println!("{:>9.1} MB  {}  {name}", size as f64 / 1e6, &sum[..12]);
    }
    Ok(())
}

/// The time of the commit, unless `SOURCE_DATE_EPOCH` says otherwise: nothing made depends on the hour it was made at.
fn time(home: &Path) -> anyhow::Result<u64> {
    let said = match std::env::var_os("SOURCE_DATE_EPOCH") {
        Some(said) => said.to_string_lossy().into_owned(),
        None => output(Command::new("git").arg("-C").arg(home).args(["log", "-1", "--format=%ct"]))?,
    };
    said.trim().parse().context("the time of the commit is a number")
}

/// The lines of `SHA256SUMS` for the files of a folder, as `sha256sum` writes them.
fn sums(folder: &Path) -> anyhow::Result<String> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_file() && name != "SHA256SUMS" {
            all.insert(name, digest(&std::fs::read(&path)?));
        }
    }
    let lines: Vec<String> = all.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
    Ok(lines.concat())
}

/// The SHA-256 of some bytes, as text.
fn digest(content: &[u8]) -> String {
    let bytes: Vec<String> = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

/// What a command prints; an error with what it said if it fails.
fn output(command: &mut Command) -> anyhow::Result<String> {
    let done = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        let said = if said.trim().is_empty() { String::from_utf8_lossy(&done.stdout) } else { said };
        bail!("{command:?}: {}\n{}", done.status, said.trim_end());
    }
    String::from_utf8(done.stdout).context("it prints text")
}

/// Is there a program of this name?
fn has(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", "command -v \"$1\" >/dev/null", "sh", program])
        .status()
        .is_ok_and(|status| status.success())
}

/// A skip with the names of what is missing, or an error where nothing may be skipped.
fn need(programs: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !has(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let reason = format!("not installed: {}", missing.join(", "));
    ensure!(std::env::var_os("WEGRAF_TEST_EVERYTHING").is_none(), "{reason}");
    Err(crate::Skipped::new(reason).into())
}
