use super::*;

#[test]
fn long_names_of_events_stay_apart_and_short_ones_as_they_are() {
    let press = |code: &str| event(&format!("press/bot/{}/{}/{code}", "机器人".repeat(7), "c".repeat(128)));
    assert_ne!(press("one"), press("two"));
    assert_eq!(press("one"), press("one"), "WeCom brings one event up to three times");
    assert!(press("one").len() <= EVENT_BYTES);
    assert_eq!(event("press/app/ops/code"), "press/app/ops/code");
}
