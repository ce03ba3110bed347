//! The SQLite backend: one writing thread with group commit, a few reading connections, one process per file.

mod acts;
mod admit;
mod alerts;
mod api;
mod backup;
mod breaker;
mod cards;
mod changes;
mod claim;
mod conversations;
mod convert;
mod escalations;
mod files;
mod fold;
mod incidents;
mod keys;
mod lanes;
mod lock;
mod marks;
mod needless;
mod outline;
mod overdue;
mod pictures;
mod prune;
mod record;
mod seen;
mod sessions;
mod settle;
mod short;
mod silences;
mod source;
mod statement;
mod tally;
mod terms;
mod truth;
mod writer;

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Notify, Semaphore};

use super::migrate::{self, migrate};
use super::retention::Round;
use super::{
    Admission, Admitted, Fatal, PEOPLE, PEOPLE_READERS, PEOPLE_WAIT, Retry, Room, Space, StoreError, Unopened,
};
use crate::alert::Timestamp;
use crate::store::words;
use crate::words::Words;
use files::Files;
use lock::{Lock, beside, private};
use statement::Prepare as _;
use writer::Writer;

pub(super) use backup::{backup, look, restore};
pub(super) use rusqlite::types::Value;
pub(super) use source::Source;
pub use writer::Counters;

/// SQLite 3.7.0 to 3.51.2 can damage a database when two connections write and checkpoint at the same instant.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Reading connections: more would only compete for the cores with the writer.
const READERS: usize = 3;

/// Pages that a reading connection keeps, in KiB: what it reads again and again fits, and the system keeps the rest.
const READER_KIB: i64 = 512;

/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 4_000;

/// How long SQLite waits for another program (a backup, a shell) that holds the file.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// The log is cut back to this size after a burst. It is moved into the main file every 4 MiB, so more is seldom used,
/// and it counts against the bound of the database.
const LOG_BYTES: i64 = 5 << 20;

/// Statements kept prepared per connection: enough for all that intake and delivery use. Beyond it the one that was not
/// used for longest is compiled again at its next use.
const STATEMENTS: usize = 128;

/// A file up to this size is checked after an unclean stop before anything else happens (about a second). A larger one
/// would keep senders waiting, and Grafana does not retry; the log protects it as well.
const CHECKED_BYTES: u64 = 512 << 20;

/// A database file of this process.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    path: PathBuf,
    // These are dropped before the writer: the writer's connection must close last, to clean up.
    readers: Readers,
    /// The same file for the questions of people; `None`: this is that, or a command's.
    people: Option<Db>,
    /// `None`: opened for reading, beside the process that holds the database.
    writer: Option<Writer>,
    /// The progress of pruning.
    round: Arc<Mutex<Round>>,
    /// Notified when there may be something to send.
    due: Notify,
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.0.path).finish()
    }
}

impl Db {
    pub(super) async fn open(path: PathBuf, now: Timestamp) -> Result<Self, StoreError> {
        blocking(move || open(&path, now)).await
    }

    pub(super) fn for_people(&self) -> Self {
        self.0.people.as_ref().unwrap_or(self).clone()
    }

    /// The number that a statement gives.
    #[cfg(test)]
    pub(super) async fn ask_anything(&self, sql: &'static str) -> Result<i64, StoreError> {
        self.read(move |connection| Ok(connection.query_row(sql, [], |row| row.get(0))?)).await
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            connection.held("UPDATE pulse SET beats = beats + 1")?.execute([])?;
            Ok(())
        })
        .await
    }

    /// Are the files still in their places? Writes nothing.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await
    }

    /// The space of its file system.
    pub(super) async fn space(&self) -> Result<Space, StoreError> {
        let path = self.0.path.clone();
        blocking(move || files::space(&path).map_err(|error| refused(&path, &error))).await
    }

    /// Bytes of its files.
    pub(super) async fn bytes(&self) -> Result<u64, StoreError> {
        let path = self.0.path.clone();
        blocking(move || files::bytes(&path).map_err(|error| refused(&path, &error))).await
    }

    /// Can the file shrink? A file made before that was supported cannot until it is converted.
    pub(super) async fn can_shrink(&self) -> Result<bool, StoreError> {
        self.read(|connection| Ok(convert::can_shrink(connection)?)).await
    }

    /// For reading only, even while another process holds the file. The schema must be current.
    pub(super) async fn open_reading(path: PathBuf) -> Result<Self, StoreError> {
        blocking(move || {
            inspect(&path)?;
            let readers = Readers::open(&path, READERS, None)?;
            if let Some(connection) = &readers.borrow().connection {
                migrate::expect_current(connection, &path, migrate::SQLITE).map_err(|error| explain(&path, error))?;
            }
            Ok(Self::reading(path, readers))
        })
        .await
    }

    /// A handle that only reads.
    fn reading(path: PathBuf, readers: Readers) -> Self {
        let (writer, round, due) = (None, Arc::default(), Notify::new());
        Self(Arc::new(Inner { path, readers, writer, round, due, people: None }))
    }

    pub(super) fn due(&self) -> &Notify {
        &self.0.due
    }

    pub(super) fn counters(&self) -> Counters {
        self.0.writer.as_ref().map(Writer::counters).unwrap_or_default()
    }

    pub(super) async fn close(&self) -> Result<(), StoreError> {
        if let Some(people) = &self.0.people {
            people.0.readers.close().await;
        }
        self.0.readers.close().await;
        let db = self.clone();
        blocking(move || {
            db.0.writer.as_ref().map(Writer::stop);
            Ok(())
        })
        .await
    }

    pub(super) async fn admit(&self, admission: Admission) -> Result<Admitted, StoreError> {
        self.writer()?.admit(admission).await
    }

    fn writer(&self) -> Result<&Writer, StoreError> {
        self.0.writer.as_ref().ok_or_else(|| StoreError::bug("the store was opened for reading only"))
    }

    async fn write<T, F>(&self, write: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        self.writer()?.write(write).await
    }

    /// Runs `read` on a reading connection, on one snapshot of the database. If reading fails because another program
    /// changed the files, the error is that of the check.
    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        match self.read_once(read).await {
            Err(error) if error.is_fatal() && self.0.writer.is_some() => Err(self.check().await.err().unwrap_or(error)),
            result => result,
        }
    }

    async fn read_once<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let readers = self.0.readers.clone();
        let place = Arc::clone(&readers.places).acquire_owned();
        let place = match readers.bound {
            None => place.await,
            Some(_) => tokio::time::timeout(PEOPLE_WAIT, place).await.map_err(|_| StoreError::TooSlow)?,
        };
        let place = place.map_err(|_| StoreError::Closed)?;
        blocking(move || {
            let _place = place;
            let mut borrowed = readers.borrow();
            let connection = borrowed.connection.as_mut().ok_or(StoreError::Closed)?;
            if let Some(bound) = readers.bound {
                let end = Instant::now() + bound;
                connection.progress_handler(STEPS, Some(move || Instant::now() >= end))?;
            }
            let view = connection.unchecked_transaction()?;
            let value = read(&view)?;
            drop(view);
            Ok(value)
        })
        .await
    }
}

/// Space taken by the database at `path`, even while another process holds it; `None` if there is none yet.
pub(super) async fn room(path: PathBuf) -> Result<Option<Room>, StoreError> {
    blocking(move || convert::room(&path)).await
}

/// The process that holds the database at `path`.
pub(super) async fn holder(path: PathBuf) -> Result<Option<String>, StoreError> {
    blocking(move || {
        if !path.exists() {
            return Ok(None);
        }
        match lock::Lock::take(&path) {
            Ok(_free) => Ok(None),
            Err(StoreError::Open { why: Unopened::InUse { pid }, .. }) => Ok(Some(format!("pid {pid}"))),
            Err(error) => Err(error),
        }
    })
    .await
}

/// Runs work that may wait for the disk off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::bug(error.to_string()))?
}

/// The reading connections.
#[derive(Clone)]
struct Readers {
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
    count: usize,
    /// The longest that a read may take.
    bound: Option<Duration>,
}

impl Readers {
    fn open(path: &Path, count: usize, bound: Option<Duration>) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connections = (0..count).map(|_| connect(path, flags)).collect::<Result<Vec<_>, _>>()?;
        let (places, idle) = (Arc::new(Semaphore::new(count)), Arc::new(Mutex::new(connections)));
        Ok(Self { places, idle, count, bound })
    }

    fn borrow(&self) -> Borrowed<'_> {
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Borrowed { connection, readers: self }
    }

    /// Waits for the reads under way, then closes the connections.
    async fn close(&self) {
        let all = u32::try_from(self.count).unwrap_or(u32::MAX);
        let _places = self.places.acquire_many(all).await;
        self.places.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection that is returned even if its reader panics.
struct Borrowed<'a> {
    connection: Option<Connection>,
    readers: &'a Readers,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

fn open(path: &Path, now: Timestamp) -> Result<Db, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::refused(path, words::faulty_sqlite(rusqlite::version())));
    }
    let mut lock = Lock::take(path)?;
    if !path.try_exists().map_err(|error| refused(path, &error))? {
        create(path, now)?;
    }
    let size = inspect(path)?;
    let unclean = std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = connect(path, flags)?;
    if unclean && size <= CHECKED_BYTES {
        check(&connection, path)?;
    } else if unclean {
        tracing::warn!(
            "The store was not closed cleanly and is too large to be checked at start; consider `PRAGMA quick_check`."
        );
    }
    let (found, known) =
        (migrate::version(&connection).unwrap_or(0), i64::try_from(migrate::SQLITE.len()).unwrap_or(i64::MAX));
    if (1..known).contains(&found) {
        backup::before_migration(path, found, known);
    }
    migrate(&mut connection, path, migrate::SQLITE, now).map_err(|error| explain(path, error))?;
    let connection = convert::convert(connection, path)?;
    lock.hold(path)?;
    keys::open(&connection).map_err(|error| explain(path, error))?;
    let readers = Readers::open(path, READERS, None)?;
    let people = Db::reading(path.to_owned(), Readers::open(path, PEOPLE_READERS, Some(PEOPLE))?);
    let files = Files::of(path).map_err(|error| refused(path, &error))?;
    let writer = Writer::start(connection, files, lock).map_err(|error| refused(path, &error))?;
    Ok(Db(Arc::new(Inner {
        path: path.to_owned(),
        readers,
        writer: Some(writer),
        round: Arc::default(),
        due: Notify::new(),
        people: Some(people),
    })))
}

/// Makes a new database under another name and renames it into place when complete: a crash leaves no database rather
/// than an empty one, so that an empty file always means damage.
fn create(path: &Path, now: Timestamp) -> Result<(), StoreError> {
    let draft = draft(path)?;
    let mut connection = connect(&draft, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    migrate(&mut connection, &draft, migrate::SQLITE, now).map_err(|error| explain(&draft, error))?;
    // Only the main file is renamed. Closing would also move the log into it, but hides a failure.
    let moved = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    if moved.map_err(|error| explain(&draft, error.into()))? != 0 {
        return Err(StoreError::Retry(Retry::Busy));
    }
    connection.close().map_err(|(_, error)| explain(&draft, error.into()))?;
    place(&draft, path)
}

/// An empty file beside the database, for the database that is to replace it.
fn draft(path: &Path) -> Result<PathBuf, StoreError> {
    let draft = beside(path, ".new");
    for leftover in [draft.clone(), beside(&draft, "-wal"), beside(&draft, "-shm"), beside(&draft, "-journal")] {
        match std::fs::remove_file(&leftover) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(refused(&leftover, &error)),
            Ok(()) | Err(_) => {}
        }
    }
    private().write(true).create_new(true).open(&draft).map_err(|error| refused(&draft, &error))?;
    Ok(draft)
}

/// Renames a draft, which is synced, to the name of the database.
fn place(draft: &Path, path: &Path) -> Result<(), StoreError> {
    std::fs::rename(draft, path).map_err(|error| refused(path, &error))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| refused(folder, &error))
}

/// Checks an existing file without changing it; returns its size.
fn inspect(path: &Path) -> Result<u64, StoreError> {
    let mut file = File::open(path).map_err(|error| refused(path, &error))?;
    let about = file.metadata().map_err(|error| refused(path, &error))?;
    // The file format: a magic text at 0, the application id at 68.
    let mut header = [0; 100];
    if !about.is_file() || file.read_exact(&mut header).is_err() || !header.starts_with(b"SQLite format 3\0") {
        return Err(StoreError::damaged(path, words::NO_HEADER));
    }
    if header[68..72] != migrate::APPLICATION_ID.to_be_bytes() {
        return Err(StoreError::damaged(path, words::ANOTHER_PROGRAM));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "Other users can read the database; `chmod 600` it.");
    }
    Ok(about.len())
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let prepare = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // A plan never depends on bound values; otherwise SQLite compiles some statements anew each time they run.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        // Savepoint data is kept in memory: in files it took a quarter of all write time.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
            // Decides for an empty file; for a full one it only takes effect at the next `VACUUM`.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
        } else {
            connection.pragma_update(None, "cache_size", -READER_KIB)?;
        }
        Ok(connection)
    };
    prepare().map_err(|error: rusqlite::Error| explain(path, error.into()))
}

fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| explain(path, error.into()))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::damaged(path, Words::quoted(found))) }
}

/// While opening, an error of SQLite concerns the file.
fn explain(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Fatal(Fatal::Corrupt(reason)) => StoreError::damaged(path, Words::quoted(reason)),
        StoreError::Fatal(Fatal::Io(reason)) => StoreError::refused(path, Words::quoted(reason)),
        other => other,
    }
}

fn refused(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::refused(path, Words::quoted(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writing_connection_syncs_every_commit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wegraf.db");
        create(&path, Timestamp(0)).unwrap();
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let setting = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!((setting("synchronous"), setting("foreign_keys"), setting("trusted_schema")), (2, 1, 0));
        assert_eq!((setting("journal_size_limit"), setting("wal_autocheckpoint")), (LOG_BYTES, 1000));
        let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(journal, "wal");
    }
}
