//! Targets: their addresses, and what can be sent there.

use super::at::{At, Named};
use super::file::{self, File};
use super::finding::{Place, did_you_mean};
use super::resolve::{Resolver, placed, value};
use super::{Channel, Face, Target, To};

/// Most parts of one message: a webhook takes 20 messages a minute, which others need too.
const MOST_PARTS: i64 = 8;
/// Limits of one `message/send` (page 90236).
const MOST_PARTIES_OR_TAGS: usize = 100;
/// Bytes of a chatid that an app may choose (page 90245).
const CHATID_BYTES: usize = 32;
/// Bytes of the id of a bot's conversation, which WeCom gives: longer than any that was seen.
const CONVERSATION_BYTES: usize = 128;

impl Resolver<'_> {
    pub(super) fn target(&mut self, place: Place, target: &file::Target, file: &File) -> Option<Target> {
        let to = self.address(place, target, file)?;
        let made = Target {
            face: Face::Text,
            mention: self.mentioned(target.mention.as_ref(), file),
            mention_from: self.label_names(target.mention_from.as_ref()),
            mention_mobiles: self.mobiles(target.mention_mobiles.as_ref()),
            image: value(target.image.as_ref()).copied().unwrap_or_default(),
            parts: self.parts(target.parts.as_ref()),
            to,
        };
        let channel = made.channel();
        self.adornments_fit(target, channel);
        let face = match placed(target.face.as_ref()) {
            None => channel.default_face(),
            Some((place, &face)) => {
                self.face_fits(place, face, channel);
                face
            }
        };
        self.note_mentions(target, face, channel);
        Some(Target { face, ..made })
    }

    /// A face that cannot mention people is followed by a text with the mentions, which counts as a message.
    fn note_mentions(&mut self, target: &file::Target, face: Face, channel: Channel) {
        let named = target.mention.as_ref().map(|at| at.place);
        let Some(place) = named.filter(|_| channel.mentions() && !matches!(face, Face::Text | Face::Markdown)) else {
            return;
        };
        let face = face.as_str();
        let cost = match channel {
            Channel::Webhook => ("占一分钟 20 条里的两条", ", of the 20 a minute it takes two"),
            _ => ("多占一条", ", one more than needed"),
        };
        self.found.note(
            place,
            (
                format!("`{face}` 不能 @ 人：要 @ 的每条告警后面再发一条文本，{}", cost.0),
                format!("`{face}` cannot mention: each alert is followed by a text that does{}", cost.1),
            ),
            (
                "更省的是 face: markdown，同一条里就 @（手机号和 @all 除外）；不需要 @ 就删掉 mention",
                "face: markdown is cheaper and mentions in the same message (not mobile numbers and @all); or remove the mentions",
            ),
        );
    }

    /// The form of this address; its references must exist.
    fn address(&mut self, place: Place, target: &file::Target, file: &File) -> Option<To> {
        let way = self.only_way(place, target)?;
        let wecom = value(file.wecom.as_ref());
        if let Some(app) = &target.app {
            let apps = wecom.and_then(|wecom| value(wecom.apps.as_ref()));
            let app = self.known(app, apps, "应用", "app", "wecom.apps");
            return self.of_app(place, target, app?, file);
        }
        if let Some(bot) = &target.bot {
            let bots = wecom.and_then(|wecom| value(wecom.bots.as_ref()));
            let bot = self.known(bot, bots, "智能机器人", "bot", "wecom.bots");
            return self.of_bot(place, target, bot?);
        }
        if names_members(target) || target.chat.is_some() {
            return self.ambiguous(place, way, "`users`/`chat`");
        }
        if let Some(webhook) = &target.webhook {
            let known = wecom.and_then(|wecom| value(wecom.webhooks.as_ref()));
            return Some(To::Webhook {
                webhook: self.known(webhook, known, "消息推送", "webhook", "wecom.webhooks")?
            });
        }
        if let Some(hook) = &target.hook {
            let known = value(file.hooks.as_ref());
            return Some(To::Hook { hook: self.known(hook, known, "通用 webhook", "hook", "hooks")? });
        }
        self.email(target.email.as_ref()?, file)
    }

    /// A conversation of a bot.
    fn of_bot(&mut self, place: Place, target: &file::Target, bot: String) -> Option<To> {
        if names_members(target) {
            return self.ambiguous(place, "`bot`", "`users`/`parties`/`tags`");
        }
        let Some(chat) = &target.chat else {
            self.found.mistake(
                place,
                ("有 `bot`，但没有写哪个会话", "there is a `bot`, but no conversation"),
                (
                    "加上 chat: 单聊写 userid，群聊写 chatid；先对机器人说句话，wegraf bots 会列出会话",
                    "add chat: a userid for a single chat, a chatid for a group; say something to the bot first and `wegraf bots` lists them",
                ),
            );
            return None;
        };
        let text = chat.get()?;
        if text.is_empty() || text.len() > CONVERSATION_BYTES || text.chars().any(|c| c.is_control() || c == '/') {
            self.found.mistake(
                chat.place,
                (format!("`{text}` 不是会话"), format!("`{text}` is not a conversation")),
                ("从 `wegraf bots` 的列表里原样复制", "copy it from the list of `wegraf bots` as it is"),
            );
        }
        Some(To::Bot { bot, chat: text.clone() })
    }

    /// The one key that gives the destination.
    fn only_way(&mut self, place: Place, target: &file::Target) -> Option<&'static str> {
        let ways = [
            ("`app`", target.app.is_some()),
            ("`webhook`", target.webhook.is_some()),
            ("`email`", target.email.is_some()),
            ("`hook`", target.hook.is_some()),
            ("`bot`", target.bot.is_some()),
        ];
        let mut given = ways.into_iter().filter_map(|(way, given)| given.then_some(way));
        match (given.next(), given.next()) {
            (Some(way), None) => return Some(way),
            (Some(one), Some(other)) => drop(self.ambiguous(place, one, other)),
            (None, _) => self.found.mistake(
                place,
                ("目标没有写发到哪里", "the target does not say where to send"),
                (
                    "{ webhook: 名字 }、{ app: 名字, users: [userid] }、{ app: 名字, chat: chatid }、{ bot: 名字, chat: 会话 }、{ email: [地址] } 或 { hook: 名字 }",
                    "{ webhook: NAME }, { app: NAME, users: [userid] }, { app: NAME, chat: CHATID }, { bot: NAME, chat: CONVERSATION }, { email: [ADDRESS] } or { hook: NAME }",
                ),
            ),
        }
        None
    }

    fn of_app(&mut self, place: Place, target: &file::Target, app: String, file: &File) -> Option<To> {
        match (&target.chat, names_members(target)) {
            (Some(chat), false) => Some(To::Chat { app, chat: self.chatid(chat)? }),
            (None, true) => self.members(place, target, app, file),
            (Some(_), true) => self.ambiguous(place, "`chat`", "`users`/`on_call`/`parties`/`tags`"),
            (None, false) => {
                self.found.mistake(
                    place,
                    ("有 `app`，但没有写发给谁", "there is an `app`, but no one to send to"),
                    (
                        "加上 users、users_file、on_call、parties、tags 或 chat",
                        "add users, users_file, on_call, parties, tags or chat",
                    ),
                );
                None
            }
        }
    }

    fn ambiguous(&mut self, place: Place, one: &str, other: &str) -> Option<To> {
        self.found.mistake(
            place,
            (format!("一个目标不能同时有 {one} 和 {other}"), format!("a target cannot have both {one} and {other}")),
            ("拆成两个目标", "make two targets of it"),
        );
        None
    }

    /// A reference that must be one of `known`; returned even if it is not, because one report is enough.
    pub(super) fn known<T>(
        &mut self,
        name: &At<String>,
        known: Option<&Named<T>>,
        zh: &str,
        en: &str,
        section: &str,
    ) -> Option<String> {
        let text = name.get()?;
        if !known.is_some_and(|known| known.has(text)) {
            let names: Vec<&str> = known.into_iter().flat_map(Named::names).collect();
            self.found.mistake(
                name.place,
                (format!("{section} 里没有{zh} `{text}`"), format!("there is no {en} `{text}` in {section}")),
                did_you_mean(text, names.iter().copied()),
            );
        }
        Some(text.clone())
    }

    fn members(&mut self, place: Place, target: &file::Target, app: String, file: &File) -> Option<To> {
        let users = self.userids(target.users.as_ref(), "users");
        let users_file = self.users_file(target.users_file.as_ref());
        let on_call = self.duty(target.on_call.as_ref(), file);
        let parties = self.ids(target.parties.as_ref(), "parties");
        let tags = self.ids(target.tags.as_ref(), "tags");
        if users.is_empty() && users_file.is_none() && on_call.is_none() && parties.is_empty() && tags.is_empty() {
            // A list entry that did not fit was reported already.
            let named = target.on_call.is_some();
            if !named && blank(target.users.as_ref()) && blank(target.parties.as_ref()) && blank(target.tags.as_ref()) {
                self.found.mistake(
                    place,
                    ("成员名单是空的", "the lists of members are empty"),
                    ("至少写一个 userid、部门或标签", "write at least one userid, department or tag"),
                );
            }
            return None;
        }
        if users.iter().any(|user| user == "@all")
            && (users.len() > 1 || users_file.is_some() || on_call.is_some() || !parties.is_empty() || !tags.is_empty())
        {
            self.found.mistake(
                place,
                (
                    "有 \"@all\" 时其他成员、部门和标签都被忽略",
                    "beside \"@all\" all other members, departments and tags are ignored",
                ),
                ("只留 users: [\"@all\"]，或去掉它", "keep users: [\"@all\"] alone, or remove it"),
            );
        }
        Some(To::Members { app, users, users_file, on_call, parties, tags })
    }

    fn ids(&mut self, ids: Option<&At<Vec<At<i64>>>>, key: &str) -> Vec<i64> {
        let Some((place, ids)) = placed(ids) else { return Vec::new() };
        if ids.len() > MOST_PARTIES_OR_TAGS {
            self.too_many(place, key, MOST_PARTIES_OR_TAGS);
        }
        for (place, id) in ids.iter().filter_map(|id| placed(Some(id))).filter(|&(_, &id)| id <= 0) {
            self.found.mistake(
                place,
                (format!("`{key}` 里的 {id} 不是 ID"), format!("{id} in `{key}` is not an id")),
                ("部门和标签的 ID 是正整数", "ids of departments and tags are positive numbers"),
            );
        }
        ids.iter().filter_map(At::get).copied().collect()
    }

    pub(super) fn too_many(&mut self, place: Place, key: &str, most: usize) {
        self.found.mistake(
            place,
            (format!("`{key}` 超过 {most} 个"), format!("`{key}` holds more than {most}")),
            ("改用部门或标签，或拆成几个目标", "use a department or a tag, or make several targets"),
        );
    }

    fn chatid(&mut self, chat: &At<String>) -> Option<String> {
        let text = chat.get()?;
        let fits = (1..=CHATID_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits {
            self.found.mistake(
                chat.place,
                (format!("`{text}` 不是 chatid"), format!("`{text}` is not a chatid")),
                (
                    "chatid 是建群时的 1–32 个字母或数字，不是群名；群必须由这个应用创建：wegraf chat create",
                    "a chatid is the 1 to 32 letters and digits from the creation of the chat, not its name; the app itself must have created it: wegraf chat create",
                ),
            );
        }
        Some(text.clone())
    }

    fn parts(&mut self, parts: Option<&At<i64>>) -> u8 {
        let Some((place, &parts)) = placed(parts) else { return 1 };
        if !(1..=MOST_PARTS).contains(&parts) {
            self.found.mistake(
                place,
                (
                    format!("`parts` 是 {parts}，应在 1 到 {MOST_PARTS} 之间"),
                    format!("`parts` is {parts} and must be from 1 to {MOST_PARTS}"),
                ),
                ("1 表示截短，不分条", "1 shortens a long message instead of splitting it"),
            );
        }
        u8::try_from(parts).unwrap_or(1)
    }

    /// Members are notified anyway, so mentions do not apply; mobile numbers work on webhooks only; mail and hooks have
    /// neither, and carry text only.
    fn adornments_fit(&mut self, target: &file::Target, channel: Channel) {
        let calls = [target.mention.as_ref(), target.mention_from.as_ref()];
        for mention in calls.into_iter().flatten().filter(|_| channel == Channel::App) {
            self.found.mistake(
                mention.place,
                ("发给成员的应用消息不能 @ 人", "a message to members of an app cannot mention"),
                ("把人写进 users", "put the people into users"),
            );
        }
        if let Some(mobiles) = target.mention_mobiles.as_ref().filter(|_| channel != Channel::Webhook) {
            self.found.mistake(
                mobiles.place,
                ("只有 webhook 能按手机号 @ 人", "only a webhook can mention by mobile number"),
                ("群聊里用 mention: [userid]", "in a chat use mention: [userid]"),
            );
        }
        if channel.wecom().is_some() {
            return;
        }
        // A bot shows pictures, but mentions no one (docs/reference/wecom.md#channels).
        let pictures = channel == Channel::Bot;
        let image =
            target.image.as_ref().filter(|image| image.get() == Some(&true) && !pictures).map(|image| image.place);
        let [mention, mention_from] = calls.map(|list| list.map(|at| at.place));
        for (place, key) in [(mention, "mention"), (mention_from, "mention_from"), (image, "image")] {
            let Some(place) = place else { continue };
            self.found.mistake(
                place,
                (
                    format!("{}不能用 `{key}`", in_words(channel).0),
                    format!("{} cannot have `{key}`", in_words(channel).1),
                ),
                ("删掉它：那里没有这个功能", "remove it: there is no such thing there"),
            );
        }
    }

    pub(super) fn face_fits(&mut self, place: Place, face: Face, channel: Channel) {
        if face.fits(channel) {
            return;
        }
        let (zh, en) = in_words(channel);
        let faces = Face::ALL.into_iter().filter(|face| face.fits(channel));
        let faces: Vec<&str> = faces.map(Face::as_str).collect();
        self.found.mistake(
            place,
            (format!("{zh} 收不了样式 `{}`", face.as_str()), format!("{en} cannot take the face `{}`", face.as_str())),
            (format!("可用：{}", faces.join("、")), format!("it takes {}", faces.join(", "))),
        );
    }
}

const fn in_words(channel: Channel) -> (&'static str, &'static str) {
    match channel {
        Channel::App => ("应用成员", "members of an app"),
        Channel::Chat => ("应用群聊", "a chat of an app"),
        Channel::Webhook => ("webhook", "a webhook"),
        Channel::Email => ("邮件", "email"),
        Channel::Hook => ("通用 webhook", "a hook"),
        Channel::Bot => ("智能机器人", "a bot"),
    }
}

const fn names_members(target: &file::Target) -> bool {
    let named = target.users.is_some() || target.users_file.is_some() || target.on_call.is_some();
    named || target.parties.is_some() || target.tags.is_some()
}

fn blank<T>(list: Option<&At<Vec<T>>>) -> bool {
    list.is_none_or(|list| list.get().is_some_and(Vec::is_empty))
}
