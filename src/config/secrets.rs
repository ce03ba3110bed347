//! Warnings about secrets: others can read them, or a text looks like a reference to one.

use std::path::Path;

use super::finding::Place;
use super::resolve::Resolver;

/// Permissions of others than the owner.
const OTHERS: u32 = 0o077;
/// Permissions of all others than the owner and the group.
const REST: u32 = 0o007;

impl Resolver<'_> {
    /// Warns if others can read the configuration and it contains a secret.
    pub(super) fn file_mode(&mut self) {
        let Some(place) = self.plain else { return };
        let path = self.found.file.clone();
        let given = path.parent().is_some_and(gives_its_group);
        if mode(&path) & (if given { REST } else { OTHERS }) != 0 {
            let file = path.display();
            self.found.note(
                place,
                (
                    "密钥直接写在文件里，而别的用户可以读这个文件",
                    "a secret stands in the file, and other users may read the file",
                ),
                (
                    format!("chmod 600 {file}，或改用 {{ env: … }}、{{ file: … }}"),
                    format!("chmod 600 {file}, or use {{ env: … }} or {{ file: … }}"),
                ),
            );
        }
    }

    /// Warns if others can read the file of a secret. Where an orchestrator mounts it, the group is the service's own,
    /// and the mode is set where the mount is declared; in a folder that gives its group to its files (`/etc/wegraf` of a
    /// package) the group is the service's, too.
    pub(super) fn secret_file(&mut self, place: Place, path: &Path) {
        let mounted = is_mounted(path);
        let given = path.parent().is_some_and(gives_its_group);
        if mode(path) & (if mounted || given { REST } else { OTHERS }) == 0 {
            return;
        }
        let file = path.display();
        let remedy = if mounted {
            (
                "Kubernetes 在卷上写 defaultMode: 0440，Docker 在 secrets 上写 mode: 0400".to_owned(),
                "say defaultMode: 0440 on the volume (Kubernetes), mode: 0400 on the secret (Docker)".to_owned(),
            )
        } else {
            (format!("chmod 600 {file}"), format!("chmod 600 {file}"))
        };
        self.found.note(
            place,
            (format!("别的用户可以读密钥文件 {file}"), format!("other users may read the secret in {file}")),
            remedy,
        );
    }

    /// Warns if a secret looks like a reference that is not replaced.
    pub(super) fn taken_literally(&mut self, place: Place, path: &str, text: &str) {
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let between = |before: &str, after: &str| text.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let name = [("${", "}"), ("$(", ")"), ("{{", "}}"), ("%", "%"), ("$", "")]
            .into_iter()
            .filter_map(|(before, after)| between(before, after))
            .map(|inside| inside.trim().trim_start_matches("env.").trim_start_matches('.'))
            .map(|inside| inside.split(":-").next().unwrap_or_default())
            .find(|name| is_name(name) && name.len() > 1);
        if let Some(name) = name {
            self.found.note(
                place,
                (
                    format!("`{path}` 会按原样使用：这里不展开环境变量"),
                    format!("`{path}` is taken literally: variables are not expanded here"),
                ),
                (format!("写成 {{ env: {name} }}"), format!("write {{ env: {name} }}")),
            );
        } else if between("<", ">").is_some_and(|inside| !inside.is_empty()) {
            self.found.note(
                place,
                (format!("`{path}` 像是还没填的占位"), format!("`{path}` looks like a blank to be filled in")),
                ("填入真实的密钥", "put the secret there"),
            );
        }
    }
}

/// Was the file put there by an orchestrator or by systemd? Kubernetes mounts secrets as links through `..data`.
fn is_mounted(path: &Path) -> bool {
    let through_data = std::fs::read_link(path).is_ok_and(|to| to.starts_with("..data"));
    let folders = ["/run/secrets", "/var/run/secrets", "/run/credentials"];
    through_data || folders.iter().any(|folder| path.starts_with(folder))
}

/// Is it a folder whose files get its group (setgid)?
pub(crate) fn gives_its_group(folder: &Path) -> bool {
    mode(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }) & 0o2000 != 0
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).map_or(0, |data| data.permissions().mode())
}

#[cfg(not(unix))]
fn mode(_: &Path) -> u32 {
    0
}
