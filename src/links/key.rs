//! The links in messages: signed, so that a visitor may read the page of that message, and no other, and for a shorter
//! time act there.
//!
//! The store keeps one secret. A key is derived from it for each purpose, so that a signature for one is invalid for
//! another. After a rotation the previous secret still opens pages for [`OLD_READS_MS`]; it authorises no acts.

use std::time::Duration;

use axum::extract::Query;
use axum::http::Uri;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use crate::alert::Timestamp;
use crate::store::LinkSecrets;

/// How long a link opens the page of its message: as long as messages are kept.
const READING_MS: i64 = 30 * 24 * 3600 * 1000;
/// How long links signed before a rotation open their pages.
const OLD_READS_MS: i64 = 24 * 3600 * 1000;
/// Bytes of the signature in a link: 96 bits cannot be guessed and stay short in a message.
const SIGNATURE_BYTES: usize = 12;

/// The purposes of derived keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Links that open a page.
    Reading,
    /// Links that open a page and, for a limited time, authorise acts there.
    Acting,
    /// Orders of commands to the running gateway.
    Order,
    /// Access tokens issued to clients of the WeCom API.
    Token,
    /// A cursor of the API.
    Cursor,
    /// The state of a sign-in by WeCom, which the browser brings back.
    SignIn,
}

impl Purpose {
    /// Names the key: the text that is signed to derive it. Never changed, or every link in a group chat would end.
    const fn label(self) -> &'static str {
        match self {
            Self::Reading => "wegraf key reading 1",
            Self::Acting => "wegraf key acting 1",
            Self::Order => "wegraf key order 1",
            Self::Token => "wegraf key token 1",
            Self::Cursor => "wegraf key cursor 1",
            Self::SignIn => "wegraf key sign-in 1",
        }
    }
}

/// One secret of the store and the keys that are derived from it.
#[derive(Clone)]
struct Secret {
    root: Vec<u8>,
    reading: Hmac<Sha256>,
    acting: Hmac<Sha256>,
    order: Hmac<Sha256>,
    token: Hmac<Sha256>,
    cursor: Hmac<Sha256>,
    sign_in: Hmac<Sha256>,
}

impl Secret {
    fn new(root: Vec<u8>) -> Self {
        let derived = |purpose: Purpose| keyed(&signed(keyed(&root), purpose.label()));
        let (reading, acting, order) = (derived(Purpose::Reading), derived(Purpose::Acting), derived(Purpose::Order));
        let (token, cursor) = (derived(Purpose::Token), derived(Purpose::Cursor));
        let sign_in = derived(Purpose::SignIn);
        Self { root, reading, acting, order, token, cursor, sign_in }
    }

    /// The key for links with or without the right to act.
    fn of(&self, acts: Option<i64>) -> Hmac<Sha256> {
        if acts.is_some() { self.acting.clone() } else { self.reading.clone() }
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn signed(mut mac: Hmac<Sha256>, text: &str) -> [u8; 32] {
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The keys that sign links and orders; their secret is made once, and replaced by `wegraf links rotate`.
#[derive(Clone)]
pub struct LinkKey {
    current: Secret,
    /// The previous secret, and when it was replaced.
    previous: Option<(Secret, Timestamp)>,
}

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

impl From<LinkSecrets> for LinkKey {
    fn from(secrets: LinkSecrets) -> Self {
        let previous = secrets.previous.map(|(root, at)| (Secret::new(root), at));
        Self { current: Secret::new(secrets.current), previous }
    }
}

impl LinkKey {
    /// From one secret that was never replaced.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { current: Secret::new(bytes), previous: None }
    }

    /// The address of the page of message `id` below `external_url`: it opens the page for 30 days from `now` and, if
    /// an act is possible, authorises acts for `acts`.
    pub fn link(&self, external_url: &str, id: i64, now: Timestamp, acts: Option<Duration>) -> String {
        let until = now.plus_millis(READING_MS).0 / 1000;
        let acts = acts.map(|acts| now.0 / 1000 + i64::try_from(acts.as_secs()).unwrap_or(i64::MAX / 1000));
        format!("{external_url}/d/{id}?{}", query(&self.current, id, until, acts))
    }

    /// What `address`, which names message `id`, permits at `now`; `None` if it was not made here or has expired.
    pub fn open(&self, id: i64, address: &Uri, now: Timestamp) -> Option<Opened> {
        let Query(link) = Query::<Link>::try_from_uri(address).ok()?;
        let given = BASE64_URL_SAFE_NO_PAD.decode(&link.s).ok().filter(|given| given.len() == SIGNATURE_BYTES)?;
        let seconds = now.0 / 1000;
        if seconds > link.until {
            return None;
        }
        let reads = |at: Timestamp| (0..OLD_READS_MS).contains(&now.millis_since(at));
        let previous = self.previous.as_ref().filter(|(_, at)| reads(*at)).map(|(secret, _)| secret);
        let known = [(Some(&self.current), true), (previous, false)];
        let (secret, is_current) = known.into_iter().find_map(|(secret, is_current)| {
            let secret = secret.filter(|secret| made(secret, id, &link, &given))?;
            Some((secret, is_current))
        })?;
        let acts = match link.acts {
            None => Acting::Never,
            Some(until) if is_current && seconds <= until => Acting::Until(until),
            Some(_) => Acting::Ended,
        };
        Some(Opened { secret: secret.clone(), id, until: link.until, stated: link.acts, acts })
    }

    /// The address of the picture of message `id` below `external_url`: it shows the picture for 30 days from `now`. It ends
    /// like the name of a file, since some clients show nothing else.
    pub fn picture(&self, external_url: &str, id: i64, now: Timestamp) -> String {
        format!("{external_url}/c/{}", picture(&self.current, id, now.plus_millis(READING_MS).0 / 1000))
    }

    /// The message whose picture has this `name`; `None` if it was not made here or has expired.
    pub fn pictured(&self, name: &str, now: Timestamp) -> Option<i64> {
        let (id, rest) = name.strip_suffix(".png")?.split_once('.')?;
        let (until, signature) = rest.split_once('.')?;
        let (id, until): (i64, i64) = (id.parse().ok()?, until.parse().ok()?);
        let given = BASE64_URL_SAFE_NO_PAD.decode(signature).ok().filter(|given| given.len() == SIGNATURE_BYTES)?;
        let previous = self.previous.as_ref().map(|(secret, _)| secret);
        let made = |secret: &Secret| {
            let mut mac = secret.reading.clone();
            mac.update(pictured(id, until).as_bytes());
            mac.verify_truncated_left(&given).is_ok()
        };
        let known = std::iter::once(&self.current).chain(previous).any(made);
        (known && now.0 / 1000 <= until).then_some(id)
    }

    /// The key that signs access tokens.
    pub(crate) fn token_key(&self) -> Hmac<Sha256> {
        self.current.token.clone()
    }

    /// The key that signs where a page of a list ended.
    pub(crate) fn cursor_key(&self) -> Hmac<Sha256> {
        self.current.cursor.clone()
    }

    /// The key of what a browser brings back from WeCom's sign-in.
    pub(crate) fn sign_in_key(&self) -> Hmac<Sha256> {
        self.current.sign_in.clone()
    }

    /// The key with which commands sign their orders to the gateway.
    pub(crate) fn order_key(&self) -> Hmac<Sha256> {
        self.current.order.clone()
    }
}

/// Was this link made with this secret? Released versions signed all links with the secret itself; those still open
/// pages.
fn made(secret: &Secret, id: i64, link: &Link, given: &[u8]) -> bool {
    let holds = |mut mac: Hmac<Sha256>, text: String| {
        mac.update(text.as_bytes());
        mac.verify_truncated_left(given).is_ok()
    };
    holds(secret.of(link.acts), told(id, link.until, link.acts))
        || link.acts.is_none() && holds(keyed(&secret.root), format!("details {id} {}", link.until))
}

/// The text that a link's signature covers.
fn told(id: i64, until: i64, acts: Option<i64>) -> String {
    match acts {
        Some(acts) => format!("{id} {until} {acts}"),
        None => format!("{id} {until}"),
    }
}

/// The text that the signature of a picture's address covers.
fn pictured(id: i64, until: i64) -> String {
    format!("picture {id} {until}")
}

fn query(secret: &Secret, id: i64, until: i64, acts: Option<i64>) -> String {
    let mac = signed(secret.of(acts), &told(id, until, acts));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(&mac[..SIGNATURE_BYTES]);
    let acts = acts.map(|acts| format!("&act={acts}")).unwrap_or_default();
    format!("until={until}{acts}&s={signature}")
}

/// The name of the picture of message `id`, valid until then.
fn picture(secret: &Secret, id: i64, until: i64) -> String {
    let mac = signed(secret.reading.clone(), &pictured(id, until));
    format!("{id}.{until}.{}.png", BASE64_URL_SAFE_NO_PAD.encode(&mac[..SIGNATURE_BYTES]))
}

/// Does the link that opened the page authorise acts?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acting {
    /// Until this Unix time in seconds.
    Until(i64),
    /// No longer: the time is over, or the key was rotated.
    Ended,
    /// The link was made for reading.
    Never,
}

/// An opened link: what it permits, and the links on its page.
#[derive(Clone)]
pub struct Opened {
    /// The secret that made it: a page opened by an old link contains no newer ones.
    secret: Secret,
    id: i64,
    until: i64,
    stated: Option<i64>,
    /// May the visitor act?
    pub acts: Acting,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("id", &self.id).field("acts", &self.acts).finish_non_exhaustive()
    }
}

impl Opened {
    /// The query that proves this link: a page puts it in front of further keys in links to itself.
    pub fn proof(&self) -> String {
        query(&self.secret, self.id, self.until, self.stated)
    }

    /// The address of the page of message `id` as linked from this one: for reading, and valid no longer than this one.
    pub fn beside(&self, id: i64) -> String {
        format!("{id}?{}", query(&self.secret, id, self.until, None))
    }

    /// The address of the message's picture below `root`, the top of the site: valid no longer than this link.
    pub fn picture(&self, root: &str) -> String {
        format!("{root}c/{}", picture(&self.secret, self.id, self.until))
    }
}

/// The query of a link.
#[derive(Debug, Deserialize)]
struct Link {
    /// When it expires, in Unix seconds.
    until: i64,
    /// Until when it authorises acts, in Unix seconds.
    #[serde(rename = "act")]
    acts: Option<i64>,
    s: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const HOUR_MS: i64 = 3_600_000;
    const DAY: Duration = Duration::from_hours(24);

    fn uri(link: &str) -> Uri {
        link.parse().unwrap()
    }

    fn acts(key: &LinkKey, id: i64, link: &str, hours: i64) -> Option<Acting> {
        key.open(id, &uri(link), NOW.plus_millis(hours * HOUR_MS)).map(|opened| opened.acts)
    }

    /// The same key after a rotation, this many hours after `NOW`.
    fn rotated(root: u8, hours: i64) -> LinkKey {
        let previous = Some((vec![root; 32], NOW.plus_millis(hours * HOUR_MS)));
        LinkKey::from(LinkSecrets { current: vec![99; 32], previous })
    }

    #[test]
    fn a_link_lets_its_visitor_act_for_a_day_and_read_for_thirty() {
        let key = LinkKey::new(vec![7; 32]);
        let link = key.link("", 41, NOW, Some(DAY));
        assert!(matches!(acts(&key, 41, &link, 24), Some(Acting::Until(_))));
        assert_eq!(acts(&key, 41, &link, 25), Some(Acting::Ended));
        assert_eq!(acts(&key, 41, &link, 30 * 24), Some(Acting::Ended));
        assert_eq!(acts(&key, 41, &link, 30 * 24 + 1), None);
        assert_eq!(acts(&key, 42, &link, 0), None, "it opens no other page");
        let reading = key.link("", 41, NOW, None);
        assert_eq!(acts(&key, 41, &reading, 0), Some(Acting::Never));
        assert_eq!(acts(&LinkKey::new(vec![8; 32]), 41, &link, 0), None);
    }

    #[test]
    fn a_picture_is_shown_for_thirty_days_by_its_own_address_only() {
        let key = LinkKey::new(vec![7; 32]);
        let now = Timestamp(1_800_000_000_000);
        let address = key.picture("https://a.example.com", 41, now);
        let name = address.strip_prefix("https://a.example.com/c/").unwrap();
        assert!(name.strip_suffix(".png").is_some() && name.len() < 60, "{name}");
        assert_eq!(key.pictured(name, now.plus_millis(30 * 24 * 3_600_000)), Some(41));
        assert_eq!(key.pictured(name, now.plus_millis(31 * 24 * 3_600_000)), None);
        assert_eq!(key.pictured(&name.replacen("41.", "42.", 1), now), None);
        assert_eq!(LinkKey::new(vec![8; 32]).pictured(name, now), None);
        for wrong in ["", ".png", "41.png", "41.1.x.png", "41..png", "a.b.c.png", &name[..name.len() - 5]] {
            assert_eq!(key.pictured(wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn a_link_for_reading_is_never_made_one_for_acting_and_no_time_is_moved() {
        let key = LinkKey::new(vec![7; 32]);
        let reading = key.link("", 41, NOW, None);
        let acting = key.link("", 41, NOW, Some(DAY));
        let (_, stated) = acting.split_once("&act=").unwrap();
        let (stated, _) = stated.split_once('&').unwrap();
        let later = stated.parse::<i64>().unwrap() + 1;
        for forged in [
            reading.replace("&s=", &format!("&act={later}&s=")),
            acting.replace(&format!("&act={stated}"), &format!("&act={later}")),
            acting.replace(&format!("&act={stated}"), ""),
            acting.replace("until=1", "until=2"),
            format!("{acting}&act={later}"),
            format!("{acting}A"),
            acting[..acting.len() - 1].to_owned(),
            "/d/41".to_owned(),
            "/d/41?until=9999999999&s=".to_owned(),
        ] {
            assert_eq!(acts(&key, 41, &forged, 0), None, "{forged}");
        }
    }

    #[test]
    fn after_a_rotation_an_old_link_reads_for_a_day_and_acts_no_more() {
        let old = LinkKey::new(vec![7; 32]);
        let link = old.link("", 41, NOW, Some(DAY));
        let key = rotated(7, 1);
        assert_eq!(acts(&key, 41, &link, 1), Some(Acting::Ended));
        assert_eq!(acts(&key, 41, &link, 24), Some(Acting::Ended));
        assert_eq!(acts(&key, 41, &link, 25), None);
        let fresh = key.link("", 41, NOW, Some(DAY));
        assert!(matches!(acts(&key, 41, &fresh, 1), Some(Acting::Until(_))));
        // Links on a page opened by an old link expire with it.
        let beside = key.open(41, &uri(&link), NOW.plus_millis(HOUR_MS)).unwrap().beside(42);
        assert_eq!(acts(&key, 42, &format!("/d/{beside}"), 2), Some(Acting::Never));
        assert_eq!(acts(&key, 42, &format!("/d/{beside}"), 26), None);
    }

    #[test]
    fn a_link_of_a_released_version_still_reads_and_never_acts() {
        // As version 0.1 made it with this secret.
        let until = NOW.plus_millis(READING_MS).0 / 1000;
        let mac = signed(keyed(&[7; 32]), &format!("details 41 {until}"));
        let link = format!("/d/41?until={until}&s={}", BASE64_URL_SAFE_NO_PAD.encode(&mac[..SIGNATURE_BYTES]));
        let key = LinkKey::new(vec![7; 32]);
        assert_eq!(acts(&key, 41, &link, 0), Some(Acting::Never));
        assert_eq!(acts(&key, 41, &link.replace("&s=", "&act=9999999999&s="), 0), None);
        assert_eq!(acts(&rotated(7, 1), 41, &link, 2), Some(Acting::Never));
        assert_eq!(acts(&rotated(7, 1), 41, &link, 26), None);
    }

    #[test]
    fn a_page_leads_back_to_itself_and_beside_itself_for_reading() {
        let key = LinkKey::new(vec![7; 32]);
        let opened = key.open(41, &uri(&key.link("", 41, NOW, Some(DAY))), NOW).unwrap();
        assert!(matches!(acts(&key, 41, &format!("/d/41?{}", opened.proof()), 1), Some(Acting::Until(_))));
        assert_eq!(acts(&key, 42, &format!("/d/{}", opened.beside(42)), 1), Some(Acting::Never));
        assert_eq!(format!("{opened:?}"), format!("Opened {{ id: 41, acts: {:?}, .. }}", opened.acts));
    }
}
