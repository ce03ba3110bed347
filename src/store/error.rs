//! Errors of the store, sorted by what the caller must do.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::engine::Denied;

/// An error of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No place in the queue, or another program holds the file, for too long. Nothing was written: answer 503.
    #[error(
        "数据库忙，没有写入：稍后重试，并检查是否有其他程序占用该文件 / \
         the database is busy and nothing was written: try again, and look for another program that holds the file"
    )]
    Busy,
    /// A question of a page or of the API took longer than [`PEOPLE`](super::PEOPLE), or too many of them wait: answer
    /// 503 and say so; a narrower question may be answered.
    #[error(
        "查询超过 {} 毫秒的上限，已中止：请缩小时间范围或加上条件 / \
         the query took longer than the limit of {} ms and was ended: narrow the time range or add a condition",
        super::PEOPLE.as_millis(), super::PEOPLE.as_millis()
    )]
    TooSlow,
    /// The disk is full. Nothing was written: answer 503 and stay.
    #[error(
        "磁盘已满，没有写入：请释放空间，无需重启 / the disk is full and nothing was written: free some space, no restart is needed"
    )]
    Full,
    /// A read, write or sync failed: whether the change is on disk is unknown until the file is opened again. The store
    /// takes no more writes; the process should stop and be restarted.
    #[error(
        "读写数据库出错（{reason}），结果未知：请检查磁盘并重启 / \
         input or output of the database failed ({reason}), the outcome is unknown: check the disk and restart"
    )]
    Io {
        /// What the system said.
        reason: String,
    },
    /// The file turned out to be damaged while in use. The store takes no more writes; the process should stop.
    #[error(
        "数据库已损坏（{reason}）：请停止程序并从备份恢复 / the database is damaged ({reason}): stop and restore a backup"
    )]
    Corrupt {
        /// What SQLite said.
        reason: String,
    },
    /// The file that this process has open is no longer the one at its path, or is read-only: further writes would be
    /// lost with the process. Answer 503 and stay; writes resume once the file is back.
    #[error(
        "数据库文件 {} {reason}，不再收告警：请把原来的文件放回原处（自动恢复）；找不回来就停止 wegraf，它会把还在手里的数据存成旁边的 .rescued 文件，改回原名再启动 / \
         database file {} {reason}; no alert is taken: put the file back (it goes on by itself), or stop wegraf, which saves what it still has as a .rescued file beside it: give that the old name and start again",
        .path.display(), .path.display()
    )]
    Displaced {
        /// The database or its log.
        path: PathBuf,
        /// What happened to it.
        reason: String,
    },
    /// The database server does not answer, or the connection broke. If that happened during the commit, the result is
    /// unknown: callers whose write is idempotent repeat it. Answer 503, try again later, and stay.
    #[error(
        "数据库服务器没有应答（{reason}）：将自动重新连接；请检查服务器与网络 / \
         the database server does not answer ({reason}): it will be connected to again; check the server and the network"
    )]
    Unreachable {
        /// What the connection or the server said.
        reason: String,
    },
    /// The message is no longer in the state the caller saw: another process or task changed it. Nothing was written.
    #[error(
        "消息 {message} 的状态已被改变，未写入 / message {message} was moved by somebody else, nothing was written"
    )]
    Lost {
        /// Which message.
        message: i64,
    },
    /// The store was closed.
    #[error("数据库已关闭 / the database was closed")]
    Closed,
    /// A bug in this program: the statement, its data or a panic. Nothing was written.
    #[error("程序错误，没有写入：{reason}；请报告 / a bug, nothing was written: {reason}; please report it")]
    Bug {
        /// What went wrong.
        reason: String,
        /// SQLite's error, if there is one.
        source: Option<Arc<rusqlite::Error>>,
    },
    /// Another process holds the database.
    #[error(
        "数据库 {} 正被进程 {pid} 使用：请停止该进程，或在 `database` 中另选文件 / \
         database {} is in use by process {pid}: stop it, or choose another file in `database`", .path.display(), .path.display()
    )]
    InUse {
        /// The database.
        path: PathBuf,
        /// The holder's process id, from its lock file.
        pid: String,
    },
    /// The file is not a database, not ours, or damaged. It was left unchanged.
    #[error(
        "文件 {} 不是 wegraf 数据库或已损坏（{reason}），未作改动：请从备份恢复，或移走后重新启动 / \
         file {} is not a database of wegraf or is damaged ({reason}); it was left as it is: restore a backup, or move it away and start again",
        .path.display(), .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer wegraf wrote the database.
    #[error(
        "数据库 {} 的结构版本为 {found}，此程序只认识到 {known}：请使用更新的 wegraf / \
         database {} has schema {found}, this program knows up to {known}: use a newer wegraf", .path.display(), .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Version of its schema.
        found: i64,
        /// Newest version this program knows.
        known: i64,
    },
    /// The file cannot be opened or created.
    #[error("无法打开数据库 {}：{reason} / cannot open database {}: {reason}", .path.display(), .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl StoreError {
    /// Is the state of the file unknown, so that nothing may be written before it is opened again?
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Corrupt { .. })
    }

    /// Was nothing written for a reason that passes without a restart, so that the call can be repeated?
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::Displaced { .. } | Self::Unreachable { .. })
    }

    pub(super) fn bug(reason: impl Into<String>) -> Self {
        Self::Bug { reason: reason.into(), source: None }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::OperationInterrupted) => Self::TooSlow,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { reason: error.to_string() },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
                Self::Io { reason: error.to_string() }
            }
            _ => Self::Bug { reason: error.to_string(), source: Some(Arc::new(error)) },
        }
    }
}

impl Denied {
    /// As the store's error about a message.
    pub(super) fn error(self, message: i64) -> StoreError {
        match self {
            Self::Lost => StoreError::Lost { message },
            Self::Bug(reason) => StoreError::bug(reason),
        }
    }
}
