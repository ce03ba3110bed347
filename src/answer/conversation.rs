//! Answers to texts: firing alerts, people on duty, silences; and acts that are requested by text.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::ask::{Ask, read};
use super::rights::Eyes;
use super::words::clock;
use super::{Actor, Acts, Via, Wish, about};
use crate::alert::{ThreadId, Timestamp};
use crate::config::{Channel, Config, Language};
use crate::render::harmless;
use crate::store::{ActAlert, ActKind, Doer, OnFilter, StoreError};
use crate::upstream::Span;

/// Alerts listed in an answer; the others are counted.
const NAMED: usize = 15;
/// Silences listed in an answer.
const SILENCES: usize = 15;
/// Longest time for names: WeCom wants an answer within 5 s, and a userid is good enough.
const NAMES: Duration = Duration::from_secs(2);
/// People whose names are looked up for one answer.
const PEOPLE: usize = 20;
/// Rotas listed in an answer.
const ROTAS: usize = 20;
/// Bytes of an answer: what a text to an app may have (page 90236), and enough for a bot.
const BYTES: usize = 2_000;
/// Default duration of a silence.
const USUAL: Span = Span::For(Duration::from_hours(1));

impl Acts {
    /// Answers a text; `event` is its idempotency key, the same for all copies that WeCom sends.
    pub async fn ask(&self, actor: &Actor, event: &str, text: &str) -> Result<String, StoreError> {
        let asked = read(text);
        let language = self.language();
        let zh = language == Language::Zh;
        let speaker = Speaker { acts: self, actor, channel: channel(&actor.via), zh, now: self.clock.now() };
        let wish = |kind, thread: ThreadId, span| Wish {
            event: format!("text/{}/{event}", actor.via.name()),
            kind,
            about: about(thread),
            span,
            code: None,
            except_lane: None,
            within: None,
        };
        let wish = match asked {
            Ask::Acknowledge(thread) => wish(ActKind::Acknowledge, thread, None),
            Ask::Release(thread) => wish(ActKind::Release, thread, None),
            Ask::Expire(thread) => wish(ActKind::Expire, thread, None),
            Ask::Resend(thread) => wish(ActKind::Resend, thread, None),
            Ask::Silence(thread, span) | Ask::Extend(thread, span) => {
                let kind = if matches!(read(text), Ask::Extend(..)) { ActKind::Extend } else { ActKind::Silence };
                match span.as_deref().map_or(Ok(USUAL), Span::parse) {
                    Ok(span) => wish(kind, thread, Some(span)),
                    Err(how) => return Ok(speaker.fit(vec![how.get(language).to_owned()])),
                }
            }
            Ask::Help => return Ok(speaker.help(false)),
            Ask::Unknown => return Ok(speaker.help(true)),
            Ask::WhichOne(word) => return Ok(speaker.which_one(word)),
            Ask::Alerts => return speaker.alerts().await,
            Ask::Duty(name) => return Ok(speaker.duty(name.as_deref()).await),
            Ask::Silences => return speaker.silences().await,
            Ask::Console => return speaker.console().await,
        };
        Ok(self.act(actor, wish).await?.text.get(language).to_owned())
    }
}

pub(super) const fn channel(via: &Via) -> Channel {
    if matches!(via, Via::Bot { .. }) { Channel::Bot } else { Channel::App }
}

/// The context of an answer: language, conversation, time.
struct Speaker<'a> {
    acts: &'a Acts,
    actor: &'a Actor,
    channel: Channel,
    zh: bool,
    now: Timestamp,
}

impl Speaker<'_> {
    fn pick(&self, zh: &str, en: &str) -> String {
        if self.zh { zh } else { en }.to_owned()
    }

    fn help(&self, unknown: bool) -> String {
        let mut lines = Vec::new();
        if unknown {
            lines.push(self.pick("没听懂。可以这样问我：", "I did not understand. You can ask me:"));
        } else {
            lines.push(self.pick("我把告警送到这里。可以这样问我：", "I bring alerts here. You can ask me:"));
        }
        let words = [
            ("告警", "alerts", "现在有哪些告警", "what is on now"),
            ("值班", "who", "现在谁值班", "who is on duty"),
            ("认领 #7K2Q", "ack #7K2Q", "这条我来处理", "I take this one"),
            ("放弃 #7K2Q", "release #7K2Q", "不处理了，交回去", "I give it back"),
            ("静默 #7K2Q 1h", "silence #7K2Q 1h", "静默一段时间（30m、4h、明早）", "silence it (30m, 4h, morning)"),
            ("延长 #7K2Q 2h", "extend #7K2Q 2h", "静默改到那时为止", "move the end of the silence"),
            ("解除静默 #7K2Q", "unsilence #7K2Q", "结束静默", "end the silence"),
            ("静默列表", "silences", "有哪些静默", "which silences there are"),
            ("重发 #7K2Q", "resend #7K2Q", "把消息再发一遍", "send the message again"),
            ("控制台", "console", "在浏览器里打开控制台", "open the console in a browser"),
        ];
        lines.extend(words.iter().map(|(zh, en, what_zh, what_en)| {
            if self.zh { format!("· {zh}：{what_zh}") } else { format!("· {en}: {what_en}") }
        }));
        lines
            .push(self.pick("编号在每条消息的末尾，例如 #7K2Q。", "The id is at the end of each message, like #7K2Q."));
        self.fit(lines)
    }

    /// A link that signs in to the console. It is an answer to its asker and never a message: what is stored opens
    /// nothing.
    async fn console(&self) -> Result<String, StoreError> {
        let url = self.acts.setup.now().config.external_url.clone();
        let Some(url) = url else {
            return Ok(self.fit(vec![self.pick(
                "没有配置 external_url，控制台没有地址：请管理员加上。",
                "There is no `external_url`, so the console has no address: ask the operator for it.",
            )]));
        };
        if Eyes::of(self.acts, self.actor).alone().is_none() {
            return Ok(self.fit(vec![self.pick(
                "登录链接只给一个人：请单独发给我。",
                "A link that signs in is for one person: write to me in a chat of our own.",
            )]));
        }
        let person = &self.actor.id;
        if self.acts.rights(person).await?.is_none() {
            return Ok(self.fit(vec![if self.zh {
                format!("{person} 不在任何接收者、值班表或 may_look 里，不能登录控制台：请找管理员。")
            } else {
                format!(
                    "{person} is in no receiver, rota or may_look, and cannot sign in to the console: ask the operator."
                )
            }]));
        }
        let ticket = self.acts.ticket(person, "link").await?;
        Ok(self.fit(vec![if self.zh {
            format!("打开控制台（10 分钟内有效，只能用一次，不要转发）：{url}/login/link/{ticket}")
        } else {
            format!("Open the console (valid for 10 minutes and once; do not pass it on): {url}/login/link/{ticket}")
        }]))
    }

    fn which_one(&self, word: &str) -> String {
        self.fit(vec![if self.zh {
            format!("哪一条？请带上消息末尾的编号，例如：{word} #7K2Q")
        } else {
            "Which one? Add the id at the end of the message, for example: ack #7K2Q".to_owned()
        }])
    }

    async fn alerts(&self) -> Result<String, StoreError> {
        let mut eyes = Eyes::of(self.acts, self.actor);
        let receivers = Some(eyes.receivers().await?);
        let owner = eyes.alone().unwrap_or_default().to_owned();
        let filter = OnFilter { receivers, owner, acknowledged: false, limit: NAMED };
        let (alerts, count) = self.acts.store.alerts_on(filter).await?;
        if count.is_zero() {
            return Ok(self.fit(vec![if eyes.alone().is_some() {
                self.pick("🟢 现在没有告警是发给你的。", "🟢 Nothing is on that was sent to you.")
            } else {
                self.pick("🟢 现在没有告警是发到这个群的。", "🟢 Nothing is on that was sent to this group.")
            }]));
        }
        let mut lines =
            vec![if self.zh { format!("正在告警 {count} 条") } else { format!("{count} alerts are on") }];
        let owners = alerts.iter().filter_map(|alert| alert.acknowledged.as_ref());
        let names = self.names(owners.map(|doer| doer.by.clone()).collect()).await;
        lines.extend(alerts.iter().map(|alert| self.alert(alert, &names)));
        let beyond = count.beyond(alerts.len());
        if !beyond.is_zero() {
            lines.push(if self.zh { format!("另 {beyond} 条") } else { format!("and {beyond} more") });
        }
        Ok(self.fit(lines))
    }

    /// `🔴 磁盘将满 · db-1 · 自 14:02 · 张三 已认领 #7K2Q`
    fn alert(&self, alert: &ActAlert, names: &HashMap<String, String>) -> String {
        let mut parts = vec![self.clean(&alert.name)];
        let config = &self.acts.setup.now().config;
        let receiver = config.receivers.get(&alert.receiver).map(AsRef::as_ref);
        let place = crate::render::place(alert, &config.taught(receiver, &alert.source));
        parts.extend(place.map(|place| self.clean(&place)));
        parts.extend(alert.starts_at.map(|at| {
            let time = self.clock(at);
            if self.zh { format!("自 {time}") } else { format!("since {time}") }
        }));
        parts.extend(alert.acknowledged.as_ref().map(|Doer { by, .. }| {
            let by = self.called(by, names);
            if self.zh { format!("{by} 已认领") } else { format!("acknowledged by {by}") }
        }));
        format!("{} {} #{}", if alert.critical { "🔴" } else { "🟡" }, parts.join(" · "), alert.thread)
    }

    async fn duty(&self, wanted: Option<&str>) -> String {
        let setup = self.acts.setup.now();
        let rotas = &setup.config.rotas.0;
        if rotas.is_empty() {
            return self.fit(vec![
                self.pick("没有配置值班表（配置里的 rotas）。", "There is no rota (`rotas` in the configuration)."),
            ]);
        }
        let named = |name: &str| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name));
        let chosen = rotas.iter().filter(|(name, _)| named(name)).take(ROTAS);
        let now: Vec<_> = chosen.map(|(name, rota)| (name, rota.on_call(self.now))).collect();
        let everybody = now.iter().flat_map(|(_, on_call)| on_call.people.iter().chain(&on_call.backup));
        let names = self.names(everybody.cloned().collect()).await;
        let mut lines: Vec<String> = now
            .iter()
            .map(|(name, on_call)| {
                let people = |people: &[String]| {
                    people.iter().map(|who| self.called(who, &names)).collect::<Vec<_>>().join("、")
                };
                let backup = if on_call.backup.is_empty() {
                    String::new()
                } else if self.zh {
                    format!("，二线 {}", people(&on_call.backup))
                } else {
                    format!(", backup {}", people(&on_call.backup))
                };
                let until = self.clock(on_call.until);
                let who = people(&on_call.people);
                if self.zh {
                    format!("{}：{who}{backup}（到 {until}）", self.clean(name))
                } else {
                    format!("{}: {who}{backup} (until {until})", self.clean(name))
                }
            })
            .collect();
        if lines.is_empty() {
            let known = rotas.keys().map(|name| self.clean(name)).collect::<Vec<_>>().join("、");
            lines.push(if self.zh {
                format!("没有这张值班表。现有：{known}")
            } else {
                format!("No such rota. There are: {known}")
            });
        }
        self.fit(lines)
    }

    async fn silences(&self) -> Result<String, StoreError> {
        let mut silences = self.acts.store.silences(self.now).await?;
        silences.retain(|silence| silence.until > self.now);
        let mut eyes = Eyes::of(self.acts, self.actor);
        let mut seen = Vec::new();
        for silence in silences {
            let own = eyes.alone().is_some_and(|id| id.eq_ignore_ascii_case(&silence.by));
            if own || eyes.sees_any(&self.acts.store.act_alerts(silence.act).await?).await? {
                seen.push(silence);
            }
        }
        let silences = seen;
        if silences.is_empty() {
            return Ok(self.fit(vec![self.pick("现在没有从这里做的静默。", "No silence made from here is in force.")]));
        }
        let more = silences.len().saturating_sub(SILENCES);
        let names = self.names(silences.iter().take(SILENCES).map(|silence| silence.by.clone()).collect()).await;
        let mut lines: Vec<String> = silences
            .iter()
            .take(SILENCES)
            .map(|silence| {
                let (by, until) = (self.called(&silence.by, &names), self.clock(silence.until));
                let upstream = self.clean(&silence.upstream);
                if self.zh {
                    format!("🔕 #{} 到 {until}，{by}（{upstream}）", silence.thread)
                } else {
                    format!("🔕 #{} until {until}, {by} ({upstream})", silence.thread)
                }
            })
            .collect();
        if more > 0 {
            lines.push(if self.zh { format!("另 {more} 个") } else { format!("and {more} more") });
        }
        Ok(self.fit(lines))
    }

    fn clock(&self, at: Timestamp) -> String {
        clock(at, self.now, &self.acts.setup.now().config.timezone)
    }

    /// The names of these people, as far as WeCom gives them.
    async fn names(&self, ids: Vec<String>) -> HashMap<String, String> {
        let ids: BTreeSet<String> = ids.into_iter().take(PEOPLE).collect();
        let mut names = HashMap::new();
        let begun = tokio::time::Instant::now();
        for id in ids {
            if begun.elapsed() > NAMES {
                break;
            }
            let name = self.acts.names.of(None, &id).await;
            names.insert(id, name);
        }
        names
    }

    fn called(&self, id: &str, names: &HashMap<String, String>) -> String {
        self.clean(names.get(id).map_or(id, String::as_str))
    }

    fn clean(&self, text: &str) -> String {
        harmless(text, self.channel, 48)
    }

    /// As many of the lines as fit; a bot's markdown needs a gap to keep lines apart.
    fn fit(&self, lines: Vec<String>) -> String {
        let gap = if self.channel == Channel::Bot { "\n\n" } else { "\n" };
        let mut out = String::new();
        for line in lines {
            if out.len() + gap.len() + line.len() > BYTES {
                out.push_str(gap);
                out.push('…');
                break;
            }
            if !out.is_empty() {
                out.push_str(gap);
            }
            out.push_str(&line);
        }
        out
    }
}

/// The greeting in a conversation that is opened for the first time.
pub fn welcome(config: &Config) -> String {
    match config.language {
        Language::Zh => "你好，我是告警机器人：告警会送到这里，卡片上的按钮可以直接认领和静默。发“帮助”看我会什么。".to_owned(),
        Language::En => {
            "Hello, I bring alerts here: press the buttons of their cards to take or silence them. Say \"help\" to see what I can do."
                .to_owned()
        }
    }
}
