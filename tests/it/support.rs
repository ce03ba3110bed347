//! `wegraf support-bundle`, which may be given away, and `wegraf log`.

use std::path::Path;
use std::time::Instant;

use base64::Engine as _;
use base64::alphabet::{self, Alphabet};
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use tokio::process::Command;
use wecom_simulator::Setup;

use crate::harness::{PATIENCE, World, alertmanager};
use crate::process::{Wegraf, run};
use crate::secrets::{SECRETS, configuration};

/// The files of a bundle, unpacked by another program.
async fn unpacked(world: &World, bundle: &str) -> Vec<(String, String)> {
    let folder = world.folder.path().join(format!("{bundle}.d"));
    std::fs::create_dir(&folder).unwrap();
    let status =
        Command::new("tar").arg("-xzf").arg(world.folder.path().join(bundle)).arg("-C").arg(&folder).status().await;
    assert!(status.unwrap().success(), "tar takes it");
    let inside = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let files = std::fs::read_dir(inside).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

/// Every byte of a text percent-encoded.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02X}"))
}

/// Is a canary in this text: as it is, percent-encoded, or within a Base64 text?
fn holds(text: &str, canary: &str) -> bool {
    let percent = form_urlencoded::byte_serialize(canary.as_bytes()).collect::<String>();
    let all = escaped(canary);
    let lax = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let inside = |letters: &Alphabet, run: &str| {
        (0..4.min(run.len())).any(|from| {
            // One letter alone is no byte.
            let end = run.len() - usize::from((run.len() - from) % 4 == 1);
            let bytes = GeneralPurpose::new(letters, lax).decode(&run[from..end]);
            bytes.is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(canary))
        })
    };
    let mut runs =
        text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/-_".contains(c))).filter(|run| run.len() >= 12);
    text.contains(canary)
        || text.contains(&percent)
        || text.contains(&all)
        || runs.any(|run| inside(&alphabet::STANDARD, run) || inside(&alphabet::URL_SAFE, run))
}

/// The first canary in these files.
fn leak(files: &[(String, String)], canaries: &[&str]) -> Option<String> {
    let found = files.iter().flat_map(|file| canaries.iter().map(move |canary| (file, canary)));
    let mut found = found.filter(|((_, text), canary)| holds(text, canary));
    found.next().map(|((name, _), canary)| format!("{canary} is in {name}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_holds_what_a_report_needs_and_nothing_that_is_private() {
    let mut world = World::idle(Setup::demo(), "").await;
    let text = configuration(&world).replace("bearer: canary-source-token", "bearer: { env: TOKEN }");
    let text = text.replace("{ env: TOKEN }", "{ file: token.txt }");
    world.write("token.txt", "canary-source-token\n");
    world.write("wegraf.yaml", &(text + "# canary-comment\n"));
    let gateway = Wegraf::serve_with(&mut world, &["--log", "debug"]).await;
    let listen = world.url.trim_start_matches("http://").to_owned();
    let post = |path: &str, token: &str| {
        let body = alertmanager("canary-alert-text", &[("canary-instance", "firing")]);
        world.http.post(format!("{}{path}", world.url)).bearer_auth(token).body(body).send()
    };
    assert_eq!(post("/webhook?token=canary-query-token", "canary-source-token").await.unwrap().status(), 200);
    assert_eq!(post("/webhook/t/canary-path-token", "canary-wrong-token").await.unwrap().status(), 401);
    assert_eq!(post("/webhook?token=canary-query-token", "canary-wrong-token").await.unwrap().status(), 401);
    world.arrived("user=zhangsan", 1).await;
    world.arrived("webhook=sim-ops-group", 1).await;

    let mut canaries = SECRETS.to_vec();
    let aes = "canaryAesKeyabcdefghijklmnopqrstuvwxyzABCDE";
    canaries.extend([aes, "canary-comment", "canary-alert-text", "canary-instance", "canary-query-token"]);
    canaries.extend(["canary-path-token", "zhangsan", "duty@example.com", "wwsimcorp0000001"]);
    let said = run(&world, &["support-bundle", "-o", "a.tar.gz", "--listen", &listen]).await.exits(0);
    assert!(
        said.out.find("log.jsonl").unwrap() < said.out.find("a.tar.gz").unwrap(),
        "first what is inside: {}",
        said.out
    );
    let mut files = unpacked(&world, "a.tar.gz").await;
    assert_eq!(leak(&files, &canaries), None);
    let of = |name: &str| &files.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name}")).1;
    for (name, texts) in [
        ("configuration.yaml", &["agent_id: 1000002", "secret: hidden-", "receiver: ops", "face: card"][..]),
        ("check.txt", &["✓"]),
        ("system.txt", &["kernel", "SQLite on", "clock", "pid "]),
        ("metrics.txt", &["wegraf_webhook_answers_total"]),
        ("readyz.txt", &["200"]),
        ("database.json", &["\"message\"", "\"named\"", "\"imbalance\": 0"]),
        ("log.jsonl", &["A request was refused.", "A message was accepted.", "app/ops/person-"]),
        ("refusals.json", &["\"status\": 401", "\"path\": \"/webhook/t/…\""]),
    ] {
        for text in texts {
            assert!(of(name).contains(text), "{text:?} is not in {name}: {}", of(name));
        }
    }
    // A file is not overwritten.
    run(&world, &["support-bundle", "-o", "a.tar.gz", "--listen", &listen]).await.exits(2);

    // The control: what is asked for is found, and so is a planted leak in each form.
    let listed = run(&world, &["deliveries", "list", "--json"]).await.exits(0).json();
    let id = listed["deliveries"][0]["thread"].as_str().unwrap().to_owned();
    run(&world, &["support-bundle", "-o", "b.tar.gz", "--listen", &listen, "--with-message", &id]).await.exits(0);
    let with = unpacked(&world, "b.tar.gz").await;
    assert!(leak(&with, &["canary-alert-text"]).unwrap().ends_with("messages.txt"));
    assert_eq!(leak(&with, &SECRETS), None);
    for planted in [
        "x sim-app-secret y".to_owned(),
        escaped("sim-app-secret"),
        STANDARD_NO_PAD.encode("am:sim-app-secret"),
        URL_SAFE_NO_PAD.encode("a:sim-app-secret??"),
    ] {
        files.push(("planted.txt".to_owned(), planted.clone()));
        assert_eq!(leak(&files, &canaries).as_deref(), Some("sim-app-secret is in planted.txt"), "{planted}");
        files.pop();
    }

    // Names that only WeCom knows come with the checks of `doctor`.
    run(&world, &["support-bundle", "-o", "d.tar.gz", "--listen", &listen, "--doctor"]).await.exits(0);
    let checked = unpacked(&world, "d.tar.gz").await;
    assert_eq!(leak(&checked, &[&canaries[..], &["张三"]].concat()), None);
    let doctor = &checked.iter().find(|(name, _)| name == "doctor.txt").expect("it was asked for").1;
    assert!(doctor.contains("person-"), "{doctor}");

    // Without a gateway there is still a bundle.
    gateway.kill().await;
    run(&world, &["support-bundle", "-o", "c.tar.gz", "--listen", &listen]).await.exits(0);
    assert_eq!(leak(&unpacked(&world, "c.tar.gz").await, &canaries), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_level_is_changed_for_a_while() {
    let mut world = World::idle(Setup::demo(), "receivers:\n  ops: { targets: [{ webhook: ops-group }] }\n").await;
    let gateway = Wegraf::serve(&mut world).await;
    let listen = world.url.trim_start_matches("http://").to_owned();
    let log = async |arguments: &[&str]| run(&world, &[&["log", "--listen", &listen], arguments].concat()).await;
    let healthz = || world.http.get(format!("{}/healthz", world.url)).send();
    let now = log(&["--json"]).await.exits(0).json();
    assert_eq!((&now["filter"], &now["usual"]), (&Value::from("info"), &Value::from("info")));
    healthz().await.unwrap();
    assert!(!gateway.log().contains("A request was answered."));
    log(&["wegraf=loud", "--for", "1h"]).await.exits(2);
    log(&["debug", "--for", "25h"]).await.exits(2);
    log(&["debug", "--for", "1h"]).await.exits(0).says(&["debug", "info"]);
    healthz().await.unwrap();
    gateway.logged("A request was answered.").await;
    // A later change counts, not the end of an earlier one.
    log(&["warn,wegraf::http=debug", "--for", "1s"]).await.exits(0);
    let begun = Instant::now();
    while log(&["--json"]).await.exits(0).json()["filter"] != "info" {
        assert!(begun.elapsed() < PATIENCE, "it never went back");
    }
}
