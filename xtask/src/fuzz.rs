//! Runs the fuzz targets one after the other and prints their results, which fuzz/README.md contains.
//!
//! Findings stay below `fuzz/target/found`; only `cargo fuzz cmin` and a person put them into `fuzz/corpus`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};

/// Longest time for one input, in seconds; real ones take a thousandth of it.
const INPUT_SECS: u32 = 5;
/// Memory of a target, in MiB: more than a body of 16 MB needs.
const MEMORY_MIB: u32 = 1024;

#[derive(clap::Args)]
/// What `cargo xtask fuzz` was asked.
pub struct Options {
    /// How long each target runs.
    #[arg(long, default_value_t = 1200)]
    seconds: u32,
    /// Which ones; all if none is named.
    targets: Vec<String>,
}

/// The figures in the log of a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    coverage: u64,
}

/// Fuzzes; fails if a target crashed, took too long or took too much memory.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the repository")?;
    let known = targets(&root.join("fuzz/fuzz_targets"))?;
    if let Some(stranger) = options.targets.iter().find(|target| !known.contains(target)) {
        bail!("there is no target {stranger}; there are: {}", known.join(", "));
    }
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    build(root)?;
    println!("| target | seconds | executions | exec/s | coverage | crashes |");
    println!("|---|---:|---:|---:|---:|---|");
    let mut crashed = Vec::new();
    for target in chosen {
        let begun = Instant::now();
        let (clean, log) = fuzz(root, target, options.seconds)?;
        let seconds = begun.elapsed().as_secs().max(1);
        let Figures { executions, coverage } = figures(&fs::read_to_string(&log)?);
        let crashes = if clean { "0".to_owned() } else { format!("see {}", log.display()) };
        println!("| {target} | {seconds} | {executions} | {} | {coverage} | {crashes} |", executions / seconds);
        if !clean {
            crashed.push(target.as_str());
        }
    }
    if crashed.is_empty() { Ok(()) } else { bail!("crashed: {}", crashed.join(", ")) }
}

/// The names of the targets, sorted: one file each.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no targets in {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "rs") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// `cargo fuzz` without a sanitizer: our crates forbid `unsafe`, and so it runs on the stable toolchain and twice as
/// fast.
fn cargo_fuzz(root: &Path, task: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(["fuzz", task, "--sanitizer", "none"]);
    command
}

fn build(root: &Path) -> anyhow::Result<()> {
    let asked = Command::new("cargo").args(["fuzz", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !asked.is_ok_and(|status| status.success()) {
        bail!("cargo-fuzz 未安装，请运行 / cargo-fuzz is missing, run: cargo install cargo-fuzz --locked");
    }
    let status = cargo_fuzz(root, "build").status().context("cargo does not start")?;
    if status.success() { Ok(()) } else { bail!("the targets do not build") }
}

/// Runs one target; returns whether nothing was found, and the path of its log.
fn fuzz(root: &Path, target: &str, seconds: u32) -> anyhow::Result<(bool, PathBuf)> {
    let found = root.join("fuzz/target/found").join(target);
    fs::create_dir_all(&found)?;
    let log = root.join(format!("fuzz/target/found/{target}.log"));
    let mut command = cargo_fuzz(root, "run");
    command.arg(target).arg(&found).arg(root.join("fuzz/corpus").join(target)).arg("--");
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={INPUT_SECS}"),
        format!("-rss_limit_mb={MEMORY_MIB}"),
        "-print_final_stats=1".to_owned(),
    ]);
    let dictionary = root.join(format!("fuzz/dict/{target}.dict"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    let file = fs::File::create(&log)?;
    let status = command.stdout(file.try_clone()?).stderr(file).status().context("cargo does not start")?;
    Ok((status.success(), log))
}

/// The figures in a log of libFuzzer: its final statistics if there are any, else its last line of progress.
fn figures(log: &str) -> Figures {
    let mut figures = Figures::default();
    for line in log.lines() {
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            figures.executions = count.trim().parse().unwrap_or_default();
        } else if let Some((count, rest)) = line.strip_prefix('#').and_then(|line| line.split_once('\t')) {
            figures.executions = count.parse().unwrap_or(figures.executions);
            let coverage = rest.split_once("cov: ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
            figures.coverage = coverage.unwrap_or(figures.coverage);
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRESS: &str = "INFO: seed corpus: files: 3\n#4\tINITED cov: 812 ft: 900 corp: 3/1Kb exec/s: 0 rss: 40Mb\n\
                            #65536\tpulse  cov: 1007 ft: 2130 corp: 190/9Kb lim: 4096 exec/s: 13107 rss: 61Mb\n";

    #[test]
    fn the_figures_of_a_run_are_its_final_ones() {
        let log = format!("{PROGRESS}Done 70001 runs in 6 second(s)\nstat::number_of_executed_units: 70001\n");
        assert_eq!(figures(&log), Figures { executions: 70_001, coverage: 1007 });
    }

    #[test]
    fn a_run_that_crashed_shows_how_far_it_came() {
        assert_eq!(figures(PROGRESS), Figures { executions: 65_536, coverage: 1007 });
        assert_eq!(figures("error: could not compile"), Figures::default());
    }

    #[test]
    fn every_target_has_a_corpus() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
        for target in targets(&fuzz.join("fuzz_targets")).unwrap() {
            let corpus = fuzz.join("corpus").join(&target);
            assert!(
                fs::read_dir(&corpus).is_ok_and(|mut files| files.next().is_some()),
                "{} is empty",
                corpus.display()
            );
        }
    }
}
