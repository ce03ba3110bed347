//! Texts for senders about their calls.

use std::io;

use crate::words::Words;

/// The receiver in the path is unknown. For the sender only: it may be a token in the wrong place, which no log shows.
pub(super) fn no_receiver(name: &str) -> Words {
    (
        format!("没有名为 `{name}` 的接收者，已按路由树发送"),
        format!("no receiver is named `{name}`: routed by the tree"),
    )
        .into()
}

/// The tree leads out of the source's scope.
pub(super) fn out_of_scope(receiver: &str) -> Words {
    (
        format!("路由树给出的接收者都不在来源的 receivers 里，已发给 `{receiver}`"),
        format!("the tree leads to no receiver of the source's scope: sent to `{receiver}`"),
    )
        .into()
}

/// A body that is not packed as its head says.
pub(super) fn broken_encoding(error: &io::Error) -> Words {
    (format!("请求体解压失败（{error}）"), format!("the body cannot be decompressed: {error}")).into()
}
