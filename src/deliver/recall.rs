//! Recalls what an app sent to people: WeCom allows it for a day (page 94867), and for no other message.

use super::way;
use crate::config::{Config, Target, To};
use crate::store::{Delivery, State, Store, StoreError};
use crate::words::Words;

/// The WeCom messages that one of ours became, and their app.
#[derive(Debug, Clone)]
pub struct Recallable {
    /// The app that sent them.
    app: wecom::App,
    /// WeCom's ids: one for each part and each batch of people.
    msgids: Vec<String>,
}

/// Why nothing was recalled, in Chinese and in English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRecalled {
    /// 为什么
    pub zh: String,
    /// Why.
    pub en: String,
    /// There is no such message.
    pub unknown: bool,
}

impl NotRecalled {
    fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: zh.into(), en: en.into(), unknown: false }
    }

    /// The reason.
    pub fn words(&self) -> Words {
        (self.zh.clone(), self.en.clone()).into()
    }
}

/// The WeCom messages of `message` that can be recalled, or why there are none.
pub async fn recallable(
    store: &Store,
    config: &Config,
    message: i64,
) -> Result<Result<Recallable, NotRecalled>, StoreError> {
    Ok(match store.delivery(message).await? {
        Some(delivery) => judge(config, &delivery),
        None => Err(NotRecalled {
            unknown: true,
            ..NotRecalled::new(
                format!("没有编号为 {message} 的消息，可能已被清理。"),
                format!("There is no message {message}; it may have been pruned."),
            )
        }),
    })
}

/// Is this a message that WeCom takes back for as long as it does?
pub fn can_be_recalled(config: &Config, delivery: &Delivery) -> bool {
    judge(config, delivery).is_ok()
}

fn judge(config: &Config, delivery: &Delivery) -> Result<Recallable, NotRecalled> {
    let row = &delivery.row;
    if let Some(of) = row.picture_of.filter(|_| row.folded_into.is_some()) {
        return Err(NotRecalled::new(
            format!("它是消息 {of} 的图，没有发出。"),
            format!("It is the picture of message {of} and was left out."),
        ));
    }
    if let Some(digest) = row.folded_into {
        return Err(NotRecalled::new(
            format!("它没有单独发出，已并入摘要 {digest}：请撤回 {digest}。"),
            format!("It was not sent by itself but as part of digest {digest}: recall {digest}."),
        ));
    }
    if matches!(row.state, State::Queued | State::Sending | State::Unsure) {
        return Err(NotRecalled::new(
            format!("它还没有结果（{}）：有结果后再撤回。", row.state.as_str()),
            format!("It is not settled yet ({}): recall it when it is.", row.state.as_str()),
        ));
    }
    let to = serde_json::from_str::<Target>(&delivery.target_json).map(|target| target.to);
    let Ok(To::Members { app: name, .. }) = to else {
        return Err(NotRecalled::new(
            format!("发往 {} 的消息撤不回：企业微信只能撤回应用发给成员的消息。", row.lane),
            format!("What went to {} cannot be recalled: WeCom takes back only what an app sent to members.", row.lane),
        ));
    };
    let Some(known) = config.wecom.apps.get(&name) else {
        return Err(NotRecalled::new(
            format!("配置里已没有应用 `{name}`，只有它能撤回自己发的消息。"),
            format!("The app `{name}` is no longer in the configuration, and only it can recall what it sent."),
        ));
    };
    let mut msgids: Vec<String> = delivery.attempts.iter().filter_map(|attempt| attempt.msgid.clone()).collect();
    msgids.retain(|msgid| !msgid.is_empty());
    msgids.dedup();
    if msgids.is_empty() {
        return Err(NotRecalled::new(
            "企业微信没有收下过它，没有可撤回的；若它更新了一张卡片，请撤回那张卡片。",
            "WeCom never took it, so there is nothing to recall; if it changed a card, recall that card.",
        ));
    }
    Ok(Recallable { app: way::app(known), msgids })
}

/// Recalls all of them; returns how many were recalled. A failure does not stop the others.
pub async fn recall(wecom: &wecom::Client, wanted: &Recallable) -> Result<usize, NotRecalled> {
    let mut failures = Vec::new();
    for msgid in &wanted.msgids {
        if let Err(error) = wecom.recall(&wanted.app, msgid).await {
            failures.push(error);
        }
    }
    let (all, failed) = (wanted.msgids.len(), failures.len());
    let Some(first) = failures.first().map(wecom::CallError::failure) else { return Ok(all) };
    if failed == all {
        return Err(NotRecalled::new(first.zh(), first.en()));
    }
    let done = all - failed;
    Err(NotRecalled::new(
        format!("{all} 条里只撤回了 {done} 条：{}", first.zh()),
        format!("Only {done} of {all} were recalled: {}", first.en()),
    ))
}
