//! The files of the database are deleted, replaced or truncated, and the disk fills up, while the program runs.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::{Wegraf, run};

const ONE_MEMBER: &str = r"
receivers:
  ops: { targets: [ { app: ops, users: [daixuan], face: text } ] }
route: { receiver: ops }
";

/// A running gateway whose database is in `folder`, or in a folder of its own below the world's.
async fn serving(folder: Option<&Path>) -> (World, Wegraf, PathBuf) {
    let mut world = World::idle(Setup::demo(), ONE_MEMBER).await;
    let folder = folder.map_or_else(|| world.folder.path().join("data"), Path::to_owned);
    fs::create_dir_all(&folder).unwrap();
    let database = folder.join("wegraf.db");
    let text = world.config_text("127.0.0.1:0", ONE_MEMBER);
    world.write("wegraf.yaml", &text.replace("sqlite:wegraf.db", &format!("sqlite:{}", database.display())));
    let gateway = Wegraf::serve(&mut world).await;
    (world, gateway, database)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

async fn post(world: &World, name: &str) -> u16 {
    world.post("/webhook", alertmanager(name, &[("db-1", "firing")])).await.0
}

async fn ready(world: &World) -> (u16, String) {
    let answer = world.http.get(format!("{}/readyz", world.url)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until a message to the member holds `text`.
async fn told(world: &World, text: &str) {
    let begun = Instant::now();
    loop {
        let inbox = world.inbox("user=daixuan").await;
        if inbox.iter().any(|message| message["content"].to_string().contains(text)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "not told: {text:?}: {inbox:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Nothing is accepted once the file was lost, and `/readyz` gives the reason. `reason`: the possible reasons,
/// separated by `|`.
async fn refuses(world: &World, gateway: &Wegraf, what: &str, reason: &str) {
    let alert = alertmanager("丢不得", &[("db-1", "firing")]);
    let webhook =
        world.http.post(format!("{}/webhook", world.url)).header("content-type", "application/json").body(alert);
    for (request, shown) in [(webhook, ""), (world.http.get(format!("{}/readyz", world.url)), reason)] {
        let answer = match request.send().await {
            Ok(answer) => answer,
            // If it was truncated between a check and the next checkpoint, the main file is damaged, and the process
            // ends with that message.
            Err(_) if ["cut", "emptied"].contains(&what) && gateway.log().contains("the database is damaged") => return,
            Err(error) => panic!("{what}: {error}: {}", gateway.log()),
        };
        assert_eq!(answer.status().as_u16(), 503, "{what}: {}", gateway.log());
        let text = answer.text().await.unwrap();
        assert!(shown.split('|').any(|reason| text.contains(reason)), "{what}: {text}");
    }
}

#[tokio::test]
async fn a_database_that_is_moved_away_is_noticed_at_once_and_goes_on_when_it_is_back() {
    let (world, gateway, database) = serving(None).await;
    assert_eq!(post(&world, "之前").await, 200);
    let away = beside(&database, ".away");
    fs::rename(&database, &away).unwrap();
    refuses(&world, &gateway, "moved", "was deleted or moved away").await;
    gateway.logged("The store takes no writes").await;
    told(&world, "存不了告警").await;
    fs::rename(&away, &database).unwrap();
    assert_eq!(post(&world, "之后").await, 200);
    assert_eq!(ready(&world).await.0, 200);
    told(&world, "又能存告警了").await;
    told(&world, "之后").await;
    assert!(!world.inbox("user=daixuan").await.iter().any(|message| message.to_string().contains("丢不得")));
}

#[tokio::test]
async fn a_lost_file_is_noticed_without_a_request() {
    let (world, gateway, database) = serving(None).await;
    fs::remove_file(&database).unwrap();
    let begun = Instant::now();
    gateway.logged("The store takes no writes").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    told(&world, "存不了告警").await;
}

#[tokio::test]
async fn the_data_of_a_deleted_database_is_saved_when_the_process_stops() {
    let (mut world, mut gateway, database) = serving(None).await;
    assert_eq!(post(&world, "还在手里").await, 200);
    told(&world, "还在手里").await;
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(beside(&database, suffix)).unwrap();
    }
    refuses(&world, &gateway, "moved", "was deleted or moved away").await;
    gateway.signal("TERM").await;
    gateway.ended().await;
    assert!(gateway.log().contains("is saved there"), "{}", gateway.log());
    fs::rename(beside(&database, ".rescued"), &database).unwrap();
    let _gateway = Wegraf::serve(&mut world).await;
    let rows = run(&world, &["deliveries", "list", "--json"]).await.exits(0).json();
    assert_eq!(rows["deliveries"].as_array().unwrap().len(), 1, "{rows:#}");
    assert_eq!(post(&world, "新的").await, 200);
}

#[tokio::test]
async fn a_database_or_a_log_that_is_replaced_or_cut_short_is_noticed_at_once() {
    for (what, reason) in [
        ("replaced", "was replaced by another file"),
        ("cut", "was cut short"),
        // A reading connection that is opened meanwhile makes SQLite delete the log of an empty file, or start a new
        // log.
        ("emptied", "was cut short|was deleted or moved away"),
        ("without its log", "was deleted or moved away|was replaced by another file"),
        ("with another log", "was replaced by another file"),
        ("with its log emptied", "was cut short"),
        ("without its folder", "was deleted or moved away"),
    ] {
        let (world, gateway, database) = serving(None).await;
        assert_eq!(post(&world, "之前").await, 200, "{what}");
        let log = beside(&database, "-wal");
        let copy = |path: &Path| {
            fs::copy(path, beside(path, ".copy")).unwrap();
            fs::rename(beside(path, ".copy"), path).unwrap();
        };
        let cut = |path: &Path, length| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
        match what {
            "replaced" => copy(&database),
            "cut" => cut(&database, fs::metadata(&database).unwrap().len() / 2),
            "emptied" => cut(&database, 0),
            "without its log" => fs::remove_file(&log).unwrap(),
            "with another log" => copy(&log),
            "with its log emptied" => {
                // Not moved into the main file at once: another program is reading.
                let reader = rusqlite::Connection::open(&database).unwrap();
                reader.execute_batch("BEGIN; SELECT count(*) FROM message").unwrap();
                assert_eq!(post(&world, "还没搬走").await, 200);
                cut(&log, 0);
                refuses(&world, &gateway, what, reason).await;
                continue;
            }
            _ => fs::rename(database.parent().unwrap(), world.folder.path().join("elsewhere")).unwrap(),
        }
        refuses(&world, &gateway, what, reason).await;
    }
}

/// A file system of its own, of the size that the test needs.
struct Tmpfs(TempDir);

impl Tmpfs {
    /// `None` where the machine permits no mounts.
    fn new(size: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let options = ["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        println!("skipped: mounts are not allowed here");
        None
    }

    fn remount(&self, how: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(self.0.path()).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Fills the file system up to `leave` bytes.
fn fill(tmpfs: &Tmpfs, leave: u64) -> PathBuf {
    let path = tmpfs.0.path().join("ballast");
    let space = rustix::fs::statvfs(tmpfs.0.path()).unwrap();
    let free = space.f_bavail * space.f_frsize;
    match fs::write(&path, vec![0; usize::try_from(free - leave).unwrap()]) {
        // The gateway wrote meanwhile.
        Err(error) if error.kind() == ErrorKind::StorageFull && leave == 0 => {}
        written => written.unwrap(),
    }
    path
}

#[tokio::test]
async fn a_full_disk_is_told_past_the_store_and_passes() {
    let Some(tmpfs) = Tmpfs::new("8m") else { return };
    let (world, gateway, _) = serving(Some(tmpfs.0.path())).await;
    assert_eq!(post(&world, "之前").await, 200);
    told(&world, "之前").await;
    let ballast = fill(&tmpfs, 0);
    let begun = Instant::now();
    let mut number = 0;
    while post(&world, &format!("满了{number}")).await != 503 {
        assert!(begun.elapsed() < PATIENCE, "the disk does not become full");
        number += 1;
    }
    told(&world, "磁盘已满").await;
    fs::remove_file(ballast).unwrap();
    assert_eq!(post(&world, "之后").await, 200);
    told(&world, "之后").await;
    let begun = Instant::now();
    while ready(&world).await.1 != "ready\n" {
        assert!(begun.elapsed() < Duration::from_secs(90), "{:?}\n{}", ready(&world).await, gateway.log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_is_told_of_before_it_is_full() {
    let Some(tmpfs) = Tmpfs::new("64m") else { return };
    let (world, _gateway, _) = serving(Some(tmpfs.0.path())).await;
    let ballast = fill(&tmpfs, 5 << 20);
    told(&world, "wegraf 的磁盘空间不够").await;
    let (status, text) = ready(&world).await;
    assert!(status == 200 && text.contains("of 64 MB"), "{text}");
    assert_eq!(post(&world, "照收").await, 200);
    fs::remove_file(ballast).unwrap();
    told(&world, "恢复").await;
}

#[tokio::test]
async fn a_file_system_that_becomes_read_only_is_noticed() {
    let Some(tmpfs) = Tmpfs::new("64m") else { return };
    let (world, mut gateway, database) = serving(Some(tmpfs.0.path())).await;
    assert_eq!(post(&world, "之前").await, 200);
    // A mount over the folder shows the same files without the right to write. It is made read-only at another place
    // first: a remount is refused while a file is open for writing, and the gateway may open one at any time.
    let (folder, place) = (database.parent().unwrap(), world.folder.path().join("read-only"));
    fs::create_dir(&place).unwrap();
    let [shown, hidden] = [folder, &place].map(|path| path.to_str().unwrap());
    // Other tests mount concurrently, and mount may refuse meanwhile.
    let done = |program: &str, arguments: &[&str]| {
        (0..20).any(|_| {
            let done = Command::new(program).args(arguments).status().unwrap().success();
            if !done {
                std::thread::sleep(Duration::from_millis(100));
            }
            done
        })
    };
    assert!(done("mount", &["--bind", shown, hidden]) && done("mount", &["-o", "remount,bind,ro", hidden]));
    assert!(done("mount", &["--bind", hidden, shown]) && done("umount", &[hidden]));
    let begun = Instant::now();
    let mut status = post(&world, "只读").await;
    while status == 200 && begun.elapsed() < Duration::from_secs(5) {
        status = post(&world, "只读").await;
    }
    let (ready, text) = ready(&world).await;
    assert!(done("umount", &["--lazy", shown]));
    assert_eq!((status, ready), (503, 503), "{text}");
    assert!(text.contains("became read-only"), "{text}");
    assert_eq!(post(&world, "又能写").await, 200);
    tmpfs.remount("rw");
    gateway.signal("TERM").await;
    assert_eq!(gateway.ended().await.code(), Some(0), "{}", gateway.log());
}
