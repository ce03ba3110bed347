//! Short links: `/l/7K2QM` leads to an address that an alert brought.
//!
//! Only such addresses are stored, never one of ours: a short link is no secret and authorises nothing.

use super::Links;
use crate::alert::{ThreadId, in_letters, of_letters};
use crate::store::{NewShortLink, ShortLink, StoreError};

/// Letters of a code: 33 million codes.
const LETTERS: u32 = 5;
/// Codes that are tried. With a million links in use all of them are taken once in a million million times.
const TRIES: usize = 8;
/// Characters of an alert's name that are kept.
const NAME: usize = 200;

impl Links {
    /// The code behind which `url` stands for 30 days from now, which an alert of the episode `thread` brought. On disk when
    /// this returns; an episode has one code for each address.
    pub async fn shorten(&self, thread: ThreadId, name: &str, url: &str) -> Result<String, StoreError> {
        let codes = (0..TRIES).map(|_| in_letters(rand::random(), LETTERS)).collect();
        let name = name.chars().take(NAME).collect();
        self.store.shorten(NewShortLink { thread, url: url.to_owned(), name, codes }, self.clock.now()).await
    }

    /// The link with this code, as a person may have typed it; `None` if there never was one, or it was pruned.
    pub async fn behind(&self, code: &str) -> Result<Option<ShortLink>, StoreError> {
        if code.len() != LETTERS as usize {
            return Ok(None);
        }
        let Some(number) = of_letters(code) else { return Ok(None) };
        self.store.short_link(&in_letters(number, LETTERS)).await
    }
}

/// Does `url` lead to wegraf itself, whose addresses may authorise acts?
pub fn is_ours(url: &str, external_url: &str) -> bool {
    let parsed = |url: &str| reqwest::Url::parse(url).ok();
    let (Some(url), Some(ours)) = (parsed(url), parsed(external_url)) else { return true };
    url.host_str() == ours.host_str()
        && url.port_or_known_default() == ours.port_or_known_default()
        && url.path().starts_with(ours.path().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_below_ours_is_ours_in_any_spelling() {
        for (url, external, ours) in [
            ("https://a.example.com/d/1?act=1", "https://a.example.com", true),
            ("https://A.EXAMPLE.com:443/x/../d/1", "https://a.example.com", true),
            ("https://a.example.com/wegraf/d/1", "https://a.example.com/wegraf", true),
            ("https://a.example.com/grafana/d/1", "https://a.example.com/wegraf", false),
            ("https://a.example.com/grafana/../wegraf/d/1", "https://a.example.com/wegraf", true),
            ("https://a.example.com:3000/d/1", "https://a.example.com", false),
            ("https://grafana.example.com/d/1", "https://a.example.com", false),
            ("no address", "https://a.example.com", true),
        ] {
            assert_eq!(is_ours(url, external), ours, "{url}");
        }
    }
}
