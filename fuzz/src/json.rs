//! Hostile JSON in the words that readers look for, so that a fuzzer gets past their first question.

use arbitrary::{Arbitrary, Result, Unstructured};
use serde_json::{Value, json};

/// Any JSON, at most [`DEPTH`] deep.
#[derive(Debug)]
pub struct Json(pub Value);

const DEPTH: u8 = 6;
const MEMBERS: usize = 12;

/// Names that readers and the shipped mappings ask for.
const NAMES: &[&str] = &[
    "alerts",
    "labels",
    "annotations",
    "version",
    "orgId",
    "state",
    "status",
    "ruleName",
    "evalMatches",
    "value",
    "values",
    "valueString",
    "startsAt",
    "endsAt",
    "generatorURL",
    "imageURL",
    "alertname",
    "rulename",
    "rule_id",
    "hash",
    "trigger_time",
    "rule_name",
    "is_recovered",
    "rule_note",
    "severity",
    "first_trigger_time",
    "recover_time",
    "last_eval_time",
    "tags_map",
    "tags",
    "group_name",
    "cluster",
    "runbook_url",
    "prom_ql",
    "trigger_value",
    "sessionId",
    "alarmPolicyInfo",
    "policyName",
    "conditions",
    "eventName",
    "alarmStatus",
    "productName",
    "metricName",
    "metricShowName",
    "calcType",
    "calcValue",
    "calcUnit",
    "unit",
    "firstOccurTime",
    "recoverTime",
    "alarmObjInfo",
    "dimensions",
    "region",
    "namespace",
    "policyTypeCName",
    "currentValue",
    "alertName",
    "ruleId",
    "alertState",
    "expression",
    "triggerLevel",
    "preTriggerLevel",
    "timestamp",
    "instanceName",
    "regionName",
    "productGroupName",
    "lastTime",
    "curValue",
    "userId",
    "msg",
    "heartbeat",
    "monitor",
    "name",
    "monitorID",
    "timezoneOffset",
    "localDateTime",
    "hostname",
    "url",
    "type",
    "ping",
    "Subject",
    "Message",
    "event_value",
    "event_id",
    "trigger_id",
    "host",
    "msgtype",
    "content",
    "news",
    "articles",
    "template_card",
    "main_title",
    "title",
    "sub_title_text",
    "desc",
    "card_action",
    "card_image",
    "picurl",
    "key",
    "message",
    "text",
    "level",
    "link",
    "data",
    "payload",
    "truncatedAlerts",
    "routeLabels",
    "groupLabels",
];

/// Texts that mean something to a reader.
const TEXTS: &[&str] = &[
    "",
    "1",
    "4",
    "0",
    "-1",
    "firing",
    "resolved",
    "alerting",
    "ok",
    "OK",
    "no_data",
    "DatasourceNoData",
    "NaN",
    "null",
    "1e400",
    "https://a.example.com/x",
    "javascript:x",
    "http://",
    "0001-01-01T00:00:00Z",
    "2026-11-22T13:00:00Z",
    "2026-11-22 21:00:00",
    "+08:00",
    "9223372036854775807",
    "1795354200",
    "a=1,b=2",
    "{a: 1, b}",
    "__x__",
    "\0",
    "\u{202e}",
    "<@all>",
    "{{ body }}",
    "WARN",
    "PROBLEM",
    "Resolved: 磁盘将满",
    "text",
    "markdown",
];

impl<'a> Arbitrary<'a> for Json {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Self> {
        value(from, DEPTH).map(Self)
    }
}

fn value(from: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    let inner = depth.saturating_sub(1);
    Ok(match from.int_in_range(0..=if depth == 0 { 5 } else { 9 })? {
        0 => Value::Null,
        1 => json!(from.arbitrary::<bool>()?),
        2 => json!(from.arbitrary::<i64>()?),
        3 => json!(from.arbitrary::<f64>()?),
        4 | 5 => Value::String(text(from, TEXTS)?),
        6 => (0..from.int_in_range(0..=MEMBERS)?).map(|_| value(from, inner)).collect::<Result<Vec<_>>>()?.into(),
        _ => {
            let members = 0..from.int_in_range(0..=MEMBERS)?;
            let members = members.map(|_| Ok((text(from, NAMES)?, value(from, inner)?)));
            Value::Object(members.collect::<Result<_>>()?)
        }
    })
}

fn text(from: &mut Unstructured<'_>, known: &[&str]) -> Result<String> {
    if from.ratio(3, 4)? { Ok((*from.choose(known)?).to_owned()) } else { from.arbitrary() }
}
