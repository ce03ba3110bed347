//! The image: the program, the C library it needs, certificates, and nothing else. One archive that `docker load`,
//! `podman load` and `skopeo` (`oci-archive:` or `docker-archive:`) read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::stage::{self, archiver};
use super::{Order, digest, need, output};

/// The user of the image; its `/data` belongs to it.
pub(super) const USER: u32 = 65532;
/// The C library comes from this release of Debian.
const SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";
/// What the program is linked with.
const LIBRARIES: [&str; 4] = ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2"];

/// Makes the archive; skipped where mmdebstrap is missing.
pub(super) fn make(order: &Order) -> anyhow::Result<()> {
    need(&["mmdebstrap", "tar", "gzip"])?;
    let folder = order.work().join("image");
    let base = folder.join("base");
    fs::create_dir_all(&base)?;
    lay_base(order, &base, &debian(order)?)?;
    let own = folder.join("own");
    fs::create_dir_all(own.join("usr/bin"))?;
    fs::copy(stage::root(order).join("usr/bin/wegraf"), own.join("usr/bin/wegraf"))?;
    let documents = own.join("usr/share/doc/wegraf");
    fs::create_dir_all(&documents)?;
    for name in ["LICENSE-MIT", "LICENSE-APACHE", "NOTICE", "OFL.txt", "THIRD-PARTY.txt"] {
        fs::copy(stage::root(order).join("usr/share/doc/wegraf").join(name), documents.join(name))?;
    }
    let layers =
        [layer(order, &base, &folder.join("base.tar"), true)?, layer(order, &own, &folder.join("own.tar"), false)?];
    bundle(order, &folder, &layers)
}

/// The files of Debian's packages, without running their scripts.
fn debian(order: &Order) -> anyhow::Result<PathBuf> {
    let root = order.work().join("image/debian");
    let archive = order.to.join("work").join(format!("{SUITE}-{}.tar", order.arch()));
    if !archive.exists() {
        let made = archive.with_extension("part");
        let mut command = Command::new("mmdebstrap");
        command.args(["--quiet", "--variant=extract", "--include=libc6,ca-certificates", "--format=tar"]);
        output(command.arg(format!("--architectures={}", order.arch())).arg(SUITE).arg(&made).arg(MIRROR))?;
        fs::rename(made, &archive)?;
    }
    fs::create_dir_all(&root)?;
    output(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&root).arg("--exclude=./dev/*"))?;
    Ok(root)
}

fn lay_base(order: &Order, base: &Path, debian: &Path) -> anyhow::Result<()> {
    let (folder, loader) = match order.arch() {
        "arm64" => ("lib/aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"),
        _ => ("lib/x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"),
    };
    let named = LIBRARIES.iter().map(|name| format!("{folder}/{name}")).chain([loader.to_owned()]);
    for name in named {
        let to = base.join(&name);
        fs::create_dir_all(to.parent().context("it has a folder")?)?;
        let from = fs::canonicalize(debian.join(&name)).or_else(|_| fs::canonicalize(debian.join("usr").join(&name)));
        fs::copy(from.with_context(|| format!("Debian's libc6 has no {name}"))?, to)?;
    }
    let mut certificates: Vec<PathBuf> = fs::read_dir(debian.join("usr/share/ca-certificates/mozilla"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    certificates.sort();
    let bundle: Vec<String> = certificates.iter().map(fs::read_to_string).collect::<Result<_, _>>()?;
    for (name, text) in [
        ("etc/ssl/certs/ca-certificates.crt", bundle.concat()),
        ("etc/passwd", format!("root:x:0:0::/:/sbin/nologin\nwegraf:x:{USER}:{USER}::/data:/sbin/nologin\n")),
        ("etc/group", format!("root:x:0:\nwegraf:x:{USER}:\n")),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n".to_owned()),
    ] {
        let path = base.join(name);
        fs::create_dir_all(path.parent().context("it has a folder")?)?;
        fs::write(path, text)?;
    }
    for name in ["libc6", "ca-certificates"] {
        let to = base.join("usr/share/doc").join(name);
        fs::create_dir_all(&to)?;
        fs::copy(debian.join("usr/share/doc").join(name).join("copyright"), to.join("copyright"))?;
    }
    for folder in ["data", "tmp", "etc/wegraf", "run/secrets", "proc", "sys", "dev"] {
        fs::create_dir_all(base.join(folder))?;
    }
    Ok(())
}

/// A layer: its content before and after compression.
struct Layer {
    diff: String,
    file: PathBuf,
}

fn layer(order: &Order, root: &Path, archive: &Path, with_data: bool) -> anyhow::Result<Layer> {
    // A volume takes the owner of the image's folder, where that folder appears first.
    if with_data {
        output(archiver(order, archive, USER).arg("-C").arg(root).arg("./data"))?;
    }
    output(archiver(order, archive, 0).arg("--exclude=./data").arg("-C").arg(root).arg("."))?;
    let diff = digest(&fs::read(archive)?);
    output(Command::new("gzip").args(["-n9", "--force"]).arg(archive))?;
    Ok(Layer { diff, file: archive.with_extension("tar.gz") })
}

/// Writes the layout of an OCI image, and Docker's list beside it.
fn bundle(order: &Order, folder: &Path, layers: &[Layer]) -> anyhow::Result<()> {
    let layout = folder.join("layout");
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let put = |content: &[u8]| -> anyhow::Result<String> {
        let name = digest(content);
        fs::write(blobs.join(&name), content)?;
        Ok(name)
    };
    let mut listed = Vec::new();
    for layer in layers {
        let content = fs::read(&layer.file)?;
        let name = put(&content)?;
        listed.push(described("application/vnd.oci.image.layer.v1.tar+gzip", &name, content.len()));
    }
    let config = serde_json::to_vec(&configuration(order, layers)?)?;
    let config_name = put(&config)?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("application/vnd.oci.image.config.v1+json", &config_name, config.len()),
        "layers": listed,
    }))?;
    let manifest_name = put(&manifest)?;
    let mut pointer = described("application/vnd.oci.image.manifest.v1+json", &manifest_name, manifest.len());
    pointer["annotations"] = json!({ "org.opencontainers.image.ref.name": order.version });
    pointer["platform"] = json!({ "architecture": order.arch(), "os": "linux" });
    let names: Vec<String> = listed.iter().filter_map(|layer| layer["digest"].as_str().map(blob)).collect();
    for (name, value) in [
        ("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })),
        ("index.json", json!({ "schemaVersion": 2, "manifests": [pointer] })),
        (
            "manifest.json",
            json!([{
                "Config": format!("blobs/sha256/{config_name}"),
                "RepoTags": [format!("wegraf:{}", order.version)],
                "Layers": names,
            }]),
        ),
    ] {
        fs::write(layout.join(name), serde_json::to_vec(&value)?)?;
    }
    if order.image().exists() {
        fs::remove_file(order.image())?;
    }
    output(archiver(order, &order.image(), 0).arg("-C").arg(&layout).args([
        "blobs",
        "index.json",
        "manifest.json",
        "oci-layout",
    ]))?;
    Ok(())
}

fn configuration(order: &Order, layers: &[Layer]) -> anyhow::Result<Value> {
    let created = jiff::Timestamp::from_second(i64::try_from(order.time)?)?.to_string();
    let second = 1_000_000_000_u64;
    Ok(json!({
        "created": created,
        "architecture": order.arch(),
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "WorkingDir": "/data",
            "Volumes": { "/data": {} },
            "ExposedPorts": { "8080/tcp": {} },
            "Env": [
                "PATH=/usr/bin",
                "WEGRAF_CONFIG=/etc/wegraf/wegraf.yaml",
                "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
            ],
            "Entrypoint": ["/usr/bin/wegraf"],
            "Cmd": ["serve"],
            "StopSignal": "SIGTERM",
            // Docker reads it; podman and Kubernetes are told by their own files (deploy/compose.yaml, deploy/kubernetes).
            "Healthcheck": {
                "Test": ["CMD", "/usr/bin/wegraf", "health"],
                "Interval": 10 * second, "Timeout": 5 * second, "StartPeriod": 30 * second, "Retries": 3,
            },
            "Labels": {
                "org.opencontainers.image.title": "wegraf",
                "org.opencontainers.image.version": order.version,
                "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
                "org.opencontainers.image.created": created,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| format!("sha256:{}", layer.diff)).collect::<Vec<_>>() },
        "history": [
            { "created": created, "created_by": "the C library, certificates and an empty /data" },
            { "created": created, "created_by": "wegraf" },
        ],
    }))
}

fn described(kind: &str, digest: &str, size: usize) -> Value {
    json!({ "mediaType": kind, "digest": format!("sha256:{digest}"), "size": size })
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}
