//! Backups of a SQLite file in use, and the way back.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;
use wecom_simulator::Setup;
use wegraf::internals::config::Database;
use wegraf::internals::store::Store;

use crate::harness::{World, alertmanager};
use crate::process::{PROGRAM, Wegraf, run};
use crate::witness_alertmanager::OPS;

/// Nothing of the record contradicts itself; returns how many transitions it has.
async fn sound(file: &Path) -> i64 {
    let store = Store::open_reading(&Database::Sqlite(file.to_owned())).await.unwrap();
    let audit = store.audit().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(audit.imbalance, 0);
    audit.pending + audit.named + audit.counted + audit.dead + audit.suppressed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_whole_also_where_it_is_killed_and_comes_back() {
    let mut world = World::idle(Setup::demo(), "").await;
    world.write("wegraf.yaml", &world.config_text("127.0.0.1:0", OPS));
    let running = Wegraf::serve(&mut world).await;
    let names = |round: usize| (0..40).map(|number| format!("db-{round}-{number}")).collect::<Vec<_>>();
    let body = |round: usize| {
        let names = names(round);
        let alerts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "firing")).collect();
        alertmanager(&format!("磁盘将满 {round}"), &alerts)
    };
    world.accept("/webhook", body(0)).await;
    let load = async {
        for round in 1..30 {
            world.accept("/webhook", body(round)).await;
        }
    };
    let killed = async {
        for round in 0..12_u64 {
            let to = world.folder.path().join(format!("killed-{round}.db"));
            let backup = Command::new(PROGRAM)
                .args(["backup", "-c", "wegraf.yaml", "--to"])
                .arg(&to)
                .current_dir(world.folder.path())
                .stdout(std::process::Stdio::null())
                .kill_on_drop(true)
                .spawn();
            tokio::time::sleep(Duration::from_millis(10 * round)).await;
            backup.unwrap().kill().await.unwrap();
            if to.exists() {
                assert!(sound(&to).await > 0);
            }
        }
    };
    tokio::join!(load, killed);
    let said = run(&world, &["backup", "--to", "whole.db", "--json"]).await.exits(0).json();
    assert_eq!((&said["file"], &said["waiting"].is_u64()), (&json!("whole.db"), &true), "{said}");
    let whole = world.folder.path().join("whole.db");
    assert_eq!(whole.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let taken = sound(&whole).await;
    assert_eq!(taken, 30 * 40, "all that was accepted before");
    run(&world, &["backup", "--to", "whole.db"]).await.exits(1);
    // A folder keeps the newest.
    std::fs::create_dir(world.folder.path().join("kept")).unwrap();
    for name in ["wegraf-backup-20200101-000000.db", "wegraf-backup-20210101-000000.db", "other.db"] {
        world.write(&format!("kept/{name}"), "");
    }
    run(&world, &["backup", "--to", "kept", "--keep", "2"]).await.exits(0);
    let kept = std::fs::read_dir(world.folder.path().join("kept")).unwrap();
    let mut kept: Vec<_> = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort_unstable();
    assert_eq!((kept.len(), kept[0].as_str(), kept[1].as_str()), (3, "other.db", "wegraf-backup-20210101-000000.db"));
    // Not under a running gateway.
    run(&world, &["restore", "whole.db", "--waiting", "drop"]).await.exits(1);
    running.kill().await;
    std::fs::write(world.folder.path().join("wegraf.db"), b"damaged").unwrap();
    let back = run(&world, &["restore", "whole.db", "--waiting", "drop", "--json"]).await.exits(0).json();
    assert!(back["former"].as_str().unwrap().contains(".before-restore-"), "{back}");
    assert_eq!(sound(&world.folder.path().join("wegraf.db")).await, taken);
    // Once more within the same second: nothing is in the way, and nothing is left behind.
    for _ in 0..2 {
        run(&world, &["restore", "whole.db", "--waiting", "drop"]).await.exits(0);
    }
    let left = parts(world.folder.path());
    assert!(left.iter().all(|name| name.starts_with("killed-")), "{left:?}");
    // What a killed backup left is written over by the next one of its name.
    for name in left.iter().filter_map(|name| name.strip_suffix(".part")) {
        run(&world, &["backup", "--to", name]).await.exits(0);
    }
    assert!(parts(world.folder.path()).is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_backup_that_fails_leaves_no_file() {
    let mut world = World::idle(Setup::demo(), "").await;
    world.write("wegraf.yaml", &world.config_text("127.0.0.1:0", OPS));
    let running = Wegraf::serve(&mut world).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    run(&world, &["backup", "--to", "copy.db"]).await.exits(0);
    running.kill().await;
    let mut bytes = std::fs::read(world.folder.path().join("copy.db")).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0x5a);
    for log in ["wegraf.db-wal", "wegraf.db-shm"] {
        drop(std::fs::remove_file(world.folder.path().join(log)));
    }
    std::fs::write(world.folder.path().join("wegraf.db"), &bytes).unwrap();
    std::fs::create_dir(world.folder.path().join("kept")).unwrap();
    for to in ["second.db", "kept"] {
        run(&world, &["backup", "--to", to]).await.exits(1);
    }
    std::fs::write(world.folder.path().join("copy.db"), &bytes).unwrap();
    run(&world, &["restore", "copy.db", "--waiting", "drop"]).await.exits(1);
    assert!(!world.folder.path().join("second.db").exists());
    assert_eq!((parts(world.folder.path()), parts(&world.folder.path().join("kept"))), (vec![], vec![]));
}

/// The incomplete copies in a folder.
fn parts(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".db.part")).collect()
}

#[tokio::test]
async fn what_waited_in_a_backup_is_sent_or_given_up_as_the_operator_says() {
    for (choice, sent) in [("drop", false), ("send", true)] {
        let mut world = World::idle(Setup::demo(), "").await;
        world.write("wegraf.yaml", &world.config_text("127.0.0.1:0", OPS));
        let running = Wegraf::serve(&mut world).await;
        let down = json!({ "match": { "path": "webhook/send" }, "times": "forever", "action": { "http": { "status": 503, "body": "" } } });
        world.fault(down).await;
        world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
        run(&world, &["backup", "--to", "copy.db", "--without-tokens"]).await.exits(0);
        running.kill().await;
        world.control("DELETE", "faults", serde_json::Value::Null).await;
        run(&world, &["restore", "copy.db"]).await.exits(2);
        run(&world, &["restore", "copy.db", "--waiting", choice]).await.exits(0);
        let _running = Wegraf::serve(&mut world).await;
        if sent {
            world.arrived("webhook=sim-ops-group", 1).await;
            continue;
        }
        let told = run(&world, &["deliveries", "list", "--json"]).await.exits(0);
        assert!(told.out.contains("given up when a backup was restored"), "{}", told.out);
        run(&world, &["deliveries", "audit"]).await.exits(0);
    }
}
