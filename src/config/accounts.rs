//! Who may post, and through what we speak to WeCom: sources, apps, webhooks, bots, upstreams.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::at::{At, Named};
use super::file::{self, Secret};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::{AppAccount, Proof, Source, Upstream, UpstreamKind, WeCom};

const API_URL: &str = "https://qyapi.weixin.qq.com";
/// Grafana's own default (alert-sources §2.7).
const SIGNATURE_HEADER: &str = "X-Grafana-Alerting-Signature";

impl Resolver<'_> {
    pub(super) fn sources(&mut self, sources: Option<&Named<file::Source>>) -> Vec<Source> {
        let mut resolved: Vec<Source> = Vec::new();
        for (name, place, source) in sources.into_iter().flat_map(Named::iter) {
            self.name(place, name);
            if let Some(proof) = self.proof(name, place, source) {
                resolved.push(Source { name: name.to_owned(), proof });
            }
        }
        resolved.sort_by(|a, b| a.name.cmp(&b.name));
        resolved
    }

    fn proof(&mut self, name: &str, place: Place, source: &file::Source) -> Option<Proof> {
        Some(match source {
            file::Source::Bearer(token) => Proof::Bearer(self.secret(token, &format!("sources.{name}.bearer"))?),
            file::Source::Basic { username, password } => {
                let password = self.secret(password, &format!("sources.{name}.basic.password"));
                let username_text = username.get()?;
                if username_text.is_empty() || username_text.contains(':') {
                    self.found.mistake(
                        username.place,
                        ("用户名不能为空，也不能含冒号", "the user name cannot be empty or hold a colon"),
                        ("换一个用户名", "choose another user name"),
                    );
                }
                Proof::Basic { username: username_text.clone(), password: password? }
            }
            file::Source::Hmac { secret, header, timestamp_header } => {
                if timestamp_header.is_none() {
                    self.found.note(
                        place,
                        (
                            format!("来源 `{name}` 没有 `timestamp_header`，签过名的请求可被重放"),
                            format!("source `{name}` has no `timestamp_header`: a signed request can be replayed"),
                        ),
                        (
                            "在 Grafana 和这里都设为 X-Grafana-Alerting-Timestamp",
                            "set it to X-Grafana-Alerting-Timestamp in Grafana and here",
                        ),
                    );
                }
                let secret = self.secret(secret, &format!("sources.{name}.hmac.secret"));
                let header = self.header(header.as_ref()).unwrap_or_else(|| SIGNATURE_HEADER.to_owned());
                let timestamp_header = self.header(timestamp_header.as_ref());
                Proof::Hmac { secret: secret?, header, timestamp_header }
            }
        })
    }

    fn header(&mut self, header: Option<&At<String>>) -> Option<String> {
        let (place, text) = placed(header)?;
        if axum::http::HeaderName::from_bytes(text.as_bytes()).is_err() {
            self.found.mistake(
                place,
                (format!("`{text}` 不能做请求头的名字"), format!("`{text}` cannot be the name of a header")),
                ("只用字母、数字和连字符", "use letters, digits and hyphens only"),
            );
        }
        Some(text.clone())
    }

    pub(super) fn wecom(&mut self, wecom: Option<&file::WeCom>) -> Option<WeCom> {
        let empty = file::WeCom::default();
        let wecom = wecom.unwrap_or(&empty);
        let api_url = match wecom.api_url {
            Some(_) => self.url(wecom.api_url.as_ref(), "wecom.api_url"),
            None => Some(API_URL.to_owned()),
        };
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
            if let Some(key) = self.webhook_key(name, webhook) {
                webhooks.insert(name.to_owned(), key);
            }
        }
        self.bots(wecom);
        let ca_file = placed(wecom.ca_file.as_ref()).map(|(place, path)| {
            let path = self.folder.join(path);
            if let Err(error) = std::fs::metadata(&path) {
                self.unreadable(place, "wecom.ca_file", &path, &error);
            }
            path
        });
        let proxy = wecom.proxy.as_ref().and_then(|proxy| self.proxy(proxy));
        Some(WeCom { api_url: api_url?, proxy, ca_file, apps, webhooks })
    }

    fn app(&mut self, name: &str, app: &file::App) -> Option<AppAccount> {
        let secret = self.secret(&app.secret, &format!("wecom.apps.{name}.secret"));
        if let Some(callback) = value(app.callback.as_ref()) {
            self.callback(name, callback);
        }
        if let Some((place, _)) = placed(Some(&app.corp_id)).filter(|(_, id)| !is_token(id)) {
            self.found.mistake(
                place,
                ("企业 ID 只含字母和数字", "a corp id holds letters and digits only"),
                ("管理后台 → 我的企业 → 企业 ID，以 ww 开头", "admin console → 我的企业 → 企业ID; it begins with ww"),
            );
        }
        if let Some((place, _)) = placed(Some(&app.agent_id)).filter(|&(_, &id)| id <= 0) {
            self.found.mistake(
                place,
                ("agent_id 应是正整数", "agent_id must be a positive number"),
                (
                    "管理后台 → 应用管理 → 应用详情 → AgentId，例如 1000002",
                    "admin console → 应用管理 → the app → AgentId, for example 1000002",
                ),
            );
        }
        Some(AppAccount { corp_id: app.corp_id.get()?.clone(), agent_id: *app.agent_id.get()?, secret: secret? })
    }

    fn callback(&mut self, name: &str, callback: &file::Callback) {
        let path = format!("wecom.apps.{name}.callback");
        self.secret(&callback.token, &format!("{path}.token"));
        let key = self.secret(&callback.encoding_aes_key, &format!("{path}.encoding_aes_key"));
        if key.is_some_and(|key| !is_aes_key(key.expose_secret())) {
            self.found.mistake(
                callback.encoding_aes_key.place,
                ("EncodingAESKey 应是 43 个字母或数字", "an EncodingAESKey is 43 letters and digits"),
                ("从管理后台“接收消息”页原样复制", "copy it from the page 接收消息 of the admin console"),
            );
        }
        self.not_yet(callback.token.place, &path);
    }

    fn bots(&mut self, wecom: &file::WeCom) {
        for (name, place, bot) in value(wecom.bots.as_ref()).into_iter().flat_map(Named::iter) {
            self.name(place, name);
            self.secret(&bot.secret, &format!("wecom.bots.{name}.secret"));
            if let Some((place, _)) = placed(Some(&bot.bot_id)).filter(|(_, id)| id.is_empty()) {
                self.found.mistake(
                    place,
                    ("机器人 ID 是空的", "the bot id is empty"),
                    ("从机器人详情页复制 Bot ID", "copy the Bot ID from the bot's page"),
                );
            }
        }
        if let Some(url) = placed(wecom.bot_url.as_ref()) {
            self.check_url(url.0, url.1, "wecom.bot_url", &["wss", "ws"]);
        }
        if let Some(bots) = &wecom.bots {
            self.not_yet(bots.place, "wecom.bots");
        }
    }

    fn webhook_key(&mut self, name: &str, webhook: &file::Webhook) -> Option<SecretString> {
        let key = self.secret(&webhook.key, &format!("wecom.webhooks.{name}.key"))?;
        let text = key.expose_secret();
        // People paste the URL that WeCom shows them.
        let text = match text.split_once("key=") {
            Some((_, after)) => after.split(['&', '#']).next().unwrap_or_default(),
            None => text,
        };
        if !is_token(text) {
            self.found.mistake(
                webhook.key.place,
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

    fn proxy(&mut self, proxy: &At<Secret>) -> Option<SecretString> {
        let url = self.secret(proxy, "wecom.proxy")?;
        let known = reqwest::Url::parse(url.expose_secret())
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !known {
            self.found.mistake(
                proxy.place,
                ("`wecom.proxy` 不是 http(s) 地址", "`wecom.proxy` is not an http(s) URL"),
                ("例如 http://proxy.example.com:3128", "for example http://proxy.example.com:3128"),
            );
        }
        Some(url)
    }

    pub(super) fn upstreams(&mut self, upstreams: Option<&Named<file::Upstream>>) -> Vec<Upstream> {
        let mut known = Vec::new();
        for (name, place, upstream) in upstreams.into_iter().flat_map(Named::iter) {
            self.name(place, name);
            let url = self.url(Some(&upstream.url), &format!("upstreams.{name}.url"));
            let token =
                upstream.token.as_ref().and_then(|token| self.secret(token, &format!("upstreams.{name}.token")));
            if let (Some(url), Some(kind)) = (url, upstream.kind.get()) {
                known.push(Upstream { name: name.to_owned(), kind: *kind, url, token });
            }
            if upstream.token.is_none() && upstream.kind.get() == Some(&UpstreamKind::Grafana) {
                self.found.mistake(
                    place,
                    (
                        format!("Grafana 上游 `{name}` 缺少 `token`"),
                        format!("the Grafana upstream `{name}` has no `token`"),
                    ),
                    (
                        "加上服务账号令牌：token: { env: GRAFANA_SA_TOKEN }",
                        "add the token of a service account: token: { env: GRAFANA_SA_TOKEN }",
                    ),
                );
            }
        }
        if let Some((_, place, _)) = upstreams.and_then(|upstreams| upstreams.iter().next()) {
            self.not_yet(place, "upstreams");
        }
        known
    }
}

/// Ids and keys that WeCom gives out.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_aes_key(key: &str) -> bool {
    key.len() == 43 && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
