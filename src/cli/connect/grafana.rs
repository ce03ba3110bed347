//! Grafana's provisioning API, as far as it is used.

use std::fmt;
use std::time::Duration;

use reqwest::header;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::words::{told, words};

const DEADLINE: Duration = Duration::from_secs(15);

/// Why Grafana is not changed.
#[derive(Debug)]
pub(super) enum Refused {
    /// It answered with this status and message.
    Status(u16, String),
    /// What would be changed belongs to files.
    Files(&'static str),
    /// In words.
    Other(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = match self {
            Self::Status(401, _) => words("Grafana 不认这个令牌 (401)", "Grafana does not know the token (401)"),
            Self::Status(403, _) => words(
                "令牌没有权限 (403)：服务账号要有 Admin 角色",
                "the token may not do this (403): its service account needs the role Admin",
            ),
            Self::Status(404 | 410, _) => words(
                "这个 Grafana 没有这个接口：太旧，或已经去掉了",
                "this Grafana has no such interface: it is too old, or has given it up",
            ),
            Self::Status(status, message) => {
                told!("Grafana 回答 {status}：{message}", "Grafana answered {status}: {message}")
            }
            Self::Files("policies") => words(
                "通知策略由文件或别的程序管理，没有动它",
                "the policies are managed by files or another program, and were left alone",
            ),
            Self::Files(_) => words(
                "同名的联络点由文件或别的程序管理，没有动它",
                "a contact point of this name is managed by files or another program, and was left alone",
            ),
            Self::Other(said) => return f.write_str(said),
        };
        write!(f, "{said}")
    }
}

/// One Grafana.
pub(super) struct Api {
    client: reqwest::Client,
    base: String,
    token: SecretString,
}

impl Api {
    pub fn new(url: &str, token: SecretString) -> anyhow::Result<Self> {
        let none = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().redirect(none).timeout(DEADLINE).build()?;
        Ok(Self { client, base: url.trim_end_matches('/').to_owned(), token })
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// `12.1.0`.
    pub async fn version(&self) -> Result<String, Refused> {
        let health = self.get("/api/health").await?;
        Ok(health["version"].as_str().unwrap_or("?").to_owned())
    }

    pub async fn get(&self, path: &str) -> Result<Value, Refused> {
        self.ask(self.client.get(format!("{}{path}", self.base))).await
    }

    /// Changes something, so that people can still change it in the browser.
    pub async fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, Refused> {
        let url = format!("{}{path}", self.base);
        let request = if method == "PUT" { self.client.put(url) } else { self.client.post(url) };
        let request = request.header("X-Disable-Provenance", "true").header(header::CONTENT_TYPE, "application/json");
        self.ask(request.body(body.to_string())).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value, Refused> {
        let request = request.bearer_auth(self.token.expose_secret()).header(header::ACCEPT, "application/json");
        let broken = |error: reqwest::Error| {
            let error = error.without_url();
            Refused::Other(told!("{0} 没有回答：{error}", "{0} does not answer: {error}", self.base).to_string())
        };
        let answer = request.send().await.map_err(broken)?;
        let status = answer.status();
        let text = answer.text().await.map_err(broken)?;
        let said: Option<Value> = serde_json::from_str(&text).ok();
        if !status.is_success() {
            let message = said.as_ref().and_then(|said| said["message"].as_str()).unwrap_or_default().to_owned();
            return Err(Refused::Status(status.as_u16(), message));
        }
        // A login page has status 200, too.
        said.or_else(|| text.trim().is_empty().then_some(Value::Null)).ok_or_else(|| {
            Refused::Other(
                told!("{0} 的回答不是 JSON：地址对吗", "what {0} answers is not JSON: is that its address?", self.base)
                    .to_string(),
            )
        })
    }
}

/// The first number of a version; 0 if it has none.
pub(super) fn major(version: &str) -> u32 {
    version.split('.').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}
