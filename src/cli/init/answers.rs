//! What `wegraf init` needs to know: which answers each way takes, what a pasted text is, and what is still open (pure).

use std::fmt;

use std::path::Path;

use clap::ValueEnum as _;

use crate::cli::{Init, SecretsIn};
use crate::words::{Words, told, words};

/// The host of WeCom's own webhooks.
const WECOM: &str = "qyapi.weixin.qq.com";
/// Where the configuration is written unless the command line says so.
const OUTPUT: &str = "wegraf.yaml";

/// How messages get into WeCom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// An AI bot with the long connection.
    Bot,
    /// The webhook of a group.
    Webhook,
    /// A self-built app.
    App,
}

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Way,
    BotId,
    BotSecret,
    Webhook,
    CorpId,
    AgentId,
    AppSecret,
    Users,
}

/// All that was answered so far; nothing of it is lost when one answer is wrong.
#[derive(Clone, Default)]
pub(super) struct Answers {
    pub(super) way: Option<Way>,
    pub(super) bot_id: Option<String>,
    pub(super) bot_secret: Option<String>,
    /// Where the bot speaks; found out by being spoken to.
    pub(super) chat: Option<String>,
    pub(super) webhook: Option<String>,
    pub(super) corp_id: Option<String>,
    pub(super) agent_id: Option<String>,
    pub(super) app_secret: Option<String>,
    pub(super) users: Option<String>,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("way", &self.way).finish_non_exhaustive()
    }
}

impl Answers {
    /// What the command line and the environment say. Variables may have been set for another purpose: they choose no way
    /// where a flag does.
    pub(super) fn given(arguments: &Init) -> Self {
        let way = if arguments.bot_id.is_some() {
            Some(Way::Bot)
        } else if arguments.corp_id.is_some() || arguments.agent_id.is_some() || !arguments.users.is_empty() {
            Some(Way::App)
        } else {
            arguments.webhook.as_ref().map(|_| Way::Webhook)
        };
        Self {
            way,
            bot_id: arguments.bot_id.clone(),
            bot_secret: arguments.bot_secret.clone(),
            chat: arguments.chat.clone(),
            webhook: arguments.webhook.clone(),
            corp_id: arguments.corp_id.clone(),
            agent_id: arguments.agent_id.map(|id| id.to_string()),
            app_secret: arguments.secret.clone(),
            users: (!arguments.users.is_empty()).then(|| arguments.users.join(",")),
        }
    }

    fn slot(&mut self, question: Question) -> Option<&mut Option<String>> {
        Some(match question {
            Question::Way => return None,
            Question::BotId => &mut self.bot_id,
            Question::BotSecret => &mut self.bot_secret,
            Question::Webhook => &mut self.webhook,
            Question::CorpId => &mut self.corp_id,
            Question::AgentId => &mut self.agent_id,
            Question::AppSecret => &mut self.app_secret,
            Question::Users => &mut self.users,
        })
    }

    /// What was answered to it.
    pub(super) fn get(&self, question: Question) -> Option<String> {
        self.clone().slot(question).and_then(|slot| slot.clone()).filter(|text| !text.is_empty())
    }

    /// The questions that are open, in the order in which they are asked.
    pub(super) fn open(&self) -> Vec<Question> {
        let all: &[Question] = match self.way {
            None => &[Question::Way],
            Some(Way::Bot) => &[Question::BotId, Question::BotSecret],
            Some(Way::Webhook) => &[Question::Webhook],
            Some(Way::App) => &[Question::CorpId, Question::AgentId, Question::AppSecret, Question::Users],
        };
        all.iter().copied().filter(|question| self.get(*question).is_none()).collect()
    }

    /// Takes an answer; the error says why it cannot be right. What was pasted into the first question and can be
    /// recognised chooses the way.
    pub(super) fn take(&mut self, question: Question, text: &str) -> Result<(), Words> {
        if question == Question::Way {
            return self.choose(text);
        }
        if let Some(wrong) = misshapen(question, text) {
            return Err(wrong);
        }
        if let Some(slot) = self.slot(question) {
            *slot = Some(text.to_owned());
        }
        Ok(())
    }

    fn choose(&mut self, text: &str) -> Result<(), Words> {
        let (way, question) = match text.to_ascii_lowercase().as_str() {
            "" | "1" | "bot" => (Way::Bot, None),
            "2" | "webhook" => (Way::Webhook, None),
            "3" | "app" => (Way::App, None),
            _ if text.contains("://") || is_uuid(text) => (Way::Webhook, Some(Question::Webhook)),
            _ if text.starts_with("ww") => (Way::App, Some(Question::CorpId)),
            _ if is_bot_id(text) => (Way::Bot, Some(Question::BotId)),
            _ => {
                return Err(words(
                    "写 1、2 或 3，或粘贴 Bot ID、Webhook 地址、企业 ID",
                    "write 1, 2 or 3, or paste a Bot ID, a webhook's URL or a corp id",
                ));
            }
        };
        if let Some(question) = question {
            self.take(question, text)?;
        }
        self.way = Some(way);
        Ok(())
    }

    /// An empty answer to the first question of a way goes back to the choice of the way. Does this one?
    pub(super) fn goes_back(&mut self, question: Question, text: &str) -> bool {
        let back = question.is_first() && text.is_empty();
        if back {
            self.way = None;
        }
        back
    }

    /// Where WeCom is: what the command line says, else where the webhook's address leads. `None`: WeCom itself.
    pub(super) fn api_url(&self, arguments: &Init) -> Option<String> {
        let pasted = self.webhook.as_deref().filter(|_| self.way == Some(Way::Webhook)).and_then(elsewhere);
        arguments.api_url.clone().or(pasted)
    }

    /// The first answer of the command line that is invalid by its form, without asking WeCom.
    pub(super) fn impossible(&self) -> Option<Words> {
        let all = [
            Question::BotId,
            Question::BotSecret,
            Question::Webhook,
            Question::CorpId,
            Question::AgentId,
            Question::AppSecret,
        ];
        all.into_iter().find_map(|question| misshapen(question, &self.get(question)?))
    }

    /// The userids.
    pub(super) fn users(&self) -> Vec<String> {
        let users = self.users.as_deref().unwrap_or_default();
        users.split([',', '，', '、', ' ', '|']).filter(|user| !user.is_empty()).map(str::to_owned).collect()
    }

    /// The flags and variables that are missing, for a run that asks nothing.
    pub(super) fn missing(&self) -> String {
        let flags: Vec<&str> = self.open().into_iter().map(Question::flag).collect();
        flags.join("  ")
    }

    /// The command that gives the same answers again; its secrets stand as variables without their values.
    pub(super) fn again(&self, arguments: &Init) -> String {
        let (secret, ways) = match self.way {
            Some(Way::Bot) => ("WEGRAF_BOT_SECRET=… ", vec![("--bot-id", &self.bot_id), ("--chat", &self.chat)]),
            Some(Way::Webhook) => ("WEGRAF_WEBHOOK=… ", Vec::new()),
            Some(Way::App) => (
                "WEGRAF_SECRET=… ",
                vec![("--corp-id", &self.corp_id), ("--agent-id", &self.agent_id), ("--users", &self.users)],
            ),
            None => ("", Vec::new()),
        };
        let secrets = (arguments.secrets != SecretsIn::default()).then(|| arguments.secrets.to_possible_value());
        let others = [
            ("--api-url", self.api_url(arguments)),
            ("--bot-url", arguments.bot_url.clone()),
            ("--proxy", arguments.proxy.clone()),
            ("--name", arguments.name.clone()),
            ("--receiver", arguments.receiver.clone()),
            ("--listen", arguments.listen.map(|listen| listen.to_string())),
            ("--language", arguments.language.map(|language| language.as_str().to_owned())),
            ("--secrets", secrets.flatten().map(|secrets| secrets.get_name().to_owned())),
            ("--output", (arguments.output != Path::new(OUTPUT)).then(|| arguments.output.display().to_string())),
        ];
        let flag = |(name, value): (&str, &str)| format!(" {name} '{}'", value.replace('\'', "'\\''"));
        let ways = ways.into_iter().filter_map(|(name, value)| Some(flag((name, value.as_deref()?))));
        let others = others.iter().filter_map(|(name, value)| Some(flag((name, value.as_deref()?))));
        format!("{secret}wegraf init{}", ways.chain(others).collect::<String>())
    }
}

impl Question {
    /// Is the answer a secret?
    pub(super) const fn is_secret(self) -> bool {
        // A webhook's address may be pasted into the first question.
        matches!(self, Self::Way | Self::BotSecret | Self::Webhook | Self::AppSecret)
    }

    /// Is it the first question of a way, from which one goes back to the choice of the way?
    pub(super) const fn is_first(self) -> bool {
        matches!(self, Self::BotId | Self::Webhook | Self::CorpId)
    }

    /// The way that an answer to the first question has chosen.
    pub(super) const fn chosen(way: Way) -> Words {
        match way {
            Way::Bot => words("智能机器人", "an AI bot"),
            Way::Webhook => words("消息推送（Webhook）", "a group's webhook"),
            Way::App => words("自建应用", "a self-built app"),
        }
    }

    const fn flag(self) -> &'static str {
        match self {
            Self::Way => "--bot-id ID | --webhook KEY | --corp-id ID",
            Self::BotId => "--bot-id ID",
            Self::BotSecret => "WEGRAF_BOT_SECRET=…",
            Self::Webhook => "WEGRAF_WEBHOOK=…",
            Self::CorpId => "--corp-id ID",
            Self::AgentId => "--agent-id NUMBER",
            Self::AppSecret => "WEGRAF_SECRET=…",
            Self::Users => "--users USERIDS",
        }
    }

    /// Its text.
    pub(super) const fn text(self) -> Words {
        match self {
            Self::Way => words(
                "告警怎么进企业微信？也可以直接粘贴 Bot ID、Webhook 地址或企业 ID\n  \
                 1 智能机器人（推荐：不需要公网地址，能按按钮）\n  2 群里的消息推送（Webhook）\n  3 自建应用\n  \
                 直接回车就是 1；q 退出",
                "How do alerts get into WeCom? You may paste a Bot ID, a webhook's URL or a corp id\n  \
                 1 an AI bot (recommended: no public address is needed, and buttons work)\n  2 a group's webhook\n  \
                 3 a self-built app\n  Enter alone is 1; q quits",
            ),
            Self::BotId => words(
                "机器人的 Bot ID：机器人的详情页 → API 模式 → 长连接",
                "Bot ID of the AI bot, from its page (API mode, long connection)",
            ),
            Self::BotSecret => words("机器人长连接的 Secret", "Its secret for the long connection"),
            Self::Webhook => words("消息推送的 Webhook 地址或 key", "URL or key of the webhook"),
            Self::CorpId => {
                words("企业 ID：管理后台 → 我的企业 → 最下面", "Corp id: admin console, “我的企业”, at the bottom")
            }
            Self::AgentId => words("应用的 AgentId", "AgentId of the app"),
            Self::AppSecret => words("应用的 Secret", "Secret of the app"),
            Self::Users => words(
                "发给谁：userid（通讯录里的“账号”，不是姓名），用逗号分隔；所有人写 @all",
                "Who is told: userids (“账号” in the address book, no names) between commas; @all is everyone",
            ),
        }
    }
}

/// Why a text is invalid as an answer, without asking WeCom.
fn misshapen(question: Question, text: &str) -> Option<Words> {
    let blank = text.chars().any(char::is_whitespace);
    match question {
        _ if text.is_empty() => Some(words("不能是空的", "it must not be empty")),
        Question::Users | Question::Way => None,
        Question::BotId if is_word(text) => Some(told!(
            "“{text}”不是 Bot ID：它很长，以 aib 开头",
            "“{text}” is no Bot ID, which is long and starts with aib"
        )),
        Question::AgentId if text.parse::<i64>().is_err() => Some(told!(
            "AgentId 应是数字，例如 1000002，而不是“{text}”",
            "AgentId is a number, for example 1000002, and not “{text}”"
        )),
        Question::CorpId if !text.starts_with("ww") && !text.starts_with("wx") => {
            Some(told!("企业 ID 以 ww 开头，而不是“{text}”", "a corp id starts with ww, unlike “{text}”"))
        }
        _ if blank => Some(words("中间有空白：再复制一次", "it has blanks in it: copy it again")),
        _ => None,
    }
}

/// Ids of bots are long and hold more than letters, unlike words that are typed by mistake.
fn is_bot_id(text: &str) -> bool {
    let known = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    let long = text.len() > 6 && !text.bytes().all(|byte| byte.is_ascii_alphabetic());
    known && !number && (long || text.starts_with("aib"))
}

/// A word that a person typed, such as `webhook`, where an id of a bot is asked for.
fn is_word(text: &str) -> bool {
    text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) && !text.starts_with("aib")
}

/// Where the address of a webhook leads, if that is not WeCom itself.
fn elsewhere(webhook: &str) -> Option<String> {
    let (base, _) = webhook.split_once("/cgi-bin/webhook/")?;
    let url = reqwest::Url::parse(base).ok()?;
    (url.host_str() != Some(WECOM)).then(|| base.to_owned())
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pasted_first_chooses_the_way() {
        for (text, way, open) in [
            ("", Way::Bot, 2),
            ("1", Way::Bot, 2),
            ("aibXYZ", Way::Bot, 1),
            ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=11111111-2222", Way::Webhook, 0),
            ("693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa", Way::Webhook, 0),
            ("2", Way::Webhook, 1),
            ("ww0123456789abcdef", Way::App, 3),
            ("3", Way::App, 4),
        ] {
            let mut answers = Answers::default();
            answers.take(Question::Way, text).unwrap();
            assert_eq!((answers.way, answers.open().len()), (Some(way), open), "{text}");
        }
        for wrong in ["7", "q", "webhok", "quit", "智能机器人?", "no bot"] {
            let mut answers = Answers::default();
            assert!(answers.take(Question::Way, wrong).is_err(), "{wrong}");
            assert_eq!(answers.open(), [Question::Way], "{wrong}");
        }
    }

    #[test]
    fn the_host_of_a_pasted_webhook_is_where_it_is_sent() {
        let webhook = |url: &str| {
            let mut answers = Answers::default();
            answers.take(Question::Way, url).unwrap();
            answers
        };
        let arguments = Init::default();
        let key = "cgi-bin/webhook/send?key=11111111-2222";
        let simulator = webhook(&format!("http://127.0.0.1:8081/{key}"));
        assert_eq!(simulator.api_url(&arguments).as_deref(), Some("http://127.0.0.1:8081"));
        assert_eq!(webhook(&format!("https://qyapi.weixin.qq.com/{key}")).api_url(&arguments), None);
        let given = Init { api_url: Some("https://proxy.example.com".to_owned()), ..Init::default() };
        assert_eq!(simulator.api_url(&given).as_deref(), Some("https://proxy.example.com"));
    }

    #[test]
    fn an_impossible_answer_is_refused_at_once_and_the_others_stay() {
        let mut answers = Answers::default();
        answers.take(Question::Way, "ww0123456789abcdef").unwrap();
        assert!(answers.take(Question::AgentId, "abc").unwrap_err().en.contains("AgentId"));
        assert!(answers.take(Question::AppSecret, "two words").is_err());
        assert!(answers.take(Question::BotId, "webhook").unwrap_err().en.contains("no Bot ID"));
        assert_eq!(answers.get(Question::CorpId).as_deref(), Some("ww0123456789abcdef"));
        assert_eq!(answers.missing(), "--agent-id NUMBER  WEGRAF_SECRET=…  --users USERIDS");
    }

    #[test]
    fn no_secret_is_printed() {
        let mut answers = Answers { way: Some(Way::App), ..Answers::default() };
        answers.take(Question::AppSecret, "canary-secret").unwrap();
        answers.take(Question::CorpId, "ww1").unwrap();
        let arguments = Init {
            output: "wegraf.yaml".into(),
            listen: Some("127.0.0.1:9000".parse().unwrap()),
            api_url: Some("http://127.0.0.1:8081".to_owned()),
            ..Init::default()
        };
        let again = answers.again(&arguments);
        assert!(!format!("{answers:?}{again}").contains("canary"));
        let flags = "--corp-id 'ww1' --api-url 'http://127.0.0.1:8081' --listen '127.0.0.1:9000'";
        assert_eq!(again, format!("WEGRAF_SECRET=… wegraf init {flags}"));
        let mut answers = Answers::default();
        answers.take(Question::Way, "http://127.0.0.1:8081/cgi-bin/webhook/send?key=canary-2222").unwrap();
        let again = answers.again(&Init { output: "a b.yaml".into(), ..Init::default() });
        assert_eq!(again, "WEGRAF_WEBHOOK=… wegraf init --api-url 'http://127.0.0.1:8081' --output 'a b.yaml'");
    }

    #[test]
    fn userids_are_separated_as_people_do() {
        let answers = Answers { users: Some("zhangsan，lisi, wangwu|zhaoliu".to_owned()), ..Answers::default() };
        assert_eq!(answers.users(), ["zhangsan", "lisi", "wangwu", "zhaoliu"]);
    }
}
