//! `listen_tls`: what senders meet, a renewal of the certificate under load, and a renewal that is half written.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World, alertmanager, crypto};
use crate::process::Wegraf;

/// A certificate of its own authority, with its key, both PEM.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

pub fn issued() -> Issued {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    Issued { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
}

/// A client that trusts this certificate alone, and connects anew for each request.
pub fn trusting(issued: &Issued) -> reqwest::Client {
    crypto();
    let trusted = reqwest::Certificate::from_pem(issued.certificate.as_bytes()).unwrap();
    let builder = reqwest::Client::builder().tls_certs_only([trusted]).no_proxy().pool_max_idle_per_host(0);
    builder.timeout(PATIENCE).build().unwrap()
}

async fn posted(client: &reqwest::Client, address: SocketAddr, name: &str) -> Option<u16> {
    let body = alertmanager(name, &[("a", "firing")]);
    let answer = client.post(format!("https://{address}/webhook")).body(body).send().await.ok()?;
    Some(answer.status().as_u16())
}

/// Waits until a client that trusts only `issued` is served.
async fn in_force(issued: &Issued, address: SocketAddr) {
    let (client, begun) = (trusting(issued), Instant::now());
    while client.get(format!("https://{address}/healthz")).send().await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the certificate never came into force");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_taken_under_load_and_half_a_renewal_is_not() {
    let address = xtask::gateway::free().unwrap();
    let (first, second) = (issued(), issued());
    let rest = format!(
        "listen_tls: {{ address: '{address}', certificate: cert.pem, key: key.pem }}\nreceivers:\n  ops: {{ targets: [{{ webhook: ops-group }}] }}\nroute: {{ receiver: ops }}\n"
    );
    let mut world = World::idle(Setup::demo(), &rest).await;
    world.write("cert.pem", &first.certificate);
    world.write("key.pem", &first.key);
    let mut gateway = Wegraf::serve(&mut world).await;

    let old = trusting(&first);
    assert_eq!(posted(&old, address, "first").await, Some(200));
    assert_eq!(posted(&trusting(&second), address, "early").await, None, "this client trusts another certificate");
    let plain = world.http.get(format!("http://{address}/healthz")).send().await;
    assert!(plain.is_err(), "HTTP in the clear is no TLS");
    let refused = "wegraf_refusals_total{path=\"other\",status=\"400\",reason=\"no_handshake\"}";
    assert!(world.metric(refused).await > 0.5, "a refused handshake is seen");
    assert_eq!(world.http.get(format!("{}/healthz", world.url)).send().await.unwrap().status(), 200);
    assert!(world.metric("wegraf_certificate_expires_timestamp_seconds").await > 1.7e9);

    // A client that trusts both posts without a pause; not one request of it may fail.
    let both = [&first, &second].map(|issued| reqwest::Certificate::from_pem(issued.certificate.as_bytes()).unwrap());
    let both = reqwest::Client::builder().tls_certs_only(both).no_proxy().pool_max_idle_per_host(0).build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let stop = stop.clone();
        async move {
            let (mut taken, mut failed) = (0_u32, 0_u32);
            while !stop.load(Ordering::Relaxed) {
                match posted(&both, address, &format!("load{}", taken % 10)).await {
                    Some(200) => taken += 1,
                    _ => failed += 1,
                }
            }
            (taken, failed)
        }
    });
    world.write("cert.pem", &second.certificate);
    gateway.logged("the old one stays in force").await;
    assert!(gateway.log().contains("does not belong to the certificate"), "{}", gateway.log());
    assert_eq!(posted(&old, address, "half").await, Some(200), "the old pair serves on");
    world.write("key.pem", &second.key);
    in_force(&second, address).await;
    // Another client: the first one may resume its session, for which no certificate is shown.
    assert_eq!(posted(&trusting(&first), address, "late").await, None, "this client trusts the old certificate alone");
    stop.store(true, Ordering::Relaxed);
    let (taken, failed) = load.await.unwrap();
    assert!(taken > 0 && failed == 0, "{taken} were taken, {failed} failed");
    gateway.signal("TERM").await;
    assert!(gateway.ended().await.success());
}

/// An authority that issues certificates for clients.
struct Authority {
    certificate: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    /// A certificate with these names, that is valid until that year, with its key.
    fn issue(&self, common: &str, alternative: &[&str], until: i32) -> String {
        let names: Vec<String> = alternative.iter().map(ToString::to_string).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, common);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = rcgen::KeyPair::generate().unwrap();
        params.signed_by(&key, &self.issuer).unwrap().pem() + &key.serialize_pem()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_proves_its_source_and_no_other_does() {
    let address = xtask::gateway::free().unwrap();
    let (server, ours, other) = (issued(), Authority::new(), Authority::new());
    let rest = format!(
        "listen_tls: {{ address: '{address}', certificate: cert.pem, key: key.pem }}\nsources:\n  netdata: {{ client_cert: {{ ca: ca.pem, name: netdata.example.com }} }}\n  both: {{ all: [ {{ client_cert: {{ ca: ca.pem, name: both }} }}, {{ bearer: canary-token-0123456789 }} ] }}\nreceivers:\n  ops: {{ targets: [{{ webhook: ops-group }}] }}\n"
    );
    let mut world = World::idle(Setup::demo(), &rest).await;
    for (name, text) in [("cert.pem", &server.certificate), ("key.pem", &server.key), ("ca.pem", &ours.certificate)] {
        world.write(name, text);
    }
    let gateway = Wegraf::serve(&mut world).await;
    let client = |identity: Option<String>| {
        crypto();
        let trusted = reqwest::Certificate::from_pem(server.certificate.as_bytes()).unwrap();
        let builder = reqwest::Client::builder().tls_certs_only([trusted]).no_proxy().pool_max_idle_per_host(0);
        let builder = match identity {
            Some(identity) => builder.identity(reqwest::Identity::from_pem(identity.as_bytes()).unwrap()),
            None => builder,
        };
        builder.timeout(PATIENCE).build().unwrap()
    };
    for (about, identity, status) in [
        ("by an alternative name", Some(ours.issue("x", &["netdata.example.com"], 2100)), 200),
        ("by the common name", Some(ours.issue("netdata.example.com", &[], 2100)), 200),
        (
            "by the common name beside a name of another",
            Some(ours.issue("netdata.example.com", &["mine.example.com"], 2100)),
            401,
        ),
        ("none", None, 401),
        ("of another authority", Some(other.issue("netdata.example.com", &["netdata.example.com"], 2100)), 401),
        ("for another name", Some(ours.issue("grafana", &["grafana.example.com"], 2100)), 401),
        ("one that expired", Some(ours.issue("netdata.example.com", &[], 2021)), 401),
        ("half of what is demanded", Some(ours.issue("both", &[], 2100)), 401),
    ] {
        assert_eq!(posted(&client(identity), address, about).await, Some(status), "{about}");
    }
    let both = client(Some(ours.issue("both", &[], 2100)));
    let body = alertmanager("both", &[("a", "firing")]);
    let request = both.post(format!("https://{address}/webhook")).bearer_auth("canary-token-0123456789");
    assert_eq!(request.body(body).send().await.unwrap().status(), 200);
    assert!(gateway.log().contains("\"credential\":\"client_cert\""), "{}", gateway.log());

    // The authority changes with its file: what was issued before proves nothing any more.
    let before = client(Some(ours.issue("netdata.example.com", &[], 2100)));
    let after = client(Some(other.issue("netdata.example.com", &[], 2100)));
    world.write("ca.pem", &other.certificate);
    gateway.logged("The configuration was reloaded.").await;
    assert_eq!(posted(&before, address, "before").await, Some(401));
    assert_eq!(posted(&after, address, "after").await, Some(200));
}
