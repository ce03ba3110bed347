//! What senders, visitors and commands are told. The answers of programs that are imitated stand in `dropin`, to their
//! letter.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use crate::words::{Words, words};

pub(super) const CREDENTIALS: Words = words("需要凭证", "credentials are required");
pub(super) const NO_LOG: Words = words("这个进程不写日志", "this process keeps no log");
pub(super) const STOPPING: Words = words("进程正在停止", "the process is stopping");
pub(super) const NO_CERTIFICATE: Words =
    words("暂时取不到签名证书，请重试", "the signing certificate cannot be fetched right now: try again");
pub(super) const SLOW: Words = words("正文没有在 15 秒内到齐", "the body did not arrive within 15 s");
pub(super) const CUT: Words =
    words("正文断了：比 Content-Length 说的短", "the body broke off: it is shorter than its Content-Length says");
pub(super) const TOO_LARGE: Words =
    words("正文超过 16 MiB，请减小上游分组", "the body is over 16 MiB: make the groups upstream smaller");
pub(super) const BUSY: Words = words("同时到达的内容太多，请重试", "too much arrives at a time: try again");
pub(super) const NOT_STORED: Words = words("暂时无法保存，请重试", "cannot be stored right now: try again");
pub(super) const KNOWN_ENCODINGS: Words =
    words("只支持 gzip、deflate、br 压缩，且只压一层", "only gzip, deflate and br are supported, one at a time");

/// What to log cannot be read; `why` is the parser's.
pub(super) fn no_filter(filter: &str, why: &str) -> Words {
    (
        format!("看不懂 `{filter}`：写 debug，或 warn,wegraf::deliver=debug（{why}）"),
        format!("`{filter}` is no filter: write debug, or warn,wegraf::deliver=debug ({why})"),
    )
        .into()
}

/// The source may not post to the receiver.
pub(super) fn out_of_scope(source: &str, receiver: &str) -> Words {
    (
        format!("来源 {source} 不能投递给 {receiver}：见它的 receivers"),
        format!("source {source} may not post to {receiver}: see its `receivers`"),
    )
        .into()
}

/// A body needs more memory than there is, in MB.
pub(super) fn too_many(needs: usize, share: usize) -> Words {
    (
        format!(
            "告警太多：处理这个正文要约 {needs} MB 内存，`memory` 给了 {share} MB；请减小上游分组，或调大 memory"
        ),
        format!(
            "so many alerts take about {needs} MB to be understood and `memory` leaves {share} MB: make the groups upstream smaller, or `memory` larger"
        ),
    )
        .into()
}

/// A listener cannot be opened.
pub(super) fn cannot_listen(address: SocketAddr, kind: ErrorKind) -> Words {
    let (zh, en) = match kind {
        ErrorKind::AddrInUse => {
            let port = address.port();
            (
                format!("端口已被占用：ss -ltnp 'sport = :{port}' 看是谁"),
                format!("the port is taken: ss -ltnp 'sport = :{port}' says by whom"),
            )
        }
        ErrorKind::PermissionDenied => (
            "没有权限：1024 以下的端口要 root 或 CAP_NET_BIND_SERVICE，或换成 8080 并放在反向代理后面".to_owned(),
            "no permission: ports below 1024 need root or CAP_NET_BIND_SERVICE; or take 8080 behind a proxy".to_owned(),
        ),
        ErrorKind::AddrNotAvailable => (
            "这台机器没有这个地址：ip addr 看有哪些，所有地址写 0.0.0.0".to_owned(),
            "this machine has no such address: ip addr lists them, 0.0.0.0 is all of them".to_owned(),
        ),
        _ => (String::new(), String::new()),
    };
    (format!("无法监听 {address}。{zh}"), format!("cannot listen on {address}. {en}")).into()
}

/// A listener in the file system cannot be opened.
pub(super) fn cannot_listen_locally(path: &Path, kind: ErrorKind) -> Words {
    let (zh, en) = match kind {
        ErrorKind::AddrInUse => ("另一个进程在用它", "another process answers there"),
        ErrorKind::AlreadyExists => ("那里有一个别的文件，不会删它", "another file is there, which is not deleted"),
        ErrorKind::NotFound => ("目录不存在", "there is no such folder"),
        ErrorKind::PermissionDenied => ("没有权限", "no permission"),
        _ => ("", ""),
    };
    let path = path.display();
    (format!("无法监听 unix:{path}。{zh}"), format!("cannot listen on unix:{path}. {en}")).into()
}

/// No source may use an address; `key` makes it exist.
pub(super) fn unconfigured(key: &str) -> Words {
    ("没有来源启用这个地址，见配置".to_owned(), format!("no source has this address; set sources.<name>.{key}")).into()
}

// Short links.

pub(super) const LINK_UNKNOWN: Words = words(
    "没有这个链接：可能抄错了，或者太久，记录已经清理。",
    "There is no such link: a letter may be wrong, or it is so old that it was pruned.",
);
pub(super) const LINKS_GUESSED: Words =
    words("打开的链接一再不存在，请一分钟后再试。", "Too many links that do not exist: try again in a minute.");

/// A link has ended.
pub(super) fn link_ended(alert: &str) -> Words {
    (
        format!("链接已失效（30 天）。它来自告警 {alert}；要看它，请打开最近一条消息里的链接。"),
        format!("This link has ended (30 days). It belongs to the alert {alert}; open the link of its newest message."),
    )
        .into()
}

/// A link leads to a host that is not in the configuration.
pub(super) fn link_leads_to(host: &str, alert: &str) -> Words {
    (
        format!("这个链接来自告警 {alert}，通向 {host}。wegraf 的配置里没有这台主机，所以没有直接打开：确认认识它再点。"),
        format!("This link belongs to the alert {alert} and leads to {host}, which is not in wegraf's configuration, so it is not opened by itself: go on if you know that host."),
    )
        .into()
}

/// Goes on to a host.
pub(super) fn open(host: &str) -> Words {
    (format!("打开 {host}"), format!("Open {host}")).into()
}

// Refusals that go on, as faults.

pub(super) fn source_refused(name: &str) -> Words {
    (
        format!("来源 `{name}` 发来的内容一再被拒收，这些告警到不了任何人：请检查它的设置"),
        "what a source sends is refused again and again, and reaches no one: check how it is set up",
    )
        .into()
}

pub(super) const CREDENTIALS_WRONG: Words = words(
    "有发送方的凭证一再不对，它的告警进不来：请核对它的令牌，或者有人在猜",
    "a sender's credential is wrong again and again, so its alerts do not come in: check its token; or the token is being guessed",
);
pub(super) const PASSWORDS_WRONG: Words = words(
    "控制台本地管理员的密码一再不对：如果不是你们自己，就是有人在猜",
    "the password of the console's local administrator is wrong again and again: if it is none of you, it is being guessed",
);
pub(super) const LINKS_FORGED: Words =
    words("有人一再打开伪造的消息链接", "forged links to messages are opened again and again");
pub(super) const CALLBACKS_UNSIGNED: Words = words(
    "回调地址一再收到不是企业微信签名的请求：请核对 callback 的 token 和 encoding_aes_key，或者有人在伪造",
    "calls of a callback are not signed by WeCom: check its token and encoding_aes_key; or they are forged",
);
pub(super) const ORDERS_UNSIGNED: Words = words(
    "命令的签名一再无效：命令和网关用的是不是同一个数据库",
    "orders of commands are not signed with the key of this database: do command and gateway share one",
);
pub(super) const ADDRESSES_MISSED: Words = words(
    "有发送方一再投递到不存在的地址，它的告警进不来：请核对它的 URL",
    "a sender posts to a path that is not there, so its alerts do not come in: check its URL",
);
pub(super) const BODIES_REFUSED: Words = words(
    "收到的内容一再无法接收，这些告警到不了任何人：请检查发送方",
    "bodies are refused again and again, and reach no one: check their sender",
);

/// The fault and its remedy, with how often and the last of them.
pub(super) fn repeated(fault: &Words, times: usize, last: &str) -> Words {
    let Words { zh, en } = fault;
    (
        format!("{zh}；15 分钟内至少 {times} 次，最近一次：{last}。日志里有“A request was refused”"),
        format!("{en}; at least {times} times within 15 min, last: {last}. The log says \"A request was refused\""),
    )
        .into()
}

// Callbacks.

pub(super) const NO_CALLBACK: Words = words(
    "这个应用没有配置 callback，或者这不是企业微信的请求",
    "this app has no callback, or WeCom did not send this",
);
pub(super) const NO_APP: Words = words("没有这个应用", "there is no such app");

/// WeCom restricts an app, or is about to.
pub(super) fn hardly_used(app: &str, event: &str) -> Words {
    (
        format!("企业微信提示应用 {app} 使用太少（{event}），可能停用：请在企业微信里打开这个应用"),
        format!("WeCom says that the app {app} is hardly used ({event}) and may restrict it: open it in WeCom"),
    )
        .into()
}

// Orders of commands.

pub(super) const STILL_RECALLING: Words =
    words("还在撤回，结果见 `wegraf acts list`", "still under way: see `wegraf acts list`");
pub(super) const NO_ORDER: Words = words("读不懂这个请求", "this order cannot be read");
pub(super) const ORDER_UNSIGNED: Words = words("签名无效或已过期", "the signature is not valid or has expired");
