//! Where to listen: addresses in the clear, one with TLS, one for monitoring alone.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use schemars::JsonSchema;
use serde::Deserialize;
use x509_cert::der::Decode as _;

use super::at::At;
use super::file::{File, Opening};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use crate::alert::Timestamp;
use crate::words::words;

const LISTEN: &str = "127.0.0.1:8080";
/// Stands before the path of a socket in the file system.
const UNIX: &str = "unix:";

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAt {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket in the file system: for a proxy on the same machine.
    Unix(PathBuf),
}

impl ListenAt {
    /// Can only this machine reach it? A proxy stands before a socket in the file system, and others before the proxy.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.ip().is_loopback())
    }

    /// The address, if others reach it without a proxy.
    pub fn in_the_open(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => (!address.ip().is_loopback()).then_some(*address),
            Self::Unix(_) => None,
        }
    }

    /// How a program on this machine writes it.
    pub fn url(&self) -> String {
        match self {
            Self::Tcp(address) => format!("http://{address}"),
            Self::Unix(_) => "http://127.0.0.1".to_owned(),
        }
    }
}

impl fmt::Display for ListenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl FromStr for ListenAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix(UNIX).filter(|path| !path.is_empty()) {
            Some(path) => Ok(Self::Unix(path.into())),
            None => text
                .parse()
                .map(Self::Tcp)
                .map_err(|_| words("写 IP:端口，或 unix:路径", "write IP:PORT, or unix:PATH").to_string()),
        }
    }
}

/// Whom an address serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// 发送告警的程序。Senders of alerts, and those that speak to another program.
    Webhook,
    /// 企业微信的回调。Callbacks of WeCom.
    Callback,
    /// 网页：消息里的链接、图片和控制台。Pages: links in messages, pictures and the console.
    Pages,
    /// 接口和命令。The API, and commands of this machine.
    Api,
    /// /healthz、/readyz、/metrics。
    Monitoring,
}

/// An address in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// Where.
    pub at: ListenAt,
    /// Whom it serves; empty: all.
    pub areas: Vec<Area>,
    /// Do trusted proxies begin each connection with the PROXY protocol?
    pub proxied: bool,
}

impl Listening {
    /// Does only this machine speak to it?
    pub fn is_local(&self) -> bool {
        self.at.is_local() && !self.proxied
    }

    /// Does it serve those?
    pub fn serves(&self, area: Area) -> bool {
        self.areas.is_empty() || self.areas.contains(&area)
    }
}

/// An address that speaks TLS.
#[derive(Clone)]
pub struct ListenTls {
    /// Where.
    pub address: SocketAddr,
    /// The certificate with its chain, and its key, which match.
    pub certificate: Arc<CertifiedKey>,
    /// When the certificate expires.
    pub expires_at: Timestamp,
    /// Whom it serves; empty: all.
    pub areas: Vec<Area>,
    /// Do trusted proxies begin each connection with the PROXY protocol?
    pub proxied: bool,
}

impl fmt::Debug for ListenTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenTls")
            .field("address", &self.address)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Why a pair of files is no certificate with its key.
enum Unusable {
    NoCertificate(String),
    NoKey(String),
    DoNotMatch,
}

impl Resolver<'_> {
    /// `listen`, in the clear: commands on this machine use it, too.
    pub(super) fn listen(&mut self, file: &File, nobody_proves: bool) -> Vec<Listening> {
        let place = file.listen.as_ref().map(|listen| listen.place).unwrap_or_default();
        let written: Vec<(Place, Opening)> = match (&self.around.listen, value(file.listen.as_ref())) {
            (Some(at), _) => vec![(place, Opening { address: at.to_string(), paths: None, proxy_protocol: false })],
            (None, Some(several)) => several.0.iter().filter_map(|one| Some((one.place, one.get()?.clone()))).collect(),
            (None, None) => vec![(place, Opening { address: LISTEN.to_owned(), paths: None, proxy_protocol: false })],
        };
        let mut all: Vec<Listening> = Vec::new();
        for (place, Opening { address, paths, proxy_protocol }) in written {
            let at = match address.strip_prefix(UNIX) {
                Some(path) if !path.is_empty() => ListenAt::Unix(self.folder.join(path)),
                _ => match self.socket_address(place, "listen", &address) {
                    Some(address) => ListenAt::Tcp(address),
                    None => continue,
                },
            };
            let listening = Listening { at, areas: areas(paths.as_ref()), proxied: proxy_protocol };
            self.is_not_open(place, &listening.at, listening.is_local(), file, nobody_proves);
            if proxy_protocol {
                self.is_proxied(place, &listening.at, file);
            }
            let at = &listening.at;
            for other in &all {
                match (at, &other.at) {
                    (ListenAt::Tcp(one), ListenAt::Tcp(other)) => {
                        self.stand_apart((place, "listen", *one), ("listen", *other), 8081);
                    }
                    (one, other) if one == other => self.found.mistake(
                        place,
                        (format!("`listen` 里 {one} 写了两次"), format!("{one} is given twice in `listen`")),
                        ("只留一个", "keep one of them"),
                    ),
                    _ => {}
                }
            }
            all.push(listening);
        }
        all
    }

    /// `listen_tls`: the address and what it shows. Its files are read again when they change; a pair that does not match
    /// is a mistake, so that the old one stays in force while a renewal is half written.
    pub(super) fn listen_tls(&mut self, file: &File, nobody_proves: bool, main: &[Listening]) -> Option<ListenTls> {
        let tls = value(file.listen_tls.as_ref())?;
        let (place, text) = placed(Some(&tls.address))?;
        let address = self.socket_address(place, "listen_tls.address", text)?;
        let at = ListenAt::Tcp(address);
        self.is_not_open(place, &at, at.is_local() && !tls.proxy_protocol, file, nobody_proves);
        if tls.proxy_protocol {
            self.is_proxied(place, &at, file);
        }
        for main in tcp(main) {
            self.stand_apart((place, "listen_tls", address), ("listen", main), 8443);
        }
        let (certificate_place, certificate) = placed(Some(&tls.certificate))?;
        let (key_place, key) = placed(Some(&tls.key))?;
        let (certificate, key) = (self.folder.join(certificate), self.folder.join(key));
        self.files.extend([certificate.clone(), key.clone()]);
        self.secret_file(key_place, &key);
        match read(&certificate, &key) {
            Ok((certified, expires_at)) => {
                let areas = areas(tls.paths.as_ref());
                let certificate = Arc::new(certified);
                Some(ListenTls { address, certificate, expires_at, areas, proxied: tls.proxy_protocol })
            }
            Err(unusable) => {
                self.unusable(unusable, (certificate_place, &certificate), (key_place, &key));
                None
            }
        }
    }

    /// `listen_monitoring`, in the clear.
    pub(super) fn listen_monitoring(&mut self, file: &File, main: &[Listening]) -> Option<SocketAddr> {
        let (place, text) = placed(file.listen_monitoring.as_ref())?;
        let Ok(address) = text.parse::<SocketAddr>() else {
            self.found.mistake(
                place,
                (
                    format!("`listen_monitoring` 不是“IP:端口”：`{text}`"),
                    format!("`listen_monitoring` is not IP:PORT: `{text}`"),
                ),
                ("例如 127.0.0.1:9095", "for example 127.0.0.1:9095"),
            );
            return None;
        };
        // Also where its certificate cannot be read.
        let tls = value(file.listen_tls.as_ref()).and_then(|tls| tls.address.get()?.parse().ok());
        for (key, other) in tcp(main).map(|main| ("listen", main)).chain(tls.map(|tls| ("listen_tls", tls))) {
            self.stand_apart((place, "listen_monitoring", address), (key, other), 9095);
        }
        Some(address)
    }

    /// Reports two addresses that the system does not give to two listeners.
    fn stand_apart(&mut self, (place, key, address): (Place, &str, SocketAddr), other: (&str, SocketAddr), port: u16) {
        if !collide(address, other.1) {
            return;
        }
        let (known, other) = other;
        let example = SocketAddr::new(address.ip(), port);
        let said = if address == other {
            (
                format!("`{key}` 和 `{known}` 是同一个地址：{address}"),
                format!("`{key}` and `{known}` are the same address: {address}"),
            )
        } else {
            (
                format!("`{key}` 的 {address} 和 `{known}` 的 {other} 用同一个端口，不能同时监听"),
                format!("`{key}` ({address}) and `{known}` ({other}) share a port and cannot both be opened"),
            )
        };
        self.found.mistake(
            place,
            said,
            (format!("换一个端口，例如 {example}"), format!("take another port, for example {example}")),
        );
    }

    fn socket_address(&mut self, place: Place, path: &str, text: &str) -> Option<SocketAddr> {
        if let Ok(address) = text.parse() {
            return Some(address);
        }
        let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok()).unwrap_or("8080");
        self.found.mistake(
            place,
            (format!("`{path}` 不是“IP:端口”：`{text}`"), format!("`{path}` is not IP:PORT: `{text}`")),
            (
                format!("写成 127.0.0.1:{port}（仅本机）或 0.0.0.0:{port}（所有网卡）"),
                format!("write 127.0.0.1:{port} (this machine only) or 0.0.0.0:{port} (all interfaces)"),
            ),
        );
        None
    }

    /// An address that others can reach needs sources, or `allow_anonymous`. Sources that did not fit are reported as
    /// mistakes.
    fn is_not_open(&mut self, place: Place, address: &ListenAt, local: bool, file: &File, nobody_proves: bool) {
        let allowed = value(file.allow_anonymous.as_ref()).copied().unwrap_or_default();
        let none = nobody_proves && value(file.sources.as_ref()).is_none_or(|sources| sources.0.is_empty());
        if !local && none && !allowed {
            self.found.mistake(
                place,
                (
                    format!("`{address}` 对外开放，但没有 `sources`：谁都能投递告警"),
                    format!("`{address}` is open to others and there are no `sources`: anybody could post"),
                ),
                (
                    "加上 sources（例如 grafana: { bearer: { env: GRAFANA_TOKEN } }），或明确写 allow_anonymous: true",
                    "add sources (for example grafana: { bearer: { env: GRAFANA_TOKEN } }), or say allow_anonymous: true",
                ),
            );
        }
    }

    /// What a proxy says about a sender's address counts only where the proxy is trusted.
    fn is_proxied(&mut self, place: Place, address: &ListenAt, file: &File) {
        if matches!(address, ListenAt::Unix(_)) {
            self.found.mistake(
                place,
                (
                    format!("`{address}` 是文件套接字，不支持 `proxy_protocol`"),
                    format!("`{address}` is a socket in the file system, which has no `proxy_protocol`"),
                ),
                ("改听 IP:端口", "listen at IP:PORT"),
            );
        } else if value(file.trusted_proxies.as_ref()).is_none_or(Vec::is_empty) {
            self.found.mistake(
                place,
                (
                    format!("`{address}` 写了 `proxy_protocol`，但没有 `trusted_proxies`：谁都能冒充任何地址"),
                    format!("`{address}` has `proxy_protocol` and there are no `trusted_proxies`: anybody could claim any address"),
                ),
                ("在 trusted_proxies 里写代理的地址", "name the proxy's address in `trusted_proxies`"),
            );
        }
    }

    fn unusable(&mut self, unusable: Unusable, certificate: (Place, &Path), key: (Place, &Path)) {
        let (place, what, remedy) = match unusable {
            Unusable::NoCertificate(error) => {
                let file = certificate.1.display();
                (
                    certificate.0,
                    (
                        format!("证书文件 {file} 不能用：{error}"),
                        format!("the certificate in {file} cannot be used: {error}"),
                    ),
                    (
                        "要 PEM 格式：服务器证书在前，后面是中间证书（fullchain.pem）；wegraf 的用户要能读",
                        "it must be PEM: the server's certificate first, then the intermediate ones (fullchain.pem), readable by the user of wegraf",
                    ),
                )
            }
            Unusable::NoKey(error) => {
                let file = key.1.display();
                (
                    key.0,
                    (format!("私钥文件 {file} 不能用：{error}"), format!("the key in {file} cannot be used: {error}")),
                    (
                        "要不带口令的 PEM 私钥（privkey.pem）；wegraf 的用户要能读",
                        "it must be a PEM key without a passphrase (privkey.pem), readable by the user of wegraf",
                    ),
                )
            }
            Unusable::DoNotMatch => (
                key.0,
                (
                    format!("私钥 {} 和证书 {} 不是一对", key.1.display(), certificate.1.display()),
                    format!(
                        "the key in {} does not belong to the certificate in {}",
                        key.1.display(),
                        certificate.1.display()
                    ),
                ),
                (
                    "换成同一次签发的两个文件；正在换证书时，写完第二个文件会自动重读",
                    "name the two files of one issue; while they are being renewed they are read again after the second is written",
                ),
            ),
        };
        self.found.mistake(place, what, remedy);
    }
}

/// The addresses with a port.
fn tcp(all: &[Listening]) -> impl Iterator<Item = SocketAddr> {
    all.iter().filter_map(|listening| match listening.at {
        ListenAt::Tcp(address) => Some(address),
        ListenAt::Unix(_) => None,
    })
}

fn areas(written: Option<&At<Vec<At<Area>>>>) -> Vec<Area> {
    let written = value(written).into_iter().flatten();
    written.filter_map(|area| area.get().copied()).collect()
}

/// Does the system refuse the second of these? An unspecified address takes the port on all of them.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let all = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && (all || one.ip() == other.ip())
}

/// A time in a certificate, such as when it expires.
pub(crate) fn moment(time: x509_cert::time::Time) -> Timestamp {
    Timestamp(i64::try_from(time.to_unix_duration().as_millis()).unwrap_or(i64::MAX))
}

/// The pair, and when it expires.
fn read(certificate: &Path, key: &Path) -> Result<(CertifiedKey, Timestamp), Unusable> {
    let bad = |error: &dyn fmt::Display| Unusable::NoCertificate(error.to_string());
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(|error| bad(&error))?;
    let first = chain.first().ok_or_else(|| bad(&"no certificate in it"))?;
    let parsed = x509_cert::Certificate::from_der(first).map_err(|error| bad(&error))?;
    let expires_at = moment(parsed.tbs_certificate.validity.not_after);
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| Unusable::NoKey(error.to_string()))?;
    let key = ring::sign::any_supported_type(&key).map_err(|error| Unusable::NoKey(error.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => Ok((certified, expires_at)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(Unusable::DoNotMatch),
        Err(error) => Err(bad(&error)),
    }
}
