//! Several addresses in the clear, each for some, and one in the file system for a proxy.

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wecom_simulator::Setup;
use wegraf::internals::time::Clock;

use crate::harness::{World, alertmanager};
use crate::process::{Wegraf, run};
use crate::sources::sign;
use crate::tls::{issued, trusting};

const REST: &str = "
trusted_proxies: [127.0.0.1]
sources: { grafana: { bearer: canary-token-0123456789abcdef } }
receivers: { ops: { targets: [ { webhook: ops-group } ] } }
";

#[tokio::test(flavor = "multi_thread")]
async fn each_address_serves_those_it_is_for_and_one_is_a_file() {
    let mut world = World::idle(Setup::demo(), "").await;
    let port = xtask::gateway::free().unwrap();
    let listen = format!("[{{ address: '{port}', paths: [webhook, monitoring] }}, 'unix:run/wegraf.sock']");
    std::fs::create_dir(world.folder.path().join("run")).unwrap();
    let socket = world.folder.path().join("run/wegraf.sock");
    world.write("wegraf.yaml", &world.config_text(&listen, REST));
    let running = Wegraf::serve_as_written(&mut world).await;
    assert_eq!(world.url, format!("http://{port}"));
    let found = std::fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket() && found.permissions().mode() & 0o777 == 0o660, "{found:?}");

    // The port is for senders and monitoring alone; the file is for everybody.
    let local = reqwest::Client::builder().no_proxy().unix_socket(socket.as_path()).build().unwrap();
    for (path, at_port, at_file) in [("/healthz", 200, 200), ("/me", 404, 401), ("/api/v1/deliveries", 404, 401)] {
        let status = world.http.get(format!("{}{path}", world.url)).send().await.unwrap().status();
        assert_eq!(status, at_port, "{path} at the port");
        let status = local.get(format!("http://wegraf{path}")).send().await.unwrap().status();
        assert_eq!(status, at_file, "{path} at the file");
    }
    for (http, base, name) in [(&world.http, world.url.as_str(), "one"), (&local, "http://wegraf", "two")] {
        let body = alertmanager(name, &[("a", "firing")]);
        let request = http.post(format!("{base}/webhook")).bearer_auth("canary-token-0123456789abcdef");
        assert_eq!(request.body(body).send().await.unwrap().status(), 200, "{base}");
    }
    // What comes by the file comes from this machine: a proxy there is believed if 127.0.0.1 is.
    let forged = local.post("http://wegraf/webhook").header("x-forwarded-for", "203.0.113.9").body("{}");
    assert_eq!(forged.send().await.unwrap().status(), 401);
    running.logged("203.0.113.9").await;

    // Commands find the address that is for them.
    run(&world, &["reload"]).await.exits(0);
    run(&world, &["health"]).await.exits(0);
    run(&world, &["log", "--listen", "unix:run/wegraf.sock"]).await.exits(0).says(&["info"]);

    // Another process is refused, and leaves the file alone.
    let text = world.config_text("'unix:run/wegraf.sock'", REST).replace("wegraf.db", "other.db");
    world.write("other.yaml", &text);
    let refused = run(&world, &["serve", "-c", "other.yaml"]).await.exits(1);
    assert!(refused.err.contains("another process answers there"), "{}", refused.err);
    assert!(socket.exists());

    // After a kill the file is there without a process: the next one takes it. After a regular end it is gone.
    running.kill().await;
    assert!(socket.exists());
    let mut again = Wegraf::serve_as_written(&mut world).await;
    assert_eq!(local.get("http://wegraf/healthz").send().await.unwrap().status(), 200);
    again.signal("TERM").await;
    assert!(again.ended().await.success());
    assert!(!socket.exists());

    // A file of another kind is not deleted.
    std::fs::write(&socket, "precious").unwrap();
    let refused = run(&world, &["serve", "-c", "other.yaml"]).await.exits(1);
    assert!(refused.err.contains("is not deleted") && socket.exists(), "{}", refused.err);
}

/// Guesses of a password at one address: the status of each.
async fn guesses(http: &reqwest::Client, base: &str, count: usize, password: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        let form = http.post(format!("{base}/login/password")).header("sec-fetch-site", "same-origin");
        let form = form.header("content-type", "application/x-www-form-urlencoded");
        let sent = form.body(format!("name=admin&password={password}")).send().await.unwrap();
        statuses.push(sent.status().as_u16());
    }
    statuses
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_is_counted_for_all_addresses_together() {
    let mut world = World::idle(Setup::demo(), "").await;
    let [one, two] = [xtask::gateway::free().unwrap(), xtask::gateway::free().unwrap()];
    let made = crate::process::run_on(&world, &["console", "password"], b"correct horse battery\n").await.exits(0);
    world.write("admin.hash", made.out.trim());
    let rest = format!("{REST}console: {{ local: {{ admin: {{ file: admin.hash }} }} }}\n");
    world.write("wegraf.yaml", &world.config_text(&format!("['{one}', '{two}']"), &rest));
    let _running = Wegraf::serve_as_written(&mut world).await;
    let [one, two] = [one, two].map(|address| format!("http://{address}"));
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    // Five tries in all, not at each: the sixth waits, even with the right password.
    assert_eq!(guesses(&http, &one, 3, "x").await, [403; 3]);
    assert_eq!(guesses(&http, &two, 2, "x").await, [403; 2]);
    assert_eq!(guesses(&http, &two, 1, "correct+horse+battery").await, [429]);
    assert_eq!(guesses(&http, &one, 1, "correct+horse+battery").await, [429]);

    // A token asks fifty times at once, at whichever address.
    let made =
        run(&world, &["console", "token", "create", "ci", "--scope", "read", "--json", "--listen", &one[7..]]).await;
    let secret = made.exits(0).json()["token"].as_str().unwrap().to_owned();
    let asks = |base: &str| http.get(format!("{base}/api/v1/token")).bearer_auth(&secret).send();
    let all = (0..140).map(|number| asks(if number % 2 == 0 { &one } else { &two }));
    let statuses: Vec<u16> =
        futures_util::future::join_all(all).await.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
    let taken = statuses.iter().filter(|status| **status == 200).count();
    assert!(taken < 100 && statuses.contains(&429), "each address counts for itself: {taken} were taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_is_good_once_at_all_addresses_together() {
    let mut world = World::idle(Setup::demo(), "").await;
    let [one, two] = [xtask::gateway::free().unwrap(), xtask::gateway::free().unwrap()];
    let rest = "
sources: { signed: { hmac: { secret: hmac-secret-4410, header: X-Sign, timestamp_header: X-Time } } }
receivers: { ops: { targets: [ { webhook: ops-group } ] }, dba: { targets: [ { webhook: dba-group } ] } }
route: { receiver: ops }
";
    world.write("wegraf.yaml", &world.config_text(&format!("['{one}', '{two}']"), rest));
    let _running = Wegraf::serve_as_written(&mut world).await;
    let time = (Clock::System.now().0 / 1000).to_string();
    let post = async |address, receiver: &str, name: &str| {
        let body = alertmanager(name, &[("a", "firing")]);
        let signature = sign("hmac-secret-4410", &format!("{time}:{body}"));
        let request = world.http.post(format!("http://{address}/webhook/{receiver}"));
        let request = request.header("x-sign", signature).header("x-time", &time).body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(post(&one, "ops", "first").await, 200);
    assert_eq!(post(&two, "dba", "first").await, 401, "a copy for another receiver, at the other address");
    assert_eq!(post(&two, "dba", "second").await, 200, "the control");
}

/// A proxy in front of `gateway` that begins each connection with `header`, as a balancer of layer 4 does.
async fn balancer(gateway: SocketAddr, header: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut sender, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut behind = TcpStream::connect(gateway).await.unwrap();
                behind.write_all(header.as_bytes()).await.unwrap();
                // Either side may end first.
                tokio::io::copy_bidirectional(&mut sender, &mut behind).await.ok();
            });
        }
    });
    address
}

/// What is answered to these bytes until the connection ends.
async fn answered(gateway: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(gateway).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A connection that is closed with unread bytes is reset.
    stream.read_to_string(&mut answer).await.ok();
    answer
}

const SENDER: &str = "PROXY TCP4 203.0.113.9 10.0.0.1 4711 8080\r\n";
const ASKS: &str = "GET /me HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_layer_four_says_whose_a_connection_is() {
    let mut world = World::idle(Setup::demo(), "").await;
    let [open, proxied, secure] = [(); 3].map(|()| xtask::gateway::free().unwrap());
    let pair = issued();
    world.write("cert.pem", &pair.certificate);
    world.write("key.pem", &pair.key);
    let tls =
        format!("listen_tls: {{ address: '{secure}', certificate: cert.pem, key: key.pem, proxy_protocol: true }}\n");
    let listen = format!("['{open}', {{ address: '{proxied}', proxy_protocol: true }}]");
    // The source's address is part of its proof.
    let rest = REST.replace("0123456789abcdef }", "0123456789abcdef, addresses: [203.0.113.9] }");
    world.write("wegraf.yaml", &world.config_text(&listen, &format!("{tls}{rest}")));
    let running = Wegraf::serve_as_written(&mut world).await;
    let post = async |http: &reqwest::Client, base: String, name: &str| {
        let body = alertmanager(name, &[("a", "firing")]);
        let request = http.post(format!("{base}/webhook")).bearer_auth("canary-token-0123456789abcdef").body(body);
        request.send().await.unwrap().status().as_u16()
    };
    let in_clear = balancer(proxied, SENDER).await;
    assert_eq!(post(&world.http, format!("http://{in_clear}"), "one").await, 200);
    let with_tls = balancer(secure, SENDER).await;
    assert_eq!(post(&trusting(&pair), format!("https://{with_tls}"), "two").await, 200, "the header stands before TLS");
    world.arrived("webhook=sim-ops-group", 2).await;

    // The controls: another sender, at the same address and without the header at the open one.
    let other = balancer(proxied, "PROXY TCP4 203.0.113.10 10.0.0.1 4711 8080\r\n").await;
    assert_eq!(post(&world.http, format!("http://{other}"), "three").await, 401);
    assert_eq!(post(&world.http, format!("http://{open}"), "four").await, 401);
    running.logged("203.0.113.10").await;

    // A proxy that says nothing is closed without an answer, and seen; at the open address the header is no HTTP.
    assert_eq!(answered(proxied, ASKS).await, "");
    let seen = "wegraf_refusals_total{path=\"other\",status=\"400\",reason=\"no_proxy_header\"}";
    assert!(world.metric(seen).await > 0.5);
    assert!(answered(open, &format!("{SENDER}{ASKS}")).await.starts_with("HTTP/1.1 400"));
    // A health check of the proxy itself.
    assert!(answered(proxied, &format!("PROXY UNKNOWN\r\n{ASKS}")).await.starts_with("HTTP/1.1 401"));
    // Commands find the open address.
    run(&world, &["reload"]).await.exits(0);

    // A peer that is no trusted proxy cannot say who it is, as of the next connection.
    world.write(
        "wegraf.yaml",
        &world.config_text(&listen, &format!("{tls}{rest}").replace("[127.0.0.1]", "[10.0.0.1]")),
    );
    run(&world, &["reload"]).await.exits(0);
    assert!(answered(proxied, &format!("{SENDER}{ASKS}")).await.starts_with("HTTP/1.1 400"));
    assert!(answered(proxied, ASKS).await.starts_with("HTTP/1.1 401"));
}
