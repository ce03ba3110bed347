//! Counters of this process. Figures of the whole service (queue depth, fates) are read from the store at scrape time
//! instead, so that several replicas agree.

use std::fmt::Write as _;
use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::alert::Format;
use crate::store::{ActKind, ActState};

/// How a webhook call was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Answered {
    /// What the body was; `none` if it was refused before it was read.
    pub format: FormatLabel,
    /// HTTP status.
    pub status: u32,
}

/// A refused request, on any path. Closed sets: never a path, a peer or a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Refused {
    /// Who calls the path: `webhook`, `push`, `api`, `page`, `callback`, `order`, `monitoring`, `other`.
    pub path: &'static str,
    /// HTTP status.
    pub status: u32,
    /// Why.
    pub reason: &'static str,
}

/// Where reports came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OfSource {
    /// Name of the source.
    pub source: String,
}

/// Why an end without a key resolved nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Unmatched {
    /// `none`: no firing alert has its title; `several`: the alert is ambiguous.
    pub reason: &'static str,
}

/// A format, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FormatLabel(pub Option<Format>);

impl EncodeLabelValue for FormatLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        encoder.write_str(self.0.map_or("none", Format::as_str))
    }
}

/// How an attempt to send ended. A closed set: never a receiver, a person or an error text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Attempted {
    /// `app`, `chat`, `webhook`, `bot`, `email`, `hook`.
    pub channel: &'static str,
    /// `accepted`, `accepted_in_part`, `not_sent`, `unsure`.
    pub outcome: &'static str,
}

/// An errcode of WeCom; the table of known codes bounds the set, others are `-2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Errcode {
    /// The code.
    pub errcode: i64,
}

/// An act and its result. A closed set: never a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Acting {
    /// `acknowledge`, `silence`, ….
    pub kind: &'static str,
    /// `open`, `done`, `repeated`, `void`, `denied`, `limited`, `failed`.
    pub state: &'static str,
}

/// What became of a picture, or of a number that was asked for. A closed set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Pictured {
    /// `drawn`, `sent` or `told`, or why not.
    pub result: &'static str,
}

/// What became of spans. A closed set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Exported {
    /// `sent`, `refused` or `dropped`.
    pub result: &'static str,
}

/// How a call of an app's callback ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Called {
    /// `taken`, `checked`, or why it was refused.
    pub outcome: &'static str,
}

/// How a reload ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reloaded {
    /// `ok` or `failed`.
    pub result: &'static str,
}

/// A class of connections.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Class {
    /// `main` or `monitoring`.
    pub listener: &'static str,
    /// `proven` or `unproven`.
    pub class: &'static str,
}

/// Why a connection was closed from this side.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Closed {
    /// `main` or `monitoring`.
    pub listener: &'static str,
    /// `slow_head`, `slow_body`, `not_reading`, `idle`, `crowded`.
    pub reason: &'static str,
}

/// The counters of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Webhook calls by format and status.
    pub answers: Family<Answered, Counter>,
    /// Requests that were refused.
    pub refusals: Family<Refused, Counter>,
    /// Reports that changed nothing: repeats of what is known, which are not told.
    pub alerts_repeated: Family<OfSource, Counter>,
    /// Ends without a key that resolved nothing.
    pub ends_unmatched: Family<Unmatched, Counter>,
    /// From the first byte of a webhook call to the answer.
    pub intake_seconds: Histogram,
    /// Connections that are open.
    pub connections: Family<Class, Gauge>,
    /// Connections that were closed from this side.
    pub connections_closed: Family<Closed, Counter>,
    /// Attempts to send.
    pub attempts: Family<Attempted, Counter>,
    /// Errcodes WeCom answered.
    pub errcodes: Family<Errcode, Counter>,
    /// One request to WeCom, a mail server or a hook, in seconds.
    pub send_seconds: Histogram,
    /// From receipt of a notification to WeCom's acceptance of its message.
    pub delivery_seconds: Histogram,
    /// Messages that became dead.
    pub dead_letters: Counter,
    pub acts: Family<Acting, Counter>,
    /// Pictures that were asked for.
    pub pictures: Family<Pictured, Counter>,
    /// Numbers that upstreams were asked for.
    pub numbers: Family<Pictured, Counter>,
    /// Calls of the apps' callbacks.
    pub callbacks: Family<Called, Counter>,
    /// Steps of escalation that were taken.
    pub escalations: Counter,
    /// Messages that were folded into a digest.
    pub folded: Counter,
    /// Present faults of wegraf itself.
    pub troubles: Gauge,
    /// Transitions whose fate contradicts their message, at the last audit.
    pub imbalance: Gauge,
    /// Times a user's template failed and the shipped one was used.
    pub template_failures: Counter,
    /// Label values for which no person could be mentioned, each counted once.
    pub unknown_owners: Counter,
    /// Configuration reloads.
    pub reloads: Family<Reloaded, Counter>,
    /// 1 if the last reload succeeded.
    pub reload_ok: Gauge,
    /// Unix seconds of the last accepted message.
    pub last_accepted: Gauge<i64, AtomicI64>,
    /// Spans for the collector of traces.
    pub spans: Family<Exported, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("wegraf"),
            answers: Family::default(),
            refusals: Family::default(),
            alerts_repeated: Family::default(),
            ends_unmatched: Family::default(),
            intake_seconds: Histogram::new([0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0]),
            connections: Family::default(),
            connections_closed: Family::default(),
            attempts: Family::default(),
            errcodes: Family::default(),
            send_seconds: Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]),
            delivery_seconds: Histogram::new([0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 3600.0]),
            dead_letters: Counter::default(),
            acts: Family::default(),
            pictures: Family::default(),
            numbers: Family::default(),
            callbacks: Family::default(),
            escalations: Counter::default(),
            folded: Counter::default(),
            troubles: Gauge::default(),
            imbalance: Gauge::default(),
            template_failures: Counter::default(),
            unknown_owners: Counter::default(),
            reloads: Family::default(),
            reload_ok: Gauge::default(),
            last_accepted: Gauge::default(),
            spans: Family::default(),
        };
        metrics.reload_ok.set(1);
        // Present from the start, so that a rate can be computed before the first one.
        for kind in ActKind::ALL {
            drop(metrics.acts.get_or_create(&Acting { kind: kind.as_str(), state: ActState::Done.as_str() }));
        }
        for reason in ["slow_head", "slow_body", "not_reading", "idle", "crowded"] {
            drop(metrics.connections_closed.get_or_create(&Closed { listener: "main", reason }));
        }
        drop(metrics.pictures.get_or_create(&Pictured { result: "drawn" }));
        for result in ["sent", "refused", "dropped"] {
            drop(metrics.spans.get_or_create(&Exported { result }));
        }
        drop(metrics.numbers.get_or_create(&Pictured { result: "told" }));
        drop(metrics.callbacks.get_or_create(&Called { outcome: "taken" }));
        drop(metrics.refusals.get_or_create(&Refused { path: "webhook", status: 401, reason: "unknown" }));
        drop(metrics.alerts_repeated.get_or_create(&OfSource { source: "anonymous".to_owned() }));
        for reason in ["none", "several"] {
            drop(metrics.ends_unmatched.get_or_create(&Unmatched { reason }));
        }
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("webhook_answers", "Webhook calls by format and HTTP status", self.answers.clone());
        r.register(
            "refusals",
            "Requests that were refused, by who calls the path, status and reason",
            self.refusals.clone(),
        );
        r.register(
            "alerts_repeated",
            "Reports that only repeat what is known, by source",
            self.alerts_repeated.clone(),
        );
        r.register(
            "recovery_unmatched",
            "Ends without a key that ended nothing, by reason",
            self.ends_unmatched.clone(),
        );
        r.register("intake_seconds", "Webhook call to answer, in seconds", self.intake_seconds.clone());
        r.register(
            "connections",
            "Open connections, by listener and by whether their present request has proved its source",
            self.connections.clone(),
        );
        r.register(
            "connections_closed",
            "Connections closed from this side, by listener and reason",
            self.connections_closed.clone(),
        );
        r.register("attempts", "Attempts to send, by channel and outcome", self.attempts.clone());
        r.register("wecom_errcodes", "Errcodes answered by WeCom; -2 stands for unknown ones", self.errcodes.clone());
        r.register("send_seconds", "One request to WeCom, in seconds", self.send_seconds.clone());
        r.register(
            "delivery_seconds",
            "Receipt of a notification to acceptance by WeCom, in seconds",
            self.delivery_seconds.clone(),
        );
        r.register("dead_letters", "Messages given up", self.dead_letters.clone());
        r.register("pictures", "Charts that were asked for, by what came of it", self.pictures.clone());
        r.register(
            "numbers",
            "Messages for whose alerts an upstream was asked for the number, by what came of it",
            self.numbers.clone(),
        );
        r.register("acts", "What people did, by kind and what came of it", self.acts.clone());
        r.register("callbacks", "Calls of the callbacks of apps, by outcome", self.callbacks.clone());
        r.register("escalations", "Steps of escalation that were taken", self.escalations.clone());
        r.register("troubles", "What is wrong with wegraf itself now", self.troubles.clone());
        r.register(
            "audit_imbalance",
            "Transitions whose fate contradicts their message; 0 or a bug",
            self.imbalance.clone(),
        );
        r.register("folded_messages", "Messages that a digest tells instead", self.folded.clone());
        r.register(
            "template_failures",
            "Times a user's template failed and the shipped one was used",
            self.template_failures.clone(),
        );
        r.register(
            "unknown_owners",
            "Values of labels for which no one could be mentioned, each once",
            self.unknown_owners.clone(),
        );
        r.register("config_reloads", "Reloads of the configuration, by result", self.reloads.clone());
        r.register("config_last_reload_successful", "1 if the last reload was taken", self.reload_ok.clone());
        r.register(
            "last_accepted_timestamp_seconds",
            "Unix time of the last message WeCom accepted",
            self.last_accepted.clone(),
        );
        r.register("trace_spans", "Spans for the collector of traces, by what came of them", self.spans.clone());
    }

    /// Counts an act, or its end.
    pub fn count_act(&self, kind: ActKind, state: ActState) {
        self.acts.get_or_create(&Acting { kind: kind.as_str(), state: state.as_str() }).inc();
    }

    /// The counters in `OpenMetrics` text, followed by `figures`; those of one family are adjacent.
    pub fn text(&self, figures: &[Figure]) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string succeeds");
        let end = text.rfind("# EOF").unwrap_or(text.len());
        text.truncate(end);
        let mut last = "";
        for Figure { name, help, value } in figures {
            let family = name.split('{').next().unwrap_or(name);
            if family != last {
                let _ = writeln!(text, "# HELP {family} {help}.\n# TYPE {family} gauge");
                last = family;
            }
            let _ = writeln!(text, "{name} {value}");
        }
        text.push_str("# EOF\n");
        text
    }
}

/// A gauge that is read at scrape time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Its name, with labels if it has any.
    name: String,
    /// What it is, without a full stop.
    help: &'static str,
    value: i64,
}

impl Figure {
    /// A gauge with this name, help and value.
    pub fn new(name: impl Into<String>, help: &'static str, value: i64) -> Self {
        Self { name: name.into(), help, value }
    }
}

/// The name of a metric with one label, whose value is escaped.
pub fn labelled(name: &str, label: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}{{{label}=\"{value}\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_never_ends_early() {
        let name = labelled("open", "scope", "a\\b\"} 1\nc");
        assert_eq!(name, r#"open{scope="a\\b\"} 1\nc"}"#);
        let figures = [Figure::new(name, "Open", 1), Figure::new(labelled("open", "scope", "d"), "Open", 0)];
        let text = Metrics::default().text(&figures);
        assert_eq!(text.matches("# TYPE open gauge").count(), 1);
        assert!(text.ends_with("open{scope=\"a\\\\b\\\"} 1\\nc\"} 1\nopen{scope=\"d\"} 0\n# EOF\n"), "{text}");
    }
}
