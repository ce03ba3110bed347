//! What the store says to people: why nothing was written, or why a database cannot be opened, and what to do.

use std::path::Path;

use crate::words::{Words, told, words};

pub(super) const BUSY: Words = words(
    "数据库忙，没有写入：稍后重试，并检查是否有其他程序占用该文件",
    "the database is busy and nothing was written: try again, and look for another program that holds the file",
);
pub(super) const FULL: Words = words(
    "磁盘已满，没有写入：请释放空间，无需重启",
    "the disk is full and nothing was written: free some space, no restart is needed",
);
pub(super) const CLOSED: Words = words("数据库已关闭", "the database was closed");

pub(super) fn too_slow() -> Words {
    let limit = super::PEOPLE.as_millis();
    told!(
        "查询超过 {limit} 毫秒的上限，已中止：请缩小时间范围或加上条件",
        "the query took longer than the limit of {limit} ms and was ended: narrow the time range or add a condition"
    )
}

pub(super) fn lost(message: i64) -> Words {
    told!(
        "消息 {message} 的状态已被改变，未写入",
        "message {message} was changed by another process or task, nothing was written"
    )
}

pub(super) fn bug(reason: &str) -> Words {
    told!("程序错误，没有写入：{reason}；请报告", "a bug, nothing was written: {reason}; please report it")
}

pub(super) fn io(reason: &str) -> Words {
    told!(
        "读写数据库出错（{reason}），结果未知：请检查磁盘并重启",
        "input or output of the database failed ({reason}), the outcome is unknown: check the disk and restart"
    )
}

pub(super) fn corrupt(reason: &str) -> Words {
    told!(
        "数据库已损坏（{reason}）：请停止程序并从备份恢复",
        "the database is damaged ({reason}): stop and restore a backup"
    )
}

pub(super) fn displaced(path: &Path, reason: &Words) -> Words {
    let path = path.display();
    Words::from((
        format!(
            "数据库文件 {path} {}，不再收告警：请把原来的文件放回原处（自动恢复）；找不回来就停止 wegraf，它会把还在手里的数据存成旁边的 .rescued 文件，改回原名再启动",
            reason.zh
        ),
        format!(
            "database file {path} {}; no alert is taken: put the file back (it goes on by itself), or stop wegraf, which saves what it still has as a .rescued file beside it: give that the old name and start again",
            reason.en
        ),
    ))
}

pub(super) const REPLACED: Words = words("已被换成另一个文件", "was replaced by another file");
pub(super) const MOVED: Words = words("已被删除或移走", "was deleted or moved away");
pub(super) const CUT: Words = words("被截短了", "was cut short");
pub(super) const READ_ONLY: Words = words("所在的文件系统变成了只读", "is on a file system that became read-only");

pub(super) fn out_of_reach(error: &std::io::Error) -> Words {
    told!("无法访问：{error}", "cannot be looked at: {error}")
}

pub(super) fn unreachable(reason: &Words) -> Words {
    Words::from((
        format!("数据库服务器没有应答（{}）：将自动重新连接；请检查服务器与网络", reason.zh),
        format!(
            "the database server does not answer ({}): it will be connected to again; check the server and the network",
            reason.en
        ),
    ))
}

pub(super) const CONNECTING_TOO_LONG: Words = words("连接超时", "connecting took too long");

pub(super) fn no_result(seconds: u64) -> Words {
    told!("{seconds} 秒内没有结果", "no result within {seconds} s")
}

pub(super) fn in_use(path: &Path, pid: &str) -> Words {
    let path = path.display();
    told!(
        "数据库 {path} 正被进程 {pid} 使用：请停止该进程，或在 `database` 中另选文件",
        "database {path} is in use by process {pid}: stop it, or choose another file in `database`"
    )
}

pub(super) fn damaged(path: &Path, reason: &Words) -> Words {
    let path = path.display();
    Words::from((
        format!("文件 {path} 不是 wegraf 数据库或已损坏（{}），未作改动：请从备份恢复，或移走后重新启动", reason.zh),
        format!(
            "file {path} is not a database of wegraf or is damaged ({}); it was left as it is: restore a backup, or move it away and start again",
            reason.en
        ),
    ))
}

pub(super) const NO_HEADER: Words = words("没有 SQLite 文件头", "it has no SQLite header");
pub(super) const ANOTHER_PROGRAM: Words = words("属于另一个程序", "it belongs to another program");

pub(super) fn newer(path: &Path, found: i64, known: i64) -> Words {
    let path = path.display();
    told!(
        "数据库 {path} 的结构版本为 {found}，此程序只认识到 {known}：请使用更新的 wegraf",
        "database {path} has schema {found}, this program knows up to {known}: use a newer wegraf"
    )
}

pub(super) fn refused(path: &Path, reason: &Words) -> Words {
    let path = path.display();
    Words::from((
        format!("无法打开数据库 {path}：{}", reason.zh),
        format!("cannot open database {path}: {}", reason.en),
    ))
}

pub(super) fn foreign_step(version: impl std::fmt::Display) -> Words {
    told!("结构的第 {version} 步与此程序不同", "step {version} of its schema is not ours")
}

pub(super) const OLDER_SCHEMA: Words = words(
    "结构较旧，请先用此版本启动一次 wegraf serve",
    "its schema is older: start `wegraf serve` of this version once",
);

pub(super) fn faulty_sqlite(version: &str) -> Words {
    told!("SQLite {version} 有损坏数据的缺陷", "SQLite {version} has a bug that damages data")
}

pub(super) const EXISTS: Words = words("已经有这个文件，不会覆盖", "it exists and is not overwritten");
/// What stands before the number of a department, of a tag, and before a userid without a licence, in a list of those
/// who were not reached.
pub(super) const DEPARTMENT: Words = words("部门 ", "department ");
pub(super) const TAG: Words = words("标签 ", "tag ");
pub(super) const UNLICENSED: Words = words("没有许可的 ", "without a licence ");
/// Between the names of a list.
pub(super) const BETWEEN_NAMES: Words = words("、", ", ");
pub(super) const NOT_UTF8: Words = words("路径不是 UTF-8", "the path is not UTF-8");

pub(super) fn wrong_address(reason: &str) -> Words {
    told!("地址有误：{reason}", "the address is not right: {reason}")
}

pub(super) const NO_ROOTS: Words = words("没有可用的根证书", "there are no root certificates");

pub(super) fn old_server(version: i64) -> Words {
    told!("PostgreSQL {version} 太旧，需要 13 或更新", "PostgreSQL {version} is too old, 13 or newer is needed")
}

pub(super) fn encoding(found: &str) -> Words {
    told!("编码是 {found}，须为 UTF8", "its encoding is {found}, it must be UTF8")
}

pub(super) const NO_SCHEMA: Words = words("search_path 中没有可用的 schema", "there is no schema in its search_path");
pub(super) const UNSAFE_SERVER: Words = words(
    "fsync 或 full_page_writes 已关闭，断电会丢失数据：请打开",
    "fsync or full_page_writes is off and a power cut would lose data: turn them on",
);
pub(super) const STANDBY: Words =
    words("它是只读的备库：请连接主库", "it is a standby that takes no writes: connect to the primary");
pub(super) const TABLES_IN_USE: Words = words(
    "别的副本一直占用着表，结构没有更新，库未作改动：请稍后再启动，或先停掉旧副本",
    "other replicas kept its tables in use: its schema was not brought up to date and nothing was changed; start again later, or stop the older replicas first",
);

pub(super) fn not_empty(table: &str) -> Words {
    told!(
        "库中已有数据（表 {table}），未作改动：请换一个空库，迁移之前不要在其上启动网关",
        "it holds data already (table {table}) and was left as it is: use an empty database on which no gateway was started yet"
    )
}

/// Why alerts are no longer followed, for the act that records it. `what`: the alerts, in words; `hours`: how long no
/// source has reported them.
pub(super) fn lapsed(what: &str, hours: i64) -> Words {
    told!(
        "{what}：{hours} 小时没有来源再上报，不再跟踪；这不表示已经恢复",
        "{what}: not reported for {hours} h and no longer followed, which does not mean that it is over"
    )
}
