//! A body through compiled mappings to a notification.

use minijinja::value::{Serde, Value, ValueKind};
use serde_json::Value as Json;

use super::{Mapping, Members, Payloads, slot};
use crate::alert::{Alert, Format, Health, Labels, Links, Notification, Status};
use crate::ingest::{UNNAMED, content_key, excerpt, field};
use crate::names::Discriminator;

/// An alert and the texts that may belong to the whole notification.
struct Told {
    alert: Alert,
    title: String,
    message: String,
}

/// The alert's mapping at work on one item.
struct Reading<'a> {
    payloads: &'a Payloads,
    index: usize,
    body: &'a Value,
    item: Value,
}

impl Payloads {
    /// Reads `body` through the first mapping that applies and finds anything in it to show.
    pub(in crate::ingest) fn read(&self, body: &Json, text: &str) -> Option<Notification> {
        let body = Value::from(Serde(body));
        self.mappings.iter().enumerate().find_map(|(index, mapping)| {
            let applies = self.engine.evaluate(&slot(index, "when"), &body, &body)?.is_true();
            if applies { self.through(index, mapping, &body, text) } else { None }
        })
    }

    fn through(&self, index: usize, mapping: &Mapping, body: &Value, text: &str) -> Option<Notification> {
        let items = if mapping.alerts.is_some() {
            self.engine.evaluate(&slot(index, "alerts"), body, body).filter(|items| items.kind() == ValueKind::Seq)?
        } else {
            Value::from(vec![body.clone()])
        };
        let items: Vec<Value> = items.try_iter().ok()?.collect();
        let is_alone = items.len() == 1;
        let mut told: Vec<Told> = items
            .into_iter()
            .filter_map(|item| Reading { payloads: self, index, body, item }.told(mapping, is_alone.then_some(text)))
            .collect();
        let (title, message) = match told.as_mut_slice() {
            [] => return None,
            [only] => (std::mem::take(&mut only.title), std::mem::take(&mut only.message)),
            several => {
                // Several alerts: each keeps its own words, under the names that Prometheus rules use.
                for Told { alert, title, message } in several {
                    for (name, text) in [("summary", title), ("description", message)] {
                        if !text.is_empty() {
                            alert.annotations.entry(name.to_owned()).or_insert_with(|| std::mem::take(text));
                        }
                    }
                }
                (String::new(), String::new())
            }
        };
        Some(Notification {
            format: Format::Generic,
            upstream_receiver: String::new(),
            group_key: String::new(),
            group_labels: Labels::new(),
            external_url: String::new(),
            title,
            message,
            truncated: 0,
            test: false,
            alerts: told.into_iter().map(|told| told.alert).collect(),
        })
    }
}

impl Reading<'_> {
    fn text(&self, field: &str) -> String {
        self.payloads.engine.render(&slot(self.index, field), self.body, &self.item).unwrap_or_default()
    }

    /// The item as an alert; `None` if there is nothing in it that a person could read.
    fn told(&self, mapping: &Mapping, whole_text: Option<&str>) -> Option<Told> {
        let (name, title, message) = (self.text("name"), self.text("title"), self.text("message"));
        if name.is_empty() && title.is_empty() && message.is_empty() {
            return None;
        }
        let name = [name.as_str(), title.as_str()].into_iter().find(|name| !name.is_empty()).unwrap_or(UNNAMED);
        let name = excerpt(name, 256);
        let said = self.text("status");
        let (status, health) = status(&said);
        let key = self.text("key");
        let discriminator = if !key.is_empty() {
            Discriminator::key(&mapping.name, &key)
        } else if said.is_empty() {
            whole_text.map_or_else(|| content_key(&self.item.to_string()), content_key)
        } else {
            Discriminator::default()
        };
        let mut labels = self.set("labels", mapping.alert.labels.as_ref());
        // `null` as text is how Alibaba Cloud writes nothing (§7.2).
        labels.retain(|name, value| !value.is_empty() && value != "null" && !field::is_private(name));
        labels.entry("alertname".to_owned()).or_insert_with(|| name.clone());
        let severity = self.text("severity").to_lowercase();
        if !severity.is_empty() {
            labels.insert("severity".to_owned(), severity);
        }
        let mut annotations = self.set("annotations", mapping.alert.annotations.as_ref());
        annotations.retain(|name, value| !value.is_empty() && !field::is_private(name));
        let ends_at = field::loose_instant(&self.text("ends_at")).filter(|_| status == Status::Resolved);
        let alert = Alert {
            status,
            name,
            health,
            starts_at: field::loose_instant(&self.text("starts_at")),
            ends_at,
            fingerprint: field::fingerprint(&labels),
            discriminator,
            labels,
            values: if health == Health::Normal { self.values(mapping.alert.values.as_ref()) } else { Vec::new() },
            links: Links {
                rule: field::link(self.text("link")),
                image: field::link(self.text("image")),
                runbook: field::annotated_link(&annotations, &["runbook_url", "runbook"]),
                dashboard: field::annotated_link(&annotations, &["dashboard_url", "dashboard"]),
                ..Links::default()
            },
            annotations,
            level: None,
        };
        Some(Told { alert, title, message })
    }

    /// Named texts of the item.
    fn set(&self, field: &str, members: Option<&Members>) -> Labels {
        match members {
            None => Labels::new(),
            Some(Members::Each(templates)) => {
                templates.keys().map(|name| (name.clone(), self.text(&format!("{field}.{name}")))).collect()
            }
            Some(Members::All(_)) => {
                let value = self.payloads.engine.evaluate(&slot(self.index, field), self.body, &self.item);
                match value.and_then(|value| serde_json::to_value(&value).ok()) {
                    Some(Json::Object(map)) => field::labels(map),
                    _ => Labels::new(),
                }
            }
        }
    }

    fn values(&self, members: Option<&Members>) -> Vec<crate::alert::Value> {
        let value = |(name, text): (String, String)| {
            Some(crate::alert::Value { name, text: field::measured_text(&text)?, tags: Labels::new() })
        };
        self.set("values", members).into_iter().filter_map(value).collect()
    }
}

/// The usual words for on and over. What is not known is on: rather one message too many.
fn status(said: &str) -> (Status, Health) {
    match said.to_lowercase().as_str() {
        "resolved" | "resolve" | "ok" | "okay" | "recovered" | "recovery" | "recover" | "normal" | "up" | "closed"
        | "close" | "cleared" | "clear" | "success" | "succeeded" | "inactive" | "healthy" | "0" | "false"
        | "已恢复" | "恢复" | "正常" | "已解决" | "成功" => (Status::Resolved, Health::Normal),
        "no_data" | "nodata" | "no data" | "insufficient_data" | "无数据" => (Status::Firing, Health::NoData),
        _ => (Status::Firing, Health::Normal),
    }
}
