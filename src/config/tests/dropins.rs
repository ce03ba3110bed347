//! Addresses of other programs: what a source may have of them, and what is a mistake where it may not post everywhere.

use super::*;

const TOKEN: &str = "canary-t-9f2c71d0e8b35a46";

/// Two receivers, a webhook and an app, and a source with these addresses.
fn with(source: &str) -> String {
    format!(
        "sources: {{ g: {{ {source} }} }}
wecom:
  webhooks: {{ group: {{ key: 11111111-2222-4333-8444-555555555555 }} }}
  apps: {{ app: {{ corp_id: ww0123456789abcdef, agent_id: 1000002, secret: canary-of-an-app }} }}
receivers:
  ops: {{ targets: [ {{ webhook: group }} ] }}
  dba: {{ targets: [ {{ webhook: group }} ] }}
route: {{ receiver: ops }}
"
    )
}

#[test]
fn every_program_has_a_key_of_its_own_in_the_configuration() {
    for robot in Robot::ALL {
        let key = robot.as_str();
        let (config, _) = good(&with(&format!("{key}: {{ tokens: {{ ops: {TOKEN}, '*': {TOKEN}-x }} }}")));
        let [(known, door)] = &config.dropins[0].robots[..] else { panic!("{key}") };
        assert_eq!((known, door.tokens.len()), (robot, 2));
        assert_eq!(door.tokens[0].1, Addressee::Receiver("ops".to_owned()));
        assert_eq!(door.tokens[1].1, Addressee::Routes);
        assert_eq!(door.own_keys, robot.is_bridge(), "{key}");
    }
}

#[test]
fn a_source_with_receivers_has_addresses_of_these_only() {
    let fine = [
        format!("slack: {{ tokens: {{ ops: {TOKEN}, '*': {TOKEN}-x }} }}"),
        format!("wecom: {{ keys: {{ ops: {TOKEN} }}, apps: [ {{ app: app, secret: {TOKEN}, receiver: ops }} ] }}"),
        "a2w: {}".to_owned(),
    ];
    for text in fine {
        let (config, _) = good(&with(&format!("receivers: [ops], {text}")));
        assert!(config.dropins[0].robots.iter().all(|(_, door)| !door.own_keys), "{text}");
    }
    for (text, reason, remedy) in [
        (format!("slack: {{ tokens: {{ dba: {TOKEN} }} }}"), "`dba` is none of them", "name one of ops, or add `dba`"),
        (format!("slack: {{ tokens: {{ group: {TOKEN} }} }}"), "`group` is a webhook", "with `group` as its target"),
        (format!("wecom: {{ keys: {{ dba: {TOKEN} }} }}"), "`dba` is none of them", "name one of ops"),
        (format!("wecom: {{ keys: {{ group: {TOKEN} }} }}"), "`group` is a webhook", ""),
        ("wecom: { own_keys: true }".to_owned(), "`sources.g.wecom.own_keys` goes by no receiver", "under keys"),
        (format!("wecom: {{ apps: [ {{ app: app, secret: {TOKEN} }} ] }}"), "has no receiver", "give it a receiver"),
        (
            format!("wecom: {{ apps: [ {{ app: app, secret: {TOKEN}, receiver: dba }} ] }}"),
            "`dba` is none of them",
            "name one of ops",
        ),
        ("bougou: { app: app }".to_owned(), "`sources.g.bougou.app` tells anybody", "under tokens"),
    ] {
        let text = with(&format!("receivers: [ops], {text}"));
        let Err(mistakes) = read(&text, Path::new("")) else { panic!("nothing found in {text}") };
        let [mistake] = &mistakes[..] else { panic!("{text}\n{mistakes:?}") };
        assert!(mistake.reason.en.starts_with("source `g` may post to its receivers only: "), "{mistake}");
        assert!(mistake.reason.en.contains(reason) && mistake.remedy.en.contains(remedy), "{mistake}");
        assert!(
            mistake.reason.zh.contains("来源 `g` 只能投递给它的 receivers") && !mistake.to_string().contains("canary")
        );
        assert_eq!(mistake.place.line, 1, "{mistake}");
    }
}

#[test]
fn what_only_some_programs_have_is_a_mistake_at_the_others() {
    for (text, reason, remedy) in [
        ("slack: { secret: canary-secret }", "has no signature", "only dingtalk and feishu have one"),
        ("slack: { app: app }", "name no members", "only prometheusalert and bougou have one"),
    ] {
        let Err(mistakes) = read(&with(text), Path::new("")) else { panic!("nothing found in {text}") };
        let [mistake] = &mistakes[..] else { panic!("{mistakes:?}") };
        assert!(mistake.reason.en.contains(reason) && mistake.remedy.en.contains(remedy), "{mistake}");
    }
    let (config, _) = good(&with("prometheusalert: { app: app }"));
    assert_eq!(config.dropins[0].robots[0].1.app.as_deref(), Some("app"));
}

#[test]
fn a_receiver_that_a_key_a_token_or_an_app_names_is_used() {
    let unused = |source: &str| {
        let (_, notes) = good(&with(source));
        notes.iter().any(|note| note.reason.en.contains("receiver `dba` is not used"))
    };
    assert!(unused(&format!("slack: {{ tokens: {{ ops: {TOKEN} }} }}")));
    for source in [
        format!("slack: {{ tokens: {{ dba: {TOKEN} }} }}"),
        format!("wecom: {{ keys: {{ dba: {TOKEN} }} }}"),
        format!("wecom: {{ apps: [ {{ app: app, secret: {TOKEN}, receiver: dba }} ] }}"),
    ] {
        assert!(!unused(&source), "{source}");
    }
}
