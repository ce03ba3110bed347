//! One message that stands for many: a lane was behind, and its messages were folded.
//!
//! Decides what a digest names and what it only counts. Critical alerts are named first, then as many of the others as
//! there is room for; the rest is counted by rule, and what has no place there, in one number. In each section names
//! and counts add up to its total, whatever is left out. A digest is never cut and never split.

mod headline;
mod shape;
mod tally;
mod writer;

use jiff::tz::TimeZone;
use wecom::Content;

use super::engine::TemplateProblem;
use super::notes::Note;
use crate::alert::{ThreadId, Timestamp};
use crate::config::{Face, Language, Target};
use crate::level::Levels;
use crate::store::Digest;
use crate::subject::Taught;

pub(super) use writer::write;

/// The input of a digest's message. The receiver's own template is not used: it was written for single messages.
#[derive(Debug, Clone, Copy)]
pub struct DigestLetter<'a> {
    /// The folded alerts.
    pub digest: &'a Digest,
    /// The address, with its face.
    pub target: &'a Target,
    /// The receiver's language.
    pub language: Language,
    /// The receiver's zone.
    pub timezone: &'a TimeZone,
    /// The ranks of the words for severities.
    pub levels: &'a Levels,
    /// The time of rendering.
    pub now: Timestamp,
    /// The short id.
    pub thread: ThreadId,
    /// Page where every folded alert can be read; `None` where wegraf does not know its own address.
    pub details_url: Option<&'a str>,
    /// What a reader must know about the message itself.
    pub notes: &'a [Note],
    /// What the configuration says of labels.
    pub taught: &'a Taught,
}

/// A digest to send.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderedDigest {
    /// Exactly one.
    pub parts: Vec<Content>,
    /// The face that was used, see [`Rendered::face`](super::Rendered::face).
    pub face: Face,
    /// As in [`Rendered::bytes_used`](super::Rendered::bytes_used).
    pub bytes_used: usize,
    /// Bytes that WeCom accepts there.
    pub bytes_allowed: usize,
    /// Row ids, in ascending order, of the alerts that are named by their rule and distinguishing labels. All others
    /// are counted.
    pub named: Vec<i64>,
    /// Faults of the shipped template; if there are any, the digest is its headline as text.
    pub problems: Vec<TemplateProblem>,
}
