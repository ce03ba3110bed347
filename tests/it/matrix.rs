//! Every fault on every channel: the required and the actual result for a message
//! (docs/reference/reliability.md#wecoms-faults).
//!
//! Each cell is a gateway of its own, with its own store and its own WeCom. `docs/fault-matrix.md` is the table of a
//! run; a run with `UPDATE=1` writes it.

mod cell;
mod ear;
mod fault;
mod place;
mod rows;
mod verdict;

use std::fmt::Write as _;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use cell::{Channel, Store};
use rows::{ROWS, Row};
use verdict::Must;

/// Cells at a time, of both stores together: more of them would starve each other on two cores.
static BUSY: Semaphore = Semaphore::const_new(12);
/// Cells at a time that only wait.
static IDLE: Semaphore = Semaphore::const_new(16);
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fault-matrix.md");

/// Which cells are played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cells {
    All,
    /// One of each fault, on the channels in turn: what differs between stores is reading and writing, and the decisions
    /// are the same functions.
    InTurn,
}

impl Cells {
    /// Is this cell of the row `number` played?
    fn has(self, number: usize, row: &Row, place: usize) -> bool {
        let exists = |place: usize| !matches!(row.must[place], Must::Not(_));
        let turn = || (0..4).map(|step| (number + step) % 4).find(|place| exists(*place));
        exists(place) && (self == Self::All || turn() == Some(place))
    }
}

/// The differences of each cell, row by row.
async fn play(store: &Store, played: Cells) -> Vec<[Vec<String>; 4]> {
    let mut cells = JoinSet::new();
    for (number, row) in ROWS.iter().enumerate() {
        for (place, channel) in Channel::ALL.into_iter().enumerate() {
            let must = row.must[place];
            if !played.has(number, row, place) {
                continue;
            }
            let store = store.clone();
            cells.spawn(async move {
                let places = if row.fault.takes_long() { &IDLE } else { &BUSY };
                let _place = places.acquire().await.unwrap();
                let run = tokio::spawn(async move { cell::run(row.fault, channel, &store).await });
                let wrong = match run.await {
                    Ok(seen) => must.differences(channel, &seen),
                    Err(error) => vec![format!("the cell failed: {error}")],
                };
                (number, place, wrong)
            });
        }
    }
    let mut wrong: Vec<[Vec<String>; 4]> = ROWS.iter().map(|_| Default::default()).collect();
    while let Some(cell) = cells.join_next().await {
        let (number, place, differences) = cell.unwrap();
        wrong[number][place] = differences;
    }
    wrong
}

/// The table, with the actual results in place of the required ones.
fn table(wrong: &[[Vec<String>; 4]]) -> String {
    let mut table =
        "| | 故障 fault | 应用成员 app members | 应用群 app chat | webhook | hook |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for (Row { number, name, must, .. }, wrong) in ROWS.iter().zip(wrong) {
        let cells: Vec<String> = must
            .iter()
            .zip(wrong)
            .map(|(must, wrong)| match must {
                Must::Not(_) => must.words(),
                _ if wrong.is_empty() => format!("✓ {}", must.words()),
                _ => format!("✗ {}: {}", must.words(), wrong.join("; ")),
            })
            .collect();
        writeln!(table, "| {number} | {name} | {} |", cells.join(" | ")).unwrap();
    }
    table
}

/// `docs/fault-matrix.md` as generated from this run.
fn page(wrong: &[[Vec<String>; 4]]) -> String {
    let cells = ROWS.iter().flat_map(|row| &row.must).filter(|must| !matches!(must, Must::Not(_))).count();
    let faults = ROWS.len();
    format!("{}\n{}", HEAD.replace("CELLS", &cells.to_string()).replace("FAULTS", &faults.to_string()), table(wrong))
}

const HEAD: &str = "# 故障矩阵 Fault matrix

FAULTS 种故障，四种通道。每个格子里，消息都是真的发出去的：网关、存储和企业微信（模拟器）各有一份，格子里写的是要求，
打勾的是运行时看到的结果。测试 `tests/it/matrix.rs` 每次都在 SQLite 上把 CELLS 个格子全部跑一遍，在 PostgreSQL 上每种故障跑一格（通道轮流，
`WEGRAF_TEST_MATRIX=all` 全跑），并核对本页；`UPDATE=1 cargo test --test it matrix` 重写本页。
FAULTS faults, four channels. Every cell is a message that was really sent, in a world of its own: a cell
says what was required, the tick that a run saw it. `tests/it/matrix.rs` plays all CELLS cells on SQLite each time, and on
PostgreSQL one of each fault, on the channels in turn (`WEGRAF_TEST_MATRIX=all`: all of them), and compares this page with
what it saw; `UPDATE=1 cargo test --test it matrix` writes it.

第四种通道是 hook（通用 webhook）：智能机器人的故障在 `tests/it/bots_trouble.rs`。邮件不回答 HTTP，它的故障在 `tests/it/engine/servers.rs`。
The fourth channel is the hook; a bot's faults are shown by `tests/it/bots_trouble.rs`. Mail has other faults, shown elsewhere.

每个格子还要求：同一队列里后面的消息恰好到达一次，企业微信没有静默丢弃任何消息，除写明的以外没有熔断。
In every cell the message behind in the lane arrives once, WeCom throws nothing away, and no breaker opens but the one
that is named.

- **一次 once**：接收者看到恰好一条 exactly one is seen。hook 可能听到几次，`Idempotency-Key` 相同 a hook may hear it several times with the same key。
- **未送达 not sent / 未知 unsure**：第一次尝试的结果 what became of the first attempt。未知且没有重复检查时，再发的那条写着“可能重复” where nothing hides copies, the one that is sent again says so。
- **等待 waits**：熔断的范围和原因；修好之后照常送达，只有一条 the breaker that opens and why; after the repair it arrives once。
- **备用 fallback**：由备用接收者告知，并写明原因 told by the fallback, with the reason。
- **–**：没有这种组合，或者要求与所指的一行相同 no such combination, or the same as another row。

F 编号：F4–F7 进程被杀，F20–F24 网络与回应，F25–F36 企业微信的错误码、令牌、额度和证书。
F numbers are those of the failure model: F4–F7 a killed process, F20–F24 network and answers, F25–F36 WeCom's codes,
tokens, limits and certificates.
";

async fn everything_comes_to_what_it_must(store: Store, played: Cells) {
    let begun = std::time::Instant::now();
    let wrong = play(&store, played).await;
    println!("{store:?}, {:.0} s\n{}", begun.elapsed().as_secs_f64(), table(&wrong));
    let failed: Vec<String> = ROWS
        .iter()
        .zip(&wrong)
        .flat_map(|(row, wrong)| {
            let cells = Channel::ALL.iter().zip(wrong).filter(|(_, wrong)| !wrong.is_empty());
            cells.map(|(channel, wrong)| format!("{} on {channel:?}: {}", row.name, wrong.join("; ")))
        })
        .collect();
    assert!(failed.is_empty(), "{} cells: {failed:#?}", failed.len());
    let page = page(&wrong);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let kept = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert_eq!(kept, page, "docs/fault-matrix.md is old: run this test with UPDATE=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_on_every_channel_comes_to_what_it_must_on_sqlite() {
    everything_comes_to_what_it_must(Store::Sqlite, Cells::All).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_on_every_channel_comes_to_what_it_must_on_postgresql() {
    let Some(url) = std::env::var_os("WEGRAF_TEST_POSTGRES") else {
        return println!("skipped: WEGRAF_TEST_POSTGRES names no server");
    };
    let all = std::env::var_os("WEGRAF_TEST_MATRIX").is_some_and(|cells| cells == "all");
    let cells = if all { Cells::All } else { Cells::InTurn };
    everything_comes_to_what_it_must(Store::Postgres(url.into_string().unwrap()), cells).await;
}

/// The control: a wrong requirement makes its cell fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_requirement_that_is_wrong_fails_its_cell() {
    let fault = fault::Fault::Answers(fault::Answer::ResetAfter, 1);
    let seen = cell::run(fault, Channel::Webhook, &Store::Sqlite).await;
    assert_eq!(Must::UnsureTwice.differences(Channel::Webhook, &seen), Vec::<String>::new());
    for wrong in [Must::UnsureOnce, Must::Arrive, Must::Retry, Must::Fallback] {
        assert!(!wrong.differences(Channel::Webhook, &seen).is_empty(), "{wrong:?}: {seen:?}");
    }
}
