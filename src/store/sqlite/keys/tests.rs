use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use rusqlite::OpenFlags;

use super::super::connect;
use super::*;
use crate::store::migrate::{SQLITE, migrate};

/// A writing and a reading connection, as the store has them.
struct Pair {
    writer: Connection,
    reader: Connection,
}

impl Pair {
    fn open(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut writer = connect(path, flags).unwrap();
        migrate(&mut writer, path, SQLITE, crate::alert::Timestamp(0)).unwrap();
        open(&writer).unwrap();
        Self { writer, reader: connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap() }
    }

    /// Every way to find the alerts of an identity gives the same.
    fn find(&self, identity: Identity) -> Vec<i64> {
        let with_key = format!("SELECT a.id FROM ({WITH_KEY}) k JOIN alert a ON a.id = k.alert WHERE a.identity = ?1");
        let anyone = format!("SELECT a.id FROM alert a WHERE {}", among("SELECT ?1 AS identity"));
        let ids = |connection: &Connection, sql: &str| {
            let mut select = connection.prepare(sql).unwrap();
            let rows = select.query_map([&identity.0[..]], |row| row.get(0)).unwrap();
            let mut ids: Vec<i64> = rows.collect::<Result<_, _>>().unwrap();
            ids.sort_unstable();
            ids
        };
        let mut found = ids(&self.writer, &with_key);
        found.dedup();
        assert_eq!(found, ids(&self.writer, &anyone));
        if self.writer.is_autocommit() {
            assert_eq!(found, ids(&self.reader, &anyone));
        }
        found
    }

    fn insert(&self, identity: Identity) -> i64 {
        let id = self.writer.query_row("SELECT alert FROM next_id", [], |row| row.get(0)).unwrap();
        let sql = "INSERT INTO alert (id, identity, receiver, source, name, labels, critical, status, thread,
                                      notification_id, sender, told_at)
                   VALUES (?1, ?2, 'ops', '', '', '', 0, 'firing', 1, 1, '', 0)";
        self.writer.execute(sql, params![id, &identity.0[..]]).unwrap();
        add(&self.writer, &identity, id).unwrap();
        id
    }

    fn forget(&self, id: i64) {
        let given = "UPDATE given SET alert = (SELECT alert - 1 FROM next_id)";
        self.writer.execute(given, []).unwrap();
        for sql in FORGET.into_iter().chain(["DELETE FROM alert WHERE id = ?1"]) {
            self.writer.execute(sql, [id]).unwrap();
        }
    }
}

/// Some identities share their key.
fn identity(number: u8) -> Identity {
    let mut bytes = [number / 2; 32];
    bytes[31] = number;
    Identity(bytes)
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u8),
    /// The alert at this place among those there are.
    Forget(u8),
    Merge(u32),
    MergeAll,
    /// The transaction ends: with a commit, a rollback, or the process.
    End(End),
}

#[derive(Debug, Clone, Copy)]
enum End {
    Commit,
    RollBack,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u8..24).prop_map(Step::Insert),
        2 => any::<u8>().prop_map(Step::Forget),
        4 => (1_u32..4).prop_map(Step::Merge),
        1 => Just(Step::MergeAll),
        3 => Just(Step::End(End::Commit)),
        1 => Just(Step::End(End::RollBack)),
        1 => Just(Step::End(End::Crash)),
    ]
}

/// A plain index: identity to alerts.
type Plain = BTreeMap<u8, Vec<i64>>;

fn check(pair: &Pair, plain: &Plain) {
    for number in 0..24 {
        assert_eq!(pair.find(identity(number)), plain.get(&number).cloned().unwrap_or_default(), "{number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn alerts_are_found_as_by_a_plain_index_whatever_is_merged_pruned_rolled_back_or_killed(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wegraf.db");
        let mut pair = Pair::open(&path);
        let (mut plain, mut committed) = (Plain::new(), Plain::new());
        let mut last = 0;
        for step in steps {
            if pair.writer.is_autocommit() {
                pair.writer.execute_batch("BEGIN IMMEDIATE").unwrap();
            }
            match step {
                Step::Insert(number) => {
                    let id = pair.insert(identity(number));
                    plain.entry(number).or_default().push(id);
                }
                Step::Forget(place) => {
                    let all: Vec<i64> = plain.values().flatten().copied().collect();
                    if !all.is_empty() {
                        let id = all[usize::from(place) % all.len()];
                        pair.forget(id);
                        for ids in plain.values_mut() {
                            ids.retain(|one| *one != id);
                        }
                    }
                }
                Step::Merge(slice) => drop(merge(&pair.writer, slice).unwrap()),
                Step::MergeAll => merge_all(&pair.writer).unwrap(),
                Step::End(End::Commit) => {
                    pair.writer.execute_batch("COMMIT").unwrap();
                    committed = plain.clone();
                    // What was given and committed is not given again.
                    let next: i64 =
                        pair.writer.query_row("SELECT alert FROM next_id", [], |row| row.get(0)).unwrap();
                    prop_assert!(next > last);
                    last = plain.values().flatten().copied().max().unwrap_or(0).max(last);
                }
                Step::End(End::RollBack) => {
                    pair.writer.execute_batch("ROLLBACK").unwrap();
                    plain = committed.clone();
                }
                Step::End(End::Crash) => {
                    drop(pair);
                    pair = Pair::open(&path);
                    plain = committed.clone();
                }
            }
            check(&pair, &plain);
        }
    }
}

#[test]
fn no_alert_is_looked_at_that_is_merged_and_has_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::open(&folder.path().join("wegraf.db"));
    for connection in [&pair.writer, &pair.reader] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM alert a WHERE {}", among("SELECT ?1 AS identity"));
        let mut explain = connection.prepare(&sql).unwrap();
        let plan: Vec<String> =
            explain.query_map([&[0_u8; 32][..]], |row| row.get(3)).unwrap().collect::<Result<_, _>>().unwrap();
        assert!(plan.iter().any(|step| step == "SEARCH k USING PRIMARY KEY (key=?)"), "{plan:#?}");
        assert!(plan.iter().any(|step| step == "SEARCH b USING INTEGER PRIMARY KEY (rowid>?)"), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN a") || step.starts_with("SCAN b")), "{plan:#?}");
    }
}

#[test]
fn the_tail_is_merged_once_it_is_long_a_slice_with_each_group() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::open(&folder.path().join("wegraf.db"));
    let count = |table: &str| -> i64 {
        pair.writer.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    pair.writer.execute_batch("BEGIN").unwrap();
    for _ in 0..LEAST {
        pair.insert(Identity(rand::random()));
    }
    merge_some(&pair.writer).unwrap();
    assert_eq!((count("tail"), count("alert_key")), (LEAST, 0), "it is not long yet");
    pair.insert(Identity(rand::random()));
    merge_some(&pair.writer).unwrap();
    assert_eq!((count("tail"), count("alert_key")), (LEAST + 1, i64::from(SLICE)));
    for _ in 0..4 {
        pair.insert(Identity(rand::random()));
        merge_some(&pair.writer).unwrap();
    }
    assert_eq!((count("tail"), count("alert_key")), (4, LEAST + 1), "what came meanwhile is left");
    assert!(!is_behind(&pair.writer).unwrap(), "so little is not worth a commit");
    for _ in 4..FEW {
        pair.insert(Identity(rand::random()));
    }
    assert!(is_behind(&pair.writer).unwrap());
    assert!(!merge(&pair.writer, IDLE_SLICE).unwrap());
    assert_eq!(count("tail"), 0);
    pair.writer.execute_batch("COMMIT").unwrap();
}
