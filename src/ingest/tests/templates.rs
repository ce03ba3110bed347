//! What a mapping's templates give: through filters, and by which of them an alert is named.

use generic::Mapping;

use super::*;

/// What a mapping with these fields reads out of the body `{"at": …}`.
fn through(fields: &str, at: &Json) -> Notification {
    let yaml = format!("[{{name: n, has: [at], alert: {{{fields}}}}}]");
    let payloads = Payloads::compile(serde_saphyr::from_str::<Vec<Mapping>>(&yaml).unwrap()).unwrap();
    read(json!({ "at": at }).to_string().as_bytes(), None, Door::Webhook, &payloads, NOW).unwrap()
}

/// The name of the alert whose mapping has this template for it.
fn named(template: &str, at: &Json) -> String {
    only(through(&format!("name: \"at {template}\""), at)).name
}

#[test]
fn a_title_names_the_alert_if_the_mapping_has_no_name_and_stands_before_the_text_otherwise() {
    let read = |fields: &str| {
        let notification = through(fields, &json!("db-1"));
        (notification.message.clone(), only(notification).name)
    };
    let wanted = |text: &str, name: &str| (text.to_owned(), name.to_owned());
    assert_eq!(read("title: 'Disk of {{ body.at }}', message: full"), wanted("full", "Disk of db-1"));
    assert_eq!(read("name: Disk, title: 'Disk of {{ body.at }}', message: full"), wanted("Disk of db-1\nfull", "Disk"));
    assert_eq!(read("name: Disk, title: 'Disk of {{ body.at }}'"), wanted("Disk of db-1", "Disk"));
    assert_eq!(read("name: Disk, title: Disk, message: full"), wanted("full", "Disk"));
}

#[test]
fn a_time_is_read_in_the_zone_that_is_named_unless_it_has_one_of_its_own() {
    let time = |at: Json| named("{{ body.at | time }}", &at);
    assert_eq!(time(json!("2026-11-22 14:04:00")), "at 2026-11-22T14:04:00Z");
    assert_eq!(time(json!("2026-11-22T14:04:00+08:00")), "at 2026-11-22T06:04:00Z");
    assert_eq!(time(json!(1_795_327_440)), "at 2026-11-22T06:04:00Z");
    assert_eq!(time(json!("soon")), "at");
    let in_tokyo = |at: Json| named("{{ body.at | time(zone='Asia/Tokyo') }}", &at);
    assert_eq!(in_tokyo(json!("2026-11-22 14:04:00")), "at 2026-11-22T05:04:00Z");
    assert_eq!(in_tokyo(json!("2026-11-22T14:04:00+08:00")), "at 2026-11-22T06:04:00Z");
}

#[test]
fn each_place_in_a_body_is_written_as_a_template_reads_it() {
    let at = json!({"plain_1": "a", "_x": "b", "1st": "c", "host name": "d", "日期": "e", "list": [{"a-b": "f"}, "g"]});
    let found = paths(json!({ "at": at }).to_string().as_bytes(), None);
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts.len(), 7, "{texts:?}");
    for (path, text) in &found {
        assert_eq!(named(&format!("{{{{ {path} }}}}"), &at), format!("at {text}"), "{path}");
    }
}

#[test]
fn json_within_a_text_becomes_a_tree_and_a_tree_stays_one() {
    for filter in ["fromjson", "parse_json"] {
        assert_eq!(named(&format!("{{{{ ('{{\\\"a\\\": [5]}}' | {filter}).a[0] }}}}"), &json!("x")), "at 5");
        assert_eq!(named(&format!("{{{{ (body.at | {filter}).a[0] }}}}"), &json!({"a": [5]})), "at 5");
        assert_eq!(named(&format!("{{{{ (body.at | {filter}).a }}}}"), &json!("words")), "at");
    }
}
