//! How bodies are read and links are shown: the user's words for severities, and rewrites of links.

use super::LinkRewrite;
use super::at::{At, Named};
use super::file;
use super::resolve::{Resolver, placed};
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
                    ("写来源用的级别，例如 严重: error", "write a severity as senders do, for example 严重: error"),
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
}
