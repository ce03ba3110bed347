//! The accounts for WeCom: apps, webhooks, bots.

use std::collections::BTreeMap;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::at::{At, Named};
use super::file::{self, Secret};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::{AppAccount, BotAccount, Callback, WeCom};

const API_URL: &str = "https://qyapi.weixin.qq.com";
/// Where browsers sign in to web pages: WeCom's own (page 91022), and others (98171).
const OAUTH_URL: &str = "https://open.weixin.qq.com";
const LOGIN_URL: &str = "https://login.work.weixin.qq.com";
/// Where bots connect (docs/reference/wecom.md#bot-frames).
const BOT_URL: &str = "wss://openws.work.weixin.qq.com";
/// Most keys of one webhook: each sends 20 messages a minute, more than people can read.
const MOST_KEYS: usize = 10;

impl Resolver<'_> {
    pub(super) fn wecom(&mut self, wecom: Option<&file::WeCom>) -> Option<WeCom> {
        let empty = file::WeCom::default();
        let wecom = wecom.unwrap_or(&empty);
        let mut or = |url: Option<&At<String>>, path, usual: &str| match url {
            Some(_) => self.url(url, path),
            None => Some(usual.to_owned()),
        };
        let api_url = or(wecom.api_url.as_ref(), "wecom.api_url", API_URL);
        let oauth_url = or(wecom.oauth_url.as_ref(), "wecom.oauth_url", OAUTH_URL);
        let login_url = or(wecom.login_url.as_ref(), "wecom.login_url", LOGIN_URL);
        let mut apps = BTreeMap::new();
        for (name, place, app) in value(wecom.apps.as_ref()).into_iter().flat_map(Named::iter) {
            self.name(place, name);
            if let Some(account) = self.app(name, app) {
                apps.insert(name.to_owned(), account);
            }
        }
        let mut webhooks = BTreeMap::new();
        for (name, place, webhook) in value(wecom.webhooks.as_ref()).into_iter().flat_map(Named::iter) {
            self.name(place, name);
            if let Some(keys) = self.webhook_keys(name, place, webhook) {
                webhooks.insert(name.to_owned(), keys);
            }
        }
        let (bot_url, bots) = self.bots(wecom);
        let ca_file = self.ca_file(wecom.ca_file.as_ref(), "wecom.ca_file");
        let proxy = wecom
            .proxy
            .as_ref()
            .and_then(|proxy| self.secret_url(proxy, "wecom.proxy", "http://proxy.example.com:3128"));
        Some(WeCom {
            api_url: api_url?,
            oauth_url: oauth_url?,
            login_url: login_url?,
            proxy,
            ca_file,
            apps,
            webhooks,
            bot_url,
            bots,
        })
    }

    /// A bundle of certificates; what is in it is read when the client is made.
    pub(super) fn ca_file(&mut self, file: Option<&At<PathBuf>>, path: &str) -> Option<PathBuf> {
        let (place, file) = placed(file)?;
        let file = self.folder.join(file);
        if let Err(error) = std::fs::metadata(&file) {
            self.unreadable(place, path, &file, &error);
        }
        Some(file)
    }

    fn app(&mut self, name: &str, app: &file::App) -> Option<AppAccount> {
        let secret = self.secret(&app.secret, &format!("wecom.apps.{name}.secret"));
        let callback = value(app.callback.as_ref()).and_then(|callback| self.callback(name, callback));
        if let Some((place, _)) = placed(Some(&app.corp_id)).filter(|(_, id)| !is_token(id)) {
            self.found.mistake(
                place,
                ("企业 ID 只含字母和数字", "a corp id holds letters and digits only"),
                (
                    "管理后台 → 我的企业 → 企业 ID，以 ww 开头",
                    "admin console → “我的企业” → “企业ID”; it begins with ww",
                ),
            );
        }
        if let Some((place, _)) = placed(Some(&app.agent_id)).filter(|&(_, &id)| id <= 0) {
            self.found.mistake(
                place,
                ("agent_id 应是正整数", "agent_id must be a positive number"),
                (
                    "管理后台 → 应用管理 → 应用详情 → AgentId，例如 1000002",
                    "admin console → “应用管理” → the app → AgentId, for example 1000002",
                ),
            );
        }
        Some(AppAccount {
            corp_id: app.corp_id.get()?.clone(),
            agent_id: *app.agent_id.get()?,
            secret: secret?,
            callback,
        })
    }

    fn callback(&mut self, name: &str, callback: &file::Callback) -> Option<Callback> {
        let path = format!("wecom.apps.{name}.callback");
        let token = self.secret(&callback.token, &format!("{path}.token"));
        let key = self.secret(&callback.encoding_aes_key, &format!("{path}.encoding_aes_key"));
        let key = key?;
        if !is_aes_key(key.expose_secret()) && !self.is_stand_in(&key) {
            self.found.mistake(
                callback.encoding_aes_key.place,
                ("EncodingAESKey 应是 43 个字母或数字", "an EncodingAESKey is 43 letters and digits"),
                ("从管理后台“接收消息”页原样复制", "copy it from the page “接收消息” of the admin console"),
            );
        }
        Some(Callback { token: token?, encoding_aes_key: key })
    }

    fn bots(&mut self, wecom: &file::WeCom) -> (String, BTreeMap<String, BotAccount>) {
        let mut bots = BTreeMap::new();
        for (name, place, bot) in value(wecom.bots.as_ref()).into_iter().flat_map(Named::iter) {
            self.name(place, name);
            let secret = self.secret(&bot.secret, &format!("wecom.bots.{name}.secret"));
            if let Some((place, _)) = placed(Some(&bot.bot_id)).filter(|(_, id)| id.is_empty()) {
                self.found.mistake(
                    place,
                    ("机器人 ID 是空的", "the bot id is empty"),
                    ("从机器人详情页复制 Bot ID", "copy the Bot ID from the bot's page"),
                );
            }
            if let (Some(bot_id), Some(secret)) = (bot.bot_id.get(), secret) {
                bots.insert(name.to_owned(), BotAccount { bot_id: bot_id.clone(), secret });
            }
        }
        let url = placed(wecom.bot_url.as_ref());
        if let Some((place, url)) = url {
            self.check_url(place, url, "wecom.bot_url", &["wss", "ws"]);
        }
        (url.map_or_else(|| BOT_URL.to_owned(), |(_, url)| url.trim_end_matches('/').to_owned()), bots)
    }

    /// The keys of a webhook: one, or several of the same group.
    fn webhook_keys(&mut self, name: &str, place: Place, webhook: &file::Webhook) -> Option<Vec<SecretString>> {
        let path = format!("wecom.webhooks.{name}");
        match (&webhook.key, &webhook.keys) {
            (Some(key), None) => Some(vec![self.webhook_key(key, &format!("{path}.key"))?]),
            (None, Some(keys)) => self.pool(keys, &format!("{path}.keys")),
            (None, None) => {
                self.found.mistake(
                    place,
                    (format!("消息推送 `{name}` 缺少 `key`"), format!("webhook `{name}` has no `key`")),
                    ("加上 key: …，或 keys: [ … ]", "add key: … or keys: [ … ]"),
                );
                None
            }
            (Some(_), Some(_)) => {
                self.found.mistake(
                    place,
                    (
                        format!("消息推送 `{name}` 同时有 `key` 和 `keys`"),
                        format!("webhook `{name}` has both `key` and `keys`"),
                    ),
                    ("都写进 keys", "write all of them into keys"),
                );
                None
            }
        }
    }

    fn pool(&mut self, keys: &At<Vec<At<Secret>>>, path: &str) -> Option<Vec<SecretString>> {
        let (place, written) = placed(Some(keys))?;
        if !(1..=MOST_KEYS).contains(&written.len()) {
            self.found.mistake(
                place,
                (
                    format!("`{path}` 有 {} 个，应是 1 到 {MOST_KEYS} 个", written.len()),
                    format!("`{path}` holds {} and must hold 1 to {MOST_KEYS}", written.len()),
                ),
                ("同一个群里的消息推送写在一起", "put the webhooks of one group together"),
            );
        }
        let mut pool: Vec<SecretString> = Vec::new();
        for (number, at) in written.iter().enumerate() {
            let Some(key) = self.webhook_key(at, &format!("{path}[{}]", number + 1)) else { continue };
            let known = pool.iter().any(|other| other.expose_secret() == key.expose_secret());
            if known && !self.is_stand_in(&key) {
                self.found.mistake(
                    at.place,
                    (format!("`{path}` 里有两个一样的 key"), format!("`{path}` holds the same key twice")),
                    ("删掉一个；每个 key 来自一个消息推送", "remove one; each key is of one webhook"),
                );
            }
            pool.push(key);
        }
        (!pool.is_empty()).then_some(pool)
    }

    fn webhook_key(&mut self, key: &At<Secret>, path: &str) -> Option<SecretString> {
        let place = key.place;
        let key = self.secret(key, path)?;
        let text = key.expose_secret();
        // People paste the URL that WeCom shows.
        let text = match text.split_once("key=") {
            Some((_, after)) => after.split(['&', '#']).next().unwrap_or_default(),
            None => text,
        };
        if !is_token(text) {
            self.found.mistake(
                place,
                ("这不像消息推送的 key", "this does not look like the key of a webhook"),
                (
                    "复制 Webhook 地址里 key= 后面的部分，或整个地址",
                    "copy what follows key= in the webhook's URL, or the whole URL",
                ),
            );
            return None;
        }
        Some(text.into())
    }
}

/// Ids and keys that WeCom gives out.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_aes_key(key: &str) -> bool {
    key.len() == 43 && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
