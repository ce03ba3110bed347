//! Which addresses of other programs a source may use, and whom their keys and tokens mean.

use secrecy::{ExposeSecret as _, SecretString};

use super::at::{At, Named};
use super::doors::{Addressee, AppDoor, AsWecom, DropIns, Robot, RobotDoor};
use super::file::{self, File, Secret};
use super::finding::{Place, did_you_mean};
use super::resolve::{Resolver, placed, value};
use crate::names::SourceId;

/// A credential that stands in a URL can be tried by anybody who reaches the address: shorter ones are warned of.
const SHORT: usize = 24;
/// The name of a token that means the routes.
const ROUTES: &str = "*";

impl Resolver<'_> {
    pub(super) fn dropins(&mut self, file: &File) -> Vec<DropIns> {
        let mut resolved = Vec::new();
        for (name, _, source) in value(file.sources.as_ref()).into_iter().flat_map(Named::iter) {
            let wecom = value(source.wecom.as_ref()).map(|wecom| self.as_wecom(name, wecom, file));
            let robots: Vec<(Robot, RobotDoor)> = written(source)
                .into_iter()
                .filter_map(|(robot, door)| Some((robot, value(door)?)))
                .map(|(robot, door)| (robot, self.robot(name, robot, door, file)))
                .collect();
            if wecom.is_some() || !robots.is_empty() {
                resolved.push(DropIns { source: SourceId::Configured(name.to_owned()), wecom, robots });
            }
        }
        resolved.sort_by(|a, b| a.source.stored().cmp(&b.source.stored()));
        resolved
    }

    fn as_wecom(&mut self, source: &str, wecom: &file::AsWecom, file: &File) -> AsWecom {
        let path = format!("sources.{source}.wecom");
        let keys = self.tokens(wecom.keys.as_ref(), &format!("{path}.keys"), false, file);
        let known = value(file.wecom.as_ref()).and_then(|wecom| value(wecom.apps.as_ref()));
        let receivers = value(file.receivers.as_ref());
        let mut apps = Vec::new();
        for door in value(wecom.apps.as_ref()).into_iter().flatten().filter_map(At::get) {
            let app = self.known(&door.app, known, "应用", "app", "wecom.apps");
            let secret = self.url_secret(&door.secret, &format!("{path}.apps.secret"));
            let receiver = door.receiver.as_ref();
            let receiver = receiver.and_then(|name| self.known(name, receivers, "接收者", "receiver", "receivers"));
            if let (Some(app), Some(secret)) = (app, secret) {
                apps.push(AppDoor { app, secret, receiver });
            }
        }
        let flag = |flag: Option<&At<bool>>| value(flag).copied().unwrap_or_default();
        AsWecom {
            keys,
            apps,
            own_keys: flag(wecom.own_keys.as_ref()),
            allow_users: value(wecom.allow_users.as_ref())
                .map(|users| users.iter().filter_map(At::get).cloned().collect()),
            pass_through: flag(wecom.pass_through.as_ref()),
            read: flag(wecom.read.as_ref()),
        }
    }

    fn robot(&mut self, source: &str, robot: Robot, door: &file::Robot, file: &File) -> RobotDoor {
        let path = format!("sources.{source}.{}", robot.as_str());
        let signs = matches!(robot, Robot::Dingtalk | Robot::Feishu);
        if let Some(secret) = door.secret.as_ref().filter(|_| !signs) {
            self.found.mistake(
                secret.place,
                (format!("`{path}` 没有加签"), format!("`{path}` has no signature")),
                ("删掉 secret；只有 dingtalk 和 feishu 有", "remove secret: only dingtalk and feishu have one"),
            );
        }
        RobotDoor {
            tokens: self.tokens(door.tokens.as_ref(), &format!("{path}.tokens"), true, file),
            secret: door.secret.as_ref().and_then(|secret| self.secret(secret, &format!("{path}.secret"))),
            mention_all: value(door.mention_all.as_ref()).copied().unwrap_or_default(),
        }
    }

    fn tokens(
        &mut self,
        tokens: Option<&At<Named<Secret>>>,
        path: &str,
        routes: bool,
        file: &File,
    ) -> Vec<(SecretString, Addressee)> {
        let mut resolved = Vec::new();
        let named = placed(tokens).map(|(_, named)| named);
        for (name, secret) in named.into_iter().flat_map(|named| &named.0) {
            let addressee = self.addressee(name, routes, file);
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

    /// Whom a name means: a receiver first.
    fn addressee(&mut self, name: &At<String>, routes: bool, file: &File) -> Option<Addressee> {
        let text = name.get()?;
        let receivers = value(file.receivers.as_ref());
        let webhooks = value(file.wecom.as_ref()).and_then(|wecom| value(wecom.webhooks.as_ref()));
        if routes && text == ROUTES {
            return Some(Addressee::Routes);
        }
        if receivers.is_some_and(|named| named.has(text)) {
            return Some(Addressee::Receiver(text.clone()));
        }
        if webhooks.is_some_and(|named| named.has(text)) {
            return Some(Addressee::Webhook(text.clone()));
        }
        let names: Vec<&str> =
            receivers.into_iter().flat_map(Named::names).chain(webhooks.into_iter().flat_map(Named::names)).collect();
        self.unknown_addressee(name.place, text, &names);
        None
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
    source.wecom.is_some() || written(source).iter().any(|(_, door)| door.is_some())
}

fn written(source: &file::Source) -> [(Robot, Option<&At<file::Robot>>); 7] {
    [
        (Robot::Dingtalk, source.dingtalk.as_ref()),
        (Robot::Feishu, source.feishu.as_ref()),
        (Robot::Slack, source.slack.as_ref()),
        (Robot::Prometheusalert, source.prometheusalert.as_ref()),
        (Robot::A2w, source.a2w.as_ref()),
        (Robot::Bougou, source.bougou.as_ref()),
        (Robot::Timonwong, source.timonwong.as_ref()),
    ]
}
