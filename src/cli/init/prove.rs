//! The proof: WeCom takes a message with these answers, and it reaches all that were named.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wecom::{Api, CallError, Failure};

use super::answers::{Answers, Question, Way};
use super::bot;
use super::draft::Draft;
use crate::cli::{Init, doctor, send};
use crate::deliver::{self, Setup};
use crate::time::Clock;
use crate::words::{Language, Words, told, words};

/// Why it did not work, and the answer that is to blame, if one is.
pub(super) struct Trouble {
    pub(super) question: Option<Question>,
    pub(super) words: Words,
}

impl Trouble {
    pub(super) fn new(question: impl Into<Option<Question>>, words: Words) -> Self {
        Self { question: question.into(), words }
    }
}

/// Tries the answers. `life` shows that something goes on; `screen` what came of it.
pub(super) async fn prove(
    arguments: &Init,
    draft: &Draft,
    answers: &mut Answers,
    life: &mut dyn Write,
    screen: &mut dyn Write,
) -> anyhow::Result<Result<(), Trouble>> {
    match answers.way {
        Some(Way::Bot) | None => bot::meet(arguments, draft, answers, life, screen).await,
        Some(Way::Webhook) => webhook(draft, life, screen).await,
        Some(Way::App) => app(draft, answers, life, screen).await,
    }
}

/// The result of `work`; a dot each second shows that it is going on.
pub(super) async fn alive<T>(life: &mut dyn Write, what: &Words, work: impl Future<Output = T>) -> std::io::Result<T> {
    write!(life, "{what} ")?;
    life.flush()?;
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                writeln!(life)?;
                return Ok(done);
            }
            _ = ticks.tick() => {
                write!(life, ".")?;
                life.flush()?;
            }
        }
    }
}

async fn webhook(draft: &Draft, life: &mut dyn Write, screen: &mut dyn Write) -> anyhow::Result<Result<(), Trouble>> {
    let setup = Setup::new(Arc::new(draft.config()?), None, &Clock::System)?;
    let Some(key) = draft.config.wecom.webhooks.get(&draft.account).and_then(|keys| keys.first()) else {
        return Ok(Err(Trouble::new(None, draft.by_hand())));
    };
    let asking = words("正在问企业微信这个 key 对不对", "Asking WeCom whether the key is good");
    if let Err(failure) = alive(life, &asking, doctor::knock(&setup, key.clone())).await? {
        let question = failure.errcode().map(|_| Question::Webhook);
        return Ok(Err(Trouble::new(question, placed(&failure, draft))));
    }
    message(draft, life, screen).await
}

async fn app(
    draft: &Draft,
    answers: &Answers,
    life: &mut dyn Write,
    screen: &mut dyn Write,
) -> anyhow::Result<Result<(), Trouble>> {
    let setup = Setup::new(Arc::new(draft.config()?), None, &Clock::System)?;
    let Some(known) = draft.config.wecom.apps.get(&draft.account) else {
        return Ok(Err(Trouble::new(None, draft.by_hand())));
    };
    let account = deliver::app(known);
    let asking = words("正在问企业微信这个应用", "Asking WeCom about the app");
    match alive(life, &asking, setup.wecom.agent(&account)).await? {
        Ok(agent) => writeln!(screen, "✓ {}", told!("应用 {}", "app {}", agent.name))?,
        Err(error) => return Ok(Err(blamed(&error, draft))),
    }
    for user in answers.users().iter().filter(|user| *user != "@all") {
        let asking = told!("正在找 {user}", "Looking for {user}");
        match alive(life, &asking, setup.wecom.member(&account, user)).await? {
            Ok(member) if member.status == 1 => writeln!(screen, "✓ {user} = {}", member.name)?,
            Ok(member) => {
                let words = told!(
                    "{user}（{}）还没有激活企业微信，或已停用、离职：收不到消息",
                    "{user} ({}) has not activated WeCom, or is disabled or gone: gets no message",
                    member.name
                );
                return Ok(Err(Trouble::new(Question::Users, words)));
            }
            Err(error) => {
                let what = said(error.failure());
                let words = Words::from((format!("{user}：{}", what.zh), format!("{user}: {}", what.en)));
                return Ok(Err(Trouble::new(error.failure().errcode().map(|_| Question::Users), words)));
            }
        }
    }
    message(draft, life, screen).await
}

/// One real message through the new configuration, judged by the record.
async fn message(draft: &Draft, life: &mut dyn Write, screen: &mut dyn Write) -> anyhow::Result<Result<(), Trouble>> {
    let mut config = draft.config()?;
    // Their sockets belong to a gateway that may be running.
    config.wecom.bots.clear();
    let notice = notice(config.language);
    let sending = words("正在试发一条", "Sending a test message");
    let outcomes = alive(life, &sending, Box::pin(send::through(config, &draft.receiver, notice))).await??;
    for outcome in &outcomes {
        write!(screen, "{}", send::told(outcome).as_str())?;
    }
    if !send::arrived(&outcomes) {
        let words = words("试发的消息没有送到，原因见上", "the test message did not arrive; the reason is above");
        return Ok(Err(Trouble::new(None, words)));
    }
    if outcomes.iter().flat_map(|outcome| &outcome.attempts).any(|attempt| attempt.invalid_json.is_some()) {
        let words = words("试发的消息只送到了一部分人", "the test message reached only some of them");
        return Ok(Err(Trouble::new(Question::Users, words)));
    }
    Ok(Ok(()))
}

/// The test message: a notice, which no one takes for an alert.
fn notice(language: Language) -> Vec<u8> {
    let title = words("wegraf 已连通", "wegraf is connected");
    let text = words("告警会发到这里。", "Alerts will come here.");
    let alert = json!({
        "status": "firing",
        "labels": { "alertname": title.get(language), "severity": "info" },
        "annotations": { "description": text.get(language) },
    });
    json!({ "version": "4", "receiver": "wegraf", "status": "firing", "alerts": [alert] }).to_string().into_bytes()
}

/// Which answer a refusal of WeCom's is about.
fn blamed(error: &CallError, draft: &Draft) -> Trouble {
    let failure = error.failure();
    let question = match (failure.errcode(), failure.api) {
        (Some(40013), _) => Some(Question::CorpId),
        // The app is right, and this machine's address must be allowed: a person does that, then tries again.
        (None | Some(60020), _) => None,
        (Some(_), Api::GetToken) => Some(Question::AppSecret),
        (Some(_), _) => Some(Question::AgentId),
    };
    let said = placed(failure, draft);
    let words = match failure.egress_ip {
        Some(ip) => Words::from((
            format!("{}\n  把 {ip} 加进应用的“企业可信IP”，再按回车", said.zh),
            format!("{}\n  allow {ip} in the app's “企业可信IP”, then press Enter", said.en),
        )),
        None => said,
    };
    Trouble::new(question, words)
}

/// A failure in both languages; one without an answer of WeCom's names the address.
fn placed(failure: &Failure, draft: &Draft) -> Words {
    let Words { zh, en } = said(failure);
    let url = &draft.config.wecom.api_url;
    match failure.errcode() {
        Some(_) => Words { zh, en },
        None => Words::from((format!("{zh}（wecom.api_url: {url}）"), format!("{en} (wecom.api_url: {url})"))),
    }
}

/// A failure in both languages.
pub(super) fn said(failure: &Failure) -> Words {
    (failure.zh(), failure.en()).into()
}
