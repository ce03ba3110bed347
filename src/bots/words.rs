//! What operators are told of the sockets of bots.

use crate::words::{Words, words};

/// It is not connected yet.
pub(super) const CONNECTING: Words = words("智能机器人连接中", "the bot is connecting");

/// Another program took its place.
pub(super) fn evicted(bot: &str) -> Words {
    (
        format!(
            "智能机器人 {bot} 被另一个程序用同一个 Bot ID 顶掉了：停掉那个程序，或给它另一个机器人；wegraf 五分钟后再连"
        ),
        format!(
            "another program connected with the id of bot {bot}: stop it or give it a bot of its own; wegraf comes back in five minutes"
        ),
    )
        .into()
}
