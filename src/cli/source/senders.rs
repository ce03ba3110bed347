//! The instructions for each sender: its credential, and where to paste it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::ValueEnum;

use super::SourceNew;
use crate::config::{Area, Config};
use crate::words::{Words, words};

/// Random bytes of a fresh secret.
const SECRET_BYTES: usize = 32;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sender {
    /// Grafana
    Grafana,
    /// Alertmanager
    Alertmanager,
    /// Prometheus、vmalert、Loki
    Prometheus,
    /// GitHub
    Github,
    /// GitLab
    Gitlab,
    /// Flux
    Flux,
    /// Sentry（密钥由它给出 it gives the secret）
    Sentry,
    /// `PagerDuty`（密钥由它给出 it gives the secret）
    Pagerduty,
    /// 阿里云 Alibaba Cloud
    Aliyun,
    /// 腾讯云 Tencent Cloud
    Tencent,
    /// Zabbix
    Zabbix,
    /// Uptime Kuma
    UptimeKuma,
    /// 只能填 URL 的 Programs that take only a URL
    Url,
    /// 只能填 URL 又会丢掉参数的 Programs that take only a URL and drop its query
    Path,
    /// 其他，例如 curl Others, for example curl
    Other,
}

/// A new source, before it is written.
pub(super) struct Draft {
    /// Its value in the configuration, on one line.
    pub entry: String,
    /// The URL that the sender posts to.
    pub url: String,
    /// Its credential.
    pub secret: String,
    /// What to paste at the sender: the name of each field, and its content.
    pub paste: Vec<(String, String)>,
}

impl Sender {
    /// Its display name.
    pub(super) const fn title(self) -> Words {
        match self {
            Self::Grafana => words("Grafana → Contact points → Webhook", "Grafana → Contact points → Webhook"),
            Self::Alertmanager => words("alertmanager.yml", "alertmanager.yml"),
            Self::Prometheus => words("prometheus.yml", "prometheus.yml"),
            Self::Github => words("GitHub → Settings → Webhooks", "GitHub → Settings → Webhooks"),
            Self::Gitlab => words("GitLab → Settings → Webhooks", "GitLab → Settings → Webhooks"),
            Self::Flux => words("Flux Provider (generic-hmac)", "Flux Provider (generic-hmac)"),
            Self::Sentry => words("Sentry → Internal Integration", "Sentry → Internal Integration"),
            Self::Pagerduty => words("PagerDuty → Generic Webhooks (v3)", "PagerDuty → Generic Webhooks (v3)"),
            Self::Aliyun => words("阿里云 → 报警回调", "Alibaba Cloud → 报警回调"),
            Self::Tencent => words("腾讯云 → 告警通知 → 接口回调", "Tencent Cloud → 告警通知 → 接口回调"),
            Self::Zabbix => words("Zabbix → Media types → Webhook", "Zabbix → Media types → Webhook"),
            Self::UptimeKuma => words("Uptime Kuma → Webhook", "Uptime Kuma → Webhook"),
            Self::Url | Self::Path | Self::Other => words("发送方", "the sender"),
        }
    }

    /// Does the sender make the secret?
    pub(super) const fn is_given(self) -> bool {
        matches!(self, Self::Sentry | Self::Pagerduty)
    }

    /// Its proof, with the secret as written in the configuration.
    fn proof(self, secret: &str) -> String {
        match self {
            Self::Grafana | Self::Alertmanager | Self::Prometheus | Self::Zabbix | Self::UptimeKuma | Self::Other => {
                format!("bearer: {secret}")
            }
            Self::Github => format!("hmac: {{ secret: {secret}, preset: github }}"),
            Self::Flux => format!("hmac: {{ secret: {secret}, preset: flux }}"),
            Self::Sentry => format!("hmac: {{ secret: {secret}, preset: sentry }}"),
            Self::Pagerduty => format!("hmac: {{ secret: {secret}, preset: pagerduty }}"),
            Self::Gitlab => format!("header: {{ name: X-Gitlab-Token, value: {secret} }}"),
            Self::Aliyun | Self::Url => format!("query: {{ name: token, value: {secret} }}"),
            Self::Tencent => format!("basic: {{ username: wegraf, password: {secret} }}"),
            Self::Path => format!("path: {secret}"),
        }
    }
}

impl Draft {
    pub(super) fn new(arguments: &SourceNew, config: &Config, secret: &str) -> Self {
        let written = arguments
            .env
            .as_ref()
            .map_or_else(|| format!("'{}'", secret.replace('\'', "''")), |variable| format!("{{ env: {variable} }}"));
        let scope = match arguments.receivers.as_slice() {
            [] => String::new(),
            receivers => format!(", receivers: [{}]", receivers.join(", ")),
        };
        let entry = format!("{{ {}{scope} }}", arguments.sender.proof(&written));
        let base = config.external_url.clone().unwrap_or_else(|| config.door(Area::Webhook).url());
        let receiver = match arguments.receivers.as_slice() {
            [receiver] => format!("/{receiver}"),
            _ => String::new(),
        };
        let (url, paste) = pasted(arguments.sender, &base, &receiver, secret);
        Self { entry, url, secret: secret.to_owned(), paste }
    }
}

/// The address and the fields to fill in at a sender. `receiver`: `/NAME`, or empty.
pub(in crate::cli) fn pasted(
    sender: Sender,
    base: &str,
    receiver: &str,
    secret: &str,
) -> (String, Vec<(String, String)>) {
    let plain = format!("{base}/webhook{receiver}");
    let url = match sender {
        Sender::Aliyun | Sender::Url => format!("{plain}?token={secret}"),
        Sender::Path => format!("{base}/webhook/t/{secret}{receiver}"),
        Sender::Tencent => plain.replacen("://", &format!("://wegraf:{secret}@"), 1),
        _ => plain,
    };
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fields = match sender {
        Sender::Grafana => vec![
            field("URL", &url),
            field("HTTP Method", "POST"),
            field("Authorization Header - Scheme", "Bearer"),
            field("Authorization Header - Credentials", secret),
        ],
        Sender::Alertmanager => vec![field(
            "receivers[].webhook_configs",
            &format!(
                "\n    - url: {url}\n      http_config:\n        authorization: {{ type: Bearer, credentials: '{secret}' }}"
            ),
        )],
        Sender::Prometheus => {
            let (scheme, host) = base.split_once("://").unwrap_or(("http", base));
            let (host, path) =
                host.split_once('/').map_or((host, String::new()), |(host, path)| (host, format!("/{path}")));
            let prefix = match (path.as_str(), receiver) {
                ("", "") => String::new(),
                (path, "") => format!("\n      path_prefix: {path}"),
                (path, receiver) => format!("\n      path_prefix: {path}/webhook{receiver}"),
            };
            vec![field(
                "alerting",
                &format!(
                    "\n    alertmanagers:\n    - scheme: {scheme}{prefix}\n      authorization: {{ type: Bearer, credentials: '{secret}' }}\n      static_configs: [ {{ targets: ['{host}'] }} ]"
                ),
            )]
        }
        Sender::Github => {
            vec![field("Payload URL", &url), field("Content type", "application/json"), field("Secret", secret)]
        }
        Sender::Gitlab => vec![field("URL", &url), field("Secret token", secret)],
        Sender::Flux => vec![field("spec.address", &url), field("Secret data.token", secret)],
        Sender::Sentry => vec![field("Webhook URL", &url), field("Client Secret", secret)],
        Sender::Pagerduty => vec![field("Webhook URL", &url), field("Secret", secret)],
        Sender::Aliyun | Sender::Tencent | Sender::Url | Sender::Path => vec![field("URL", &url)],
        Sender::Zabbix | Sender::UptimeKuma => {
            vec![field("URL", &url), field("Header", &format!("Authorization: Bearer {secret}"))]
        }
        Sender::Other => vec![
            field("URL", &url),
            field("Header", &format!("Authorization: Bearer {secret}")),
            field(
                &words("试一下", "try it").to_string(),
                &format!("curl -H 'Authorization: Bearer {secret}' -d 'hello' '{url}'"),
            ),
        ],
    };
    (url, fields)
}

/// An unguessable secret, of letters that need no quoting anywhere.
pub(in crate::cli) fn fresh() -> String {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    // A leading hyphen is taken for an option by shells and forms.
    format!("wg_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
