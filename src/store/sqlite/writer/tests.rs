use std::sync::mpsc;

use super::*;
use crate::store::Fatal;

fn writer(folder: &tempfile::TempDir) -> Writer {
    let path = folder.path().join("test.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (v INTEGER UNIQUE, b BLOB)").unwrap();
    for step in crate::store::migrate::SQLITE {
        connection.execute_batch(step).unwrap();
    }
    keys::open(&connection).unwrap();
    Writer::start(connection, Files::of(&path).unwrap(), Lock::take(&path).unwrap()).unwrap()
}

fn insert(value: i64) -> impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static {
    move |connection| {
        connection.execute("INSERT INTO t (v) VALUES (?1)", [value])?;
        Ok(())
    }
}

async fn values(writer: &Writer) -> Vec<i64> {
    let read = |connection: &Connection| {
        let mut select = connection.prepare("SELECT v FROM t ORDER BY v")?;
        Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    };
    writer.write(read).await.unwrap()
}

/// Keeps the thread busy until the returned sender is dropped, so that what is written meanwhile is one group.
async fn hold(writer: &Arc<Writer>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), StoreError>>) {
    let (release, held) = mpsc::channel::<()>();
    let (started, running) = oneshot::channel();
    let writer = Arc::clone(writer);
    let task = tokio::spawn(async move {
        let wait = move |_: &Connection| {
            let _ = started.send(());
            let _ = held.recv();
            Ok(())
        };
        writer.write(wait).await
    });
    running.await.unwrap();
    (release, task)
}

#[tokio::test]
async fn a_write_that_fails_or_panics_undoes_itself_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Arc::new(writer(&folder));
    let (release, held) = hold(&writer).await;
    let fails = |connection: &Connection| {
        connection.execute("INSERT INTO t (v) VALUES (10)", [])?;
        insert(1)(connection)
    };
    let panics = |connection: &Connection| -> Result<(), StoreError> {
        connection.execute("INSERT INTO t (v) VALUES (20)", [])?;
        panic!("on purpose")
    };
    let all = async {
        tokio::join!(
            writer.write(insert(1)),
            writer.write(fails),
            writer.write(panics),
            writer.write(insert(2)),
            async {
                drop(release);
            }
        )
    };
    let (one, failed, panicked, two, ()) = all.await;
    one.unwrap();
    two.unwrap();
    assert!(matches!(failed, Err(StoreError::Bug { source: Some(_), .. })), "{failed:?}");
    assert!(matches!(panicked, Err(StoreError::Bug { reason, .. }) if reason.contains("on purpose")));
    held.await.unwrap().unwrap();
    assert_eq!(writer.counters().commits, 1, "all of them were one group");
    assert_eq!(values(&writer).await, [1, 2]);
}

#[tokio::test]
async fn writes_that_wait_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Arc::new(writer(&folder));
    let (release, held) = hold(&writer).await;
    let tasks: Vec<_> = (0..100)
        .map(|value| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move { writer.write(insert(value)).await })
        })
        .collect();
    while writer.counters().waiting < 100 {
        tokio::task::yield_now().await;
    }
    drop(release);
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    held.await.unwrap().unwrap();
    let counters = writer.counters();
    assert_eq!((counters.commits, counters.writes, counters.waiting), (1, 101, 0));
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_then_says_busy() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Arc::new(writer(&folder));
    let (release, held) = hold(&writer).await;
    let waiting: Vec<_> = (0..i64::try_from(QUEUE).unwrap())
        .map(|value| {
            let writer = Arc::clone(&writer);
            tokio::spawn(async move { writer.write(insert(value)).await })
        })
        .collect();
    while writer.counters().waiting < QUEUE {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    assert!(matches!(writer.write(insert(-1)).await, Err(StoreError::Retry(Retry::Busy))));
    assert!(begun.elapsed() >= PLACE);
    drop(release);
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    held.await.unwrap().unwrap();
    assert_eq!(values(&writer).await.len(), QUEUE, "who was told Busy wrote nothing");
}

#[tokio::test]
async fn a_full_disk_refuses_and_the_store_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let writer = writer(&folder);
    let limit = |pages: i64| {
        move |connection: &Connection| {
            Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
        }
    };
    let large = |connection: &Connection| {
        connection.execute("INSERT INTO t (v, b) VALUES (2, zeroblob(1000000))", [])?;
        Ok(())
    };
    writer.write(insert(1)).await.unwrap();
    writer.write(limit(10)).await.unwrap();
    assert!(matches!(writer.write(large).await, Err(StoreError::Retry(Retry::Full))));
    writer.write(limit(1_000_000)).await.unwrap();
    writer.write(large).await.unwrap();
    assert_eq!(values(&writer).await, [1, 2]);
}

#[tokio::test]
async fn after_an_error_that_leaves_the_file_unknown_nothing_is_written_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Arc::new(writer(&folder));
    writer.write(insert(1)).await.unwrap();
    let (release, held) = hold(&writer).await;
    let breaks = |_: &Connection| -> Result<(), StoreError> {
        let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
        Err(rusqlite::Error::SqliteFailure(error, None).into())
    };
    let all = async {
        tokio::join!(writer.write(insert(2)), writer.write(breaks), writer.write(insert(3)), async {
            drop(release);
        })
    };
    let (before, broken, after, ()) = all.await;
    for result in [before, broken, after, held.await.unwrap(), writer.write(insert(4)).await] {
        assert!(matches!(result, Err(StoreError::Fatal(Fatal::Io(_)))), "{result:?}");
    }
    writer.stop();
    let connection = Connection::open(folder.path().join("test.db")).unwrap();
    let left: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_write_whose_caller_went_away_is_done_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Arc::new(writer(&folder));
    let (release, held) = hold(&writer).await;
    let gone = tokio::time::timeout(Duration::from_millis(10), writer.write(insert(1))).await;
    assert!(gone.is_err());
    drop(release);
    held.await.unwrap().unwrap();
    assert_eq!(values(&writer).await, [1]);
}

#[tokio::test]
async fn stop_does_what_waits_and_refuses_what_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Arc::new(writer(&folder));
    writer.write(insert(1)).await.unwrap();
    writer.stop();
    assert!(matches!(writer.write(insert(2)).await, Err(StoreError::Closed)));
    assert!(!folder.path().join("test.db-wal").exists(), "everything is in the main file");
}
