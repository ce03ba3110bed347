//! Schemathesis, which reads the description of `/api/v1` and asks everything that it allows and much that it does not:
//! whatever is asked, the answer is one that the description tells of.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use crate::api::Program;
use crate::harness::{World, alertmanager};
use crate::programs::find;

const RECEIVERS: &str = "receivers: { ops: { targets: [ { webhook: ops-group } ] } }\nroute: { receiver: ops }\n";
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

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_of_the_description_whatever_the_token_may() {
    let Some(schemathesis) = find("target/witnesses/bin/schemathesis") else { return };
    let world = World::new(&format!("allow_anonymous: true\n{RECEIVERS}")).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    let much = ["--phases", "examples,coverage,fuzzing", "--mode", "all", "--max-examples", "10"];
    let scopes = "read read:raw act resend change";
    let answers = all_answers_are_described(&world, &schemathesis, "all", scopes, &much).await;
    // It is no answer that there were too many questions, and what can be found is found.
    let of = |status: &str| answers.values().filter(|of| of.keys().any(|known| known.starts_with(status))).count();
    assert!(answers.len() >= 29 && of("429") == 0 && of("2") >= 19, "{answers:#?}");
    assert!(answers.values().flat_map(BTreeMap::values).sum::<usize>() >= 800, "{answers:#?}");
    let little = ["--phases", "coverage", "--mode", "positive", "--max-examples", "3"];
    for (number, scopes) in ["read", "read:raw", "act", "resend", "change"].into_iter().enumerate() {
        all_answers_are_described(&world, &schemathesis, &format!("one-{number}"), scopes, &little).await;
    }
}
