//! The addresses of other programs that a source enables, and the targets of their keys and tokens.

use secrecy::{ExposeSecret as _, SecretString};
use std::borrow::Cow;

use super::at::{At, Named};
use super::doors::{Addressee, AppDoor, AsWecom, DropIns, Robot, RobotDoor};
use super::file::{self, File, Secret};
use super::finding::{Place, did_you_mean};
use super::resolve::{Resolver, placed, value};
use crate::names::SourceId;

/// A credential in a URL is guessed over the network: shorter ones get a warning.
const SHORT: usize = 24;
/// The name of a token that means the routes.
const ROUTES: &str = "*";

/// The source whose addresses are looked at.
#[derive(Clone, Copy)]
struct Of<'a> {
    source: &'a str,
    /// The receivers to which it may post; `None`: to all.
    scope: Option<&'a [At<String>]>,
    file: &'a File,
}

impl Of<'_> {
    fn within(&self, receiver: &str) -> bool {
        self.scope.is_none_or(|scope| scope.iter().any(|known| known.get().is_none_or(|known| known == receiver)))
    }
}

impl Resolver<'_> {
    pub(super) fn dropins(&mut self, file: &File) -> Vec<DropIns> {
        let mut resolved = Vec::new();
        for (name, _, source) in value(file.sources.as_ref()).into_iter().flat_map(Named::iter) {
            let of = Of { source: name, scope: value(source.receivers.as_ref()).map(Vec::as_slice), file };
            let wecom = value(source.wecom.as_ref()).map(|wecom| self.as_wecom(of, wecom));
            let robots: Vec<(Robot, RobotDoor)> = source
                .robots()
                .filter_map(|(robot, door)| Some((robot, door.get()?)))
                .map(|(robot, door)| (robot, self.robot(of, robot, door)))
                .collect();
            if wecom.is_some() || !robots.is_empty() {
                resolved.push(DropIns { source: SourceId::Configured(name.to_owned()), wecom, robots });
            }
        }
        resolved.sort_by(|a, b| a.source.stored().cmp(&b.source.stored()));
        resolved
    }

    fn as_wecom(&mut self, of: Of<'_>, wecom: &file::AsWecom) -> AsWecom {
        let path = format!("sources.{}.wecom", of.source);
        let keys = self.tokens(of, wecom.keys.as_ref(), &format!("{path}.keys"), false);
        let receivers = value(of.file.receivers.as_ref());
        let mut apps = Vec::new();
        for (place, door) in value(wecom.apps.as_ref()).into_iter().flatten().filter_map(|door| placed(Some(door))) {
            let app = self.known_app(of, &door.app);
            let secret = self.url_secret(&door.secret, &format!("{path}.apps.secret"));
            let receiver = door.receiver.as_ref();
            if let (None, Some(_)) = (receiver, of.scope) {
                self.outside(
                    of,
                    place,
                    (
                        format!("`{path}.apps` 里这一项没有 receiver"),
                        format!("this entry of `{path}.apps` has no receiver"),
                    ),
                    ("写上 receiver，它须在来源的 receivers 里", "give it a receiver of the source's receivers"),
                );
            }
            let receiver = receiver.and_then(|name| {
                self.stays_within(of, name);
                self.known(name, receivers, "接收者", "receiver", "receivers")
            });
            if let (Some(app), Some(secret)) = (app, secret) {
                apps.push(AppDoor { app, secret, receiver });
            }
        }
        let flag = |flag: Option<&At<bool>>| value(flag).copied().unwrap_or_default();
        let own_keys = flag(wecom.own_keys.as_ref());
        if let (true, Some(_), Some((place, _))) = (own_keys, of.scope, placed(wecom.own_keys.as_ref())) {
            self.outside(
                of,
                place,
                (format!("`{path}.own_keys` 不经过接收者"), format!("`{path}.own_keys` goes by no receiver")),
                (
                    "删掉 own_keys，在 keys 里给每个接收者定一个 key",
                    "remove own_keys and name a key for each receiver under keys",
                ),
            );
        }
        AsWecom {
            keys,
            apps,
            own_keys,
            allow_users: value(wecom.allow_users.as_ref())
                .map(|users| users.iter().filter_map(At::get).cloned().collect()),
            pass_through: flag(wecom.pass_through.as_ref()),
            read: flag(wecom.read.as_ref()),
        }
    }

    fn robot(&mut self, of: Of<'_>, robot: Robot, door: &file::Robot) -> RobotDoor {
        let path = format!("sources.{}.{}", of.source, robot.as_str());
        if let Some(secret) = door.secret.as_ref().filter(|_| !robot.signs()) {
            let signing = keys(Robot::signs);
            self.found.mistake(
                secret.place,
                (format!("`{path}` 没有加签"), format!("`{path}` has no signature")),
                (
                    format!("删掉 secret；只有 {} 有", signing.join("、")),
                    format!("remove secret: only {} have one", signing.join(" and ")),
                ),
            );
        }
        let app = door.app.as_ref().and_then(|app| {
            if !robot.names_members() {
                let naming = keys(Robot::names_members);
                self.found.mistake(
                    app.place,
                    (format!("`{path}` 的请求不写成员"), format!("calls of `{path}` name no members")),
                    (
                        format!("删掉 app；只有 {} 有", naming.join("、")),
                        format!("remove app: only {} have one", naming.join(" and ")),
                    ),
                );
            } else if of.scope.is_some() {
                self.outside(
                    of,
                    app.place,
                    (
                        format!("`{path}.app` 通知请求里写的任何人"),
                        format!("`{path}.app` tells anybody whom a call names"),
                    ),
                    (
                        "删掉 app，用 tokens 指向接收者，或去掉来源的 receivers",
                        "remove app and name receivers under tokens, or remove the source's receivers",
                    ),
                );
            }
            self.known_app(of, app)
        });
        RobotDoor {
            tokens: self.tokens(of, door.tokens.as_ref(), &format!("{path}.tokens"), true),
            secret: door.secret.as_ref().and_then(|secret| self.secret(secret, &format!("{path}.secret"))),
            mention_all: value(door.mention_all.as_ref()).copied().unwrap_or_default(),
            app,
            // A key of a webhook goes by no receiver.
            own_keys: robot.is_bridge() && of.scope.is_none(),
        }
    }

    fn known_app(&mut self, of: Of<'_>, app: &At<String>) -> Option<String> {
        let known = value(of.file.wecom.as_ref()).and_then(|wecom| value(wecom.apps.as_ref()));
        self.known(app, known, "应用", "app", "wecom.apps")
    }

    fn tokens(
        &mut self,
        of: Of<'_>,
        tokens: Option<&At<Named<Secret>>>,
        path: &str,
        routes: bool,
    ) -> Vec<(SecretString, Addressee)> {
        let mut resolved = Vec::new();
        let named = placed(tokens).map(|(_, named)| named);
        for (name, secret) in named.into_iter().flat_map(|named| &named.0) {
            let addressee = self.addressee(of, name, routes);
            let secret = self.url_secret(secret, &format!("{path}.{}", name.get().map_or("", String::as_str)));
            resolved.extend(secret.zip(addressee));
        }
        resolved
    }

    /// A credential that stands in a URL.
    fn url_secret(&mut self, secret: &At<Secret>, path: &str) -> Option<SecretString> {
        let text = self.secret(secret, path)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        if text.expose_secret().len() < SHORT && !self.is_stand_in(&text) {
            self.found.note(
                secret.place,
                (format!("`{path}` 太短，容易被猜中"), format!("`{path}` is so short that it can be guessed")),
                (
                    format!("至少 {SHORT} 个字符，例如 openssl rand -hex 16 的输出"),
                    format!("at least {SHORT} characters, for example what openssl rand -hex 16 prints"),
                ),
            );
        } else if !text.expose_secret().bytes().all(plain) && !self.is_stand_in(&text) {
            self.found.mistake(
                secret.place,
                (format!("`{path}` 不能原样放进地址"), format!("`{path}` cannot stand in an address as it is")),
                ("只用字母、数字和 - _ . ~", "use letters, digits and - _ . ~ only"),
            );
        }
        Some(text)
    }

    /// The target of a name: a receiver first. The scope of the source applies; the routes are within the scope anyway.
    fn addressee(&mut self, of: Of<'_>, name: &At<String>, routes: bool) -> Option<Addressee> {
        let text = name.get()?;
        let receivers = value(of.file.receivers.as_ref());
        let webhooks = value(of.file.wecom.as_ref()).and_then(|wecom| value(wecom.webhooks.as_ref()));
        if routes && text == ROUTES {
            return Some(Addressee::Routes);
        }
        if receivers.is_some_and(|named| named.has(text)) {
            self.stays_within(of, name);
            return Some(Addressee::Receiver(text.clone()));
        }
        if webhooks.is_some_and(|named| named.has(text)) {
            if of.scope.is_some() {
                self.outside(
                    of,
                    name.place,
                    (
                        format!("`{text}` 是消息推送，不经过接收者"),
                        format!("`{text}` is a webhook, which goes by no receiver"),
                    ),
                    (
                        format!("写一个以 `{text}` 为目标的接收者，它须在来源的 receivers 里"),
                        format!("name a receiver with `{text}` as its target, one of the source's receivers"),
                    ),
                );
            }
            return Some(Addressee::Webhook(text.clone()));
        }
        let names: Vec<&str> =
            receivers.into_iter().flat_map(Named::names).chain(webhooks.into_iter().flat_map(Named::names)).collect();
        self.unknown_addressee(name.place, text, &names);
        None
    }

    /// A source that may post to some receivers only may have addresses of these only.
    fn stays_within(&mut self, of: Of<'_>, receiver: &At<String>) {
        let Some(name) = receiver.get().filter(|name| !of.within(name)) else { return };
        let scope: Vec<&str> = of.scope.into_iter().flatten().filter_map(At::get).map(String::as_str).collect();
        self.outside(
            of,
            receiver.place,
            (format!("`{name}` 不在其中"), format!("`{name}` is none of them")),
            (
                format!("写 {} 之一，或把 `{name}` 加进来源的 receivers", scope.join("、")),
                format!("name one of {}, or add `{name}` to the source's receivers", scope.join(", ")),
            ),
        );
    }

    fn outside(
        &mut self,
        of: Of<'_>,
        place: Place,
        (zh, en): (String, String),
        remedy: (impl Into<Cow<'static, str>>, impl Into<Cow<'static, str>>),
    ) {
        let source = of.source;
        self.found.mistake(
            place,
            (
                format!("来源 `{source}` 只能投递给它的 receivers：{zh}"),
                format!("source `{source}` may post to its receivers only: {en}"),
            ),
            remedy,
        );
    }

    fn unknown_addressee(&mut self, place: Place, text: &str, names: &[&str]) {
        self.found.mistake(
            place,
            (format!("没有叫 `{text}` 的接收者或消息推送"), format!("no receiver and no webhook is called `{text}`")),
            did_you_mean(text, names.iter().copied()),
        );
    }
}

/// Does the source have an address of its own by which it proves itself?
pub(super) fn any(source: &file::Source) -> bool {
    source.wecom.is_some() || source.robots().next().is_some()
}

/// The targets of its keys, tokens and apps.
pub(super) fn named(source: &file::Source) -> impl Iterator<Item = &String> {
    let wecom = value(source.wecom.as_ref());
    let keys = wecom.and_then(|wecom| value(wecom.keys.as_ref()));
    let robots = source.robots().filter_map(|(_, door)| value(door.get()?.tokens.as_ref()));
    let tokens = keys.into_iter().chain(robots).flat_map(|named| &named.0).filter_map(|(name, _)| name.get());
    let apps = wecom.and_then(|wecom| value(wecom.apps.as_ref())).into_iter().flatten().filter_map(At::get);
    tokens.chain(apps.filter_map(|door| value(door.receiver.as_ref())))
}

/// The keys of the programs for which `holds` is true.
fn keys(holds: fn(Robot) -> bool) -> Vec<&'static str> {
    Robot::ALL.iter().filter(|robot| holds(**robot)).map(|robot| robot.as_str()).collect()
}
