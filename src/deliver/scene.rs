//! What a message is given besides the words of its sender: numbers that its body lacks, a sentence on the value's trend
//! (the course), and a picture that follows it.
//!
//! None of these may make it late: what is asked for words has a short time, after which the message goes without, and a
//! picture is a message of its own (`engine::picture`), for which nothing waits.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tracing::warn;
use wecom::message::Image;

use super::Deliver;
use super::audience::Reach;
use super::page::{Page, contents};
use super::picture::{self, Pictures};
use super::setup::Setup;
use super::way;
use crate::alert::{Alert, Status, Timestamp, TransitionKind};
use crate::charts::{About, Undrawn};
use crate::config::{Channel, Face, Language, Target};
use crate::metrics::Pictured;
use crate::render::{Clock, measured, public_picture};
use crate::store::{DeliveryFilter, Queued};

/// A debug build draws that many times slower.
const PATIENCE: u64 = if cfg!(debug_assertions) { 8 } else { 1 };
/// How long a picture that follows a message may take to be drawn: as long as a visitor waits for one.
const DRAWN: Duration = Duration::from_secs(4 * PATIENCE);
/// How long it waits for numbers that its body lacks and for the course in words, together.
const TOLD: Duration = Duration::from_millis(500 * PATIENCE);
/// Bytes of a picture in a mail, which is kept with the message.
const INLINE: usize = 512 << 10;
/// Messages among which the one before a reminder is looked for.
const BEFORE: usize = 10;

/// A message that is being written.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub deliver: &'a Deliver,
    pub setup: &'a Setup,
    pub queued: &'a Queued,
    pub page: &'a Page,
    pub target: &'a Target,
    pub now: Timestamp,
    /// Until when it waits for words of an upstream.
    pub until: Instant,
}

/// Until when a message or page that is written from now on waits for words of an upstream.
pub fn patience() -> Instant {
    Instant::now() + TOLD
}

/// Asks upstreams for the expressions and the numbers of firing alerts whose body gives none. What is not known in time
/// is not shown.
pub(super) async fn ask_upstreams(deliver: &Deliver, setup: &Setup, page: &mut Page, until: Instant) {
    page.learn(&setup.charts, until).await;
    let on = page.told.iter().filter(|line| line.kind.is_on() && line.index < page.notification.alerts.len());
    let mut places: Vec<usize> = on.map(|line| line.index).collect();
    places.sort_by_key(|at| !page.notification.alerts[*at].is_critical());
    let alerts: Vec<&Alert> = places.iter().map(|at| &page.notification.alerts[*at]).collect();
    let asked = setup.charts.numbers(&alerts, page.notification.format, &page.source);
    let result = match tokio::time::timeout_at(until, asked).await {
        Ok(Ok(numbers)) => {
            for (at, number) in numbers {
                page.notification.alerts[places[at]].asked.number = Some(number);
            }
            "told"
        }
        Ok(Err(Undrawn::Nothing)) => return,
        Ok(Err(why)) => why.as_str(),
        Err(_) => {
            setup.charts.missed(&page.charted(Timestamp(0)));
            "slow"
        }
    };
    deliver.metrics.numbers.get_or_create(&Pictured { result }).inc();
}

impl Scene<'_> {
    /// Does the message itself show a picture: the sender's, or the chart at this address?
    pub fn shows(&self, chart: Option<&str>) -> bool {
        let chart = chart.filter(|_| self.wants_chart());
        matches!(self.target.face, Face::News | Face::MarkdownV2 | Face::Card)
            && self.page.picture_url().or(chart).and_then(public_picture).is_some()
    }

    fn wants_chart(&self) -> bool {
        self.setup.charts.wants(&self.page.charted(self.queued.notification.received_at))
    }

    /// Is a picture to follow the message, unless it shows one: the sender's, or a chart? Only of what begins.
    pub fn is_followed(&self) -> bool {
        let channel = self.target.channel();
        let begins = self.page.told.iter().any(|line| line.kind == TransitionKind::Firing);
        let has = || match self.page.picture_url() {
            Some(url) => picture::fetched(&self.setup.config, url).is_some(),
            None => self.wants_chart(),
        };
        self.target.image && (channel.wecom().is_some() || channel == Channel::Bot) && begins && has()
    }

    /// The picture that follows the message; why there is none.
    pub async fn picture(&self, pictures: &Pictures) -> Result<Image, &'static str> {
        let Self { deliver, setup, page, .. } = *self;
        if !self.is_on().await {
            return Err("over");
        }
        let ways = way::ways(&setup.config, self.target, &Reach::default()).unwrap_or_default();
        let sender = ways.first().map(|way| &way.sender).ok_or(Undrawn::Nothing.as_str())?;
        let png = if let Some(url) = page.picture_url().map(|url| picture::fetched(&setup.config, url)) {
            pictures.fetch(url.ok_or("foreign")?).await.ok_or("unreachable")?
        } else {
            let about = page.charted(self.queued.notification.received_at);
            let drawn = tokio::time::timeout(DRAWN, setup.charts.picture(&about)).await;
            drawn.map_err(|_| "slow")?.map_err(Undrawn::as_str)?
        };
        pictures.upload(&deliver.sockets, setup, sender, png).await.ok_or("not_uploaded")
    }

    /// The picture in a mail about what is on: the sender's, or a chart, if it is there in time.
    pub async fn inline(&self, pictures: &Pictures) -> Option<Bytes> {
        let on = self.page.told.iter().any(|line| line.kind.is_on());
        if self.target.channel() != Channel::Email || !on {
            return None;
        }
        let found = async {
            match self.page.picture_url() {
                Some(url) => {
                    Some(pictures.fetch(picture::fetched(&self.setup.config, url)?).await.ok_or("unreachable"))
                }
                None if self.wants_chart() => {
                    let about = self.page.charted(self.queued.notification.received_at);
                    Some(self.setup.charts.picture(&about).await.map_err(Undrawn::as_str))
                }
                None => None,
            }
        };
        let result = match tokio::time::timeout_at(self.until, found).await {
            Ok(found) => found?,
            Err(_) => Err("slow"),
        };
        self.count(result.as_ref().map_or_else(|why| *why, |_| "sent"));
        result.ok().filter(|picture| picture.len() <= INLINE)
    }

    /// Does any of its alerts go on?
    async fn is_on(&self) -> bool {
        let alerts = self.deliver.store.alerts_of(self.queued.thread).await.unwrap_or_default();
        let told = |alert: i64| self.page.told.iter().any(|line| line.alert == alert);
        alerts.iter().any(|alert| alert.status == Status::Firing && told(alert.alert))
    }

    /// The course of the value, for a message without a picture: out of its series, else what it was told last.
    pub async fn course(&self) -> Option<String> {
        if !self.page.told.iter().any(|line| line.kind.is_on()) {
            return None;
        }
        let about = self.page.charted(self.queued.notification.received_at);
        let course = if self.setup.charts.wants(&about) { self.charted(&about).await } else { None };
        match course {
            Some(course) => Some(course),
            // What it waits for (the memory of another body) may be held by messages that wait for the same.
            None => tokio::time::timeout(TOLD, self.told_last()).await.ok().flatten(),
        }
    }

    /// `上次 91 %` in a reminder of one alert: what the message before it said.
    async fn told_last(&self) -> Option<String> {
        let [line] = &self.page.told[..] else { return None };
        let alert = self.page.notification.alerts.get(line.index).filter(|_| line.kind == TransitionKind::Reminder)?;
        let store = &self.deliver.store;
        let filter = DeliveryFilter {
            thread: Some(self.queued.thread),
            receiver: Some(self.queued.receiver.clone()),
            before: Some(self.queued.message),
            limit: BEFORE,
            ..DeliveryFilter::default()
        };
        let earlier = store.deliveries(filter).await.ok()?;
        let earlier = earlier.iter().find(|row| row.act.is_none() && !row.digest && row.lane == self.queued.lane)?;
        let (kept, _part) = contents(store, &self.deliver.room, earlier.message).await.ok()??;
        let before = Page::of(&self.setup.config, &kept.notification, &kept.transitions, &kept.receiver);
        let same = |known: &&Alert| known.labels == alert.labels;
        let known = before.notification.alerts.iter().find(same)?;
        let clock = Clock { now: self.now, zone: &self.page.timezone, language: self.page.language };
        let measured = measured(&[known], before.notification.format, &clock);
        let [value] = &measured.first()?.values[..] else { return None };
        Some(match self.page.language {
            Language::Zh => format!("上次 {}", value.text),
            Language::En => format!("last time {}", value.text),
        })
    }

    async fn charted(&self, about: &About<'_>) -> Option<String> {
        let barred = matches!(self.target.face, Face::Text | Face::Markdown | Face::Card);
        let (result, course) = match tokio::time::timeout_at(self.until, self.setup.charts.course(about, barred)).await
        {
            Ok(Ok(course)) => ("told", Some(course)),
            Ok(Err(undrawn)) => (undrawn.as_str(), None),
            Err(_) => {
                self.setup.charts.missed(about);
                ("slow", None)
            }
        };
        self.count(result);
        if course.is_none() && result != Undrawn::Nothing.as_str() {
            self.record(result).await;
        }
        course
    }

    /// Notes in the record why there is no picture. The message does not depend on that.
    async fn record(&self, reason: &'static str) {
        if let Err(error) = self.deliver.store.unpictured(self.queued.message, reason).await {
            warn!(%error, delivery = self.queued.message, reason, "Why a message has no picture is not on record.");
        }
    }

    fn count(&self, result: &'static str) {
        self.deliver.metrics.pictures.get_or_create(&Pictured { result }).inc();
    }
}
