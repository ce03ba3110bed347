//! The links of an alert, by their importance, and which pictures a page shows inline.

use crate::alert::{Alert, Links};
use crate::config::Config;
use crate::render::harmless_url;
use crate::said::{self, LinkKind};
use crate::words::Words;

use super::words;

/// A link with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Http or https, without what could end an attribute.
    pub url: String,
    /// What it leads to.
    pub text: String,
}

/// The links that the sender gives, and then those that stood in its texts; each address once.
pub(super) fn links(alert: &Alert, written: &[said::Link], say: impl Fn(Words) -> String) -> Vec<Link> {
    let Links { panel, dashboard, rule, silence, runbook, image } = &alert.links;
    let given = words::LINKS.into_iter().zip([panel, dashboard, rule, silence, runbook, image]);
    let given = given.map(|(text, url)| (text, url.as_str()));
    let written = written.iter().map(|link| {
        let text = match link.kind {
            LinkKind::Runbook => words::LINKS[4].clone(),
            LinkKind::Dashboard => words::LINKS[1].clone(),
            LinkKind::Logs => words::LOGS,
            LinkKind::Other => words::OPEN,
        };
        (text, link.url.as_str())
    });
    let mut links: Vec<Link> = Vec::new();
    for (text, url) in given.chain(written) {
        if let Some(url) = harmless_url(url)
            && links.iter().all(|link| link.url != url)
        {
            links.push(Link { url, text: say(text) });
        }
    }
    links
}

/// Origins whose pictures pages may show: the upstreams of the configuration. Any other picture is a link.
pub fn picture_hosts(config: &Config) -> Vec<String> {
    let mut origins: Vec<String> =
        config.upstreams.iter().filter_map(|upstream| origin(&upstream.url)).map(str::to_owned).collect();
    origins.sort_unstable();
    origins.dedup();
    origins
}

/// The picture of an alert, if it lies on one of `origins`.
pub(super) fn inline_picture(alert: &Alert, origins: &[String]) -> Option<String> {
    let url = harmless_url(&alert.links.image)?;
    origin(&url).is_some_and(|found| origins.iter().any(|known| known == found)).then_some(url)
}

/// Scheme, host and port of an address, if it is one that a policy can name.
fn origin(url: &str) -> Option<&str> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| url.starts_with(scheme))?;
    let rest = &url[scheme.len()..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let named = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    (end > 0 && rest[..end].chars().all(named)).then(|| &url[..scheme.len() + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_origin_comes_into_the_policy() {
        for (url, found) in [
            ("https://grafana.example.com/g/x.png", Some("https://grafana.example.com")),
            ("http://10.0.0.1:3000", Some("http://10.0.0.1:3000")),
            ("https://user@evil.example/x", None),
            ("https://a;script-src *", None),
            ("https:///x", None),
            ("javascript:alert(1)", None),
        ] {
            assert_eq!(origin(url), found, "{url}");
        }
    }
}
