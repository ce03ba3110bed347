//! Routes: from the written tree to the deciding one.

use std::collections::BTreeMap;

use super::at::{At, Named};
use super::file::{self, File};
use super::finding::Place;
use super::fullwidth;
use super::resolve::{Resolver, placed, value};
use crate::route::{Blocked, Branch, Matcher, Tree, Unreachable, parse_matchers};

/// The place of each route in the file, by its place in the tree.
type Places = BTreeMap<Vec<usize>, Place>;

impl Resolver<'_> {
    pub(super) fn route(&mut self, file: &File) -> Option<Tree> {
        let receivers = value(file.receivers.as_ref());
        let Some(route) = &file.route else {
            let names: Vec<&str> = receivers.into_iter().flat_map(Named::names).collect();
            if let [only] = names[..] {
                return Some(Tree::new(only.to_owned(), Vec::new()));
            }
            if !names.is_empty() {
                self.found.mistake(
                    Place::default(),
                    ("有多个接收者，但没有 `route`", "there are several receivers and no `route`"),
                    (format!("route: {{ receiver: {} }}", names[0]), format!("route: {{ receiver: {} }}", names[0])),
                );
            }
            return None;
        };
        let root = route.get()?;
        let receiver = self.receiver_name(Some(&root.receiver), receivers);
        let mut places = Places::new();
        let routes = self.branches(root.routes.as_ref(), receivers, &[], &mut places);
        let tree = Tree::new(receiver?, routes);
        self.note_unreachable(&tree, &places);
        Some(tree)
    }

    fn note_unreachable(&mut self, tree: &Tree, places: &Places) {
        for Unreachable { path, why } in tree.unreachable() {
            let place = places.get(&path).copied().unwrap_or_default();
            let here = step(&path);
            let (reason, remedy): ((String, String), (String, String)) = match why {
                Blocked::Contradiction => (
                    (
                        format!("`{here}` 永远匹配不到：它的条件（连同上级的）互相矛盾"),
                        format!("`{here}` can never match: its matchers, with those around it, contradict each other"),
                    ),
                    ("改条件，或删掉这条路由".to_owned(), "change the matchers, or remove the route".to_owned()),
                ),
                Blocked::Taken(by) => {
                    let (line, by) = (places.get(&by).map_or(0, |place| place.line), step(&by));
                    (
                        (
                            format!("`{here}` 轮不到：第 {line} 行的 `{by}` 先接住了它的所有告警"),
                            format!("`{here}` gets none: `{by}` in line {line} takes every alert of its"),
                        ),
                        (
                            format!("把它移到 `{by}` 前面，或给 `{by}` 加 continue: true"),
                            format!("move it before `{by}`, or give `{by}` continue: true"),
                        ),
                    )
                }
                Blocked::TakenTogether => (
                    (
                        format!("`{here}` 轮不到：前面几条路由合起来接住了它的所有告警"),
                        format!("`{here}` gets none: the routes before it take every alert of its between them"),
                    ),
                    ("移到它们前面，或删掉".to_owned(), "move it before them, or remove it".to_owned()),
                ),
            };
            self.found.note(place, reason, remedy);
        }
    }

    fn branches(
        &mut self,
        routes: Option<&At<Vec<At<file::Route>>>>,
        receivers: Option<&Named<file::Receiver>>,
        parent: &[usize],
        places: &mut Places,
    ) -> Vec<Branch> {
        let mut branches: Vec<Branch> = Vec::new();
        for (place, route) in value(routes).into_iter().flatten().filter_map(|route| placed(Some(route))) {
            let matchers = self.matchers(route.matchers.as_ref());
            let continues = value(route.continues.as_ref()).copied().unwrap_or_default();
            let receiver = self.receiver_name(route.receiver.as_ref(), receivers);
            let path: Vec<usize> = parent.iter().copied().chain([branches.len()]).collect();
            places.insert(path.clone(), place);
            let routes = self.branches(route.routes.as_ref(), receivers, &path, places);
            branches.push(Branch { receiver, matchers, continues, routes });
        }
        branches
    }

    fn receiver_name(
        &mut self,
        name: Option<&At<String>>,
        receivers: Option<&Named<file::Receiver>>,
    ) -> Option<String> {
        self.known(name?, receivers, "接收者", "receiver", "receivers")
    }

    pub(super) fn matchers(&mut self, matchers: Option<&At<Vec<At<String>>>>) -> Vec<Matcher> {
        let mut parsed = Vec::new();
        for (place, text) in value(matchers).into_iter().flatten().filter_map(|text| placed(Some(text))) {
            match parse_matchers(text) {
                Ok(matchers) => {
                    if let Some((reason, remedy)) = fullwidth::in_matcher(text, &matchers) {
                        let reason =
                            (format!("匹配条件 `{text}`：{}", reason.zh), format!("matcher `{text}`: {}", reason.en));
                        self.found.note(place, reason, remedy);
                    }
                    self.matchers.extend(matchers.iter().map(|matcher| (place, matcher.clone())));
                    parsed.extend(matchers);
                }
                Err(error) => {
                    let reason = (
                        format!("匹配条件 `{text}` 第 {} 个字符：{}", error.position, error.zh),
                        format!("matcher `{text}`, character {}: {}", error.position, error.en),
                    );
                    let (reason, remedy) = match fullwidth::in_matcher(text, &[]) {
                        Some((odd, remedy)) => {
                            ((format!("{}；{}", reason.0, odd.zh), format!("{}; {}", reason.1, odd.en)), remedy)
                        }
                        None => (reason, (error.remedy_zh, error.remedy_en).into()),
                    };
                    self.found.mistake(place, reason, remedy);
                }
            }
        }
        parsed
    }
}

/// The name of a route in messages: `routes[0].routes[2]`.
fn step(path: &[usize]) -> String {
    path.iter().map(|index| format!("routes[{index}]")).collect::<Vec<_>>().join(".")
}
