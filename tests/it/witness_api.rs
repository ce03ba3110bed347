//! Schemathesis, which reads the description of `/api/v1` and asks everything that it allows: whatever is asked, the
//! answer is one that the description tells of.

use std::process::Stdio;

use crate::api::Program;
use crate::harness::{World, alertmanager};
use crate::programs::find;

const RECEIVERS: &str = "receivers: { ops: { targets: [ { webhook: ops-group } ] } }\nroute: { receiver: ops }\n";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_of_the_description() {
    let Some(schemathesis) = find("target/witnesses/bin/schemathesis") else { return };
    let world = World::new(&format!("allow_anonymous: true\n{RECEIVERS}")).await;
    world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    world.settled().await;
    // Each token asks ten times a second, so that one would not do: the description is the same for all.
    let program = Program::new(&world, "witness", "read read:raw act resend", &[]).await;
    let done = tokio::process::Command::new(schemathesis)
        .args(["run", &format!("{}/api/v1/openapi.json", world.url)])
        .args(["--header", &format!("Authorization: Bearer {}", program.secret)])
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
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("passed"), "{said}");
}
