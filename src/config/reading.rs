//! How bodies are read and links are shown: the user's words for severities, and rewrites of links.

use std::net::{IpAddr, SocketAddr};

use super::at::{At, Named};
use super::file;
use super::resolve::{Resolver, placed};
use super::{LinkRewrite, Upstream};
use crate::level::{Level, Levels};

impl Resolver<'_> {
    /// The user's words for severities.
    pub(super) fn levels(&mut self, levels: Option<&Named<Level>>) -> Levels {
        let mut words = Vec::new();
        for (word, place, level) in levels.into_iter().flat_map(Named::iter) {
            if word.chars().any(char::is_alphanumeric) {
                words.push((word.to_owned(), *level));
            } else {
                self.found.mistake(
                    place,
                    (format!("`levels` 里的 `{word}` 不是一个词"), format!("`{word}` in `levels` is no word")),
                    ("写来源用的级别，例如 严重: error", "write a severity as senders do, for example `严重: error`"),
                );
            }
        }
        Levels::new(words)
    }

    /// Pairs of beginnings of links.
    pub(super) fn link_rewrites(&mut self, rules: Option<&Vec<At<file::LinkRewrite>>>) -> Vec<LinkRewrite> {
        let mut rewrites = Vec::new();
        for (_, rule) in rules.into_iter().flatten().filter_map(|rule| placed(Some(rule))) {
            let from = self.url(Some(&rule.from), "link_rewrites.from");
            let to = self.url(Some(&rule.to), "link_rewrites.to");
            rewrites.extend(from.zip(to).map(|(from, to)| LinkRewrite { from, to }));
        }
        rewrites
    }

    /// The addresses of our own pages, of upstreams, of hosts of pictures, and those to which links are rewritten. One that
    /// only this machine knows leads nowhere from a phone, wherever it is named.
    pub(super) fn known_hosts(
        external_url: Option<&str>,
        upstreams: &[Upstream],
        rewrites: &[LinkRewrite],
        pictures: &[String],
    ) -> Vec<IpAddr> {
        let urls = external_url.into_iter().chain(upstreams.iter().map(|upstream| upstream.url.as_str()));
        let urls = urls.chain(rewrites.iter().map(|rule| rule.to.as_str()));
        let hosts = urls.filter_map(|url| Some(reqwest::Url::parse(url).ok()?.host_str()?.to_owned()));
        let address = |host: String| {
            let alone = host.trim_matches(['[', ']']).parse().ok();
            alone.or_else(|| Some(host.parse::<SocketAddr>().ok()?.ip()))
        };
        let addresses = hosts.chain(pictures.iter().cloned()).filter_map(address);
        addresses.filter(|address: &IpAddr| !address.is_loopback() && !address.is_unspecified()).collect()
    }
}
