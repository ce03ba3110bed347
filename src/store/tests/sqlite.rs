//! What is special to SQLite: one process, one file, and the failures of both.

use std::fs;
use std::path::PathBuf;

use rusqlite::Connection;

use super::*;

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("wegraf.db")
}

/// A database with one sent and one waiting message, closed.
async fn used(folder: &tempfile::TempDir) {
    let store = open(folder.path()).await;
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    send(&store, "lane", 1).await;
    store.admit(notification(2, "lane", vec![resolved("HighCPU", 0, 2)])).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_the_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    match try_open(folder.path()).await {
        Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => assert_eq!(pid, std::process::id().to_string()),
        other => panic!("{other:?}"),
    }
    store.close().await.unwrap();
    assert!(matches!(store.ping().await, Err(StoreError::Closed)));
    assert!(matches!(store.audit().await, Err(StoreError::Closed)));
    open(folder.path()).await.close().await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_second_process_is_refused_under_every_name_of_the_file() {
    let (folder, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let in_use = |opened: Result<Store, StoreError>| match opened {
        Err(StoreError::Open { why: Unopened::InUse { .. }, .. }) => true,
        Ok(_) | Err(_) => false,
    };
    // At the first start the file is made after the lock was taken.
    let store = open(folder.path()).await;
    let other = file(&others);
    fs::hard_link(file(&folder), &other).unwrap();
    assert!(in_use(try_open(others.path()).await), "a hard link");
    fs::remove_file(&other).unwrap();
    std::os::unix::fs::symlink(file(&folder), &other).unwrap();
    assert!(in_use(try_open(others.path()).await), "a symbolic link");
    store.close().await.unwrap();
    // The control: by any name it opens where no process holds it.
    open(others.path()).await.close().await.unwrap();
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for minute in 0..20 {
        store.admit(notification(minute, "lane", vec![firing(&minute.to_string(), 0)])).await.unwrap();
    }
    claim(&store, "lane", 20, "text").await;
    // What a killed process leaves: the files as they are now, not closed.
    let dead = tempfile::tempdir().unwrap();
    let without_log = tempfile::tempdir().unwrap();
    fs::copy(file(&folder), file(&dead)).unwrap();
    fs::copy(file(&folder), file(&without_log)).unwrap();
    fs::copy(folder.path().join("wegraf.db-wal"), dead.path().join("wegraf.db-wal")).unwrap();
    let store = open(dead.path()).await;
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 20, ..Audit::default() });
    assert_eq!(store.recover().await.unwrap(), 1);
    let head = head(&store, "lane", at(20)).await.unwrap();
    assert_eq!((head.state, &head.frozen.unwrap().parts[0][..]), (State::Unsure, &b"text"[..]));
    // The control: without the log the rows are missing, so this test can tell.
    assert_eq!(open(without_log.path()).await.audit().await.unwrap().pending, 0);
}

#[tokio::test]
async fn parallel_admissions_share_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(
                async move { store.admit(notification(0, "lane", vec![firing(&number.to_string(), 0)])).await },
            )
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().messages, 1);
    }
    let counters = store.counters();
    assert_eq!(counters.writes, 200);
    assert!(counters.commits <= 100, "{counters:?}");
    assert_eq!(store.audit().await.unwrap().pending, 200);
}

#[tokio::test]
async fn a_file_that_is_not_a_sound_wegraf_database_is_refused_unchanged() {
    let good = tempfile::tempdir().unwrap();
    used(&good).await;
    let good = fs::read(file(&good)).unwrap();
    let flipped = |offset: usize| {
        let mut bytes = good.clone();
        bytes[offset] ^= 0xff;
        bytes
    };
    let foreign = tempfile::tempdir().unwrap();
    Connection::open(file(&foreign)).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let cases = [
        ("empty", Vec::new()),
        ("text", b"people: [daixuan]\n".repeat(100)),
        ("another program's", fs::read(file(&foreign)).unwrap()),
        ("a broken header", flipped(3)),
        ("a header with another page size", flipped(16)),
        ("another application id", flipped(70)),
        ("cut short", good[..1000].to_vec()),
        ("a broken first page", good[..512].iter().copied().chain(vec![0xa5; good.len() - 512]).collect()),
    ];
    for (what, bytes) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(file(&folder), &bytes).unwrap();
        match try_open(folder.path()).await {
            Err(StoreError::Open { path, why: Unopened::Damaged(_) }) => assert_eq!(path, file(&folder), "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        assert!(fs::read(file(&folder)).unwrap() == bytes, "{what}: the file was changed");
    }
}

#[tokio::test]
async fn after_an_unclean_stop_the_file_is_checked_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    used(&folder).await;
    let mut bytes = fs::read(file(&folder)).unwrap();
    // Beyond the schema, where opening alone does not look.
    let page = 4096;
    let victim = Connection::open(file(&folder)).unwrap();
    let root: u32 = victim
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'transition_message'", [], |row| row.get(0))
        .unwrap();
    drop(victim);
    let start = (usize::try_from(root).unwrap() - 1) * page;
    bytes[start..start + 8].fill(0xff);
    fs::write(file(&folder), &bytes).unwrap();
    try_open(folder.path()).await.unwrap().close().await.unwrap();
    fs::write(folder.path().join("wegraf.db-wal"), [0; 64]).unwrap();
    assert!(matches!(try_open(folder.path()).await, Err(StoreError::Open { why: Unopened::Damaged(_), .. })));
}

#[tokio::test]
async fn an_older_program_refuses_a_newer_schema() {
    let folder = tempfile::tempdir().unwrap();
    used(&folder).await;
    let hand = Connection::open(file(&folder)).unwrap();
    hand.execute("INSERT INTO migration VALUES (99, 'future', 0)", []).unwrap();
    drop(hand);
    assert!(matches!(
        try_open(folder.path()).await,
        Err(StoreError::Open { why: Unopened::Newer { found: 99, .. }, .. })
    ));
}

#[tokio::test]
async fn a_schema_step_that_differs_from_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    used(&folder).await;
    let hand = Connection::open(file(&folder)).unwrap();
    hand.execute("UPDATE migration SET hash = 'other'", []).unwrap();
    drop(hand);
    assert!(matches!(try_open(folder.path()).await, Err(StoreError::Open { why: Unopened::Damaged(_), .. })));
}

#[tokio::test]
async fn a_start_that_was_interrupted_leaves_no_database_and_the_next_one_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("wegraf.db.new"), b"half").unwrap();
    let store = open(folder.path()).await;
    store.ping().await.unwrap();
    assert!(!folder.path().join("wegraf.db.new").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_any_of_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.ping().await.unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["wegraf.db", "wegraf.db-shm", "wegraf.db-wal", "wegraf.db.lock"]);
}

#[tokio::test]
async fn a_program_that_holds_the_file_makes_the_store_busy_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let shell = Connection::open(file(&folder)).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await;
    assert!(matches!(refused, Err(StoreError::Retry(Retry::Busy))), "{refused:?}");
    shell.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap().messages, 1);
}

#[tokio::test]
async fn nothing_final_and_nothing_frozen_can_be_changed_even_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    used(&folder).await;
    let hand = Connection::open(file(&folder)).unwrap();
    for sql in [
        "UPDATE message SET state = 'queued', settled_at = NULL WHERE state = 'sent'",
        "UPDATE transition SET fate = 'dead' WHERE fate = 'named'",
        "UPDATE part SET body = x'00'",
        "UPDATE message SET state = 'sent' WHERE state = 'queued'",
    ] {
        assert!(hand.execute(sql, []).is_err(), "{sql}");
    }
    // Only these: a live message can be moved.
    assert_eq!(hand.execute("UPDATE message SET not_before = 1 WHERE state = 'queued'", []).unwrap(), 1);
}

#[tokio::test]
async fn an_imbalance_of_fates_is_found() {
    let folder = tempfile::tempdir().unwrap();
    used(&folder).await;
    let hand = Connection::open(file(&folder)).unwrap();
    hand.execute("UPDATE transition SET fate = 'named' WHERE fate = 'pending'", []).unwrap();
    drop(hand);
    let store = open(folder.path()).await;
    assert_eq!(store.audit().await.unwrap(), Audit { named: 2, imbalance: 1, ..Audit::default() });
}

#[tokio::test]
async fn a_database_opened_for_reading_shows_what_its_owner_writes_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let reader = Store::open_reading(&Database::Sqlite(file(&folder))).await.unwrap();
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    assert_eq!(reader.deliveries(DeliveryFilter::default()).await.unwrap().len(), 1);
    assert!(reader.ping().await.is_err());
}

/// A file of the kind made before files could shrink.
async fn old_file(folder: &tempfile::TempDir) {
    used(folder).await;
    let hand = Connection::open(file(folder)).unwrap();
    hand.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM; PRAGMA journal_mode = WAL")
        .unwrap();
    assert_eq!(hand.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, i64>(0)).unwrap(), 0);
}

/// Sends this many notifications with bodies of 100 KiB.
async fn fill(store: &Store, count: i64) {
    for minute in 10..10 + count {
        let raw: Vec<u8> = (0..100 * 1024).map(|_| rand::random()).collect();
        let admission = notification(minute, "bulk", vec![firing(&minute.to_string(), minute)]);
        store.admit(Admission { raw: raw.into(), ..admission }).await.unwrap();
        send(store, "bulk", minute).await;
    }
}

/// Prunes until nothing is left to do, and waits until the log was moved into the main file; returns its size.
async fn pruned(store: &Store, folder: &tempfile::TempDir, keep: Retention, minute: i64) -> u64 {
    while !store.prune(keep, at(minute)).await.unwrap().is_empty() {}
    store.close().await.unwrap();
    fs::metadata(file(folder)).unwrap().len()
}

#[tokio::test]
async fn the_file_shrinks_with_what_is_pruned_and_keeps_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    fill(&store, 120).await;
    let most = 8 << 20;
    let keep =
        Retention { raw_ms: 1_000 * MINUTE, record_ms: 1_000 * MINUTE, alerts_ms: i64::MAX / 4, bytes: Some(most) };
    let bytes = pruned(&store, &folder, keep, 200).await;
    assert!((most / 4..most).contains(&bytes), "{bytes}");
    let store = open(folder.path()).await;
    let keep = Retention { raw_ms: MINUTE, record_ms: MINUTE, alerts_ms: i64::MAX / 4, bytes: None };
    let bytes = pruned(&store, &folder, keep, 100_000).await;
    assert!(bytes < 2 << 20, "{bytes}");
}

#[tokio::test]
async fn a_file_that_cannot_shrink_is_converted_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    old_file(&folder).await;
    let store = open(folder.path()).await;
    assert!(store.can_shrink().await.unwrap());
    assert_eq!(store.audit().await.unwrap(), Audit { named: 1, pending: 1, ..Audit::default() });
    fill(&store, 50).await;
    let keep = Retention { raw_ms: MINUTE, record_ms: MINUTE, alerts_ms: i64::MAX / 4, bytes: None };
    let bytes = pruned(&store, &folder, keep, 100_000).await;
    assert!(bytes < 2 << 20, "{bytes}");
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["wegraf.db", "wegraf.db.lock"]);
}

#[tokio::test]
async fn a_file_that_another_program_reads_is_converted_at_a_later_start() {
    let folder = tempfile::tempdir().unwrap();
    old_file(&folder).await;
    let reader = Connection::open(file(&folder)).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let _: i64 = reader.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap();
    let store = open(folder.path()).await;
    store.admit(notification(3, "lane", vec![firing("Other", 3)])).await.unwrap();
    assert_eq!(store.audit().await.unwrap().pending, 2);
    drop(reader);
    store.close().await.unwrap();
    let store = open(folder.path()).await;
    assert!(store.can_shrink().await.unwrap());
    assert_eq!(store.audit().await.unwrap().pending, 2);
}

#[tokio::test]
async fn a_symbolic_link_to_the_file_stays_one() {
    let (real, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    old_file(&real).await;
    std::os::unix::fs::symlink(file(&real), file(&folder)).unwrap();
    let store = open(folder.path()).await;
    store.admit(notification(3, "lane", vec![firing("Other", 3)])).await.unwrap();
    assert!(store.can_shrink().await.unwrap());
    assert!(fs::symlink_metadata(file(&folder)).unwrap().is_symlink());
    store.close().await.unwrap();
    assert_eq!(open(real.path()).await.audit().await.unwrap().pending, 2);
}

#[tokio::test]
async fn a_write_to_a_file_that_is_gone_is_refused_and_what_was_stored_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    store.admit(notification(0, "lane", vec![firing("HighCPU", 0)])).await.unwrap();
    store.check().await.unwrap();
    fs::remove_file(file(&folder)).unwrap();
    for refused in [
        store.check().await,
        store.ping().await,
        store.admit(notification(1, "lane", vec![firing("Other", 1)])).await.map(drop),
    ] {
        assert!(matches!(refused, Err(StoreError::Retry(Retry::Displaced { .. }))), "{refused:?}");
    }
    store.close().await.unwrap();
    let saved = tempfile::tempdir().unwrap();
    fs::rename(folder.path().join("wegraf.db.rescued"), file(&saved)).unwrap();
    let store = open(saved.path()).await;
    assert_eq!(store.audit().await.unwrap(), Audit { pending: 1, ..Audit::default() });
}

/// A file as the program before a step of the schema left it: with the first `steps`.
fn older(folder: &tempfile::TempDir, steps: usize, rows: &str) {
    let mut hand = Connection::open(file(folder)).unwrap();
    hand.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    hand.pragma_update(None, "journal_mode", "WAL").unwrap();
    migrate::migrate(&mut hand, &file(folder), &migrate::SQLITE[..steps], T0).unwrap();
    hand.execute_batch(rows).unwrap();
}

#[tokio::test]
async fn a_database_from_before_bodies_were_compressed_is_opened_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    older(&folder, 7, &OLD_ROWS.replace("bytes", "BLOB"));
    let store = open(folder.path()).await;
    goes_on(&store).await;
    store.close().await.unwrap();
    let hand = Connection::open(file(&folder)).unwrap();
    let kept = |id: i64| {
        let sql = "SELECT codec, length(raw) FROM notification WHERE id = ?1";
        hand.query_row(sql, [id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).unwrap()
    };
    assert_eq!(kept(1), (0, 10));
    assert!(kept(3).0 == 1 && kept(3).1 < 200, "{:?} of 1300 bytes", kept(3));
}

#[tokio::test]
async fn a_copy_is_kept_before_the_schema_changes() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    older(&folder, 7, &OLD_ROWS.replace("bytes", "BLOB"));
    let name = |step: usize| folder.path().join(format!("wegraf.db.before-{step}"));
    // Of the upgrade before.
    fs::write(name(7), "").unwrap();
    open(folder.path()).await.close().await.unwrap();
    let kept = name(migrate::SQLITE.len());
    let copy = Connection::open(&kept).unwrap();
    let count = |sql: &str| copy.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((count("SELECT max(version) FROM migration"), count("SELECT count(*) FROM message") > 0), (7, true));
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!name(7).exists());
    // Once only, and not where nothing changes.
    fs::remove_file(&kept).unwrap();
    open(folder.path()).await.close().await.unwrap();
    assert!(!kept.exists());
}
