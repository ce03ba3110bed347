//! Which routes no alert can reach.

use proptest::prelude::*;

use super::*;

fn blocked(routes: Vec<Branch>) -> Vec<(Vec<usize>, Blocked)> {
    let tree = Tree::new("root".to_owned(), routes);
    tree.unreachable().into_iter().map(|Unreachable { path, why }| (path, why)).collect()
}

fn one(matchers: &str) -> Branch {
    branch("x", matchers, false, vec![])
}

#[test]
fn a_route_behind_one_that_takes_all_of_its_alerts_is_found() {
    let taken = |first: &str, second: &str| blocked(vec![one(first), one(second)]);
    let by_first = vec![(vec![1], Blocked::Taken(vec![0]))];
    for (first, second) in [
        ("{}", "team=db"),
        ("team=db", "team=db"),
        ("team=~\"db|web\"", "team=db"),
        ("team=~\"db|web\"", "team=~\"web|db\",severity=critical"),
        ("team!=\"\"", "team=db"),
        ("team=~\".+\"", "team=~\"db-.*\",team!=\"\""),
        ("team=~\".*\"", "severity=critical"),
        ("team=~\"db-.*\"", "team=~\"db-.*\",severity=critical"),
        ("team!=web", "team=db"),
        ("team=~\"db-[0-9]\"", "team=db-3"),
        ("severity=~\"(warn|crit)(ing|ical)\"", "severity=critical"),
    ] {
        assert_eq!(taken(first, second), by_first, "{first} before {second}");
    }
    for (first, second) in [
        ("team=db", "team=~\"db|web\""),
        ("team=db", "severity=critical"),
        ("team=~\".+\"", "severity=critical"),
        ("team=~\"db-.*\"", "team=~\"db-1.*\""),
        ("team=~\"(?i)db\"", "team=db2"),
        ("team=db,severity=critical", "team=db"),
    ] {
        assert_eq!(taken(first, second), [], "{first} before {second}");
    }
}

#[test]
fn matchers_that_contradict_each_other_are_found_also_across_levels() {
    for matchers in ["a=1,a=2", "a=1,a!=1", "a=1,a!~\"1|2\"", "a=\"\",a=~\".+\"", "a=~\"x.*\",a!~\"x.*\""] {
        assert_eq!(blocked(vec![one(matchers)]), [(vec![0], Blocked::Contradiction)], "{matchers}");
    }
    let inner = branch("x", "a=1", false, vec![one("b=1"), one("a=~\"2|3\"")]);
    assert_eq!(blocked(vec![inner]), [(vec![0, 1], Blocked::Contradiction)]);
}

#[test]
fn a_route_with_continue_takes_no_alerts_away() {
    let on = branch("x", "team=db", true, vec![]);
    assert_eq!(blocked(vec![on, one("team=db")]), []);
}

#[test]
fn several_routes_may_take_all_between_them() {
    assert_eq!(blocked(vec![one("a=1"), one("a!=1"), one("b=1")]), [(vec![2], Blocked::TakenTogether)]);
    assert_eq!(blocked(vec![one("a=1"), one("a=2"), one("a=~\"1|2\",b=1")]), [(vec![2], Blocked::TakenTogether)]);
}

#[test]
fn a_route_inside_another_can_be_taken_by_one_before_that() {
    let inner = branch("x", "team=~\"db|web\"", false, vec![one("team=db"), one("team=web")]);
    assert_eq!(blocked(vec![one("team=db"), inner]), [(vec![1, 0], Blocked::Taken(vec![0]))]);
}

#[test]
fn a_tree_of_many_routes_is_judged_in_time() {
    let routes = (0..400).map(|number| one(&format!("team=t{number},severity=~\"critical|warning\""))).collect();
    assert_eq!(blocked(routes), []);
}

fn any_matchers() -> impl Strategy<Value = String> {
    let pattern = prop::sample::select(vec!["", "1", "2", "1|2", "[12]", "1.*", ".*", ".+", "(1|3)?"]);
    let matcher = (prop::sample::select(vec!["a", "b"]), prop::sample::select(vec!["=", "!=", "=~", "!~"]), pattern)
        .prop_filter("a value, or a pattern", |(_, operator, value)| {
            operator.ends_with('~') || value.bytes().all(|byte| byte.is_ascii_digit())
        })
        .prop_map(|(name, operator, value)| format!("{name}{operator}\"{value}\""));
    prop::collection::vec(matcher, 0..3).prop_map(|matchers| format!("{{{}}}", matchers.join(",")))
}

fn any_routes() -> impl Strategy<Value = Vec<Branch>> {
    let leaf = (any_matchers(), any::<bool>()).prop_map(|(matchers, on)| branch("x", &matchers, on, vec![]));
    let node = leaf.prop_recursive(2, 12, 3, |inner| {
        (any_matchers(), any::<bool>(), prop::collection::vec(inner, 0..3))
            .prop_map(|(matchers, on, routes)| branch("x", &matchers, on, routes))
    });
    prop::collection::vec(node, 0..4)
}

/// The routes that an alert comes by.
fn visited(routes: &[Branch], labels: &Labels, path: &[usize], found: &mut BTreeSet<Vec<usize>>) {
    for (index, route) in routes.iter().enumerate() {
        if route.matchers.iter().all(|matcher| matcher.matches(labels)) {
            let path: Vec<usize> = path.iter().copied().chain([index]).collect();
            visited(&route.routes, labels, &path, found);
            found.insert(path);
            if !route.continues {
                return;
            }
        }
    }
}

fn all_paths(routes: &[Branch], path: &[usize], found: &mut BTreeSet<Vec<usize>>) {
    for (index, route) in routes.iter().enumerate() {
        let path: Vec<usize> = path.iter().copied().chain([index]).collect();
        all_paths(&route.routes, &path, found);
        found.insert(path);
    }
}

proptest! {
    /// Every alert there can be, tried: what it comes by is never called unreachable, and where all patterns can be
    /// counted, what none comes by always is.
    #[test]
    fn unreachable_routes_are_exactly_those_without_alerts(routes in any_routes()) {
        let values = ["", "1", "2", "3", "12", "9"];
        let mut reached = BTreeSet::new();
        for a in values {
            for b in values {
                let labels = labels(&[("a", a), ("b", b)].into_iter().filter(|(_, v)| !v.is_empty()).collect::<Vec<_>>());
                visited(&routes, &labels, &[], &mut reached);
            }
        }
        let unreachable = blocked(routes.clone());
        for (path, why) in &unreachable {
            prop_assert!(!reached.contains(path), "{path:?} {why:?}");
        }
        let mut silent = BTreeSet::new();
        all_paths(&routes, &[], &mut silent);
        silent.retain(|path| !reached.contains(path));
        let open = format!("{routes:?}").contains("1.*");
        for path in silent.iter().filter(|_| !open) {
            let named = unreachable.iter().any(|(above, _)| path.starts_with(above));
            prop_assert!(named, "{path:?} is never reached and not named");
        }
    }
}
