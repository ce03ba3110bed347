//! People who read in personal WeChat, and mentions that cost a message.

use super::*;

fn receiver(target: &str) -> String {
    format!("{ACCOUNTS}  a: {{ targets: [ {{ {target} }} ] }}\n")
}

#[test]
fn people_who_read_in_wechat_get_a_text_and_the_others_the_face() {
    let (config, notes) = good(&receiver("app: ops, users: [x, y, z], plain: [y], face: card, image: true, parts: 2"));
    let targets = &config.receivers["a"].targets;
    let told: Vec<_> = targets.iter().map(|target| (target.lane(), target.face, target.image, target.parts)).collect();
    let lane = |key: &str| LaneKey::stored(key);
    assert_eq!(
        told,
        [(lane("app/ops/x|z"), Face::Card, true, 2), (lane("app/ops/y"), Face::Text, false, 2)],
        "each of them once"
    );
    let [note] = notes.try_into().unwrap();
    assert!(note.reason.en.contains("WeCom does not tell who reads in WeChat"), "{note}");

    let (config, _) = good(&receiver("app: ops, users: [x, y], plain: [x, y], face: card"));
    let targets = &config.receivers["a"].targets;
    assert_eq!((targets.len(), targets[0].face, targets[0].lane()), (1, Face::Text, lane("app/ops/x|y")));

    let (config, notes) = good(&receiver("app: ops, users: [x], parties: [2], plain: [x], face: card"));
    let lanes: Vec<_> = config.receivers["a"].targets.iter().map(Target::lane).collect();
    assert_eq!(lanes, [lane("app/ops/party:2"), lane("app/ops/x")]);
    assert!(notes[1].reason.en.contains("also stand in parties get both"), "{}", notes[1]);

    let (_, notes) = good(&receiver("app: ops, users: [x], plain: [x], face: text"));
    let [note] = notes.try_into().unwrap();
    assert!(note.reason.en.contains("text already"), "{note}");
}

#[test]
fn each_mistake_about_people_in_wechat_has_its_remedy() {
    for (target, reason, remedy) in [
        ("app: ops, users: [x], plain: [y]", "`y` is not among the `users`", "name them in `users`"),
        ("app: ops, users: ['@all'], plain: [x]", "`x` is not among the `users`", "name them in `users`"),
        ("app: ops, users: [x], plain: []", "`plain` is empty", "remove the line"),
        ("webhook: group, plain: [x]", "members only", "remove it"),
    ] {
        let mistakes = read(&receiver(target), Path::new("")).unwrap_err();
        let [mistake] = &mistakes[..] else { panic!("{target}: {mistakes:?}") };
        assert!(mistake.reason.en.contains(reason) && mistake.remedy.en.contains(remedy), "{target}: {mistake}");
    }
}

#[test]
fn a_face_that_cannot_mention_is_noted_with_its_cost() {
    for (target, reason) in [
        ("webhook: group, mention: [x]", "of the 20 a minute it takes two"),
        ("webhook: group, face: news, mention: [x]", "`news` cannot mention"),
        ("app: ops, chat: C, face: textcard, mention: [x]", "one more than needed"),
    ] {
        let (_, notes) = good(&receiver(target));
        let [note] = notes.try_into().unwrap_or_else(|notes| panic!("{target}\n{notes:?}"));
        assert!(note.reason.en.contains(reason) && note.remedy.en.contains("face: markdown"), "{note}");
    }
    for target in ["webhook: group, face: markdown, mention: [x]", "webhook: group, face: text, mention: [x]"] {
        assert_eq!(good(&receiver(target)).1, [], "{target}");
    }
}
