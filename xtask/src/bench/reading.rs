//! What it takes to compose a message and to draw a chart. The measurements are ignored tests of the crates that do it, since
//! only these know the inside; they print `measured | what | figure | aim`.

use std::process::Command;

use anyhow::ensure;

use super::aims::Aims;

/// The measurements: a package, and what else cargo needs to know of it.
const MEASURED: [(&str, &[&str]); 2] =
    [("wegraf", &["--lib"]), ("wegraf-chart", &["--features", "png", "--test", "charts"])];

/// Runs them in release and prints their table.
pub fn run(aims: &mut Aims) -> anyhow::Result<()> {
    println!("\n## Messages and charts\n");
    println!("| | | aim |\n|---|---:|---|");
    for (package, how) in MEASURED {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--quiet", "--release", "--locked", "--package", package]).args(how);
        cargo.args(["--", "--ignored", "--nocapture", "--test-threads=1", "measured_"]);
        // A figure beyond its aim fails its test, which has printed the figure by then: cargo's status is ignored.
        let output = cargo.output()?;
        let told = String::from_utf8(output.stdout)?;
        let lines: Vec<Vec<&str>> = told.lines().filter_map(figures).collect();
        ensure!(!lines.is_empty(), "{cargo:?} measured nothing:\n{}", String::from_utf8_lossy(&output.stderr));
        for line in lines {
            let [what, figure, aim] = line[..] else { continue };
            println!("| {what} | {figure} | {aim} |");
            if !aim.is_empty() {
                aims.add(what, figure.to_owned(), aim);
            }
        }
    }
    Ok(())
}

/// What was measured, the figure and the aim, if the line tells one.
fn figures(line: &str) -> Option<Vec<&str>> {
    // The harness prints `test … ... ` before what a test prints.
    let (_, told) = line.split_once("measured | ")?;
    let cells: Vec<&str> = told.split('|').map(str::trim).collect();
    (cells.len() == 3).then_some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_measurement_is_read_wherever_it_begins() {
        for line in ["measured | a | 3 ms | < 80 ms", "test x ... measured | a | 3 ms | < 80 ms"] {
            assert_eq!(figures(line), Some(vec!["a", "3 ms", "< 80 ms"]));
        }
        assert_eq!(figures("measured | a | 3 ms |"), Some(vec!["a", "3 ms", ""]));
        assert_eq!(figures("test measured_x ... ok"), None);
    }
}
