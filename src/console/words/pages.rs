//! What the pages about duty, people, routes and senders say.

use crate::console::Tried;
use crate::words::{Words, words};

pub(in crate::console) const DUTY: Words = words("值班", "Duty");
pub(in crate::console) const MORE: Words = words("更多", "More");
pub(in crate::console) const ROUTES: Words = words("路由与预览", "Routes and preview");
pub(in crate::console) const SENDERS: Words = words("发送方", "Senders");
pub(in crate::console) const AUDIT: Words = words("操作与登录", "Acts and sign-ins");
pub(in crate::console) const MY_PAGE: Words = words("我收到的", "What I got");

pub(in crate::console) const NO_ROTA: Words = words(
    "没有配置值班表：照 docs/duty.md 里的例子写一个，在配置的 rotas 里指明，用 `wegraf duty` 看排得对不对。",
    "There is no rota: write one like the example in docs/duty.en.md, name it under `rotas`, and look at it with `wegraf duty`.",
);
pub(in crate::console) const SUBSTITUTE: Words = words("替班", "substitute");
pub(in crate::console) const HOLIDAY: Words = words("节假日", "holiday");
pub(in crate::console) const BACKUP: Words = words("二线", "second line");
pub(in crate::console) const FROM_DAY: Words = words("从这天看", "From this day");
pub(in crate::console) const NO_BACKUP: Words = words("没有二线", "no second line");
pub(in crate::console) const LEAF_DOES: Words =
    words("点一个名字，写进映射里光标的位置。", "Click a name to write it into the mapping where the cursor is.");
pub(in crate::console) const UNTIL: Words = words("到", "until");

/// The rotas in which a person is on duty.
pub(in crate::console) fn on_duty(rotas: &str) -> Words {
    (format!("正在值班：{rotas}"), format!("on duty: {rotas}")).into()
}

/// How many messages a person got.
pub(in crate::console) fn person_heading(person: &str, got: &str, missed: &str, folded: &str) -> Words {
    (
        format!("{person}：收到 {got}，没收到 {missed}，并入摘要 {folded}"),
        format!("{person}: {got} sent, {missed} not sent, {folded} in digests"),
    )
        .into()
}
pub(in crate::console) const NOTHING_GOT: Words = words(
    "这段时间没有点名发给这个人的消息。按部门、标签、群聊发的不在这里。",
    "No message named this person in this time. What went to departments, tags and chats is not listed here.",
);
pub(in crate::console) const WHAT_WAS_DONE: Words = words("做过的", "What was done");
pub(in crate::console) const NOTHING_DONE: Words = words("没有记录。", "There is no record.");

/// A line of the trail.
pub(in crate::console) fn trace(what: &str) -> Words {
    match what {
        "link" => words("要了登录链接", "asked for a link"),
        "signed-in" => words("登录", "signed in"),
        "template" => words("保存了模板", "saved a template"),
        "mapping" => words("保存了映射", "saved a mapping"),
        "sample" => words("留了一个正文作样本", "kept a body as a sample"),
        "probe" => words("再试暂停的通道", "had a paused way tried"),
        "token" => words("做了令牌", "made a token"),
        "token-ended" => words("结束了令牌", "ended a token"),
        "refused" => words("登录被拒绝：密码不对", "was refused: wrong password"),
        "signed-out" => words("退出", "signed out"),
        "ended" => words("登录被结束", "session was ended"),
        other => (other.to_owned(), other.to_owned()).into(),
    }
}

/// How somebody signed in, or what the line is about.
pub(in crate::console) fn way(way: &str) -> Words {
    match way {
        "link" => words("聊天里的链接", "by a link from a chat"),
        "command" => words("命令行的链接", "by a link of the command"),
        "wecom" => words("企业微信", "by WeCom"),
        "proxy" => words("代理", "by the proxy"),
        "password" => words("密码", "by a password"),
        other => (other.to_owned(), other.to_owned()).into(),
    }
}

pub(in crate::console) const LABELS: Words =
    words("标签（名=值，空格分开）", "Labels (name=value, with spaces between)");
pub(in crate::console) const OF_MESSAGE: Words = words("或用这条的短号", "Or those of this short id");
pub(in crate::console) const TRY: Words = words("试", "Try");
pub(in crate::console) const WHO_GETS_IT: Words = words("会发给谁", "Who gets it");
pub(in crate::console) const BY_ROOT: Words = words("没有子路由匹配，归根路由", "no route matches: the root takes it");
pub(in crate::console) const PREVIEW: Words = words("会发什么（什么都没有发出）", "What would be sent (nothing was)");
pub(in crate::console) const AS_SHOWN: Words = words("手机上的样子", "As a phone shows it");
pub(in crate::console) const DRAWN_PICTURE: Words = words("图片", "picture");
pub(in crate::console) const AS_SENT: Words = words("发出的原文", "the text as it is sent");
pub(in crate::console) const REQUEST: Words = words("请求原文", "the request");
pub(in crate::console) const ROOT: Words = words("其余", "everything else");
pub(in crate::console) const TREE: Words = words("路由", "The routes");
pub(in crate::console) const TAKES_IT: Words = words("走这里", "goes here");
pub(in crate::console) const GOES_ON: Words = words("接着看下面的", "goes on below");
pub(in crate::console) const UNREACHED: Words = words("没有告警能到", "no alert gets here");
pub(in crate::console) const BLOCKED: Words = words("没有告警能到的路由", "Routes that no alert can reach");
pub(in crate::console) const CONTRADICTION: Words =
    words("它和上层的条件互相矛盾", "its matchers and those around it contradict each other");
pub(in crate::console) const TAKEN_TOGETHER: Words =
    words("前面几条合起来已经全部拿走", "earlier routes take all of its alerts between them");
/// A label is no `name=value`.
pub const ODD_LABELS: Words = words("有一个标签读不懂：写成 名=值。", "One label cannot be read: write name=value.");

/// An earlier route takes everything.
pub(in crate::console) fn taken_by(route: &str) -> Words {
    (format!("前面的 {route} 已经全部拿走"), format!("the earlier {route} takes all of its alerts")).into()
}

/// Callers that proved to be no source.
pub(in crate::console) const STRANGERS: Words = words("不知道是谁", "unknown callers");
pub(in crate::console) const NOT_HEARD: Words = words("启动以来没有来过", "not heard since the start");
pub(in crate::console) const LAST_HEARD: Words = words("最近一次", "last");
pub(in crate::console) const REFUSED: Words = words("被拒绝的", "Refused");
pub(in crate::console) const HOW_READ: Words = words("怎么读的", "how it is read");
pub(in crate::console) const NO_SENDER: Words = words(
    "还没有发送方来过。用 `wegraf source new` 做一个来源，它会印出要贴到发送方的内容。",
    "Nothing was sent yet. `wegraf source new` makes a source, and prints what to paste at the sender.",
);

/// The heading of a mapping's page.
pub(in crate::console) const MAPPING: Words = words("这个正文怎么读", "How this body is read");
pub(in crate::console) const MAPPING_HOW: Words = words(
    "改映射，按“试”看结果。满意后保存到 console.write 的目录（配置里写 payload_files 才生效），或者复制到配置的 payloads 里。",
    "Change the mapping and press “Try”. When it is right, save it into a folder of console.write (payload_files has to name it), or copy it under payloads.",
);
pub(in crate::console) const MAPPING_TEXT: Words = words("映射（YAML）", "Mapping (YAML)");
pub(in crate::console) const READ_BY: Words = words("读者", "read by");
pub(in crate::console) const BODY_LEAVES: Words = words("正文里的值", "What the body holds");
pub(in crate::console) const FIELD_NAME: Words = words("名称", "name");
pub(in crate::console) const FIELD_LEVEL: Words = words("级别", "severity");
pub(in crate::console) const FIELD_KEY: Words = words("键", "key");
/// The body is no longer kept.
pub const BODY_PRUNED: Words = words("原始正文已按保留期清理。", "The body is no longer kept (retention.raw).");
/// The mapping reads the body.
pub const MAPPING_READS: Words = words("读懂了。", "It is read.");
/// The mapping does not take the body.
pub const MAPPING_PASSES: Words = words(
    "这个映射没有接手这个正文：看 has 和 when。",
    "The mapping does not take this body: look at `has` and `when`.",
);

/// The mapping has a mistake.
pub fn mapping_wrong(why: &str) -> Words {
    (format!("映射有错：{why}"), format!("the mapping has a mistake: {why}")).into()
}

pub(in crate::console) const UNKNOWN_NAMES: Words = words("这个正文里没有的名字", "Names that this body does not have");
pub(in crate::console) const KEEP_SAMPLE: Words = words("留作样本", "Keep as a sample");
pub(in crate::console) const KEEP_SAMPLE_DOES: Words = words(
    "原始正文 7 天后清理。把它另存在上面选的目录里（.body），以后用 `wegraf payloads test 文件` 试映射；里面可能有密钥，请先看一眼。",
    "Stored bodies are pruned after 7 days. It is kept as a file (.body) in the folder above, for `wegraf payloads test FILE`. It may hold secrets: look at it first.",
);
/// A body is kept.
pub fn sample_kept(path: &str) -> Words {
    (format!("存好了：{path}"), format!("It is kept: {path}")).into()
}
/// A body that is no text.
pub const NO_TEXT: Words = words("这个正文不是文本，不能留作样本。", "This body is no text, so it cannot be kept.");

/// A line of a text.
pub(in crate::console) fn in_line(line: usize) -> Words {
    (format!("第 {line} 行"), format!("line {line}")).into()
}

/// The name that is probably meant.
pub(in crate::console) fn is_it(name: &str) -> Words {
    (format!("是不是 {name}？"), format!("did you mean {name}?")).into()
}

/// What a mapping made of the last bodies.
pub(in crate::console) fn tried(tried: Tried) -> Words {
    let Tried { bodies, taken, over, confused } = tried;
    let (zh, en) = if confused > 0 {
        (format!("，同键多题 {confused} ⚠"), format!(", {confused} keys stand for different alerts ⚠"))
    } else {
        ("，没有同键多题".to_owned(), ", no key stands for different alerts".to_owned())
    };
    (
        format!("最近 {bodies} 个正文：读懂 {taken}，恢复 {over}{zh}"),
        format!("The last {bodies} bodies: {taken} read, {over} ends{en}"),
    )
        .into()
}
