//! Requests to the systems that alerts come from: silences in an Alertmanager or Grafana, and whether an alert still
//! fires there.
//!
//! `origin` finds the upstream of an alert, `matchers` makes the matchers of a silence, `body` writes requests and
//! parses answers, `look` finds an alert in what was listed, `error` explains failures, `span` parses durations: all pure.
//! `making` is the machine that makes a silence once, pure as well; `client` calls through `wire`, `series` and
//! `grafana_rule` ask for rules and series there, and nothing here knows the store or WeCom.

mod body;
mod client;
mod error;
mod grafana_rule;
mod look;
pub(crate) mod making;
mod matchers;
mod origin;
mod series;
mod span;
mod wire;

use crate::alert::{Labels, ThreadId, Timestamp};

pub use client::{Client, Survey};
pub use error::{Problem, UpstreamError};
pub use grafana_rule::GrafanaRule;
pub use look::{About, Group, Index, Look};
pub use matchers::{Matcher, covers, known_here, matchers_for, narrowed_to, together};
pub use origin::{Origin, asked_for, org_of, upstream_for};
pub use series::{FiringThere, Namesakes, Sampler, Series, Trouble, selected, unselected};
pub use span::{MORNING, Span, parse_time, until};

/// Longest comment, in bytes; a person's text is truncated, the marker after it never.
const COMMENT_BYTES: usize = 1000;
/// Longest author, in bytes.
const AUTHOR_BYTES: usize = 200;

/// A requested silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its matchers; at least one of them must not match an absent label.
    pub matchers: Vec<Matcher>,
    /// Now, by our clock.
    pub now: Timestamp,
    /// Its end.
    pub ends_at: Timestamp,
    /// The actor: a name with a userid. Never empty.
    pub author: String,
    /// The reason or the channel, in words; may be empty.
    pub comment: String,
    /// Unique to the act, see [`marker`].
    pub marker: String,
}

impl Wanted {
    /// The comment as sent: the text, then the marker, by which the silence is found again.
    fn full_comment(&self) -> String {
        let words = shortened(self.comment.trim(), COMMENT_BYTES);
        let gap = if words.is_empty() { "" } else { " " };
        format!("{words}{gap}{}", self.tail())
    }

    /// The unique end of its comment.
    fn tail(&self) -> String {
        format!("({})", self.marker)
    }

    fn full_author(&self) -> &str {
        shortened(&self.author, AUTHOR_BYTES)
    }
}

fn shortened(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// The marker of one act: `wegraf:#7K2Q/41`. `act` must be unique among all acts of this installation, and the same
/// when the act is retried.
pub fn marker(thread: Option<ThreadId>, act: &str) -> String {
    match thread {
        Some(thread) => format!("{MARK}#{thread}/{act}"),
        None => format!("{MARK}{act}"),
    }
}

/// The beginning of each marker.
const MARK: &str = "wegraf:";

/// Was a silence with this comment made through wegraf? Also one whose act is not recorded yet.
pub(crate) fn is_marked(comment: &str) -> bool {
    comment.rsplit_once('(').is_some_and(|(_, tail)| tail.starts_with(MARK) && tail.ends_with(')'))
}

/// A silence that exists upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its id there. An extension can give it a new one: keep the last.
    pub id: String,
}

/// A silence as it is upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its id there.
    pub id: String,
    /// Does it hide anything now?
    pub state: SilenceState,
    /// What it hides.
    pub matchers: Vec<Matcher>,
    /// When it began or begins.
    pub starts_at: Timestamp,
    /// When it ends or ended.
    pub ends_at: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub comment: String,
}

/// How far the end of an extended silence may be from the requested one: upstream may store fewer digits.
const END_MS: u64 = 1000;

impl Silence {
    /// Is the other one what an extension of this one until then made: itself, or one like it in its place?
    pub(crate) fn is_extended_by(&self, other: &Self, until: Timestamp) -> bool {
        other.state != SilenceState::Expired
            && other.ends_at.0.abs_diff(until.0) <= END_MS
            && (other.id == self.id || other.comment == self.comment && other.matchers == self.matchers)
    }
}

/// Does a silence hide anything?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SilenceState {
    /// Now.
    Active,
    /// Not yet.
    Pending,
    /// No longer.
    Expired,
}

impl SilenceState {
    /// The name upstream and in JSON: `active`, `pending`, `expired`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }
}

/// An alert that fires upstream, hidden or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// All its labels there, Grafana's private ones included.
    pub labels: Labels,
    /// When it began; `None` if upstream does not say.
    pub starts_at: Option<Timestamp>,
    /// Upstream's own fingerprint.
    pub fingerprint: String,
    /// `active`, `suppressed` (by a silence or an inhibition) or `unprocessed`.
    pub state: String,
    /// Ids of the silences that hide it.
    pub silenced_by: Vec<String>,
    /// Fingerprints of the alerts that inhibit it.
    pub inhibited_by: Vec<String>,
}
