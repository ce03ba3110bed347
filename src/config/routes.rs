//! Routes: the tree as it is written, made the tree that decides.

use super::at::{At, Named};
use super::file::{self, File};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use crate::route::{Branch, Matcher, Tree, parse_matchers};

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
        let routes = self.branches(root.routes.as_ref(), receivers);
        Some(Tree::new(receiver?, routes))
    }

    fn branches(
        &mut self,
        routes: Option<&At<Vec<At<file::Route>>>>,
        receivers: Option<&Named<file::Receiver>>,
    ) -> Vec<Branch> {
        let mut branches = Vec::new();
        for (place, route) in value(routes).into_iter().flatten().filter_map(|route| placed(Some(route))) {
            let matchers = self.matchers(route.matchers.as_ref());
            let continues = value(route.continues.as_ref()).copied().unwrap_or_default();
            if route.matchers.is_none() && !continues {
                self.found.note(
                    place,
                    (
                        "这条路由没有 matchers：它接住所有告警，后面的路由轮不到",
                        "this route has no matchers: it takes every alert, and the routes below it get none",
                    ),
                    ("加上 matchers，或放到最后", "add matchers, or move it to the end"),
                );
            }
            let receiver = self.receiver_name(route.receiver.as_ref(), receivers);
            let routes = self.branches(route.routes.as_ref(), receivers);
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
                Ok(matchers) => parsed.extend(matchers),
                Err(error) => self.found.mistake(
                    place,
                    (
                        format!("匹配条件 `{text}` 第 {} 个字符：{}", error.position, error.zh),
                        format!("matcher `{text}`, character {}: {}", error.position, error.en),
                    ),
                    (error.remedy_zh, error.remedy_en),
                ),
            }
        }
        parsed
    }
}
