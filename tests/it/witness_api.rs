//! Schemathesis, which reads the description of `/api/v1` and asks everything that it allows: whatever is asked, the
//! answer is one that the description tells of.

use std::process::Stdio;

use crate::api::Program;
use crate::harness::{World, alertmanager};
use crate::programs::find;

const RECEIVERS: &str = "receivers: { ops: { targets: [ { webhook: ops-group } ] } }\nroute: { receiver: ops }\n";

/// Asks everything with a token of these scopes.
async fn all_answers_are_described(world: &World, schemathesis: &std::path::Path, name: &str, scopes: &str) {
    // Each token asks ten times a second, so that one would not do: the description is the same for all.
    let program = Program::new(world, name, scopes, &[]).await;
    let done = tokio::process::Command::new(schemathesis)
        .args(["run", &format!("{}/api/v1/openapi.json", world.url)])
        .args(["--header", &format!("Authorization: Bearer {}", program.secret)])
        // A stream ends after half an hour, and a body of any kind is beyond what the witness can make: `api_events.rs` and
        // `api_files.rs` ask these.
        .args(["--exclude-path", "/api/v1/events", "--exclude-path", "/api/v1/preview"])
        .args(["--phases", "examples,coverage", "--mode", "positive", "--max-examples", "3", "--seed", "1"])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args(["--generation-deterministic", "--workers", "2", "--no-color", "--request-timeout", "10"])
        .current_dir(world.folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{scopes}: {said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_of_the_description_whatever_the_token_may() {
    let Some(schemathesis) = find("target/witnesses/bin/schemathesis") else { return };
    let world = World::new(&format!("allow_anonymous: true\n{RECEIVERS}")).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    let scopes = ["read read:raw act resend change", "read", "read:raw", "act", "resend", "change"];
    for (number, scopes) in scopes.into_iter().enumerate() {
        all_answers_are_described(&world, &schemathesis, &format!("witness-{number}"), scopes).await;
    }
}
