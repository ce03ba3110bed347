//! A temporary `PostgreSQL`: Debian's programs, a temporary folder, a free port of loopback, `trust` for all
//! connections.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::Skipped;
use crate::gateway::free;

/// The variable with the URL of an existing server: `postgres://`, of a superuser.
const GIVEN: &str = "WEGRAF_TEST_POSTGRES";

/// Where Debian keeps the programs, one folder for each major version.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// A server that may be used up: the one that `WEGRAF_TEST_POSTGRES` names, or a cluster of our own.
pub enum Server {
    /// An existing server.
    Given(String),
    /// Our own cluster.
    Own(Cluster),
}

impl Server {
    /// Finds or starts it; [`Skipped`] if there is neither.
    pub fn start() -> anyhow::Result<Self> {
        match std::env::var_os(GIVEN) {
            Some(url) => Ok(Self::Given(url.into_string().ok().context("WEGRAF_TEST_POSTGRES is no text")?)),
            None => Cluster::start().map(Self::Own),
        }
    }

    /// Makes an empty database and returns its URL. It is kept for inspection.
    pub fn database(&self, name: &str) -> anyhow::Result<String> {
        self.create(&format!("DATABASE {name}"))?;
        Ok(with_database(&self.url(), name))
    }

    /// Makes an empty schema and returns a URL that leads there: a database for a moment, a hundred times as cheap.
    pub fn schema(&self, name: &str) -> anyhow::Result<String> {
        self.create(&format!("SCHEMA {name}"))?;
        let url = self.url();
        let mark = if url.contains('?') { '&' } else { '?' };
        Ok(format!("{url}{mark}options=-csearch_path%3D{name}"))
    }

    fn create(&self, what: &str) -> anyhow::Result<()> {
        psql(&self.url(), &format!("CREATE {what}"))
    }

    fn url(&self) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Own(cluster) => cluster.url(),
        }
    }

    /// Ends all connections of others to the database at `url`.
    pub fn cut(url: &str) -> anyhow::Result<()> {
        psql(
            url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
    }
}

fn psql(url: &str, sql: &str) -> anyhow::Result<()> {
    let psql = Command::new("psql").args(["--no-psqlrc", "--quiet", "--command", sql, url]).output();
    let psql = psql.context("psql cannot be run")?;
    ensure!(psql.status.success(), "psql: {}", String::from_utf8_lossy(&psql.stderr));
    Ok(())
}

/// The same URL with another database.
fn with_database(url: &str, name: &str) -> String {
    let (before, parameters) = url.split_once('?').map_or((url, None), |(before, after)| (before, Some(after)));
    let (scheme, rest) = before.split_once("://").unwrap_or(("postgres", before));
    let host = rest.split('/').next().unwrap_or(rest);
    let parameters = parameters.map(|parameters| format!("?{parameters}")).unwrap_or_default();
    format!("{scheme}://{host}/{name}{parameters}")
}

/// A cluster of our own; stopped and gone when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes and starts it, as user `postgres` if we are root, for it refuses to run as root. [`Skipped`] if `PostgreSQL` is
    /// not installed.
    pub fn start() -> anyhow::Result<Self> {
        let programs = programs().ok_or_else(|| Skipped::new(format!("no PostgreSQL server in {PROGRAMS}")))?;
        let folder = TempDir::with_prefix("wegraf-postgres-")?;
        let cluster = Self { folder, programs, port: free()?.port() };
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(cluster.folder.path()))?;
        }
        let data = cluster.data();
        run(cluster
            .command("initdb")
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale"])
            .arg("-D")
            .arg(&data))?;
        std::fs::write(
            data.join("postgresql.auto.conf"),
            format!(
                "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 200\n",
                cluster.port,
                cluster.folder.path().display()
            ),
        )?;
        cluster.control("start", &[])?;
        Ok(cluster)
    }

    /// As its superuser, in the database `postgres`.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Restarts it; `immediate` is what a crash of it looks like.
    pub fn restart(&self, immediate: bool) -> anyhow::Result<()> {
        self.stop(immediate)?;
        self.resume()
    }

    /// Starts it again after [`Cluster::stop`].
    pub fn resume(&self) -> anyhow::Result<()> {
        self.control("start", &[])
    }

    /// Stops it; [`Cluster::resume`] starts it again.
    pub fn stop(&self, immediate: bool) -> anyhow::Result<()> {
        self.control("stop", &["-m", if immediate { "immediate" } else { "fast" }])
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn control(&self, what: &str, more: &[&str]) -> anyhow::Result<()> {
        let log = self.folder.path().join("server.log");
        run(self.command("pg_ctl").arg(what).arg("-w").arg("-D").arg(self.data()).arg("-l").arg(log).args(more))
    }

    /// One of its programs, as the user it may run as.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.stop(true);
    }
}

/// The newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(PROGRAMS).ok()?.filter_map(Result::ok);
    let version = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| version(path))?;
    let programs = newest.join("bin");
    programs.join("initdb").exists().then_some(programs)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    // Not into a pipe: the server keeps it open, and we would wait for its end.
    let status = command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::inherit()).status();
    let status = status.with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_put_into_a_url_whatever_it_had() {
        let with = |url| with_database(url, "fresh");
        assert_eq!(
            with("postgres://me:pw@h:5433/postgres?sslmode=disable"),
            "postgres://me:pw@h:5433/fresh?sslmode=disable"
        );
        assert_eq!(with("postgres://me@h"), "postgres://me@h/fresh");
    }

    #[test]
    fn a_cluster_of_our_own_takes_a_database_and_comes_back_after_a_crash_of_it() {
        let cluster = match Cluster::start() {
            Ok(cluster) => cluster,
            Err(error) if error.is::<Skipped>() => return println!("{error}"),
            Err(error) => panic!("{error:#}"),
        };
        let server = Server::Own(cluster);
        let url = server.database("fresh").unwrap();
        let select = |sql: &str| {
            let output = Command::new("psql").args(["-X", "-A", "-t", "-c", sql, &url]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        select("CREATE TABLE kept AS SELECT 7 AS number");
        let Server::Own(cluster) = &server else { unreachable!("it is ours") };
        cluster.restart(true).unwrap();
        assert_eq!(select("SELECT number FROM kept"), "7");
        cluster.stop(false).unwrap();
        assert_eq!(select("SELECT number FROM kept"), "");
    }
}
