//! The shipped samples: payloads as the senders make them, moved to the present.

use jiff::Timestamp as Instant;
use serde_json::Value;

use crate::alert::Timestamp;
use crate::words::{Words, told, words};

/// A payload to try things with.
#[derive(Debug)]
pub struct Sample {
    /// What `--sample` calls it.
    pub name: &'static str,
    /// What it shows.
    pub shows: Words,
    /// Where its sender posts it.
    pub path: &'static str,
    body: &'static str,
}

macro_rules! samples {
    ($($name:literal, $path:literal, $zh:literal, $en:literal;)*) => {
        &[$(Sample { name: $name, path: $path, shows: words($zh, $en), body: include_str!(concat!("../../tests/fixtures/payloads/", $name, ".json")) }),*]
    };
}

/// All of them.
pub const SAMPLES: &[Sample] = samples! {
    "grafana-legacy-alerting", "/api/model/send_sms/", "Grafana 旧版告警，多个值", "Grafana: legacy alerting, several values";
    "grafana-legacy-ok", "/api/model/send_sms/", "Grafana 旧版恢复", "Grafana: legacy, over";
    "grafana-firing", "/webhook", "Grafana 告警", "Grafana: one alert";
    "grafana-mixed", "/webhook", "Grafana 部分恢复", "Grafana: part of a group is over";
    "grafana-resolved", "/webhook", "Grafana 恢复", "Grafana: over";
    "grafana-nodata", "/webhook", "Grafana 无数据", "Grafana: no data";
    "grafana-error", "/webhook", "Grafana 查询出错", "Grafana: query error";
    "alertmanager-firing", "/webhook", "Alertmanager 告警", "Alertmanager: one alert";
    "alertmanager-group", "/webhook", "Alertmanager 一组告警", "Alertmanager: a group";
    "alertmanager-resolved", "/webhook", "Alertmanager 恢复", "Alertmanager: over";
    "prometheus-push", "/api/v2/alerts", "Prometheus 直接推送", "pushed by Prometheus";
    "generic-backup", "/webhook", "任意 JSON", "any other JSON";
};

/// The sample called `name`.
pub fn find(name: &str) -> anyhow::Result<&'static Sample> {
    SAMPLES.iter().find(|sample| sample.name == name).ok_or_else(|| {
        let names: Vec<_> = SAMPLES.iter().map(|sample| sample.name).collect();
        let names = names.join(", ");
        anyhow::anyhow!(told!(
            "没有名为 `{name}` 的样例；有：{names}",
            "there is no sample `{name}`; there are: {names}"
        ))
    })
}

impl Sample {
    /// The body with all its times moved so that the newest is two minutes before `now`. In a push an end in the future
    /// means "still firing", so only starts count there.
    pub fn body(&self, now: Timestamp) -> String {
        let mut value: Value =
            serde_json::from_str(self.body).expect("the shipped samples are JSON: a test reads them");
        let newest = self.newest(&mut value);
        if let Some(newest) = newest {
            let shift = now.0 - 120_000 - newest;
            each_time(&mut value, &mut |_, text| {
                if let Some(moved) = past(text).and_then(|at| Instant::from_millisecond(at + shift).ok()) {
                    *text = moved.to_string();
                }
            });
        }
        value.to_string()
    }

    fn newest(&self, value: &mut Value) -> Option<i64> {
        let push = self.path == "/api/v2/alerts";
        let mut newest = None;
        each_time(value, &mut |key, text| {
            if !push || key == "startsAt" {
                newest = newest.max(past(text));
            }
        });
        newest
    }
}

/// The time in `text` in milliseconds, unless it is the year-1 time that means "not yet".
fn past(text: &str) -> Option<i64> {
    text.parse::<Instant>().ok().map(Instant::as_millisecond).filter(|&at| at > 0)
}

/// Calls `act` with the name and the value of each `startsAt` and `endsAt`.
fn each_time(value: &mut Value, act: &mut impl FnMut(&str, &mut String)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "startsAt" || key == "endsAt" => act(key, text),
                    other => each_time(other, act),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_time(item, act)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_moved_to_the_present() {
        let now = Timestamp(1_800_000_000_000);
        for sample in SAMPLES {
            let mut body: Value = serde_json::from_str(&sample.body(now)).unwrap();
            let newest = sample.newest(&mut body);
            assert!(newest.is_none_or(|at| at == now.0 - 120_000), "{}", sample.name);
        }
    }
}
