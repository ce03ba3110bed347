//! Where to listen: one address in the clear, one with TLS, one for monitoring alone.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_cert::der::Decode as _;

use super::file::File;
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use crate::alert::Timestamp;

const LISTEN: &str = "127.0.0.1:8080";

/// An address that speaks TLS.
#[derive(Clone)]
pub struct ListenTls {
    /// Where.
    pub address: SocketAddr,
    /// The certificate with its chain, and its key, which match.
    pub certificate: Arc<CertifiedKey>,
    /// When the certificate expires.
    pub expires_at: Timestamp,
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
    pub(super) fn listen(&mut self, file: &File, nobody_proves: bool) -> Option<SocketAddr> {
        let place = file.listen.as_ref().map(|listen| listen.place).unwrap_or_default();
        let text = value(file.listen.as_ref()).map_or(LISTEN, String::as_str);
        let listen = match self.around.listen {
            Some(address) => address,
            None => self.socket_address(place, "listen", text)?,
        };
        self.is_not_open(place, listen, file, nobody_proves);
        Some(listen)
    }

    /// `listen_tls`: the address and what it shows. Its files are read again when they change; a pair that does not match
    /// is a mistake, so that the old one stays in force while a renewal is half written.
    pub(super) fn listen_tls(
        &mut self,
        file: &File,
        nobody_proves: bool,
        main: Option<SocketAddr>,
    ) -> Option<ListenTls> {
        let tls = value(file.listen_tls.as_ref())?;
        let (place, text) = placed(Some(&tls.address))?;
        let address = self.socket_address(place, "listen_tls.address", text)?;
        self.is_not_open(place, address, file, nobody_proves);
        if let Some(main) = main {
            self.stand_apart((place, "listen_tls", address), ("listen", main), 8443);
        }
        let (certificate_place, certificate) = placed(Some(&tls.certificate))?;
        let (key_place, key) = placed(Some(&tls.key))?;
        let (certificate, key) = (self.folder.join(certificate), self.folder.join(key));
        self.files.extend([certificate.clone(), key.clone()]);
        self.secret_file(key_place, &key);
        match read(&certificate, &key) {
            Ok((certified, expires_at)) => Some(ListenTls { address, certificate: Arc::new(certified), expires_at }),
            Err(unusable) => {
                self.unusable(unusable, (certificate_place, &certificate), (key_place, &key));
                None
            }
        }
    }

    /// `listen_monitoring`, in the clear.
    pub(super) fn listen_monitoring(&mut self, file: &File, main: Option<SocketAddr>) -> Option<SocketAddr> {
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
        for (key, other) in [("listen", main), ("listen_tls", tls)] {
            if let Some(other) = other {
                self.stand_apart((place, "listen_monitoring", address), (key, other), 9095);
            }
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
    fn is_not_open(&mut self, place: Place, address: SocketAddr, file: &File, nobody_proves: bool) {
        let allowed = value(file.allow_anonymous.as_ref()).copied().unwrap_or_default();
        let none = nobody_proves && value(file.sources.as_ref()).is_none_or(|sources| sources.0.is_empty());
        if !address.ip().is_loopback() && none && !allowed {
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
