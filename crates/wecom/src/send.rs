//! The bytes of a message: recipients and content in WeCom's form. They are made once and sent unchanged.

use bytes::Bytes;
use serde::Serialize;

use crate::{Api, Channel, Content};

/// A message as sent. Only the credential in the URL may differ from one try to the next: WeCom's duplicate check
/// compares the body (docs/reference/reliability.md#effectively-once).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendRequest {
    /// The channel.
    pub channel: Channel,
    /// The frozen JSON.
    pub body: Bytes,
}

impl SendRequest {
    pub(crate) const fn api(&self) -> Api {
        match self.channel {
            Channel::App => Api::MessageSend,
            Channel::Chat => Api::AppchatSend,
            Channel::Webhook => Api::WebhookSend,
            Channel::CardUpdate => Api::CardUpdate,
            Channel::Bot => Api::BotSend,
        }
    }
}

/// Most userids of one `message/send` (40032 above).
pub const MAX_USERS: usize = 1000;
/// Most departments (82002) and most tags (82003) of one `message/send`.
pub const MAX_GROUPS: usize = 100;
/// Longest interval of the duplicate check (page 90236).
pub const MAX_DUPLICATE_INTERVAL_SECS: u32 = 14_400;
const EVERYBODY: &str = "@all";

/// Whether WeCom should drop a second request with the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Drop it.
    Check {
        /// Within this many seconds; at most [`MAX_DUPLICATE_INTERVAL_SECS`].
        interval_secs: u32,
    },
    /// Deliver it again.
    Off,
}

/// The recipients of an app's message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Userids, or `@all`: then everything else is ignored.
    pub users: Vec<String>,
    /// Department ids.
    pub parties: Vec<i64>,
    /// Tag ids.
    pub tags: Vec<i64>,
}

impl Recipients {
    /// Removes invalid userids, so that one typing error does not keep the message from the others.
    pub fn take_invalid(&mut self) -> Vec<String> {
        self.users.extract_if(.., |user| user != EVERYBODY && !is_userid(user)).collect()
    }

    /// Whether all members in the app's visible scope are addressed; further recipients do not count then.
    pub fn is_everybody(&self) -> bool {
        self.users.iter().any(|user| user == EVERYBODY)
    }

    /// Split into batches of at most 1000 users, 100 departments and 100 tags, without duplicates; none if there are no
    /// recipients.
    pub fn batches(&self) -> Vec<Self> {
        if self.is_everybody() {
            return vec![Self { users: vec![EVERYBODY.to_owned()], ..Self::default() }];
        }
        // Userids are case-insensitive (docs/reference/wecom.md#userids).
        let users = distinct(&self.users, |user| user.to_ascii_lowercase());
        let (parties, tags) = (distinct(&self.parties, |id| *id), distinct(&self.tags, |id| *id));
        let mut users = users.chunks(MAX_USERS);
        let mut parties = parties.chunks(MAX_GROUPS);
        let mut tags = tags.chunks(MAX_GROUPS);
        let mut batches = Vec::new();
        loop {
            let batch = Self {
                users: users.next().unwrap_or_default().to_vec(),
                parties: parties.next().unwrap_or_default().to_vec(),
                tags: tags.next().unwrap_or_default().to_vec(),
            };
            if batch == Self::default() {
                return batches;
            }
            batches.push(batch);
        }
    }
}

/// The first of each, in order.
fn distinct<T: Clone, K: Ord>(items: &[T], key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen = std::collections::BTreeSet::new();
    items.iter().filter(|item| seen.insert(key(item))).cloned().collect()
}

/// Whether `text` can be a userid: 1 to 64 bytes of `[A-Za-z0-9_.@-]` (page 90236), and not `@all` or similar: a
/// look-up of an outside name must not be answered with all members.
pub fn is_userid(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('@')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte))
}

/// The bytes of a message of an app.
pub fn message_send_body(agent_id: i64, to: &Recipients, content: &Content, duplicates: Duplicates) -> Vec<u8> {
    #[derive(Serialize)]
    struct Message<'a> {
        #[serde(skip_serializing_if = "String::is_empty")]
        touser: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        toparty: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        totag: String,
        agentid: i64,
        msgtype: &'a str,
        #[serde(flatten)]
        content: &'a Content,
        #[serde(skip_serializing_if = "Option::is_none")]
        enable_duplicate_check: Option<u8>,
        #[serde(skip_serializing_if = "Option::is_none")]
        duplicate_check_interval: Option<u32>,
    }
    let interval = match duplicates {
        Duplicates::Check { interval_secs } => Some(interval_secs.min(MAX_DUPLICATE_INTERVAL_SECS)),
        Duplicates::Off => None,
    };
    json(&Message {
        touser: to.users.join("|"),
        toparty: joined(&to.parties),
        totag: joined(&to.tags),
        agentid: agent_id,
        msgtype: content.msgtype(),
        content,
        enable_duplicate_check: interval.map(|_| 1),
        duplicate_check_interval: interval,
    })
}

/// The bytes of a message into a group chat of an app.
pub fn appchat_send_body(chatid: &str, content: &Content) -> Vec<u8> {
    #[derive(Serialize)]
    struct Message<'a> {
        chatid: &'a str,
        msgtype: &'a str,
        #[serde(flatten)]
        content: &'a Content,
    }
    json(&Message { chatid, msgtype: content.msgtype(), content })
}

/// The bytes of a message of a webhook.
pub fn webhook_send_body(content: &Content) -> Vec<u8> {
    #[derive(Serialize)]
    struct Message<'a> {
        msgtype: &'a str,
        #[serde(flatten)]
        content: &'a Content,
    }
    json(&Message { msgtype: content.msgtype(), content })
}

fn joined(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join("|")
}

/// Han characters stay unescaped: WeCom rejects `\uXXXX` (40033).
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("a message has string keys and finite numbers only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Image, TemplateCard, Text};

    fn text(content: &str) -> Content {
        Content::Text(Text { content: content.into(), ..Text::default() })
    }

    fn shown(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_message_of_an_app_is_exactly_these_bytes() {
        let to = Recipients { users: vec!["zhangsan".into(), "lisi".into()], parties: vec![2, 3], tags: vec![7] };
        let body =
            message_send_body(1_000_002, &to, &text("磁盘 <满> &\n#7K2Q"), Duplicates::Check { interval_secs: 99_999 });
        assert_eq!(
            shown(body),
            "{\"touser\":\"zhangsan|lisi\",\"toparty\":\"2|3\",\"totag\":\"7\",\"agentid\":1000002,\"msgtype\":\"text\",\
             \"text\":{\"content\":\"磁盘 <满> &\\n#7K2Q\"},\"enable_duplicate_check\":1,\"duplicate_check_interval\":14400}"
        );
    }

    #[test]
    fn without_the_duplicate_check_and_with_users_only_nothing_else_is_in_the_body() {
        let to = Recipients { users: vec!["@all".into()], ..Recipients::default() };
        let body = message_send_body(1, &to, &text("x"), Duplicates::Off);
        assert_eq!(shown(body), r#"{"touser":"@all","agentid":1,"msgtype":"text","text":{"content":"x"}}"#);
    }

    #[test]
    fn chats_and_webhooks_have_their_own_envelopes() {
        assert_eq!(
            shown(appchat_send_body("ops1", &text("x"))),
            r#"{"chatid":"ops1","msgtype":"text","text":{"content":"x"}}"#
        );
        let mention =
            Content::Text(Text { content: "x".into(), mentioned_list: vec!["@all".into()], ..Text::default() });
        assert_eq!(
            shown(webhook_send_body(&mention)),
            r#"{"msgtype":"text","text":{"content":"x","mentioned_list":["@all"]}}"#
        );
        let image = Content::Image(Image::Inline { base64: "AA==".into(), md5: "93b8".into() });
        assert_eq!(shown(webhook_send_body(&image)), r#"{"msgtype":"image","image":{"base64":"AA==","md5":"93b8"}}"#);
        let card = TemplateCard { card_type: "text_notice".into(), ..TemplateCard::default() };
        assert_eq!(
            shown(webhook_send_body(&Content::TemplateCard(Box::new(card)))),
            r#"{"msgtype":"template_card","template_card":{"card_type":"text_notice"}}"#
        );
    }

    #[test]
    fn many_receivers_are_split_at_the_limits_without_loss_or_duplicates() {
        let to = Recipients {
            users: (0..2001).map(|n| format!("user{n}")).chain(["USER7".into()]).collect(),
            parties: (0..101).collect(),
            tags: vec![5, 5],
        };
        let batches = to.batches();
        let sizes: Vec<_> = batches.iter().map(|b| (b.users.len(), b.parties.len(), b.tags.len())).collect();
        assert_eq!(sizes, [(1000, 100, 1), (1000, 1, 0), (1, 0, 0)]);
        let users: Vec<_> = batches.iter().flat_map(|batch| batch.users.clone()).collect();
        assert_eq!(users, to.users[..2001]);
    }

    #[test]
    fn all_members_replace_other_recipients_and_no_recipients_make_no_batch() {
        let to = Recipients { users: vec!["lisi".into(), "@all".into()], parties: vec![1], tags: vec![2] };
        assert_eq!(to.batches(), [Recipients { users: vec!["@all".into()], ..Recipients::default() }]);
        assert_eq!(Recipients::default().batches(), []);
    }

    #[test]
    fn invalid_userids_are_removed_and_the_others_stay() {
        let long = "x".repeat(65);
        let users = ["zhang.san@corp-1_a", "a|b", "", "李四", "li si", long.as_str(), "@all"];
        let mut to = Recipients { users: users.map(str::to_owned).to_vec(), ..Recipients::default() };
        assert_eq!(to.take_invalid(), ["a|b", "", "李四", "li si", long.as_str()]);
        assert_eq!(to.users, ["zhang.san@corp-1_a", "@all"]);
        assert!(!is_userid("@all"), "a name from outside never means everybody");
    }
}
