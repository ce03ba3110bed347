//! What a message without a picture of its own is given instead: the picture as a second message, or the course in words.
//!
//! Neither may make it late: a second message costs a place in the budget and goes only where nothing else waits, and what is
//! drawn or asked for has a short time, after which the message goes without.

use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;
use wecom::message::Image;

use super::Deliver;
use super::audience::Reach;
use super::page::{Page, contents};
use super::picture::Pictures;
use super::setup::Setup;
use super::way;
use crate::alert::{Alert, Timestamp, TransitionKind};
use crate::charts::{About, Undrawn};
use crate::config::{Face, Language, Target};
use crate::metrics::Pictured;
use crate::render::{Clock, measured, public_picture};
use crate::store::{DeliveryFilter, Queued};

/// A debug build draws that many times slower.
const PATIENCE: u64 = if cfg!(debug_assertions) { 8 } else { 1 };
/// How long a message waits for the picture that follows it: of a critical alert, of others.
const DRAWN: [Duration; 2] = [Duration::from_secs(PATIENCE), Duration::from_secs(2 * PATIENCE)];
/// How long it waits for numbers that its body lacks and for the course in words, together.
const TOLD: Duration = Duration::from_millis(500 * PATIENCE);
/// Messages among which the one before a reminder is looked for.
const BEFORE: usize = 10;
/// A message that is older gets no picture: what it would show is past.
const OLD_MS: i64 = 5 * 60_000;

/// What became of the second message.
pub(super) enum Second {
    /// It is this picture.
    Picture(Image),
    /// There is none, because the picture could not be had.
    Failed,
    /// None was wanted, or it would be in the way.
    Unasked,
}

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

/// Until when a message that is written from now on waits for words of an upstream.
pub(super) fn patience() -> Instant {
    Instant::now() + TOLD
}

/// Asks upstreams for the numbers of firing alerts whose body gives none. What is not known in time is not shown.
pub(super) async fn ask_numbers(deliver: &Deliver, setup: &Setup, page: &mut Page, until: Instant) {
    let on = page.told.iter().filter(|line| line.kind.is_on() && line.index < page.notification.alerts.len());
    let mut places: Vec<usize> = on.map(|line| line.index).collect();
    places.sort_by_key(|at| !page.notification.alerts[*at].is_critical());
    let alerts: Vec<&Alert> = places.iter().map(|at| &page.notification.alerts[*at]).collect();
    let asked = setup.charts.numbers(&alerts, page.notification.format, &page.source);
    let result = match tokio::time::timeout_at(until, asked).await {
        Ok(Ok(numbers)) => {
            for (at, number) in numbers {
                page.notification.alerts[places[at]].asked = Some(number);
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

    /// The picture for a second message, if the target wants one: the sender's, or a chart. Only of what is news, and where
    /// nothing else waits in the lane.
    pub async fn picture(&self, pictures: &Pictures, shows: bool) -> Second {
        let url = self.page.picture_url();
        let begins = self.page.told.iter().any(|line| line.kind == TransitionKind::Firing);
        let drawn = url.is_none() && !shows && self.wants_chart();
        if !self.target.image || !begins || (url.is_none() && !drawn) {
            return Second::Unasked;
        }
        if self.now.millis_since(self.queued.created_at) > OLD_MS {
            return self.without("late", Second::Unasked).await;
        }
        let waiting = self.deliver.store.waiting(&self.queued.lane, self.now).await;
        if waiting.is_ok_and(|waiting| waiting.messages.len() > 1) {
            return self.without("crowded", Second::Unasked).await;
        }
        let ways = way::ways(&self.setup.config, self.target, &Reach::default()).unwrap_or_default();
        let Some(sender) = ways.first().map(|way| &way.sender) else { return Second::Unasked };
        let sockets = &self.deliver.sockets;
        if !drawn {
            let image = pictures.upload(sockets, self.setup, sender, self.target, url).await;
            return image.map_or(Second::Unasked, Second::Picture);
        }
        let about = self.page.charted(self.queued.notification.received_at);
        let critical = about.alerts.iter().any(|(alert, _)| alert.is_critical());
        let image = async {
            let png = self.setup.charts.picture(&about).await.map_err(Undrawn::as_str)?;
            pictures.send(sockets, self.setup, sender, png).await.ok_or("not_uploaded")
        };
        match tokio::time::timeout(DRAWN[usize::from(!critical)], image).await {
            Ok(Ok(image)) => {
                self.count("sent");
                Second::Picture(image)
            }
            Ok(Err(reason)) => self.without(reason, Second::Failed).await,
            Err(_) => {
                self.setup.charts.missed(&about);
                self.without("slow", Second::Failed).await
            }
        }
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
        let (result, course) = match tokio::time::timeout_at(self.until, self.setup.charts.course(about, barred)).await {
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

    async fn without(&self, reason: &'static str, second: Second) -> Second {
        warn!(delivery = self.queued.message, reason, "A message goes without its picture.");
        self.count(reason);
        self.record(reason).await;
        second
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
