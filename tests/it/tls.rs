//! `listen_tls`: what senders meet, a renewal of the certificate under load, and a renewal that is half written.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World, alertmanager, crypto};
use crate::process::Wegraf;

/// A certificate of its own authority, with its key, both PEM.
struct Issued {
    certificate: String,
    key: String,
}

fn issued() -> Issued {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    Issued { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
}

/// A client that trusts this certificate alone, and connects anew for each request.
fn trusting(issued: &Issued) -> reqwest::Client {
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
