//! The upstreams, where silences are made: the Alertmanagers and Grafanas that send alerts.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::at::{At, Named};
use super::file::{self, File};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::{Credential, Upstream, UpstreamKind};

/// Labels by which highly available Prometheus servers and collectors usually differ: a silence with one of these would
/// hide the alerts of one replica only.
const REPLICA_LABELS: [&str; 3] = ["replica", "prometheus_replica", "__replica__"];

/// Most peers besides the first: a cluster has two or three.
const PEERS: usize = 8;

/// How long an alert must be absent upstream before it counts as resolved: an Alertmanager that restarts knows nothing
/// until its senders repeat themselves, which Prometheus does every minute
/// (docs/reference/alert-sources.md#alertmanager-api).
const GONE_AFTER: Duration = Duration::from_mins(2);
const GONE_BOUNDS: RangeInclusive<Duration> = Duration::from_secs(3)..=Duration::from_hours(1);

/// Does any receiver have steps?
fn escalates(file: &File) -> bool {
    let receivers = value(file.receivers.as_ref());
    receivers.into_iter().flat_map(Named::iter).any(|(_, _, receiver)| receiver.escalate.is_some())
}

impl Resolver<'_> {
    pub(super) fn upstreams(&mut self, file: &File) -> Vec<Upstream> {
        let mut known: Vec<Upstream> = Vec::new();
        for (name, place, upstream) in value(file.upstreams.as_ref()).into_iter().flat_map(Named::iter) {
            self.name(place, name);
            let path = format!("upstreams.{name}");
            let url = self.url(Some(&upstream.url), &format!("{path}.url"));
            let peers = self.peers_of(upstream, url.as_deref(), &path);
            let credential = self.credential(name, place, upstream);
            let ca_file = self.ca_file(upstream.ca_file.as_ref(), &format!("{path}.ca_file"));
            let org_id = self.org_id(upstream, &path);
            let tenant = self.tenant(upstream, &path);
            let sources = self.sources_of(upstream, file, &known);
            let ignore_labels = self.ignored(upstream, &path);
            if upstream.kind.get() == Some(&UpstreamKind::Grafana) && escalates(file) {
                self.found.note(
                    place,
                    (
                        format!("Grafana 上游 `{name}` 不告诉哪些告警在静音时段（mute timing）里"),
                        format!("the Grafana upstream `{name}` does not tell which alerts a mute timing mutes"),
                    ),
                    (
                        "静音时段里已经告诉过的告警仍会升级；要停就用静默",
                        "what was told before the mute still escalates: use a silence where it should not",
                    ),
                );
            }
            let gone_after = self
                .duration(upstream.gone_after.as_ref(), &format!("{path}.gone_after"), GONE_BOUNDS)
                .unwrap_or(GONE_AFTER);
            if let (Some(url), Some(&kind)) = (url, upstream.kind.get()) {
                let name = name.to_owned();
                known.push(Upstream {
                    name,
                    kind,
                    url,
                    peers,
                    credential,
                    ca_file,
                    sources,
                    org_id,
                    tenant,
                    ignore_labels,
                    gone_after,
                });
            }
        }
        known
    }

    fn credential(&mut self, name: &str, place: Place, upstream: &file::Upstream) -> Option<Credential> {
        let path = format!("upstreams.{name}");
        match (&upstream.token, &upstream.bearer, &upstream.basic) {
            (Some(token), None, None) => self.bearer(token, &format!("{path}.token")).map(Credential::Bearer),
            (None, Some(token), None) => self.bearer(token, &format!("{path}.bearer")).map(Credential::Bearer),
            (None, None, Some(basic)) => {
                let (username, password) = self.basic(basic.get()?, &format!("{path}.basic"))?;
                Some(Credential::Basic { username, password })
            }
            (None, None, None) => {
                if upstream.kind.get() == Some(&UpstreamKind::Grafana) {
                    self.found.mistake(
                        place,
                        (
                            format!("Grafana 上游 `{name}` 缺少 `token`"),
                            format!("the Grafana upstream `{name}` has no `token`"),
                        ),
                        (
                            "加上服务账号令牌：token: { env: GRAFANA_SA_TOKEN }",
                            "add the token of a service account: token: { env: GRAFANA_SA_TOKEN }",
                        ),
                    );
                }
                None
            }
            _ => {
                self.found.mistake(
                    place,
                    (
                        format!("上游 `{name}` 写了不止一种身份"),
                        format!("upstream `{name}` says in more than one way who we are"),
                    ),
                    ("token、bearer、basic 只留一种", "keep one of token, bearer and basic"),
                );
                None
            }
        }
    }

    /// The roots of its other peers, each once.
    fn peers_of(&mut self, upstream: &file::Upstream, first: Option<&str>, path: &str) -> Vec<String> {
        let mut peers: Vec<String> = Vec::new();
        let listed = value(upstream.peers.as_ref()).into_iter().flatten().enumerate();
        for (index, peer) in listed {
            let Some(url) = self.url(Some(peer), &format!("{path}.peers[{index}]")) else { continue };
            if first == Some(url.as_str()) || peers.contains(&url) {
                self.found.mistake(
                    peer.place,
                    (
                        format!("`{path}.peers` 里 `{url}` 写了两次，或就是 url"),
                        format!("`{path}.peers` names `{url}` twice, or it is the `url`"),
                    ),
                    ("每个副本写一次", "name each peer once"),
                );
            } else if peers.len() == PEERS {
                self.found.mistake(
                    peer.place,
                    (format!("`{path}.peers` 最多 {PEERS} 个"), format!("`{path}.peers` holds at most {PEERS}")),
                    ("只写同一个集群的副本", "name the peers of one cluster only"),
                );
            } else {
                peers.push(url);
            }
        }
        peers
    }

    fn tenant(&mut self, upstream: &file::Upstream, path: &str) -> Option<String> {
        let (place, tenant) = placed(upstream.tenant.as_ref())?;
        let plain = |c: char| c.is_ascii_graphic();
        if upstream.kind.get() != Some(&UpstreamKind::Prometheus) || tenant.is_empty() || !tenant.chars().all(plain) {
            self.found.mistake(
                place,
                (
                    format!("`{path}.tenant` 只用于种类 prometheus，是一个没有空格的词"),
                    format!("`{path}.tenant` is for the kind prometheus, and a word without blanks"),
                ),
                ("Mimir 或 Cortex 的租户，例如 team-a", "the tenant of a Mimir or Cortex, for example team-a"),
            );
        }
        Some(tenant.clone())
    }

    fn org_id(&mut self, upstream: &file::Upstream, path: &str) -> Option<i64> {
        let (place, &org) = placed(upstream.org_id.as_ref())?;
        if upstream.kind.get() == Some(&UpstreamKind::Alertmanager) {
            self.found.mistake(
                place,
                (
                    format!("`{path}.org_id`：Alertmanager 没有组织"),
                    format!("`{path}.org_id`: an Alertmanager has no organisations"),
                ),
                ("删掉这一行", "remove the line"),
            );
        } else if org < 1 {
            self.found.mistake(
                place,
                (format!("`{path}.org_id` 应是正整数"), format!("`{path}.org_id` must be a positive number")),
                (
                    "Grafana → Administration → Organizations 里的 ID，多数是 1",
                    "the id in Grafana → Administration → Organizations, mostly 1",
                ),
            );
        }
        Some(org)
    }

    /// The sources it claims; two upstreams of a kind (and an organisation) cannot claim the same one.
    fn sources_of(&mut self, upstream: &file::Upstream, file: &File, others: &[Upstream]) -> Vec<String> {
        let mut names = Vec::new();
        for source in value(upstream.sources.as_ref()).into_iter().flatten() {
            let Some(name) = self.known(source, value(file.sources.as_ref()), "来源", "source", "sources") else {
                continue;
            };
            let org = upstream.org_id.as_ref().and_then(At::get);
            let same = |other: &&Upstream| {
                Some(&other.kind) == upstream.kind.get()
                    && other.org_id.as_ref() == org
                    && other.sources.contains(&name)
            };
            if let Some(other) = others.iter().find(same) {
                self.found.mistake(
                    source.place,
                    (
                        format!("来源 `{name}` 已属于上游 `{}`", other.name),
                        format!("source `{name}` belongs to the upstream `{}` already", other.name),
                    ),
                    (
                        "一个来源只写在一个上游里；Grafana 的几个组织用 org_id 区分",
                        "name it in one of them; organisations of a Grafana are told apart by org_id",
                    ),
                );
            }
            names.push(name);
        }
        names
    }

    fn ignored(&mut self, upstream: &file::Upstream, path: &str) -> Vec<String> {
        let Some(labels) = value(upstream.ignore_labels.as_ref()) else {
            return REPLICA_LABELS.map(str::to_owned).to_vec();
        };
        let mut ignored = Vec::new();
        for (place, label) in labels.iter().filter_map(|label| placed(Some(label))) {
            if label.is_empty() || label == "alertname" {
                self.found.mistake(
                    place,
                    (
                        format!("`{path}.ignore_labels` 不能含 `{label}`"),
                        format!("`{path}.ignore_labels` cannot hold `{label}`"),
                    ),
                    (
                        "只写各副本不同的标签，例如 replica；没有 alertname 的静默太宽",
                        "name labels that differ per replica, such as replica; without alertname a silence is too wide",
                    ),
                );
            }
            ignored.push(label.clone());
        }
        ignored
    }
}
