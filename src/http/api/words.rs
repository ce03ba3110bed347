//! What programs that ask the API are told.

use super::query::Bad;
use crate::words::{Words, words};

pub(super) const NO_TOKEN: Words = words("需要令牌", "a token is required");
pub(super) const NO_TOKEN_DETAIL: Words = words(
    "请求里没有有效的 Authorization: Bearer wgt_…：没有令牌、写错，或已到期",
    "the request has no valid Authorization: Bearer wgt_…: there is none, it is mistyped, or it has ended",
);
pub(super) const NO_TOKEN_REMEDY: Words =
    words("用 wegraf console token create 做一个", "make one with wegraf console token create");
pub(super) const FORBIDDEN: Words = words("这个令牌不可以", "this token may not");
pub(super) const ALL_RECEIVERS: Words =
    words("只给不限接收者的令牌看", "only tokens without a list of receivers may see this");
pub(super) const NOT_FOUND: Words = words("没有找到", "not found");
pub(super) const NOT_FOUND_DETAIL: Words = words(
    "没有这个编号，或这个令牌看不到它；旧记录会被清理",
    "there is no such number, or this token may not see it; old records are pruned",
);
pub(super) const TOO_FAST: Words = words("太快了", "too many requests");
pub(super) const TOO_FAST_DETAIL: Words =
    words("每个令牌每秒 10 个请求，一时最多 50 个", "10 requests a second for each token, 50 at once");
pub(super) const TOO_MANY_STREAMS: Words = words(
    "一个令牌最多 3 条流，一个进程最多 64 条（连同控制台的）：先关掉一条",
    "3 streams for each token and 64 in a process, with those of the console: close one first",
);
pub(super) const BAD_QUERY: Words = words("查询写错了", "the query is wrong");
pub(super) const BAD_BODY: Words = words("正文写错了", "the body is wrong");
pub(super) const TOO_SLOW: Words = words("查询太慢，已中止", "the query took too long and was ended");
pub(super) const TOO_SLOW_REMEDY: Words =
    words("缩小 since 到 until 的范围，或加上条件", "narrow since and until, or add a condition");
pub(super) const NOT_READ: Words = words("暂时读不到", "it cannot be read right now");
pub(super) const NOT_READ_DETAIL: Words = words("库没有回答，请稍后再试", "the store does not answer: try again soon");
pub(super) const KEY_OTHER: Words = words("这个 Idempotency-Key 用过了", "this Idempotency-Key was used");
pub(super) const KEY_OTHER_DETAIL: Words =
    words("同一个键先前要的是别的事：换一个键", "the same key asked for something else before: take another key");
pub(super) const KEY_RUNNING: Words = words("同一个请求正在做", "the same request is being done");
pub(super) const KEY_RUNNING_DETAIL: Words = words("稍后用同样的键再问", "ask again soon with the same key");
pub(super) const KEY_ODD: Words =
    words("Idempotency-Key 是 1 到 64 个字母、数字、_、-", "Idempotency-Key is 1 to 64 letters, digits, `_` and `-`");
pub(super) const STALE: Words = words("文件已经变了", "the file has changed");
pub(super) const STALE_DETAIL: Words = words(
    "先 GET 现在的内容，再用它的 ETag 写 If-Match；新文件写 If-None-Match: *",
    "GET what is there now, and give its ETag in If-Match; for a new file give If-None-Match: *",
);
pub(super) const UNCONDITIONAL: Words = words("没有说改的是哪一版", "it does not say which version it changes");
pub(super) const UNCONDITIONAL_DETAIL: Words = words(
    "写 If-Match 和 GET 给的 ETag；新文件写 If-None-Match: *",
    "give If-Match with the ETag of the GET; for a new file give If-None-Match: *",
);
pub(super) const INVALID: Words = words("这样不能用，没有保存", "it cannot be used like that; nothing was saved");
pub(super) const READ_ONLY: Words = words("这里不能写", "it cannot be written here");
pub(super) const READ_ONLY_DETAIL: Words =
    words("文件不在 console.write 的目录里", "the file is in no folder of console.write");
pub(super) const WHICH_FOLDER: Words = words(
    "folder 要是 console.write 里的一个目录；只有一个时可以不写",
    "`folder` must be one of console.write; it may be left out if there is one only",
);
pub(super) const ODD_NAME: Words = words(
    "名字是小写字母、数字、_、-，最多三段，用点分开",
    "a name is lowercase letters, digits, `_` and `-`, in up to three parts with dots between them",
);
pub(super) const NOT_NEWEST: Words = words("这条告警有更新的静默", "the incident has a newer silence");
pub(super) const NOT_NEWEST_DETAIL: Words =
    words("延长最新的那一个：见 GET /api/v1/silences", "extend the newest one: see GET /api/v1/silences");
pub(super) const NOT_SETTLED: Words = words("还不能重发", "it cannot be sent again yet");
pub(super) const VOID: Words = words("没有可做的", "there is nothing to do");
pub(super) const LIMITED: Words = words("对同一件事做得太多", "too many acts on the same alert");
pub(super) const NOT_DONE: Words = words("没有做成", "it was not done");
pub(super) const UNFINISHED: Words = words("没有算完，请稍后再试", "it was not finished: try again soon");
pub(super) const NO_SPAN: Words =
    words("静默要有 for，像 2h；别的没有 for", "a silence needs `for`, like 2h; other acts have none");
pub(super) const ONE_OF: Words =
    words("incident 和 delivery 要有一个，只能有一个", "one of `incident` and `delivery` is needed, and only one");
pub(super) const WITH_MATCHERS: Words = words(
    "upstream 和 comment 只和 matchers 一起写；matchers 不和 incident、delivery 一起写",
    "`upstream` and `comment` go with `matchers`, which go with neither `incident` nor `delivery`",
);
pub(super) const NOT_PROBED: Words = words("现在不试", "it is not tried now");
pub(super) const NOT_RECALLED: Words = words("不能撤回", "it cannot be recalled");

// The forms of values.

pub(super) const CURSOR: Words =
    words("上一页给出的 next，筛选不变", "the `next` of the page before, with the same filters");
pub(super) const DAYS: Words = words("1 到 92", "1 to 92");
pub(super) const FINDABLE: Words = words("至少一个字或字母", "at least one letter or digit");
pub(super) const SPAN: Words = words("早于 until，最多 92 天", "before `until`, by at most 92 days");
pub(super) const EVENT_ID: Words = words("上次收到的 id，原样", "the last `id` that came, as it came");
pub(super) const TYPES: Words =
    words("incident、delivery、act，用逗号分开", "incident, delivery and act, with commas between them");
pub(super) const HELD: Words = words("active、ended 或 all", "active, ended or all");
pub(super) const WEEK: Words = words("一周，像 2026-W48", "a week like 2026-W48");
pub(super) const WEEK_ALONE: Words = words("不和 since、until 一起写", "given without `since` and `until`");
pub(super) const FLAG: Words = words("true 或 false", "true or false");
pub(super) const INTEGER: Words = words("整数", "an integer");
pub(super) const LIMIT: Words = words("1 到 200", "1 to 200");
pub(super) const PAIR: Words = words("名称:值", "name:value");
pub(super) const PROGRESS: Words =
    words("queued、sending、unsure、sent、dead 或 folded", "queued, sending, unsure, sent, dead or folded");
pub(super) const SEVERITY: Words = words("critical 或 other", "critical or other");
pub(super) const SHORT_ID: Words = words("短号，像 7K2Q", "a short id like 7K2Q");
pub(super) const STATE: Words = words("firing、resolved 或 all", "firing, resolved or all");
pub(super) const TIME: Words =
    words("RFC 3339 时间，或 24h、7d 这样的时长", "a time as of RFC 3339, or a span like 24h or 7d");

/// A template that cannot be used.
pub(super) fn template_wrong(line: Option<usize>, reason: &Words) -> Words {
    match line {
        Some(line) => (format!("第 {line} 行：{}", reason.zh), format!("line {line}: {}", reason.en)).into(),
        None => reason.clone(),
    }
}

/// The token lacks a scope.
pub(super) fn needs(scope: &str) -> Words {
    (format!("要有 {scope} 这个范围"), format!("it needs the scope {scope}")).into()
}

/// What is wrong with a query.
pub(super) fn bad(bad: &Bad) -> Words {
    match bad {
        Bad::TooLong => words("查询太长：最多 8 KiB、50 项", "the query is too long: at most 8 KiB and 50 pairs"),
        Bad::Unknown { key, nearest: Some(nearest) } => {
            (format!("没有 {key} 这个键，是 {nearest} 吗？"), format!("there is no key {key}; is it {nearest}?")).into()
        }
        Bad::Unknown { key, nearest: None } => (format!("没有 {key} 这个键"), format!("there is no key {key}")).into(),
        Bad::Twice(key) => (format!("{key} 给了两次"), format!("{key} is given twice")).into(),
        Bad::Value { key, form } => (format!("{key} 要写成：{}", form.zh), format!("{key} must be {}", form.en)).into(),
    }
}
