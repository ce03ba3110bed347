//! From the written configuration to the effective one: defaults, secrets, references.
//!
//! Nothing here stops at a mistake. A part that cannot be made is `None`, and its reason is reported.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use super::at::At;
use super::file::{self, File, Secret};
use super::finding::{Findings, Place, nearest};
use super::glob;
use super::listen::{ListenAt, Listening};
use super::tokens::Token;
use super::{Anonymous, Config, Language, Network, TemplateFile};
use crate::duty::{MayAct, Rotas};
use crate::ingest::generic::{Mapping, Payloads, ReadSettings};
use crate::route::Matcher;

const TIMEZONE: &str = "Asia/Shanghai";

/// Placeholder for a secret that is not needed now; valid as any kind of secret (an `EncodingAESKey` has 43 letters).
const NO_SECRET: &str = "0000000000000000000000000000000000000000000";

/// Where systemd keeps the credentials of the service that it is named after.
const RUNNING: &str = "/run/credentials/wegraf.service";

/// Inputs besides the file.
pub(super) struct Surroundings<'a> {
    /// Reads an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// An address from the command line, in place of `listen`.
    pub listen: Option<ListenAt>,
    /// Which secrets have to be there.
    pub secrets: Secrets,
}

/// Which secrets have to be there: an operator's shell lacks the service's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    Needed,
    /// All but those that systemd gives the service when it starts.
    GivenAtStart,
    /// None: the command sends nothing.
    Unneeded,
}

/// Reads one file; `storage.rs`, `sources.rs`, `accounts.rs`, `upstreams.rs`, `destinations.rs`, `duty.rs`,
/// `directory.rs`, `receivers.rs`, `escalation.rs`, `targets.rs`, `people.rs`, `reading.rs` and `routes.rs` read its larger
/// parts.
pub(super) struct Resolver<'a> {
    pub found: &'a mut Findings,
    /// Relative paths begin here.
    pub folder: PathBuf,
    pub around: &'a Surroundings<'a>,
    /// Files that were read because of the file.
    pub files: Vec<PathBuf>,
    /// The rotas; empty before they are read.
    pub rotas: Rotas,
    /// Default authorisation to press buttons.
    pub may_act: Option<MayAct>,
    /// Matchers of routes and watchdogs with their places.
    pub matchers: Vec<(Place, Matcher)>,
    /// The tokens of sources, which are checked together.
    pub tokens: Vec<Token>,
    /// The first secret in the file itself.
    pub plain: Option<Place>,
}

impl<'a> Resolver<'a> {
    pub fn new(found: &'a mut Findings, around: &'a Surroundings<'a>) -> Self {
        let folder = found.file.parent().map(Path::to_path_buf).unwrap_or_default();
        Self {
            found,
            folder,
            around,
            files: Vec::new(),
            rotas: Rotas::default(),
            may_act: None,
            matchers: Vec::new(),
            tokens: Vec::new(),
            plain: None,
        }
    }

    /// The configuration, if there is no mistake.
    pub fn config(mut self, file: &File) -> Option<Config> {
        let language = value(file.language.as_ref()).copied().unwrap_or_default();
        let timezone = match value(file.timezone.as_ref()) {
            Some(_) => self.timezone(file.timezone.as_ref()),
            None => self.zone(Place::default(), TIMEZONE),
        };
        let sources = self.sources(file);
        let dropins = self.dropins(file);
        let nobody_proves = sources.is_empty() && dropins.is_empty();
        let listen = self.listen(file, nobody_proves);
        let listen_tls = self.listen_tls(file, nobody_proves, &listen);
        let trusted_proxies = self.trusted_proxies(file, nobody_proves);
        let listen_monitoring = self.listen_monitoring(file, &listen);
        let memory = self.memory(file.memory.as_ref());
        let external_url = self.url(file.external_url.as_ref(), "external_url");
        self.check_base_path(file.external_url.as_ref());
        let database = self.database(file.database.as_ref());
        let lease = self.lease(file.lease.as_ref(), database.as_ref());
        let retention = self.retention(file);
        let wecom = self.wecom(value(file.wecom.as_ref()));
        let upstreams = self.upstreams(file);
        let smtp = self.smtp(value(file.smtp.as_ref()));
        let hooks = self.hooks(value(file.hooks.as_ref()));
        let alarm = self.alarm(file);
        let heartbeat = self.heartbeat(value(file.heartbeat.as_ref()));
        let traces = self.traces(value(file.traces.as_ref()));
        let templates = self.templates(value(file.templates.as_ref()));
        let global = Global { language, timezone: timezone.clone(), templates: &templates };
        self.rotas = self.rotas(value(file.rotas.as_ref()), timezone.as_ref());
        let directory = self.directory(file);
        self.may_act = self.may_act("may_act", file.may_act.as_ref(), file);
        let console = self.console(file);
        let sign_in = self.sign_in(file);
        let act_links = self.act_links(file.act_links.as_ref());
        let receivers = self.receivers(file, &global);
        self.owners_can_be_found(file, &directory, &receivers);
        let route = self.route(file);
        let levels = self.levels(value(file.levels.as_ref()));
        let link_rewrites = self.link_rewrites(value(file.link_rewrites.as_ref()));
        let payloads = self.payloads(value(file.payloads.as_ref()), value(file.payload_files.as_ref()));
        let image_hosts = self.image_hosts(value(file.images.as_ref()));
        let known_hosts = Self::known_hosts(external_url.as_deref(), &upstreams, &link_rewrites, &image_hosts);
        let (charts, upstreams) = self.charts(file, upstreams);
        self.file_mode();
        let allowed = value(file.allow_anonymous.as_ref()).copied().unwrap_or_default();
        let local = listen.iter().all(Listening::is_local)
            && listen_tls.as_ref().is_none_or(|tls| tls.address.ip().is_loopback());
        self.judge_tokens(local, listen.iter().find_map(|listening| listening.at.in_the_open()));
        self.note_unused(file);
        Some(Config {
            path: self.found.file.clone(),
            anonymous: if allowed {
                Anonymous::All
            } else if nobody_proves && local {
                Anonymous::OfThisMachine
            } else {
                Anonymous::None
            },
            listen,
            listen_tls,
            trusted_proxies,
            listen_monitoring,
            memory,
            base_path: external_url.as_deref().map(base_path).unwrap_or_default(),
            external_url,
            database: database?,
            lease,
            retention,
            language,
            timezone: timezone.clone()?,
            sources,
            dropins,
            wecom: wecom?,
            upstreams,
            smtp,
            hooks,
            alarm,
            heartbeat,
            traces,
            receivers,
            rotas: self.rotas,
            directory,
            act_links,
            console,
            sign_in,
            files: self.files,
            route: route?,
            matchers: self.matchers,
            templates,
            payloads: payloads?.with(ReadSettings { levels, timezone: timezone?, language }),
            link_rewrites,
            known_hosts,
            image_hosts,
            charts,
        })
    }

    /// The proxies in front. Two mistakes are reported: a proxy without any source, which lets anyone post, and a list
    /// of all addresses.
    fn trusted_proxies(&mut self, file: &File, nobody_proves: bool) -> Vec<Network> {
        let networks = self.networks(file.trusted_proxies.as_ref(), "trusted_proxies");
        let place = file.trusted_proxies.as_ref().map(|list| list.place).unwrap_or_default();
        if networks.iter().any(Network::is_all) {
            self.found.note(
                place,
                (
                    "`trusted_proxies` 信任所有地址：谁都可以冒充任何地址",
                    "`trusted_proxies` trusts every address: anybody can claim any address",
                ),
                ("只写反向代理的地址", "name the addresses of the proxies only"),
            );
        }
        let allowed = value(file.allow_anonymous.as_ref()).copied().unwrap_or_default();
        let none = nobody_proves && value(file.sources.as_ref()).is_none_or(|sources| sources.0.is_empty());
        if none && !allowed && !networks.is_empty() {
            self.found.note(
                place,
                (
                    "前面有反向代理，但没有 `sources`：能访问代理的人都能投递告警",
                    "there is a proxy in front and there are no `sources`: everyone who reaches the proxy can post",
                ),
                (
                    "加上 sources（例如 grafana: { bearer: { env: GRAFANA_TOKEN } }）",
                    "add sources (for example grafana: { bearer: { env: GRAFANA_TOKEN } })",
                ),
            );
        }
        networks
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

    /// The mappings of the configuration, then those of further files, each with its place.
    fn payloads(&mut self, mappings: Option<&Vec<At<Mapping>>>, files: Option<&Vec<At<String>>>) -> Option<Payloads> {
        type Written = Vec<(PathBuf, Place, Mapping)>;
        fn all(file: &Path, mappings: &[At<Mapping>]) -> Written {
            let placed = mappings.iter().filter_map(|mapping| placed(Some(mapping)));
            placed.map(|(place, mapping)| (file.to_path_buf(), place, mapping.clone())).collect()
        }
        let mut written = all(&self.found.file, mappings.map(Vec::as_slice).unwrap_or_default());
        for (place, pattern) in files.into_iter().flatten().filter_map(|pattern| placed(Some(pattern))) {
            for path in glob::expand(&self.folder, pattern) {
                let path = path.strip_prefix(&self.folder).unwrap_or(&path).to_path_buf();
                let read = self.sibling::<Vec<At<Mapping>>, _>(place, "payload_files", &path, |this, mappings| {
                    Some(all(&this.found.file, mappings))
                });
                written.extend(read.unwrap_or_default());
            }
        }
        match Payloads::compile(written.iter().map(|(_, _, mapping)| mapping.clone()).collect()) {
            Ok(payloads) => Some(payloads),
            Err(errors) => {
                for error in errors {
                    // Of two with one name the later one is the mistake.
                    let of_it = written.iter().rfind(|(_, _, mapping)| mapping.name == error.mapping);
                    let (file, place) = of_it.map_or_else(
                        || (self.found.file.clone(), Place::default()),
                        |(file, place, _)| (file.clone(), *place),
                    );
                    let main = std::mem::replace(&mut self.found.file, file);
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
                    self.found.file = main;
                }
                None
            }
        }
    }

    fn image_hosts(&mut self, images: Option<&file::Images>) -> Vec<String> {
        let hosts = images.and_then(|images| value(images.hosts.as_ref()));
        let is_address = |host: &str| host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        let mut resolved = Vec::new();
        for (place, host) in hosts.into_iter().flatten().filter_map(|host| placed(Some(host))) {
            let (name, port) = host.rsplit_once(':').map_or((host.as_str(), None), |(name, port)| (name, Some(port)));
            let port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
            let plain = |name: &str| !name.is_empty() && !name.contains(['/', ':', '@', '?', '#', '*', ' ', '[']);
            let plain = port && (plain(name) || name.starts_with('[') && is_address(name));
            if plain || is_address(host) {
                resolved.push(host.to_lowercase());
                continue;
            }
            let inside = reqwest::Url::parse(host).ok().and_then(|url| url.host_str().map(str::to_owned));
            let inside = inside.unwrap_or_else(|| "grafana.example.com".to_owned());
            self.found.mistake(
                place,
                (format!("`{host}` 不是主机名"), format!("`{host}` is not the name of a host")),
                (
                    format!("只写主机名（可以带端口），不带协议和路径：{inside}"),
                    format!("write the host alone, with a port or without, but without scheme and path: {inside}"),
                ),
            );
        }
        resolved
    }

    /// A secret, wherever it is; `path` names the key in reports.
    pub fn secret(&mut self, secret: &At<Secret>, path: &str) -> Option<SecretString> {
        self.secret_at(secret.place, secret.get()?, path)
    }

    /// The secret at this place of the file.
    pub fn secret_at(&mut self, place: Place, secret: &Secret, path: &str) -> Option<SecretString> {
        let (text, from): (String, (String, String)) = match secret {
            Secret::Plain(text) => {
                self.plain.get_or_insert(place);
                self.taken_literally(place, path, text.expose_secret());
                (text.expose_secret().to_owned(), ("这里".to_owned(), "this place".to_owned()))
            }
            Secret::Env(name) => {
                let Some(text) = (self.around.environment)(name) else {
                    if self.around.secrets == Secrets::Unneeded {
                        return Some(NO_SECRET.into());
                    }
                    self.found.mistake(
                        place,
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
                self.files.push(file.clone());
                match std::fs::read_to_string(&file) {
                    Ok(text) => {
                        self.secret_file(place, &file);
                        (text, (format!("文件 {}", file.display()), format!("the file {}", file.display())))
                    }
                    Err(_) if self.around.secrets == Secrets::Unneeded => return Some(NO_SECRET.into()),
                    Err(error) => {
                        self.unreadable(place, path, &file, &error);
                        return None;
                    }
                }
            }
            Secret::Credential(name) => return self.given_by_systemd(place, path, name),
        };
        self.whole(place, path, &text, &from)
    }

    /// A secret that systemd gives the service when it starts (`LoadCredential=`).
    fn given_by_systemd(&mut self, place: Place, path: &str, name: &str) -> Option<SecretString> {
        // An operator's shell lacks the variable; root may read the folder while the service runs.
        let running = || Some(RUNNING.to_owned()).filter(|folder| Path::new(folder).is_dir());
        let Some(folder) = (self.around.environment)("CREDENTIALS_DIRECTORY").or_else(running) else {
            if self.around.secrets == Secrets::Needed {
                self.found.mistake(
                    place,
                    (
                        format!("`{path}` 要 systemd 给的凭据 {name}，但这里没有 $CREDENTIALS_DIRECTORY"),
                        format!(
                            "`{path}` needs the credential {name} of systemd, but there is no $CREDENTIALS_DIRECTORY"
                        ),
                    ),
                    (
                        format!("在单元里写 LoadCredential={name}:文件，并由 systemd 启动；或改用 {{ file: … }}"),
                        format!(
                            "write LoadCredential={name}:FILE in the unit and start it by systemd, or use {{ file: … }}"
                        ),
                    ),
                );
                return None;
            }
            if self.around.secrets == Secrets::GivenAtStart {
                self.found.note(
                    place,
                    (
                        format!("`{path}` 的凭据 {name} 由 systemd 在启动时给出，这里没有检查"),
                        format!(
                            "the credential {name} of `{path}` is given by systemd at the start and was not checked"
                        ),
                    ),
                    (
                        format!("确认单元里有 LoadCredential={name}:文件"),
                        format!("see that the unit has LoadCredential={name}:FILE"),
                    ),
                );
            }
            return Some(NO_SECRET.into());
        };
        if name.is_empty() || name.contains('/') || name == ".." {
            self.found.mistake(
                place,
                (format!("`{name}` 不是凭据的名字"), format!("`{name}` is no name of a credential")),
                ("只写 LoadCredential= 里冒号前的名字", "write the name before the colon of LoadCredential="),
            );
            return None;
        }
        let file = Path::new(&folder).join(name);
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                let from = (format!("凭据 {name}"), format!("the credential {name}"));
                self.whole(place, path, &text, &from)
            }
            Err(_) if self.around.secrets == Secrets::Unneeded => Some(NO_SECRET.into()),
            Err(error) => {
                self.unreadable(place, path, &file, &error);
                None
            }
        }
    }

    /// A secret without the newline at its end, if there is one. `from`: where it was found.
    fn whole(&mut self, place: Place, path: &str, text: &str, from: &(String, String)) -> Option<SecretString> {
        // Editors and `kubectl create secret` leave an unintended newline.
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            self.found.mistake(
                place,
                (
                    format!("`{path}` 是空的：{}什么也没有", from.0.trim_end_matches('里').to_owned() + "里"),
                    format!("`{path}` is empty: there is nothing in {}", from.1),
                ),
                ("填入真实的密钥", "put the secret there"),
            );
            return None;
        }
        Some(text.into())
    }

    /// Is this the placeholder for a secret that a reading command could not read?
    pub fn is_stand_in(&self, secret: &SecretString) -> bool {
        self.around.secrets != Secrets::Needed && secret.expose_secret() == NO_SECRET
    }

    pub fn timezone(&mut self, zone: Option<&At<String>>) -> Option<TimeZone> {
        let (place, name) = placed(zone)?;
        self.zone(place, name)
    }

    fn zone(&mut self, place: Place, name: &str) -> Option<TimeZone> {
        if let Ok(zone) = TimeZone::get(name) {
            return Some(zone);
        }
        if let Some(meant) = zone_meant(name) {
            self.found.mistake(
                place,
                (format!("没有时区 `{name}`"), format!("there is no time zone `{name}`")),
                (format!("中国时间写 {meant}"), format!("for Chinese time write {meant}")),
            );
            return None;
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
    pub fn url(&mut self, url: Option<&At<String>>, path: &str) -> Option<String> {
        let (place, text) = placed(url)?;
        self.check_url(place, text, path, &["https", "http"]).then(|| text.trim_end_matches('/').to_owned())
    }

    /// Below an address of its own wegraf would not know whether a proxy took the path away.
    fn check_base_path(&mut self, url: Option<&At<String>>) {
        let Some((place, text)) = placed(url) else { return };
        let path = base_path(text);
        let first = path.split('/').nth(1).unwrap_or_default();
        if OWN.contains(&first) {
            self.found.mistake(
                place,
                (
                    format!("`external_url` 的路径 /{first} 是 wegraf 自己的地址"),
                    format!("/{first} in `external_url` is an address of wegraf itself"),
                ),
                ("换一个路径，例如 /wegraf", "take another path, such as /wegraf"),
            );
        }
    }

    pub fn check_url(&mut self, place: Place, text: &str, path: &str, schemes: &[&str]) -> bool {
        let parsed = reqwest::Url::parse(text).ok().filter(|url| schemes.contains(&url.scheme()) && url.has_host());
        let plain = parsed.as_ref().is_some_and(|url| url.query().is_none() && url.fragment().is_none());
        let open = parsed.is_none_or(|url| url.username().is_empty() && url.password().is_none());
        if plain && open {
            return true;
        }
        // The written value is not repeated: it may contain a password.
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

/// The zone that is meant by what people write for the time in China.
fn zone_meant(name: &str) -> Option<&'static str> {
    let plain: String = name.chars().filter(|letter| !matches!(letter, ' ' | '_' | '-' | '/')).collect();
    let offset = plain.to_lowercase();
    let offset = offset.trim_start_matches("utc").trim_start_matches("gmt");
    let china = matches!(offset, "+8" | "+08" | "+0800" | "+08:00" | "+8:00")
        || matches!(&*plain.to_lowercase(), "cst" | "china" | "beijing" | "asiabeijing" | "chinastandardtime" | "prc")
        || ["北京", "中国", "上海"].iter().any(|city| plain.contains(city));
    china.then_some(TIMEZONE)
}

/// The file's defaults for receivers.
pub(super) struct Global<'a> {
    pub language: Language,
    /// `None` if it is wrong, which is reported.
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

fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() { ".".to_owned() } else { folder.display().to_string() }
}

/// First parts of the paths of requests to wegraf.
pub(crate) const OWN: [&str; 29] = [
    "webhook",
    "check_service",
    "api",
    "d",
    "c",
    "l",
    "assets",
    "login",
    "now",
    "i",
    "m",
    "silences",
    "state",
    "me",
    "events",
    "people",
    "duty",
    "noise",
    "routes",
    "senders",
    "mappings",
    "templates",
    "search",
    "audit",
    "wecom",
    "healthz",
    "readyz",
    "metrics",
    "-",
];

/// The path of a URL that was checked, without a slash at its end.
fn base_path(url: &str) -> String {
    reqwest::Url::parse(url).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}
