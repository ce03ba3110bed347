//! Receivers, their targets, and the routes that lead to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::file::{self, File};
use super::finding::{Place, did_you_mean};
use super::resolve::{Global, Resolver, placed, value};
use super::yaml::{At, Named};
use super::{Face, Receiver, Target, To, users_in};
use crate::route::{Branch, Tree, parse_matchers};

/// An unchanged repeat is told once an hour.
const REPEAT_INTERVAL: Duration = Duration::from_hours(1);
/// Most parts of one message: a webhook takes 20 messages a minute, and others want to speak too.
const MOST_PARTS: i64 = 8;
/// Limits of one `message/send` (page 90236).
const MOST_USERS: usize = 1000;
const MOST_PARTIES_OR_TAGS: usize = 100;
/// Of a chatid that an app may choose (page 90245).
const CHATID_BYTES: usize = 32;

impl Resolver<'_> {
    pub(super) fn receivers(&mut self, file: &File, global: &Global<'_>) -> BTreeMap<String, Arc<Receiver>> {
        let written = value(file.receivers.as_ref());
        if file.receivers.is_none() || written.is_some_and(|named| named.0.is_empty()) {
            self.found.mistake(
                file.receivers.as_ref().map(|receivers| receivers.place).unwrap_or_default(),
                ("没有接收者：告警无处可发", "there are no receivers: alerts have nowhere to go"),
                (
                    "receivers: { ops: { targets: [ { webhook: ops-group } ] } }；或运行 wegraf init",
                    "receivers: { ops: { targets: [ { webhook: ops-group } ] } }; or run wegraf init",
                ),
            );
        }
        let Some(written) = written else { return BTreeMap::new() };
        let mut receivers = BTreeMap::new();
        for (name, place, receiver) in written.iter() {
            self.name(place, name);
            if let Some(receiver) = self.receiver(name, place, receiver, file, global) {
                receivers.insert(name.to_owned(), Arc::new(receiver));
            }
        }
        self.fallbacks(written);
        receivers
    }

    fn receiver(
        &mut self,
        name: &str,
        place: Place,
        receiver: &file::Receiver,
        file: &File,
        global: &Global<'_>,
    ) -> Option<Receiver> {
        let timezone = match receiver.timezone {
            Some(_) => self.timezone(receiver.timezone.as_ref()),
            None => global.timezone.clone(),
        };
        if let Some((place, template)) = placed(receiver.template.as_ref()) {
            let known = global.templates.iter().map(|template| template.name.as_str());
            if !known.clone().any(|name| name == template) {
                self.found.mistake(
                    place,
                    (format!("没有模板 `{template}`"), format!("there is no template `{template}`")),
                    did_you_mean(template, known),
                );
            }
        }
        let written = receiver.targets.get();
        if written.is_some_and(Vec::is_empty) {
            self.found.mistake(
                place,
                (format!("接收者 `{name}` 没有目标"), format!("receiver `{name}` has no targets")),
                ("在 targets 下至少写一个", "write at least one below targets"),
            );
        }
        let mut targets: Vec<Target> = Vec::new();
        for (place, target) in written.into_iter().flatten().filter_map(|target| placed(Some(target))) {
            let Some(target) = self.target(place, target, file.wecom.as_ref().and_then(At::get)) else { continue };
            if targets.iter().any(|other| other.lane() == target.lane()) {
                self.found.mistake(
                    place,
                    (format!("接收者 `{name}` 里这个目标写了两次"), format!("receiver `{name}` has this target twice")),
                    ("删掉一个，否则每条告警发两遍", "remove one, or every alert is told twice"),
                );
            }
            targets.push(target);
        }
        Some(Receiver {
            name: name.to_owned(),
            language: value(receiver.language.as_ref()).copied().unwrap_or(global.language),
            timezone: timezone?,
            template: value(receiver.template.as_ref()).cloned(),
            targets,
            send_resolved: value(receiver.send_resolved.as_ref()).copied().unwrap_or(true),
            repeat_interval: self.duration(receiver.repeat_interval.as_ref()).unwrap_or(REPEAT_INTERVAL),
            fallback: value(receiver.fallback.as_ref()).cloned(),
        })
    }

    fn duration(&mut self, duration: Option<&At<String>>) -> Option<Duration> {
        let (place, text) = placed(duration)?;
        let parsed = parse_duration(text);
        if parsed.is_none() {
            self.found.mistake(
                place,
                (format!("`{text}` 不是时长"), format!("`{text}` is not a duration")),
                ("写成数字加单位：30s、5m、1h、1d", "write a number with a unit: 30s, 5m, 1h, 1d"),
            );
        }
        parsed
    }

    fn target(&mut self, place: Place, target: &file::Target, wecom: Option<&file::WeCom>) -> Option<Target> {
        let to = self.address(place, target, wecom)?;
        let made = Target {
            face: Face::Text,
            mention: self.userids(target.mention.as_ref(), "mention"),
            mention_mobiles: self.mobiles(target.mention_mobiles.as_ref()),
            image: value(target.image.as_ref()).copied().unwrap_or_default(),
            parts: self.parts(target.parts.as_ref()),
            to,
        };
        let channel = made.channel();
        self.mentions_fit(target, channel);
        let face = match placed(target.face.as_ref()) {
            None if channel == wecom::Channel::Webhook => Face::MarkdownV2,
            None => Face::Markdown,
            Some((place, &face)) => {
                self.face_fits(place, face, channel);
                face
            }
        };
        Some(Target { face, ..made })
    }

    /// Which of the ways to write an address this is; names in it must lead to something.
    fn address(&mut self, place: Place, target: &file::Target, wecom: Option<&file::WeCom>) -> Option<To> {
        if let Some(bot) = &target.bot {
            self.found.mistake(
                bot.place,
                (
                    "这个版本还不支持发给智能机器人（计划在后续版本）",
                    "bots are not in this version yet (coming: a later release)",
                ),
                ("先用 webhook，或 app 加 users", "use a webhook, or an app with users, instead"),
            );
            return None;
        }
        let members =
            target.users.is_some() || target.users_file.is_some() || target.parties.is_some() || target.tags.is_some();
        match (&target.app, &target.webhook) {
            (Some(app), None) => {
                let known = wecom.and_then(|wecom| value(wecom.apps.as_ref()));
                let app = self.known(app, known, "应用", "app", "wecom.apps");
                match (&target.chat, members) {
                    (Some(chat), false) => Some(To::Chat { app: app?, chat: self.chatid(chat)? }),
                    (None, true) => self.members(place, target, app?),
                    (Some(_), true) => self.ambiguous(place, "`chat`", "`users`/`parties`/`tags`"),
                    (None, false) => {
                        self.found.mistake(
                            place,
                            ("有 `app`，但没有写发给谁", "there is an `app`, but nobody to send to"),
                            (
                                "加上 users、users_file、parties、tags 或 chat",
                                "add users, users_file, parties, tags or chat",
                            ),
                        );
                        None
                    }
                }
            }
            (None, Some(webhook)) => {
                if members || target.chat.is_some() {
                    return self.ambiguous(place, "`webhook`", "`users`/`chat`");
                }
                let known = wecom.and_then(|wecom| value(wecom.webhooks.as_ref()));
                Some(To::Webhook { webhook: self.known(webhook, known, "消息推送", "webhook", "wecom.webhooks")? })
            }
            (Some(_), Some(_)) => self.ambiguous(place, "`app`", "`webhook`"),
            (None, None) => {
                self.found.mistake(
                    place,
                    ("目标没有写发到哪里", "the target does not say where to send"),
                    (
                        "{ webhook: 名字 }、{ app: 名字, users: [userid] } 或 { app: 名字, chat: chatid }",
                        "{ webhook: NAME }, { app: NAME, users: [userid] } or { app: NAME, chat: CHATID }",
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

    /// A name that must be one of `known`; given back even so, because one mistake is enough.
    fn known<T>(
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

    fn members(&mut self, place: Place, target: &file::Target, app: String) -> Option<To> {
        let users = self.userids(target.users.as_ref(), "users");
        let users_file = self.users_file(target.users_file.as_ref());
        let parties = self.ids(target.parties.as_ref(), "parties");
        let tags = self.ids(target.tags.as_ref(), "tags");
        if users.is_empty() && users_file.is_none() && parties.is_empty() && tags.is_empty() {
            // What is in a list and did not fit is on the list of mistakes already.
            if blank(target.users.as_ref()) && blank(target.parties.as_ref()) && blank(target.tags.as_ref()) {
                self.found.mistake(
                    place,
                    ("成员名单是空的", "the lists of members are empty"),
                    ("至少写一个 userid、部门或标签", "write at least one userid, department or tag"),
                );
            }
            return None;
        }
        if users.iter().any(|user| user == "@all")
            && (users.len() > 1 || users_file.is_some() || !parties.is_empty() || !tags.is_empty())
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
        Some(To::Members { app, users, users_file, parties, tags })
    }

    fn userids(&mut self, users: Option<&At<Vec<At<String>>>>, key: &str) -> Vec<String> {
        let Some((place, users)) = placed(users) else { return Vec::new() };
        if users.len() > MOST_USERS {
            self.too_many(place, key, MOST_USERS);
        }
        let mut found = Vec::new();
        for (place, user) in users.iter().filter_map(|user| placed(Some(user))) {
            if user != "@all" && !is_userid(user) {
                self.found.mistake(
                    place,
                    (format!("`{user}` 不是 userid"), format!("`{user}` is not a userid")),
                    (
                        "userid 是管理后台 → 通讯录 → 成员详情里的“账号”：1–64 个字母、数字或 _ - @ .，不是姓名；多个用列表",
                        "a userid is the 账号 of the member in the admin console: 1 to 64 letters, digits or _ - @ . and not the name; several make a list",
                    ),
                );
            }
            found.push(user.clone());
        }
        found
    }

    /// A missing or empty file is a note: it may be filled while wegraf runs.
    fn users_file(&mut self, file: Option<&At<PathBuf>>) -> Option<PathBuf> {
        let (place, path) = placed(file)?;
        let path = self.folder.join(path);
        let (zh, en) = match std::fs::read_to_string(&path) {
            Err(error) => (
                format!("现在读不到 {}（{error}）", path.display()),
                format!("{} cannot be read now ({error})", path.display()),
            ),
            Ok(text) if users_in(&text).is_empty() => {
                (format!("{} 里没有 userid", path.display()), format!("there is no userid in {}", path.display()))
            }
            Ok(text) => {
                for user in users_in(&text).into_iter().filter(|user| !is_userid(user) && *user != "@all") {
                    self.found.note(
                        place,
                        (
                            format!("{} 里的 `{user}` 不是 userid", path.display()),
                            format!("`{user}` in {} is not a userid", path.display()),
                        ),
                        ("一行一个 userid（账号），不是姓名", "one userid (账号) a line, not names"),
                    );
                }
                return Some(path);
            }
        };
        self.found.note(
            place,
            (format!("users_file：{zh}"), format!("users_file: {en}")),
            (
                "建立这个文件，一行一个 userid；改动后自动重读",
                "make the file, one userid a line; it is read anew when it changes",
            ),
        );
        Some(path)
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

    fn too_many(&mut self, place: Place, key: &str, most: usize) {
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

    fn mobiles(&mut self, mobiles: Option<&At<Vec<At<String>>>>) -> Vec<String> {
        let Some((_, mobiles)) = placed(mobiles) else { return Vec::new() };
        let mut found = Vec::new();
        for (place, mobile) in mobiles.iter().filter_map(|mobile| placed(Some(mobile))) {
            let digits = mobile.trim_start_matches('+');
            let fits = (5..=32).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            if mobile != "@all" && !fits {
                self.found.mistake(
                    place,
                    (format!("`{mobile}` 不是手机号"), format!("`{mobile}` is not a mobile number")),
                    ("只写数字，例如 \"13800000000\"", "digits only, for example \"13800000000\""),
                );
            }
            found.push(mobile.clone());
        }
        found
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

    /// Members are told themselves, so there is nobody to mention; mobile numbers work on webhooks only.
    fn mentions_fit(&mut self, target: &file::Target, channel: wecom::Channel) {
        if let Some(mention) = target.mention.as_ref().filter(|_| channel == wecom::Channel::App) {
            self.found.mistake(
                mention.place,
                ("发给成员的应用消息不能 @ 人", "a message to members of an app cannot mention"),
                ("把人写进 users", "put the people into users"),
            );
        }
        if let Some(mobiles) = target.mention_mobiles.as_ref().filter(|_| channel != wecom::Channel::Webhook) {
            self.found.mistake(
                mobiles.place,
                ("只有 webhook 能按手机号 @ 人", "only a webhook can mention by mobile number"),
                ("群聊里用 mention: [userid]", "in a chat use mention: [userid]"),
            );
        }
    }

    fn face_fits(&mut self, place: Place, face: Face, channel: wecom::Channel) {
        if face.fits(channel) {
            return;
        }
        let (zh, en) = match channel {
            wecom::Channel::App => ("应用成员", "members of an app"),
            wecom::Channel::Chat => ("应用群聊", "a chat of an app"),
            wecom::Channel::Webhook => ("webhook", "a webhook"),
        };
        let faces = Face::ALL.into_iter().filter(|face| face.fits(channel));
        let faces: Vec<&str> = faces.map(Face::as_str).collect();
        self.found.mistake(
            place,
            (format!("{zh}收不了样式 `{}`", face.as_str()), format!("{en} cannot take the face `{}`", face.as_str())),
            (format!("可用：{}", faces.join("、")), format!("it takes {}", faces.join(", "))),
        );
    }

    /// A fallback must be a receiver, and the way from one to the next must end.
    fn fallbacks(&mut self, receivers: &Named<file::Receiver>) {
        let next: BTreeMap<&str, &At<String>> =
            receivers.iter().filter_map(|(name, _, receiver)| Some((name, receiver.fallback.as_ref()?))).collect();
        let mut reported: Vec<&str> = Vec::new();
        for (&name, &fallback) in &next {
            self.known(fallback, Some(receivers), "接收者", "receiver", "receivers");
            self.not_yet(fallback.place, &format!("receivers.{name}.fallback"));
            let mut chain = vec![name];
            while let Some(following) = next.get(chain[chain.len() - 1]).and_then(|at| at.get()) {
                if let Some(start) = chain.iter().position(|seen| seen == following) {
                    // Every member of the ring comes by here; one of them is enough.
                    if start == 0 && !reported.contains(&name) {
                        let ring = format!("{} → {name}", chain.join(" → "));
                        self.found.mistake(
                            fallback.place,
                            (format!("fallback 绕成了圈：{ring}"), format!("the fallbacks go round in a ring: {ring}")),
                            ("最后一个接收者不要写 fallback", "give the last receiver no fallback"),
                        );
                        reported.extend(&chain);
                    }
                    break;
                }
                chain.push(following);
            }
        }
    }

    pub(super) fn route(&mut self, file: &File) -> Option<Tree> {
        let receivers = value(file.receivers.as_ref());
        let Some(route) = &file.route else {
            let names: Vec<&str> = receivers.into_iter().flat_map(Named::names).collect();
            if let [only] = names[..] {
                return Some(Tree::new(only.to_owned(), Vec::new()));
            }
            if !names.is_empty() {
                self.found.mistake(
                    Place::default(),
                    ("有多个接收者，但没有 `route`", "there are several receivers and no `route`"),
                    (format!("route: {{ receiver: {} }}", names[0]), format!("route: {{ receiver: {} }}", names[0])),
                );
            }
            return None;
        };
        let root = route.get()?;
        let receiver = self.receiver_name(Some(&root.receiver), receivers);
        let routes = self.branches(root.routes.as_ref(), receivers);
        Some(Tree::new(receiver?, routes))
    }

    fn branches(
        &mut self,
        routes: Option<&At<Vec<At<file::Route>>>>,
        receivers: Option<&Named<file::Receiver>>,
    ) -> Vec<Branch> {
        let mut branches = Vec::new();
        for (place, route) in value(routes).into_iter().flatten().filter_map(|route| placed(Some(route))) {
            let matchers = self.matchers(route.matchers.as_ref());
            let continues = value(route.continues.as_ref()).copied().unwrap_or_default();
            if route.matchers.is_none() && !continues {
                self.found.note(
                    place,
                    (
                        "这条路由没有 matchers：它接住所有告警，后面的路由轮不到",
                        "this route has no matchers: it takes every alert, and the routes below it get none",
                    ),
                    ("加上 matchers，或放到最后", "add matchers, or move it to the end"),
                );
            }
            let receiver = self.receiver_name(route.receiver.as_ref(), receivers);
            let routes = self.branches(route.routes.as_ref(), receivers);
            branches.push(Branch { receiver, matchers, continues, routes });
        }
        branches
    }

    fn receiver_name(
        &mut self,
        name: Option<&At<String>>,
        receivers: Option<&Named<file::Receiver>>,
    ) -> Option<String> {
        self.known(name?, receivers, "接收者", "receiver", "receivers")
    }

    fn matchers(&mut self, matchers: Option<&At<Vec<At<String>>>>) -> Vec<crate::route::Matcher> {
        let mut parsed = Vec::new();
        for (place, text) in value(matchers).into_iter().flatten().filter_map(|text| placed(Some(text))) {
            match parse_matchers(text) {
                Ok(matchers) => parsed.extend(matchers),
                Err(error) => self.found.mistake(
                    place,
                    (
                        format!("匹配条件 `{text}` 第 {} 个字符：{}", error.position, error.zh),
                        format!("matcher `{text}`, character {}: {}", error.position, error.en),
                    ),
                    (error.remedy_zh, error.remedy_en),
                ),
            }
        }
        parsed
    }
}

fn blank<T>(list: Option<&At<Vec<T>>>) -> bool {
    list.is_none_or(|list| list.get().is_some_and(Vec::is_empty))
}

/// 1 to 64 bytes of letters, digits and `_ . @ -` (wecom-api §1).
fn is_userid(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('@')
}

/// `90s`, `5m`, `1h30m`, `1d`; longer than nothing and at most a year.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut number = String::new();
    for letter in text.trim().chars() {
        let unit = match letter {
            '0'..='9' => {
                number.push(letter);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    let fits = number.is_empty() && (1..=365 * 86_400).contains(&seconds);
    fits.then(|| Duration::from_secs(seconds))
}
