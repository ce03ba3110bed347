//! Schemathesis, which reads the description of `/api/v1` and asks everything that it allows and much that it does not:
//! whatever is asked, the answer is one that the description tells of.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::api::Program;
use crate::harness::{World, alertmanager, crypto};
use crate::programs::{Server, find};
use crate::silences::NO_NOTIFIER;

const RECEIVERS: &str = "receivers: { ops: { targets: [ { webhook: ops-group } ] } }\nroute: { receiver: ops }\n";
const FILES: &str = "
rotas: { dba: rota.yaml }
templates: [ 'templates/*.j2' ]
payload_files: [ 'payloads.d/*.yaml' ]
console: { write: [ templates, payloads.d ] }
";
const MAPPING: &str =
    "- name: backups\n  has: [outcome, plan]\n  alert:\n    name: \"备份 {{ body.plan.job }}\"\n    status: firing\n";
/// Each asks ten times a second: so many are never one too many.
const TOKENS: usize = 40;

/// The answers of each operation: how often which status.
type Answers = BTreeMap<String, BTreeMap<String, usize>>;

/// Asks everything with tokens of these scopes.
async fn all_answers_are_described(
    world: &World,
    schemathesis: &Path,
    name: &str,
    scopes: &str,
    how: &[&str],
) -> Answers {
    let mut tokens = Vec::new();
    for number in 0..TOKENS {
        tokens.push(Program::new(world, &format!("{name}-{number}"), scopes, &[]).await.secret);
    }
    let counts = world.folder.path().join(format!("{name}.json"));
    let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/witnesses/schemathesis_hooks.py");
    let done = tokio::process::Command::new(schemathesis)
        .args(["run", &format!("{}/api/v1/openapi.json", world.url)])
        // A stream ends after half an hour, and a body of any kind is beyond what the witness can make: `api_events.rs` and
        // `api_files.rs` ask these.
        .args(["--exclude-path", "/api/v1/events", "--exclude-path", "/api/v1/preview", "--seed", "1"])
        .args(how)
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args(["--generation-deterministic", "--workers", "2", "--no-color", "--request-timeout", "10"])
        .env("WEGRAF_TOKENS", tokens.join(" "))
        .env("WEGRAF_COUNTS", &counts)
        .env("SCHEMATHESIS_HOOKS", hooks)
        .current_dir(world.folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{scopes}: {said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("passed"), "{said}");
    serde_json::from_slice(&std::fs::read(counts).unwrap()).unwrap()
}

/// What depends on how things stand just then: a webhook's message cannot be recalled, nothing is paused, the silence may
/// have been ended before, and the alert may be silenced already. Other tests do these.
const RARE: [&str; 5] = [
    "DELETE /api/v1/silences/{id}",
    "PATCH /api/v1/silences/{id}",
    "POST /api/v1/acts",
    "POST /api/v1/deliveries/{id}/recall",
    "POST /api/v1/health/probe",
];

/// With all that the examples of the description name: a template, a file of mappings, a rota, an upstream; and with what came.
async fn world(server: &Server) -> World {
    let mut world = World::idle(wecom_simulator::Setup::demo(), "").await;
    for name in ["templates", "payloads.d"] {
        std::fs::create_dir(world.folder.path().join(name)).unwrap();
    }
    world.write("templates/duty.j2", "{{ title }}\n{% for alert in alerts %}{{ alert.name }}\n{% endfor %}");
    world.write("payloads.d/backups.yaml", MAPPING);
    world.write("rota.yaml", "start: 2026-01-05\npeople: [zhangsan, lisi]\n");
    world.write_config(&format!(
        "allow_anonymous: true\nupstreams: {{ am: {{ kind: alertmanager, url: '{}' }} }}\n{RECEIVERS}{FILES}",
        server.url
    ));
    world.start().await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_of_the_description_whatever_the_token_may() {
    let Some(schemathesis) = find("target/witnesses/bin/schemathesis") else { return };
    crypto();
    let folder = TempDir::new().unwrap();
    let Some(server) = Server::alertmanager(folder.path(), NO_NOTIFIER).await else { return };
    let world = world(&server).await;
    let much = ["--phases", "examples,coverage,fuzzing,stateful", "--mode", "all", "--max-examples", "10"];
    let scopes = "read read:raw act resend change";
    let answers = all_answers_are_described(&world, &schemathesis, "all", scopes, &much).await;
    // It is no answer that there were too many questions, and what can be found is found.
    let of = |status: &str| answers.values().filter(|of| of.keys().any(|known| known.starts_with(status))).count();
    println!("{answers:#?}");
    assert!(answers.len() >= 31 && of("429") == 0, "{answers:#?}");
    // Each is answered as it should be at least once: by its examples, and by what the answers of others lead to.
    let never = answers.iter().filter(|(_, of)| !of.keys().any(|known| known.starts_with('2'))).map(|(name, _)| name);
    let never: Vec<&String> = never.filter(|name| !RARE.contains(&name.as_str())).collect();
    assert!(never.is_empty(), "{never:?} {answers:#?}");
    assert!(answers.values().flat_map(BTreeMap::values).sum::<usize>() >= 800, "{answers:#?}");
    let little = ["--phases", "coverage", "--mode", "positive", "--max-examples", "3"];
    for (number, scopes) in ["read", "read:raw", "act", "resend", "change"].into_iter().enumerate() {
        all_answers_are_described(&world, &schemathesis, &format!("one-{number}"), scopes, &little).await;
    }
}
