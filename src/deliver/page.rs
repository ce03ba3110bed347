//! A stored notification, read again: its told alerts, wording and picture.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::time::Instant;
use tracing::error;
use wecom::Content;

use super::letter::Occasion;
use super::setup::Setup;
use crate::alert::{Alert, Labels, Notification, ThreadId, Timestamp, TransitionKind};
use crate::charts::{About, Charts};
use crate::config::{Config, Face, Language, Receiver, Target};
use crate::ingest::{self, Listed};
use crate::names::SourceId;
use crate::render::{Leads, Letter, Picture, Rendered, Taught, Told, long_links};
use crate::room::{Part, Room};
use crate::store::{Contents, Kept, Moved, Store, StoreError};

/// Bytes of a transition on its way from the store into a message.
const TRANSITION: usize = 256;

/// A stored notification, read again, with the alerts that are told.
#[derive(Debug)]
pub struct Page {
    /// The notification.
    pub notification: Notification,
    /// The alerts that are told, and why.
    pub told: Vec<Line>,
    /// The receiver's language.
    pub language: Language,
    /// The receiver's zone.
    pub timezone: jiff::tz::TimeZone,
    /// The source that sent it.
    pub source: SourceId,
    /// Every value of a body that has no fixed shape.
    pub listed: Listed,
    template: Option<String>,
    /// What the user says of labels.
    taught: Taught,
}

/// An alert that is told.
#[derive(Debug)]
pub struct Line {
    /// Its place in the notification.
    pub index: usize,
    /// Its row in the store; 0 if nothing of it is stored.
    pub alert: i64,
    /// Why it is told.
    pub kind: TransitionKind,
    /// When it began, as the store knows it.
    pub starts_at: Option<Timestamp>,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
}

/// Bytes of memory that reading `kept` again takes, to tell `transitions` of its alerts.
pub(super) fn weight(kept: &Kept, transitions: usize) -> usize {
    ingest::Weight::of(&kept.raw).memory() + transitions * TRANSITION
}

/// The content of a message, and the share of the memory budget that reading it again takes, if it is large.
pub async fn contents(
    store: &Store,
    room: &Room,
    message: i64,
) -> Result<Option<(Contents, Option<Part>)>, StoreError> {
    let Some(found) = store.contents(message).await? else { return Ok(None) };
    let weight = weight(&found.notification, found.transitions.len());
    if Room::is_small(weight) {
        return Ok(Some((found, None)));
    }
    // The loaded message must be freed while this waits for memory.
    drop(found);
    let part = room.granted(weight).await;
    Ok(store.contents(message).await?.map(|found| (found, Some(part))))
}

impl Page {
    /// Reads the raw bytes again: `ingest` is deterministic for equal bytes and time.
    pub fn of(config: &Config, kept: &Kept, transitions: &[Moved], receiver: &str) -> Self {
        let notification =
            ingest::reread(kept.format, &kept.raw, kept.content_type.as_deref(), &config.payloads, kept.received_at);
        let mut shown = HashSet::new();
        let told = transitions
            .iter()
            // Transitions of earlier notifications are told with the newest state of their alert.
            .filter(|moved| moved.notification == kept.id)
            // An end of several alerts is told once.
            .filter(|moved| moved.kind != TransitionKind::Resolved || shown.insert(moved.alert_index))
            .map(|moved| Line {
                index: moved.alert_index as usize,
                alert: moved.alert,
                kind: moved.kind,
                starts_at: moved.starts_at,
                ends_at: moved.ends_at,
            })
            .collect();
        // A receiver that was removed from the configuration: its last messages are still sent, in the default
        // language.
        let receiver = config.receivers.get(receiver);
        Self {
            notification,
            told,
            language: receiver.map_or(config.language, |receiver| receiver.language),
            timezone: receiver.map_or_else(|| config.timezone.clone(), |receiver| receiver.timezone.clone()),
            source: kept.source.clone(),
            listed: Listed::default(),
            template: receiver.and_then(|receiver| receiver.template.clone()),
            taught: config.taught(receiver.map(AsRef::as_ref), &kept.source),
        }
    }

    /// Learns from upstreams, until then, which expressions its alerts have that no link of theirs shows.
    pub async fn learn(&mut self, charts: &Charts, until: Instant) {
        let Notification { alerts, format, .. } = &mut self.notification;
        charts.learn(alerts, *format, &self.source, until).await;
    }

    /// The same, with every value of the body, for a page that shows everything.
    #[must_use]
    pub fn with_all(mut self, kept: &Kept) -> Self {
        self.listed = ingest::listed(kept.format, &kept.raw, kept.content_type.as_deref());
        self
    }

    /// A notification that is not stored: everything in it is told as if it arrived `now`.
    pub fn fresh(notification: Notification, indexes: &[usize], receiver: &Receiver, now: Timestamp) -> Self {
        let told = indexes
            .iter()
            .filter_map(|&index| notification.alerts.get(index).map(|alert| (index, alert)))
            .map(|(index, alert)| {
                let kind = TransitionKind::first(alert.status);
                // The store uses the arrival as the start if the alert has none.
                let arrival = (kind == TransitionKind::Firing).then_some(now);
                Line { index, alert: 0, kind, starts_at: alert.starts_at.or(arrival), ends_at: alert.ends_at }
            })
            .collect();
        Self {
            notification,
            told,
            language: receiver.language,
            timezone: receiver.timezone.clone(),
            source: SourceId::Command,
            listed: Listed::default(),
            template: receiver.template.clone(),
            taught: receiver.taught.clone(),
        }
    }

    /// What the configuration teaches about its labels.
    pub const fn taught(&self) -> &Taught {
        &self.taught
    }

    /// The alert of a line; `None` only if another version of wegraf read the bytes in another way.
    pub fn alert(&self, line: &Line) -> Option<&Alert> {
        self.notification.alerts.get(line.index)
    }

    /// The labels of the alerts that it tells as firing.
    pub fn firing(&self) -> impl Iterator<Item = &Labels> {
        let firing = self.told.iter().filter(|line| line.kind.is_on());
        firing.filter_map(|line| self.alert(line)).map(|alert| &alert.labels)
    }

    /// What a chart of it is about, as of `at`: its firing alerts, critical ones first.
    pub fn charted(&self, at: Timestamp) -> About<'_> {
        let firing = self.told.iter().filter(|line| line.kind.is_on());
        let mut alerts: Vec<_> = firing.filter_map(|line| Some((self.alert(line)?, line.starts_at))).collect();
        alerts.sort_by_key(|(alert, _)| !alert.is_critical());
        About {
            alerts,
            format: self.notification.format,
            source: &self.source,
            at,
            language: self.language,
            timezone: &self.timezone,
            taught: &self.taught,
        }
    }

    /// Renders it for `target`. A panic in a template loses the layout, never the alert.
    pub fn render(&self, setup: &Setup, target: &Target, occasion: &Occasion<'_>) -> Rendered {
        self.written(setup, target, occasion, Picture { url: self.shown_url(occasion.chart) })
    }

    /// The address of the picture that it shows where its face can: the sender's own wins.
    pub(super) fn shown_url<'a>(&'a self, chart: Option<&'a str>) -> Option<&'a str> {
        self.picture_url().or(chart)
    }

    fn written(&self, setup: &Setup, target: &Target, occasion: &Occasion<'_>, picture: Picture<'_>) -> Rendered {
        let rendered = self.as_letter(setup, target, occasion, picture, |letter| {
            catch_unwind(AssertUnwindSafe(|| setup.templates.render(letter)))
        });
        rendered.unwrap_or_else(|_| {
            let thread = occasion.thread;
            error!(%thread, "A letter could not be written because of a bug; its names are sent as plain text. Please report it.");
            self.bare(target, thread)
        })
    }

    /// The addresses that it would print in full although they are long.
    pub(super) fn long_links(&self, setup: &Setup, target: &Target, occasion: &Occasion<'_>) -> Vec<String> {
        let nothing = Picture { url: None };
        let long = |letter: &Letter<'_>| catch_unwind(AssertUnwindSafe(|| long_links(letter)));
        self.as_letter(setup, target, occasion, nothing, long).unwrap_or_default()
    }

    fn as_letter<T>(
        &self,
        setup: &Setup,
        target: &Target,
        occasion: &Occasion<'_>,
        picture: Picture<'_>,
        read: impl FnOnce(&Letter<'_>) -> T,
    ) -> T {
        let Occasion { thread, now, details_url, offer, notes, short, course, .. } = *occasion;
        let told: Vec<Told<'_>> = self
            .told
            .iter()
            .filter_map(|line| {
                Some(Told {
                    alert: self.alert(line)?,
                    kind: line.kind,
                    starts_at: line.starts_at,
                    ends_at: line.ends_at,
                })
            })
            .collect();
        let letter = Letter {
            notification: &self.notification,
            told: &told,
            target,
            language: self.language,
            timezone: &self.timezone,
            template: self.template.as_deref(),
            now,
            thread,
            details_url,
            offer,
            picture,
            course,
            notes,
            link_rewrites: &setup.config.link_rewrites,
            known_hosts: &setup.config.known_hosts,
            short,
            taught: &self.taught,
        };
        read(&letter)
    }

    /// The name of the alert that it is about: of the first one that fires, if one does.
    pub(super) fn name(&self) -> &str {
        let firing = self.told.iter().find(|line| line.kind.is_on());
        firing.or(self.told.first()).and_then(|line| self.alert(line)).map_or("", |alert| &alert.name)
    }

    /// The same without a picture.
    pub(super) fn render_pictureless(&self, setup: &Setup, target: &Target, occasion: &Occasion<'_>) -> Rendered {
        self.written(setup, target, occasion, Picture { url: None })
    }

    /// The fallback if rendering itself is broken: names, as plain text.
    fn bare(&self, target: &Target, thread: ThreadId) -> Rendered {
        let mut content = String::new();
        for line in &self.told {
            let name: String = self
                .alert(line)
                .map_or("", |alert| &alert.name)
                .chars()
                .filter(|c| c.is_alphanumeric() || *c == ' ')
                .take(60)
                .collect();
            let line = format!("[{}] {name}\n", line.kind.as_str());
            if content.len() + line.len() > wecom::message::TEXT_BYTES - 100 {
                break;
            }
            content.push_str(&line);
        }
        write!(content, "{} alerts #{thread}", self.told.len()).expect("a String takes everything");
        let bytes_used = content.len();
        let text =
            wecom::message::Text { content, mentioned_list: target.mention.clone(), mentioned_mobile_list: Vec::new() };
        Rendered {
            parts: vec![Content::Text(text)],
            face: Face::Text,
            bytes_used,
            bytes_allowed: wecom::message::TEXT_BYTES,
            named: Vec::new(),
            counted: (0..self.told.len()).collect(),
            leads: Leads::default(),
            problems: Vec::new(),
        }
    }

    /// The picture of the first alert that has one, firing ones first.
    pub(super) fn picture_url(&self) -> Option<&str> {
        let url = |line: &Line| self.alert(line).map(|alert| alert.links.image.as_str()).filter(|url| !url.is_empty());
        let firing = self.told.iter().filter(|line| line.kind.is_on()).find_map(url);
        firing.or_else(|| self.told.iter().find_map(url))
    }
}
