//! What a service manager and an orchestrator need: health, a reload that can fail, systemd's socket and notifications.

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::{PROGRAM, Wegraf, run};
use crate::witness_alertmanager::OPS;

#[tokio::test]
async fn health_and_reload_tell_how_it_is_by_their_exit_code() {
    let mut world = World::idle(Setup::demo(), "").await;
    let good = world.config_text("127.0.0.1:0", OPS);
    world.write("wegraf.yaml", &good);
    let running = Wegraf::serve(&mut world).await;
    let (url, listen) = (world.url.clone(), world.url.trim_start_matches("http://").to_owned());
    run(&world, &["health", "--url", &url]).await.exits(0);

    let fine = run(&world, &["reload", "--listen", &listen, "--json"]).await.exits(0).json();
    assert_eq!((&fine["ok"], fine["restart"].as_array().map(Vec::len)), (&true.into(), Some(0)), "{fine}");

    world.write("wegraf.yaml", &format!("lease: 9s\n{}", good.replace("127.0.0.1:0", "127.0.0.1:1")));
    let later = run(&world, &["reload", "--listen", &listen, "--json"]).await.exits(0).json();
    assert_eq!(later["restart"], serde_json::json!(["listen", "lease"]), "{later}");

    // What only the gateway sees, and what the command sees, too.
    world.write("wegraf.yaml", &good.replace("\nroute:", "\nroutte:"));
    let wrong = run(&world, &["reload", "--listen", &listen]).await.exits(1);
    assert!(wrong.out.contains("wegraf.yaml:") && wrong.out.contains("routte"), "{}", wrong.out);
    assert!(running.log().contains("The configuration was reloaded."));
    run(&world, &["health", "--url", &url]).await.exits(0);

    running.kill().await;
    run(&world, &["health", "--url", &url]).await.exits(1);
    let gone = run(&world, &["reload", "--listen", &listen]).await;
    assert_eq!(gone.code, 1, "{}", gone.out);
}

/// Waits for a state that the program tells its manager.
async fn told(manager: &UnixDatagram, state: &str) {
    let mut line = [0; 200];
    let begun = std::time::Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "it never told {state}");
        match manager.recv(&mut line) {
            Ok(length) if String::from_utf8_lossy(&line[..length]).lines().any(|line| line == state) => return,
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Python plays systemd: it passes a listening socket as descriptor 3.
const ACTIVATE: &str = "
import os, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
";

#[tokio::test]
async fn systemd_holds_the_socket_and_is_told_when_it_is_ready_alive_and_stopping() {
    let world = World::idle(Setup::demo(), "").await;
    world.write("wegraf.yaml", &world.config_text("127.0.0.1:0", OPS));
    let path = world.folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Before the program runs: the connection waits in the queue of the socket.
    let mut early = TcpStream::connect(address).await.unwrap();
    early.write_all(b"GET /healthz HTTP/1.1\r\nHost: wegraf\r\nConnection: close\r\n\r\n").await.unwrap();

    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&socket);
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).unwrap();
    let mut child = Command::new("python3")
        .args(["-c", ACTIVATE, &descriptor.to_string(), PROGRAM, "serve", "-c", "wegraf.yaml"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .current_dir(world.folder.path())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    told(&manager, "READY=1").await;
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, early.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    told(&manager, "WATCHDOG=1").await;
    told(&manager, "WATCHDOG=1").await;
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("/bin/sh").args(["-c", &format!("kill -TERM {pid}")]).status().await.unwrap().success());
    told(&manager, "STOPPING=1").await;
    assert!(tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn a_secret_whose_file_changes_counts_without_a_restart() {
    let mut world = World::idle(Setup::demo(), "").await;
    world.write("token", "the-first-token-0001");
    world.write_config(&format!("sources: {{ prom: {{ bearer: {{ file: token }} }} }}\n{OPS}"));
    let _running = Wegraf::serve(&mut world).await;
    let status = async |token: &str| {
        let call = world.http.post(format!("{}/webhook", world.url)).bearer_auth(token);
        call.body(alertmanager("DiskFull", &[("db-1", "firing")])).send().await.unwrap().status().as_u16()
    };
    assert_eq!((status("the-first-token-0001").await, status("the-second-token-02").await), (200, 401));
    world.write("token", "the-second-token-02");
    let begun = std::time::Instant::now();
    while status("the-second-token-02").await != 200 {
        assert!(begun.elapsed() < PATIENCE, "the new token never counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status("the-first-token-0001").await, 401);
}
