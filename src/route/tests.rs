use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

mod reach;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn branch(receiver: &str, matchers: &str, continues: bool, routes: Vec<Branch>) -> Branch {
    let receiver = (!receiver.is_empty()).then(|| receiver.to_owned());
    Branch { receiver, matchers: parse_matchers(matchers).unwrap(), continues, routes }
}

fn receivers(tree: &Tree, pairs: &[(&str, &str)]) -> Vec<String> {
    tree.route(&labels(pairs)).iter().map(|decision| decision.receiver.to_owned()).collect()
}

#[test]
fn the_first_child_that_matches_takes_the_alert_and_says_why() {
    let tree = Tree::new(
        "ops".to_owned(),
        vec![
            branch(
                "dba",
                "team=db",
                false,
                vec![
                    branch("", "severity=info", false, vec![]),
                    branch("dba-phone", "severity=critical", false, vec![]),
                ],
            ),
            branch("late", "team=~\"db|web\"", false, vec![]),
        ],
    );
    assert_eq!(receivers(&tree, &[("team", "db")]), ["dba"]);
    assert_eq!(receivers(&tree, &[("team", "db"), ("severity", "info")]), ["dba"]);
    assert_eq!(receivers(&tree, &[("team", "web")]), ["late"]);
    assert_eq!(receivers(&tree, &[]), ["ops"]);
    let critical = labels(&[("team", "db"), ("severity", "critical")]);
    let [decision] = tree.route(&critical).try_into().unwrap();
    assert_eq!(decision.receiver, "dba-phone");
    assert_eq!(decision.path, ["routes[0]{team=\"db\"}", "routes[0].routes[1]{severity=\"critical\"}"]);
}

#[test]
fn continue_goes_on_and_a_receiver_is_named_once() {
    let tree = Tree::new(
        "ops".to_owned(),
        vec![
            branch("a", "x=1", true, vec![]),
            branch("a", "x!=\"\"", true, vec![]),
            branch("b", "x=1", false, vec![]),
            branch("c", "x=1", false, vec![]),
        ],
    );
    assert_eq!(receivers(&tree, &[("x", "1")]), ["a", "b"]);
    assert_eq!(receivers(&tree, &[("x", "2")]), ["a"]);
}

#[test]
fn a_label_that_is_absent_is_empty() {
    for (text, without, with) in [
        ("team=\"\"", true, false),
        ("team!=\"\"", false, true),
        ("team=~\".*\"", true, true),
        ("team=~\".+\"", false, true),
        ("team!~\".+\"", true, false),
        ("team=", true, false),
    ] {
        let [matcher] = parse_matchers(text).unwrap().try_into().unwrap();
        assert_eq!(matcher.matches(&labels(&[])), without, "{text} without");
        assert_eq!(matcher.matches(&labels(&[("team", "db")])), with, "{text} with");
    }
}

#[test]
fn a_pattern_must_match_the_whole_value() {
    let [matcher] = parse_matchers("host=~\"db|db-[0-9]+\"").unwrap().try_into().unwrap();
    for (host, expected) in [("db", true), ("db-12", true), ("db-", false), ("mydb", false), ("db\n", false)] {
        assert_eq!(matcher.matches(&labels(&[("host", host)])), expected, "{host:?}");
    }
}

#[test]
fn matchers_are_read_as_alertmanager_reads_them() {
    for (text, expected) in [
        ("severity=critical", "severity=\"critical\""),
        (" severity = critical ", "severity=\"critical\""),
        ("severity=\"critical\"", "severity=\"critical\""),
        ("team=~db|infra", "team=~\"db|infra\""),
        ("summary=disk is full", "summary=\"disk is full\""),
        ("{a=\"b\",c!=d}", "a=\"b\", c!=\"d\""),
        ("{ a=b , c=~\"x,y\" , }", "a=\"b\", c=~\"x,y\""),
        ("a=b,c!~d", "a=\"b\", c!~\"d\""),
        ("{}", ""),
        ("服务=\"支付\"", "服务=\"支付\""),
        ("\"my label\"=\"x\"", "\"my label\"=\"x\""),
        ("\"a\\\"b\"=x", "\"a\\\"b\"=\"x\""),
        ("a=\"say \\\"hi\\\"\\n\"", "a=\"say \\\"hi\\\"\\n\""),
        ("a=\"}{=~'\"", "a=\"}{=~'\""),
        ("url=http://x/?q=1", "url=\"http://x/?q=1\""),
        ("job.name:x=1", "job.name:x=\"1\""),
    ] {
        let parsed = parse_matchers(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let shown: Vec<String> = parsed.iter().map(ToString::to_string).collect();
        assert_eq!(shown.join(", "), expected, "{text}");
    }
}

#[test]
fn a_backslash_in_a_pattern_is_what_it_looks_like() {
    for text in [r#"host=~"db\.example""#, r"host=~db\.example", r#"host=~"db\\.example""#] {
        let [matcher] = parse_matchers(text).unwrap().try_into().unwrap();
        assert!(matcher.matches(&labels(&[("host", "db.example")])), "{text}");
        assert!(!matcher.matches(&labels(&[("host", "dbxexample")])), "{text}");
    }
}

#[test]
fn a_syntax_error_says_where_and_what_to_write() {
    for (text, position, reason) in [
        ("", 1, "a label name is expected"),
        ("   ", 4, "a label name is expected"),
        ("severity", 9, "=, !=, =~ or !~"),
        ("severity critical", 10, "=, !=, =~ or !~"),
        ("severity==critical", 9, "=, !=, =~ or !~"),
        ("=critical", 1, "a label name is expected"),
        ("severity='critical'", 10, "cannot hold '"),
        ("severity=\"critical", 10, "closing double quote"),
        ("severity=\"a\" team=\"b\"", 14, "unexpected t"),
        ("{severity=\"a\"", 14, "closing }"),
        ("severity=\"a\"}", 13, "unexpected }"),
        ("severity=a}", 11, "cannot hold }"),
        ("severity=~db{2}", 13, "cannot hold {"),
        ("team=~\"db(\"", 7, "unclosed group"),
        ("team=~\"a)|(b\"", 7, "unopened group"),
        ("team=~\"(?=x)\"", 7, "look-around"),
        ("team=~~x", 7, "cannot begin with"),
        ("a=b,,c=d", 5, "a label name is expected"),
        ("支付=\"x\" y", 8, "unexpected y"),
        ("team=~\"(((a{100}){100}){100})\"", 7, "too large"),
    ] {
        let error = parse_matchers(text).expect_err(text);
        assert_eq!(error.position, position, "{text}: {error}");
        assert!(error.en.contains(reason), "{text}: {error}");
        assert!(!error.remedy_zh.is_empty() && !error.remedy_en.is_empty() && !error.zh.is_empty(), "{text}");
    }
}

fn any_matcher() -> impl Strategy<Value = Matcher> {
    let plain = ("\\PC{1,6}|[a-z_\\\\\" \n{}=~!,'`]{1,4}", "\\PC{0,6}|[a-z\\\\\"\n ,{}='n]{0,6}", any::<bool>());
    let plain = plain.prop_map(|(name, value, not)| {
        Matcher::new(&name, if not { Operator::NotEqual } else { Operator::Equal }, &value).unwrap()
    });
    let pattern = ("[a-z]{1,4}", "[a-z]{0,3}(\\\\\\.|\\\\\\\\|\\\\n|\\.\\*|\"|,|\\{2\\})?[a-z|]{0,3}", any::<bool>());
    let pattern = pattern.prop_filter_map("not every text is a pattern", |(name, value, not)| {
        Matcher::new(&name, if not { Operator::NotMatch } else { Operator::Match }, &value).ok()
    });
    prop_oneof![plain, pattern]
}

/// Matchers over two labels with few values, so that trees of them often match.
fn tree_matcher() -> impl Strategy<Value = Matcher> {
    let operators =
        prop::sample::select(vec![Operator::Equal, Operator::NotEqual, Operator::Match, Operator::NotMatch]);
    (prop::sample::select(vec!["a", "b"]), operators, prop::sample::select(vec!["", "1", "2", "1|2"]))
        .prop_map(|(name, operator, value)| Matcher::new(name, operator, value).unwrap())
}

fn any_branch() -> impl Strategy<Value = Branch> {
    let receiver = prop::option::of("[r-z]");
    let matchers = || prop::collection::vec(tree_matcher(), 0..3);
    let leaf = (receiver.clone(), matchers(), any::<bool>()).prop_map(|(receiver, matchers, continues)| Branch {
        receiver,
        matchers,
        continues,
        routes: vec![],
    });
    leaf.prop_recursive(3, 20, 4, move |inner| {
        let routes = prop::collection::vec(inner, 0..4);
        (receiver.clone(), matchers(), any::<bool>(), routes)
            .prop_map(|(receiver, matchers, continues, routes)| Branch { receiver, matchers, continues, routes })
    })
}

/// What the manual says, node by node and without recursion: a node is asked if its parent is reached and no
/// elder sibling that matches ends the search; it is reached if it is asked and matches; it keeps the alert if it
/// is reached and no child of it is.
fn reference(root: &str, routes: &[Branch], labels: &Labels) -> Vec<String> {
    struct Seen<'a> {
        branch: &'a Branch,
        parent: Option<usize>,
        receiver: String,
    }
    let holds = |matcher: &Matcher| {
        let text = matcher.to_string();
        let operator = ["!=", "=~", "!~", "="].into_iter().find(|operator| text[1..].starts_with(operator)).unwrap();
        let value = text[1 + operator.len()..].trim_matches('"');
        let actual = labels.get(&text[..1]).map_or("", ecow::EcoString::as_str);
        match operator {
            "=" => actual == value,
            "!=" => actual != value,
            "=~" => value.split('|').any(|option| option == actual),
            _ => value.split('|').all(|option| option != actual),
        }
    };
    let mut nodes: Vec<Seen<'_>> = Vec::new();
    let mut waiting: Vec<(&Branch, Option<usize>)> = routes.iter().rev().map(|branch| (branch, None)).collect();
    while let Some((branch, parent)) = waiting.pop() {
        let inherited = parent.map_or(root, |index| nodes[index].receiver.as_str());
        let receiver = branch.receiver.clone().unwrap_or_else(|| inherited.to_owned());
        let index = nodes.len();
        waiting.extend(branch.routes.iter().rev().map(|child| (child, Some(index))));
        nodes.push(Seen { branch, parent, receiver });
    }
    let matching = |index: usize| nodes[index].branch.matchers.iter().all(holds);
    let mut reached = BTreeSet::new();
    for index in 0..nodes.len() {
        let parent = nodes[index].parent;
        let open = parent.is_none_or(|parent| reached.contains(&parent));
        let ended =
            (0..index).any(|elder| nodes[elder].parent == parent && matching(elder) && !nodes[elder].branch.continues);
        if open && !ended && matching(index) {
            reached.insert(index);
        }
    }
    let keeps = |index: usize| !reached.iter().any(|&child| nodes[child].parent == Some(index));
    let mut found: Vec<String> = Vec::new();
    for &index in reached.iter().filter(|&&index| keeps(index)) {
        if !found.contains(&nodes[index].receiver) {
            found.push(nodes[index].receiver.clone());
        }
    }
    if reached.is_empty() { vec![root.to_owned()] } else { found }
}

proptest! {
    #[test]
    fn display_and_parse_round_trip(matchers in prop::collection::vec(any_matcher(), 1..4)) {
        let text: Vec<String> = matchers.iter().map(ToString::to_string).collect();
        let text = text.join(",");
        prop_assert_eq!(parse_matchers(&text).unwrap(), matchers.clone());
        prop_assert_eq!(parse_matchers(&format!("{{{text}}}")).unwrap(), matchers);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_inside_it(text in "[a-c=~!\"'{},\\\\ ]{0,12}") {
        match parse_matchers(&text) {
            Ok(matchers) => for matcher in matchers {
                prop_assert_eq!(parse_matchers(&matcher.to_string()).unwrap(), vec![matcher]);
            },
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.position)),
        }
    }

    #[test]
    fn the_tree_decides_as_the_manual_says(
        routes in prop::collection::vec(any_branch(), 0..4),
        a in prop::option::of("[123]"),
        b in prop::option::of("[123]"),
    ) {
        let labels: Labels =
            [("a", a), ("b", b)].into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let tree = Tree::new("root".to_owned(), routes.clone());
        let decisions = tree.route(&labels);
        prop_assert!(!decisions.is_empty());
        let found: Vec<String> = decisions.iter().map(|decision| decision.receiver.to_owned()).collect();
        prop_assert_eq!(found, reference("root", &routes, &labels));
    }
}
