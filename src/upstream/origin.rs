//! Which upstream an alert came from (pure).

use reqwest::Url;

use crate::alert::{Alert, Format};
use crate::config::{Upstream, UpstreamKind};
use crate::names::SourceId;

/// The known origin of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// What its notification was recognised as.
    pub format: Format,
    /// Root URL of the sender as it gave it; may be empty.
    pub external_url: &'a str,
    /// The source that reported it.
    pub source: &'a SourceId,
    /// Grafana's organisation, see [`org_of`].
    pub org: Option<i64>,
}

/// The upstream in which a silence for an alert from `origin` is made: the one whose URL, or that of a peer, is a prefix
/// of its external URL (the longest, if several are), else the one that claims its source, else the only one of its
/// kind, unless that claims other sources. Never an upstream of another organisation. `None` also where a silence would
/// hide nothing: legacy Grafana has no silences, and alerts from a mapping or a text have labels that no upstream
/// knows.
pub fn upstream_for<'a>(upstreams: &'a [Upstream], origin: &Origin<'_>) -> Option<&'a Upstream> {
    if *origin.source == SourceId::Wegraf {
        // Alerts of wegraf itself exist in no upstream.
        return None;
    }
    let kind = match origin.format {
        Format::Grafana => Some(UpstreamKind::Grafana),
        Format::Alertmanager => Some(UpstreamKind::Alertmanager),
        // The pusher is not an Alertmanager, but may push to one as well: only the configuration knows.
        Format::AlertsPush => None,
        Format::GrafanaLegacy
        | Format::Generic
        | Format::Opaque
        | Format::WecomWebhook
        | Format::WecomApp
        | Format::Relayed => return None,
    };
    let fits = |upstream: &&Upstream| {
        kind.is_none_or(|kind| upstream.kind == kind)
            && !matches!((upstream.org_id, origin.org), (Some(ours), Some(theirs)) if ours != theirs)
    };
    let fitting = || upstreams.iter().filter(fits);
    // Of two that are equally near the first one wins: `max_by_key` alone would return the last.
    let by_url = fitting()
        .filter_map(|upstream| {
            let urls = std::iter::once(&upstream.url).chain(&upstream.peers);
            Some((urls.filter_map(|url| nearness(url, origin.external_url)).max()?, upstream))
        })
        .rev()
        .max_by_key(|(nearness, _)| *nearness);
    if let Some((_, upstream)) = by_url {
        return Some(upstream);
    }
    if let Some(upstream) =
        fitting().find(|upstream| upstream.sources.iter().any(|name| origin.source.configured() == Some(name.as_str())))
    {
        return Some(upstream);
    }
    let mut alone = fitting().filter(|_| kind.is_some());
    alone.next().filter(|upstream| alone.next().is_none() && upstream.sources.is_empty())
}

/// The upstream that is asked for the series of an alert: the one whose URL is a prefix of the alert's link to its rule, else
/// the one that claims its source, else the only one, unless that claims other sources.
pub fn asked_for<'a>(upstreams: &'a [Upstream], rule: &str, source: &SourceId) -> Option<&'a Upstream> {
    let near = |upstream: &'a Upstream| Some((nearness(&upstream.url, rule)?, upstream));
    let by_link = upstreams.iter().filter_map(near).rev().max_by_key(|(nearness, _)| *nearness);
    let claims = |upstream: &&Upstream| upstream.sources.iter().any(|name| source.configured() == Some(name.as_str()));
    let alone = || match upstreams {
        [only] if only.sources.is_empty() => Some(only),
        _ => None,
    };
    by_link.map(|(_, upstream)| upstream).or_else(|| upstreams.iter().find(claims)).or_else(alone)
}

/// How many bytes of path both URLs share, if `own` equals `external` or is a folder above it: same scheme, host and
/// port, and a path made of the other's leading segments.
pub(super) fn nearness(own: &str, external: &str) -> Option<usize> {
    let (own, external) = (Url::parse(own).ok()?, Url::parse(external).ok()?);
    let door = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    let (folder, path) = (own.path().trim_end_matches('/'), external.path().trim_end_matches('/'));
    let rest = path.strip_prefix(folder)?;
    (door(&own) == door(&external) && (rest.is_empty() || rest.starts_with('/'))).then_some(folder.len())
}

/// The organisation of a Grafana alert, from its links (`orgId=`) or its discriminator; `None` for others and if
/// neither gives it.
pub fn org_of(alert: &Alert) -> Option<i64> {
    let links = [&alert.links.silence, &alert.links.rule, &alert.links.panel, &alert.links.dashboard];
    let stated = links.into_iter().filter_map(|link| Url::parse(link).ok()).find_map(|link| {
        let (_, org) = link.query_pairs().find(|(name, _)| name == "orgId")?;
        org.parse::<i64>().ok().filter(|&org| org > 0)
    });
    stated.or_else(|| alert.discriminator.rule_id()?.split_once('/')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Timestamp;
    use crate::ingest::generic::Payloads;
    use crate::ingest::{Door, read};
    use crate::names::Discriminator;

    fn upstream(name: &str, kind: UpstreamKind, url: &str) -> Upstream {
        Upstream {
            name: name.to_owned(),
            kind,
            url: url.to_owned(),
            peers: Vec::new(),
            credential: None,
            ca_file: None,
            sources: Vec::new(),
            org_id: None,
            gone_after: std::time::Duration::from_mins(2),
            tenant: None,
            ignore_labels: Vec::new(),
        }
    }

    fn town() -> Vec<Upstream> {
        use UpstreamKind::{Alertmanager, Grafana};
        vec![
            upstream("am", Alertmanager, "http://am.example.com:9093"),
            Upstream { sources: vec!["prod".to_owned()], ..upstream("am-prod", Alertmanager, "http://10.0.0.7:9093") },
            upstream("am-sub", Alertmanager, "https://ops.example.com/am"),
            upstream("am-sub-two", Alertmanager, "https://ops.example.com/am/two"),
            Upstream { org_id: Some(1), ..upstream("grafana", Grafana, "https://grafana.example.com") },
            Upstream { org_id: Some(2), ..upstream("grafana-two", Grafana, "https://grafana.example.com") },
        ]
    }

    /// Format, external URL, source and organisation of an alert, and its upstream.
    type Case = (Format, &'static str, &'static str, Option<i64>, Option<&'static str>);

    #[test]
    fn an_upstream_is_found_by_url_then_by_source() {
        use Format::{Alertmanager as A, AlertsPush as P, Generic, Grafana as G, GrafanaLegacy, Opaque};
        #[rustfmt::skip]
        let table: &[Case] = &[
            (A, "http://am.example.com:9093", "x", None, Some("am")),
            (A, "http://AM.example.com:9093/", "x", None, Some("am")),
            (A, "http://am.example.com:9093//", "prod", None, Some("am")),
            (A, "http://am.example.com:9094", "x", None, None),
            (A, "http://am.example.com:9094", "prod", None, Some("am-prod")),
            (A, "https://am.example.com:9093", "x", None, None),
            (A, "", "prod", None, Some("am-prod")),
            (A, "no url", "prod", None, Some("am-prod")),
            (A, "", "x", None, None),
            (A, "https://ops.example.com:443/am", "x", None, Some("am-sub")),
            (A, "https://ops.example.com/am/", "x", None, Some("am-sub")),
            (A, "https://ops.example.com/am/one", "x", None, Some("am-sub")),
            (A, "https://ops.example.com/am/two/", "x", None, Some("am-sub-two")),
            (A, "https://ops.example.com/amber", "x", None, None),
            (A, "https://ops.example.com", "x", None, None),
            // The kind must match even if the URL does.
            (G, "http://am.example.com:9093", "prod", None, None),
            (A, "https://grafana.example.com", "x", None, None),
            (G, "https://grafana.example.com/", "x", Some(1), Some("grafana")),
            (G, "https://grafana.example.com/", "x", Some(2), Some("grafana-two")),
            (G, "https://grafana.example.com/", "x", Some(3), None),
            (G, "https://grafana.example.com/", "x", None, Some("grafana")),
            // A pusher is matched by its source only.
            (P, "", "prod", None, Some("am-prod")),
            (P, "", "x", None, None),
            // A silence would hide nothing.
            (GrafanaLegacy, "https://grafana.example.com/", "prod", Some(1), None),
            (Generic, "http://am.example.com:9093", "prod", None, None),
            (Opaque, "", "prod", None, None),
        ];
        let town = town();
        for &(format, external_url, source, org, expected) in table {
            let source = SourceId::Configured(source.to_owned());
            let origin = Origin { format, external_url, source: &source, org };
            let found = upstream_for(&town, &origin).map(|upstream| upstream.name.as_str());
            assert_eq!(found, expected, "{origin:?}");
        }
    }

    #[test]
    fn the_only_one_of_a_kind_takes_what_no_url_and_no_source_tells_unless_it_claims_others() {
        let mut one = vec![
            upstream("am", UpstreamKind::Alertmanager, "http://am:9093"),
            upstream("grafana", UpstreamKind::Grafana, "http://grafana:3000"),
        ];
        let found = |town: &[Upstream], format| {
            let source = &SourceId::Configured("x".to_owned());
            let origin = Origin { format, external_url: "https://elsewhere.example.com", source, org: Some(1) };
            upstream_for(town, &origin).map(|upstream| upstream.name.clone())
        };
        assert_eq!(found(&one, Format::Alertmanager).as_deref(), Some("am"));
        assert_eq!(found(&one, Format::Grafana).as_deref(), Some("grafana"));
        assert_eq!(found(&one, Format::AlertsPush), None, "Prometheus itself has no silences");
        one[1].org_id = Some(2);
        assert_eq!(found(&one, Format::Grafana), None, "it is of another organisation");
        one[0].sources = vec!["prod".to_owned()];
        assert_eq!(found(&one, Format::Alertmanager), None, "it claims other sources");
        assert_eq!(found(&[], Format::Alertmanager), None);
    }

    #[test]
    fn the_organisation_stands_in_a_link_or_before_the_rule() {
        let sample = |fixture: &str| {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/payloads").join(fixture);
            let bytes = std::fs::read(path).unwrap();
            read(&bytes, None, Door::Webhook, &Payloads::default(), Timestamp(0)).unwrap()
        };
        let mut alert = sample("grafana-firing.json").alerts.remove(0);
        assert_eq!(org_of(&alert), Some(1));
        alert.links = crate::alert::Links::default();
        assert_eq!(org_of(&alert), None);
        alert.discriminator = Discriminator::rule("7/dsk4fullprod");
        assert_eq!(org_of(&alert), Some(7));
        assert_eq!(org_of(&sample("alertmanager-group.json").alerts[0]), None);
    }
}
