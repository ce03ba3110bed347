//! Whom a body for a robot calls: they are called in WeCom, too, where the target can.

use axum::extract::Query;
use axum::http::request::Parts;
use serde_json::Value;

use crate::config::{Receiver, Robot, To};

/// What everybody is called in WeCom.
const EVERYBODY: &str = "@all";
/// The most people of one body who are called; a longer list is an accident.
const MOST: usize = 100;

/// Whom a body calls.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Called {
    users: Vec<String>,
    mobiles: Vec<String>,
}

impl Called {
    /// Everybody is called only by leave (`everybody`). Ids of other chats' users are nobody's here; mobile numbers are
    /// the same.
    pub fn by(robot: Robot, parts: &Parts, tree: &Value, body: &[u8], everybody: bool) -> Self {
        let mut called = Self::default();
        let text = || String::from_utf8_lossy(body);
        let all = match robot {
            Robot::Dingtalk => {
                called.mobiles = texts(&tree["at"]["atMobiles"]);
                tree["at"]["isAtAll"] == Value::Bool(true) || tree["at"]["isAtAll"] == "true"
            }
            Robot::Feishu => {
                let text = text();
                ["user_id=\\\"all\\\"", "user_id='all'", "\"user_id\":\"all\"", "<at id=all>", "\"user_id\": \"all\""]
                    .iter()
                    .any(|mark| text.contains(mark))
            }
            Robot::Slack => ["<!channel>", "<!here>", "<!everyone>"].iter().any(|mark| text().contains(mark)),
            Robot::A2w | Robot::Bougou | Robot::Prometheusalert | Robot::Timonwong => {
                let Query(query): Query<Vec<(String, String)>> = Query::try_from_uri(&parts.uri).unwrap_or_default();
                let named = query.into_iter().filter(|(name, _)| matches!(name.as_str(), "mention" | "at"));
                let users = named.flat_map(|(_, list)| list.split(',').map(str::to_owned).collect::<Vec<_>>());
                called.users = users.filter(|user| wecom::is_userid(user)).collect();
                false
            }
        };
        if all && everybody {
            called.users.push(EVERYBODY.to_owned());
        }
        called.users.truncate(MOST);
        called.mobiles.truncate(MOST);
        called
    }

    /// The receivers whose targets call them, where the target can call by name.
    pub fn added_to(&self, mut receivers: Vec<Receiver>) -> Vec<Receiver> {
        for target in receivers.iter_mut().flat_map(|receiver| &mut receiver.targets) {
            if !target.channel().mentions() {
                continue;
            }
            let new = self.users.iter().filter(|user| !target.mention.contains(user)).cloned();
            target.mention.extend(new.collect::<Vec<_>>());
            if matches!(target.to, To::Webhook { .. }) {
                let new = self.mobiles.iter().filter(|mobile| !target.mention_mobiles.contains(mobile)).cloned();
                target.mention_mobiles.extend(new.collect::<Vec<_>>());
            }
        }
        receivers
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    let mobile = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        (digits.len() >= 5).then_some(digits)
    };
    items.filter_map(|item| mobile(&item.as_str().map_or_else(|| item.to_string(), str::to_owned))).collect()
}
