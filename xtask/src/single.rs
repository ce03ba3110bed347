//! The smallest gateway to torture: one receiver, and a WeCom that is out of reach, so that the outbox is written, too.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::gateway::free;

/// Writes its configuration, with a database beside it.
pub fn configure(folder: &Path, listen: SocketAddr) -> anyhow::Result<PathBuf> {
    configure_at(folder, &folder.join("wegraf.db"), listen)
}

/// Writes its configuration into `folder`.
pub fn configure_at(folder: &Path, database: &Path, listen: SocketAddr) -> anyhow::Result<PathBuf> {
    let config = folder.join("wegraf.yaml");
    let nowhere = free()?;
    std::fs::write(
        &config,
        format!(
            "listen: {listen}\ndatabase: sqlite:{}\nwecom:\n  api_url: http://{nowhere}\n  webhooks:\n    group: {{ key: no-such-key }}\nreceivers:\n  ops: {{ targets: [ {{ webhook: group }} ] }}\nroute: {{ receiver: ops }}\n",
            database.display()
        ),
    )?;
    Ok(config)
}

/// A notification of Alertmanager with one new alert.
pub fn body(name: &str) -> String {
    serde_json::json!({
        "version": "4", "receiver": "wegraf", "status": "firing",
        "alerts": [{
            "status": "firing",
            "labels": { "alertname": name, "instance": "db-1", "severity": "warning" },
            "annotations": { "summary": "磁盘将满" },
            "startsAt": "2026-11-22T06:02:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.com/graph",
        }],
        "groupLabels": { "alertname": name }, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com", "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"),
        "truncatedAlerts": 0,
    })
    .to_string()
}
