//! Roots that are thrown away: a Debian that boots, and a container without an engine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use super::{Order, check, image, need, output};

const MIRROR: &str = "http://deb.debian.org/debian";
/// Longest time for the whole of `packaging/inside.sh`.
const PATIENCE: &str = "300";

/// Boots Debian with systemd and runs `packaging/inside.sh` in it; returns what that printed.
pub(super) fn boot(order: &Order) -> anyhow::Result<String> {
    need(&["mmdebstrap", "systemd-nspawn"])?;
    let root = tempfile::Builder::new().prefix("wegraf-debian-").tempdir()?;
    let inside = root.path();
    output(Command::new("tar").arg("-xf").arg(debian(order)?).arg("-C").arg(inside).arg("--exclude=./dev/*"))?;
    fs::copy(order.home.join("packaging/inside.sh"), inside.join("inside.sh"))?;
    fs::copy(order.deb(), inside.join("wegraf.deb"))?;
    let unit = "[Unit]\nAfter=basic.target\n[Service]\nType=oneshot\n\
                ExecStart=/bin/sh -c 'exec /bin/bash /inside.sh /wegraf.deb > /report 2>&1'\n\
                ExecStopPost=/bin/systemctl poweroff --no-block\n";
    fs::write(inside.join("etc/systemd/system/inside.service"), unit)?;
    let wants = inside.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants)?;
    std::os::unix::fs::symlink("../inside.service", wants.join("inside.service"))?;
    let mut command = Command::new("timeout");
    command.args([
        PATIENCE,
        "systemd-nspawn",
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        "--private-network",
    ]);
    let booted = command.arg("--console=read-only").arg("-D").arg(inside).stdin(Stdio::null()).output()?;
    let Ok(report) = fs::read_to_string(inside.join("report")) else {
        bail!("it did not boot: {}", String::from_utf8_lossy(&booted.stdout));
    };
    ensure!(report.trim_end().ends_with("done"), "{report}");
    let lines: Vec<&str> = report.lines().filter(|line| *line != "done").collect();
    Ok(format!("\n    {}", lines.join("\n    ")))
}

/// A small Debian with systemd, made once.
fn debian(order: &Order) -> anyhow::Result<PathBuf> {
    let archive = order.to.join("work").join("debian-systemd.tar");
    if !archive.exists() {
        let made = archive.with_extension("part");
        let mut command = Command::new("mmdebstrap");
        command.args([
            "--quiet",
            "--variant=minbase",
            "--include=systemd,systemd-sysv,dbus,ca-certificates",
            "--format=tar",
            "bookworm",
        ]);
        output(command.arg(&made).arg(MIRROR))?;
        fs::rename(made, &archive)?;
    }
    Ok(archive)
}

/// A container that ends with this.
struct Container {
    child: Child,
    name: String,
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("runc").args(["delete", "--force", &self.name]).output();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs an unpacked image read-only, as its own user and without rights, with the network of this machine; asks it, and
/// stops it.
pub(super) fn contain(order: &Order, bundle: &Path) -> anyhow::Result<String> {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    let weight = check::weight(&bundle.join("rootfs"))?;
    let address = crate::gateway::free()?;
    let (folder, data) = (bundle.join("etc"), bundle.join("volume"));
    fs::create_dir_all(&folder)?;
    fs::create_dir_all(&data)?;
    chown(&data, Some(image::USER), Some(image::USER))?;
    let configuration = format!(
        "listen: {address}\ndatabase: sqlite:/data/wegraf.db\nwecom:\n  api_url: http://127.0.0.1:9\n  webhooks: {{ ops: {{ key: sim-ops-group }} }}\n\
         receivers:\n  ops: {{ targets: [{{ webhook: ops }}] }}\nroute: {{ receiver: ops }}\n"
    );
    let file = folder.join("wegraf.yaml");
    fs::write(&file, configuration)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o440))?;
    chown(&file, Some(0), Some(image::USER))?;
    let path = bundle.join("config.json");
    let mut settings: Value = serde_json::from_str(&fs::read_to_string(&path)?)?;
    settings["root"]["readonly"] = true.into();
    settings["process"]["terminal"] = false.into();
    settings["process"]["noNewPrivileges"] = true.into();
    settings["process"]["capabilities"] = json!({});
    ensure!(settings["process"]["user"]["uid"] == image::USER, "it runs as {}", settings["process"]["user"]);
    let mounts = settings["mounts"].as_array_mut().context("it has mounts")?;
    for (to, from, kind) in [("/etc/wegraf", &folder, "ro"), ("/data", &data, "rw")] {
        mounts.push(json!({ "destination": to, "type": "bind", "source": from, "options": ["rbind", kind] }));
    }
    // The network of this machine, where the check asks it.
    let spaces = settings["linux"]["namespaces"].as_array_mut().context("it has namespaces")?;
    spaces.retain(|space| space["type"] != "network");
    fs::write(&path, serde_json::to_vec(&settings)?)?;
    let name = format!("wegraf-check-{}", std::process::id());
    let log = fs::File::create(bundle.join("log"))?;
    let mut command = Command::new("runc");
    command.args(["run", "--bundle"]).arg(bundle).arg(&name).stdin(Stdio::null());
    let mut container = Container { child: command.stdout(log.try_clone()?).stderr(log).spawn()?, name };
    let log = || fs::read_to_string(bundle.join("log")).unwrap_or_default();
    let begun = Instant::now();
    // Its own health check, in the container: there is neither a shell nor curl.
    while let Err(error) = output(Command::new("runc").args(["exec", &container.name, "/usr/bin/wegraf", "health"])) {
        if begun.elapsed() > Duration::from_secs(20) || container.child.try_wait()?.is_some() {
            bail!("it is not healthy: {error:#}\n{}", log());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let ready = begun.elapsed();
    let alert = r#"{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"A"},"annotations":{},"startsAt":"2026-01-01T00:00:00Z"}]}"#;
    let answer = post(address, alert)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "it takes no alert: {answer}");
    ensure!(data.join("wegraf.db").exists(), "the record is not in its volume");
    let begun = Instant::now();
    output(Command::new("runc").args(["kill", &container.name, "TERM"]))?;
    let status = container.child.wait()?;
    ensure!(status.success(), "it ends with {status}\n{}", log());
    Ok(format!(
        "{:.1} MB unpacked for {}, healthy in {:.1} s, an alert taken, stopped in {:.1} s",
        weight as f64 / 1e6,
        order.arch(),
        ready.as_secs_f64(),
        begun.elapsed().as_secs_f64()
    ))
}

fn post(address: std::net::SocketAddr, body: &str) -> anyhow::Result<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "POST /webhook HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
