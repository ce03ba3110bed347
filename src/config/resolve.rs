//! From what is written to what is meant: defaults, secrets, names that must lead somewhere.
//!
//! Nothing here stops at a mistake. A part that cannot be made is `None` and its reason is on the list.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use super::file::{self, File, Secret};
use super::finding::{Findings, Place, nearest};
use super::glob;
use super::yaml::{At, Named};
use super::{AppAccount, Config, Database, Language, Proof, Source, TemplateFile, WeCom};
use crate::ingest::generic::{Mapping, Payloads};

const LISTEN: &str = "127.0.0.1:8080";
const DATABASE: &str = "wegraf.db";
const TIMEZONE: &str = "Asia/Shanghai";
const API_URL: &str = "https://qyapi.weixin.qq.com";
/// Grafana's own default (alert-sources §2.7).
const SIGNATURE_HEADER: &str = "X-Grafana-Alerting-Signature";

/// What the file may ask for and does not hold itself.
pub(super) struct Surroundings<'a> {
    /// Reads an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// An address from the command line, in place of `listen`.
    pub listen: Option<SocketAddr>,
}

/// Reads one file; its parts are in `receivers.rs` too.
pub(super) struct Resolver<'a> {
    pub found: &'a mut Findings,
    /// Relative paths begin here.
    pub folder: PathBuf,
    pub around: &'a Surroundings<'a>,
    /// The first secret that stands in the file itself.
    plain: Option<Place>,
}

impl<'a> Resolver<'a> {
    pub fn new(found: &'a mut Findings, around: &'a Surroundings<'a>) -> Self {
        let folder = found.file.parent().map(Path::to_path_buf).unwrap_or_default();
        Self { found, folder, around, plain: None }
    }

    /// The configuration, if nothing of it is wrong.
    pub fn config(mut self, file: &File) -> Option<Config> {
        let language = value(file.language.as_ref()).copied().unwrap_or_default();
        let timezone = match value(file.timezone.as_ref()) {
            Some(_) => self.timezone(file.timezone.as_ref()),
            None => self.zone(Place::default(), TIMEZONE),
        };
        let sources = self.sources(value(file.sources.as_ref()));
        let listen = self.listen(file, sources.is_empty());
        let external_url = self.url(file.external_url.as_ref(), "external_url");
        let database = self.database(file.database.as_ref());
        let wecom = self.wecom(value(file.wecom.as_ref()));
        self.upstreams(value(file.upstreams.as_ref()));
        let templates = self.templates(value(file.templates.as_ref()));
        let global = Global { language, timezone: timezone.clone(), templates: &templates };
        let receivers = self.receivers(file, &global);
        let route = self.route(file);
        let payloads = self.payloads(value(file.payloads.as_ref()));
        let image_hosts = self.image_hosts(value(file.images.as_ref()));
        self.file_mode();
        let allowed = value(file.allow_anonymous.as_ref()).copied().unwrap_or_default();
        let listen = listen?;
        Some(Config {
            path: self.found.file.clone(),
            // Without sources only this machine can reach the server, and it may.
            allow_anonymous: allowed || sources.is_empty() && listen.ip().is_loopback(),
            listen,
            external_url,
            database: database?,
            language,
            timezone: timezone?,
            sources,
            wecom: wecom?,
            receivers,
            route: route?,
            templates,
            payloads: payloads?,
            image_hosts,
        })
    }

    fn listen(&mut self, file: &File, nobody_proves: bool) -> Option<SocketAddr> {
        let place = file.listen.as_ref().map(|listen| listen.place).unwrap_or_default();
        let text = value(file.listen.as_ref()).map_or(LISTEN, String::as_str);
        let listen = self.around.listen.or_else(|| text.parse().ok());
        let Some(listen) = listen else {
            let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok()).unwrap_or("8080");
            self.found.mistake(
                place,
                (format!("`listen` 不是“IP:端口”：`{text}`"), format!("`listen` is not IP:PORT: `{text}`")),
                (
                    format!("写成 127.0.0.1:{port}（仅本机）或 0.0.0.0:{port}（所有网卡）"),
                    format!("write 127.0.0.1:{port} (this machine only) or 0.0.0.0:{port} (all interfaces)"),
                ),
            );
            return None;
        };
        let allowed = value(file.allow_anonymous.as_ref()).copied().unwrap_or_default();
        // Sources that did not fit are mistakes of their own.
        let none = nobody_proves && value(file.sources.as_ref()).is_none_or(|sources| sources.0.is_empty());
        if !listen.ip().is_loopback() && none && !allowed {
            self.found.mistake(
                place,
                (
                    format!("`{listen}` 对外开放，但没有 `sources`：谁都能投递告警"),
                    format!("`{listen}` is open to others and there are no `sources`: anybody could post"),
                ),
                (
                    "加上 sources（例如 grafana: { bearer: { env: GRAFANA_TOKEN } }），或明确写 allow_anonymous: true",
                    "add sources (for example grafana: { bearer: { env: GRAFANA_TOKEN } }), or say allow_anonymous: true",
                ),
            );
        }
        Some(listen)
    }

    fn database(&mut self, database: Option<&At<String>>) -> Option<Database> {
        let Some(database) = database else { return Some(Database::Sqlite(self.folder.join(DATABASE))) };
        let text = database.get()?;
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            self.found.mistake(
                database.place,
                (
                    "这个版本还不支持 PostgreSQL（计划在后续版本）",
                    "PostgreSQL is not in this version yet (coming: a later release)",
                ),
                ("先用 database: sqlite:wegraf.db", "use database: sqlite:wegraf.db instead"),
            );
            return None;
        }
        match text.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//")) {
            Some(path) if !path.is_empty() && !path.starts_with(':') => Some(Database::Sqlite(self.folder.join(path))),
            _ => {
                self.found.mistake(
                    database.place,
                    ("`database` 应是 sqlite:文件路径", "`database` must be sqlite:PATH"),
                    ("例如 database: sqlite:wegraf.db", "for example database: sqlite:wegraf.db"),
                );
                None
            }
        }
    }

    fn sources(&mut self, sources: Option<&Named<file::Source>>) -> Vec<Source> {
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

    fn wecom(&mut self, wecom: Option<&file::WeCom>) -> Option<WeCom> {
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
        if let Some((place, corp_id)) = placed(Some(&app.corp_id)) {
            if corp_id.is_empty()
                || !corp_id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-')
            {
                self.found.mistake(
                    place,
                    ("企业 ID 只含字母和数字", "a corp id holds letters and digits only"),
                    (
                        "管理后台 → 我的企业 → 企业 ID，以 ww 开头",
                        "admin console → 我的企业 → 企业ID; it begins with ww",
                    ),
                );
            }
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
        if text.is_empty()
            || !text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')
        {
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

    fn upstreams(&mut self, upstreams: Option<&Named<file::Upstream>>) {
        for (name, place, upstream) in upstreams.into_iter().flat_map(Named::iter) {
            self.name(place, name);
            self.url(Some(&upstream.url), &format!("upstreams.{name}.url"));
            if let Some(token) = &upstream.token {
                self.secret(token, &format!("upstreams.{name}.token"));
            } else if upstream.kind.get() == Some(&file::UpstreamKind::Grafana) {
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
    }

    fn templates(&mut self, patterns: Option<&Vec<At<String>>>) -> Vec<TemplateFile> {
        let mut templates: Vec<TemplateFile> = Vec::new();
        for (place, pattern) in patterns.into_iter().flatten().filter_map(|pattern| placed(Some(pattern))) {
            let paths = glob::expand(&self.folder, pattern);
            if paths.is_empty() {
                self.found.mistake(
                    place,
                    (format!("没有文件匹配 `{pattern}`"), format!("no file matches `{pattern}`")),
                    (
                        format!("路径相对于 {}；不需要自己的模板就删掉这一行", shown(&self.folder)),
                        format!("paths begin at {}; remove the line if you have no templates", shown(&self.folder)),
                    ),
                );
            }
            for path in paths {
                if !templates.iter().any(|template| template.path == path) {
                    templates.extend(self.template(place, path, &templates));
                }
            }
        }
        templates
    }

    fn template(&mut self, place: Place, path: PathBuf, others: &[TemplateFile]) -> Option<TemplateFile> {
        let file_name = path.file_name()?.to_string_lossy();
        let name = file_name.strip_suffix(".j2").unwrap_or(&file_name).to_owned();
        if let Some(other) = others.iter().find(|other| other.name == name) {
            self.found.mistake(
                place,
                (
                    format!("两个模板同名 `{name}`：{} 和 {}", other.path.display(), path.display()),
                    format!("two templates are called `{name}`: {} and {}", other.path.display(), path.display()),
                ),
                ("改掉其中一个文件名", "rename one of the files"),
            );
            return None;
        }
        match std::fs::read_to_string(&path) {
            Ok(source) => Some(TemplateFile { path, name, source }),
            Err(error) => {
                self.unreadable(place, "templates", &path, &error);
                None
            }
        }
    }

    fn payloads(&mut self, mappings: Option<&Vec<At<Mapping>>>) -> Option<Payloads> {
        let written: Vec<(Place, &Mapping)> =
            mappings.into_iter().flatten().filter_map(|mapping| placed(Some(mapping))).collect();
        match Payloads::compile(written.iter().map(|&(_, mapping)| mapping.clone()).collect()) {
            Ok(payloads) => Some(payloads),
            Err(errors) => {
                for error in errors {
                    let of_it = |&&(_, mapping): &&(Place, &Mapping)| mapping.name == error.mapping;
                    // Of two with one name the later is the wrong one.
                    let place = written.iter().rfind(of_it).map(|&(place, _)| place).unwrap_or_default();
                    self.found.mistake(
                        place,
                        (
                            format!("映射 `{}` 的 `{}` 有误：{}", error.mapping, error.field, error.reason),
                            format!("mapping `{}`, `{}`: {}", error.mapping, error.field, error.reason),
                        ),
                        (
                            "表达式和模板是 MiniJinja，能用 body 和 item",
                            "expressions and templates are MiniJinja and see body and item",
                        ),
                    );
                }
                None
            }
        }
    }

    fn image_hosts(&mut self, images: Option<&file::Images>) -> Vec<String> {
        let hosts = images.and_then(|images| value(images.hosts.as_ref()));
        let mut resolved = Vec::new();
        for (place, host) in hosts.into_iter().flatten().filter_map(|host| placed(Some(host))) {
            let plain = !host.is_empty() && !host.contains(['/', ':', '@', '?', '#', '*', ' ']);
            let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
            if plain || is_address {
                resolved.push(host.to_lowercase());
                continue;
            }
            let inside = reqwest::Url::parse(host).ok().and_then(|url| url.host_str().map(str::to_owned));
            let inside = inside.unwrap_or_else(|| "grafana.example.com".to_owned());
            self.found.mistake(
                place,
                (format!("`{host}` 不是主机名"), format!("`{host}` is not the name of a host")),
                (
                    format!("只写主机名，不带协议、端口和路径：{inside}"),
                    format!("write the host alone, without scheme, port and path: {inside}"),
                ),
            );
        }
        resolved
    }

    /// A secret, from wherever it is; `path` names the key for the person who has to fill it in.
    pub fn secret(&mut self, secret: &At<Secret>, path: &str) -> Option<SecretString> {
        let (text, from): (String, (String, String)) = match secret.get()? {
            Secret::Plain(text) => {
                self.plain.get_or_insert(secret.place);
                (text.expose_secret().to_owned(), ("这里".to_owned(), "this place".to_owned()))
            }
            Secret::Env(name) => {
                let Some(text) = (self.around.environment)(name) else {
                    self.found.mistake(
                        secret.place,
                        (
                            format!("`{path}` 需要环境变量 {name}，但它没有设置"),
                            format!("`{path}` needs the environment variable {name}, which is not set"),
                        ),
                        (
                            format!("启动前设置 {name}（systemd 用 EnvironmentFile=，容器用 env）"),
                            format!("set {name} before starting (systemd: EnvironmentFile=, containers: env)"),
                        ),
                    );
                    return None;
                };
                (text, (format!("环境变量 {name}"), format!("the environment variable {name}")))
            }
            Secret::File(file) => {
                let file = self.folder.join(file);
                match std::fs::read_to_string(&file) {
                    Ok(text) => (text, (format!("文件 {}", file.display()), format!("the file {}", file.display()))),
                    Err(error) => {
                        self.unreadable(secret.place, path, &file, &error);
                        return None;
                    }
                }
            }
        };
        // Editors and `kubectl create secret` leave a newline that nobody means.
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            self.found.mistake(
                secret.place,
                (
                    format!("`{path}` 是空的：{}里什么也没有", from.0),
                    format!("`{path}` is empty: there is nothing in {}", from.1),
                ),
                ("填入真实的密钥", "put the secret there"),
            );
            return None;
        }
        Some(text.into())
    }

    /// Warns if others can read a file with secrets in it.
    fn file_mode(&mut self) {
        #[cfg(unix)]
        if let Some(place) = self.plain {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&self.found.file).map_or(0, |data| data.permissions().mode());
            if mode & 0o044 != 0 {
                let file = self.found.file.display().to_string();
                self.found.note(
                    place,
                    (
                        "密钥直接写在文件里，而别的用户可以读这个文件",
                        "a secret stands in the file, and other users may read the file",
                    ),
                    (
                        format!("chmod 600 {file}，或改用 {{ env: … }}、{{ file: … }}"),
                        format!("chmod 600 {file}, or use {{ env: … }} or {{ file: … }}"),
                    ),
                );
            }
        }
    }

    pub fn timezone(&mut self, zone: Option<&At<String>>) -> Option<TimeZone> {
        let (place, name) = placed(zone)?;
        self.zone(place, name)
    }

    fn zone(&mut self, place: Place, name: &str) -> Option<TimeZone> {
        if let Ok(zone) = TimeZone::get(name) {
            return Some(zone);
        }
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.as_str().to_owned()).collect();
        let best = nearest(name, names.iter().map(String::as_str)).unwrap_or(TIMEZONE);
        self.found.mistake(
            place,
            (format!("没有时区 `{name}`"), format!("there is no time zone `{name}`")),
            (format!("用“洲/城市”，例如 {best}"), format!("write Area/City, for example {best}")),
        );
        None
    }

    /// An http(s) URL without a slash at its end.
    fn url(&mut self, url: Option<&At<String>>, path: &str) -> Option<String> {
        let (place, text) = placed(url)?;
        self.check_url(place, text, path, &["https", "http"]).then(|| text.trim_end_matches('/').to_owned())
    }

    fn check_url(&mut self, place: Place, text: &str, path: &str, schemes: &[&str]) -> bool {
        let parsed = reqwest::Url::parse(text).ok().filter(|url| schemes.contains(&url.scheme()) && url.has_host());
        let plain = parsed.as_ref().is_some_and(|url| url.query().is_none() && url.fragment().is_none());
        let open = parsed.is_none_or(|url| url.username().is_empty() && url.password().is_none());
        if plain && open {
            return true;
        }
        // What was written is not repeated: it may hold a password.
        self.found.mistake(
            place,
            (
                format!("`{path}` 不是完整的地址，或带有不该有的部分（?、#、用户名）"),
                format!("`{path}` is not a full URL, or has parts it must not have (?, #, user name)"),
            ),
            (format!("写成 {}://主机[:端口][/路径]", schemes[0]), format!("write {}://host[:port][/path]", schemes[0])),
        );
        false
    }

    /// Names of sources, receivers and the like are parts of paths, labels and log lines.
    pub fn name(&mut self, place: Place, name: &str) {
        let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            self.found.mistake(
                place,
                (format!("名字 `{name}` 不能用"), format!("the name `{name}` cannot be used")),
                ("只用文字、数字、- _ .，最多 64 字节", "use letters, digits, - _ . and at most 64 bytes"),
            );
        }
    }

    pub fn not_yet(&mut self, place: Place, what: &str) {
        self.found.note(
            place,
            (
                format!("`{what}` 已检查，但这个版本还不使用它"),
                format!("`{what}` was checked, but this version does not act on it yet"),
            ),
            ("", ""),
        );
    }

    pub fn unreadable(&mut self, place: Place, path: &str, file: &Path, error: &std::io::Error) {
        self.found.mistake(
            place,
            (
                format!("`{path}`：读不到 {}（{error}）", file.display()),
                format!("`{path}`: cannot read {} ({error})", file.display()),
            ),
            (
                "检查路径和读权限；相对路径从配置文件所在目录算起",
                "check the path and the permissions; relative paths begin at the folder of the configuration",
            ),
        );
    }
}

/// What receivers take from the file as a whole.
pub(super) struct Global<'a> {
    pub language: Language,
    /// `None` if it is wrong; then it is on the list already.
    pub timezone: Option<TimeZone>,
    pub templates: &'a [TemplateFile],
}

/// The value of a key that may be absent or may not have fitted.
pub(super) fn value<T>(at: Option<&At<T>>) -> Option<&T> {
    at.and_then(At::get)
}

/// The same with its place.
pub(super) fn placed<T>(at: Option<&At<T>>) -> Option<(Place, &T)> {
    at.and_then(|at| Some((at.place, at.get()?)))
}

fn is_aes_key(key: &str) -> bool {
    key.len() == 43 && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { ".".to_owned() } else { folder.display().to_string() }
}
