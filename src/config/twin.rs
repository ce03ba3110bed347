//! `plain`: members who read in personal WeChat (微信插件), where neither cards nor markdown are shown
//! (docs/reference/wecom.md#template-cards). They get a text, the other members of the target its face.

use super::file;
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::{Face, Target, To};

impl Resolver<'_> {
    /// The target for the people in `plain`, who leave `target`; `None` if there are none, or if `target`
    /// has no other members and itself becomes a text.
    pub(super) fn twin(&mut self, written: &file::Target, target: &mut Target) -> Option<Target> {
        let (place, names) = placed(written.plain.as_ref())?;
        let To::Members { app, users, users_file, on_call, parties, tags } = &mut target.to else {
            self.found.mistake(
                place,
                ("`plain` 只用于发给成员的应用消息", "`plain` is for messages of an app to members only"),
                ("群里大家看到的是同一条：删掉它", "in a group all see the same message: remove it"),
            );
            return None;
        };
        if names.is_empty() {
            self.found.mistake(
                place,
                ("`plain` 是空的", "`plain` is empty"),
                ("写上在微信里看的人的 userid，或删掉这一行", "name the people who read in WeChat, or remove the line"),
            );
        }
        for (place, name) in names.iter().filter_map(|name| placed(Some(name))) {
            if !users.contains(name) {
                self.found.mistake(
                    place,
                    (format!("`{name}` 不在这个目标的 `users` 里"), format!("`{name}` is not among the `users` of this target")),
                    (
                        "也写进 users。部门、标签、文件和值班表里的人企业微信不能单独留下",
                        "name them in `users`, too. WeCom cannot leave out a member of a department, a tag, a file or a rota",
                    ),
                );
            }
        }
        let plain: Vec<String> = users.iter().filter(|user| value_is(names, user)).cloned().collect();
        let named = [
            ("users_file", users_file.is_some()),
            ("on_call", on_call.is_some()),
            ("parties", !parties.is_empty()),
            ("tags", !tags.is_empty()),
        ];
        let shared: Vec<&str> = named.into_iter().filter_map(|(key, given)| given.then_some(key)).collect();
        let twin = To::Members {
            app: app.clone(),
            users: plain.clone(),
            users_file: None,
            on_call: None,
            parties: Vec::new(),
            tags: Vec::new(),
        };
        users.retain(|user| !plain.contains(user));
        let alone = users.is_empty() && shared.is_empty();
        self.note_readers(place, target.face, &shared);
        if alone {
            target.to = twin;
            target.face = Face::Text;
            return None;
        }
        Some(Target { to: twin, face: Face::Text, image: false, ..target.clone() })
    }

    /// What WeCom tells about who reads where, and who gets both.
    fn note_readers(&mut self, place: Place, face: Face, shared: &[&str]) {
        if face == Face::Text {
            self.found.note(
                place,
                (
                    "这个目标的样式已经是 text，`plain` 没有作用",
                    "the face of this target is text already: `plain` changes nothing",
                ),
                ("删掉 `plain`，或给其他人换一种样式", "remove `plain`, or give the others another face"),
            );
            return;
        }
        self.found.note(
            place,
            (
                "企业微信不告诉程序谁在微信里、谁在企业微信里看：只有写在 `plain` 里的人收文本，他们回到企业微信也还是文本",
                "WeCom does not tell who reads in WeChat and who in WeCom: those in `plain` get texts wherever they read, all others get the face",
            ),
            (
                "问问他们平时在哪里看；文本里有链接可以认领，没有按钮",
                "ask them where they read; a text has a link for acknowledging and no buttons",
            ),
        );
        if !shared.is_empty() {
            let keys = shared.join("、");
            self.found.note(
                place,
                (
                    format!("`plain` 里的人如果也在 {keys} 里，会收到两种：企业微信不能从中去掉一个人"),
                    format!(
                        "those in `plain` who also stand in {} get both: WeCom cannot leave one person out",
                        shared.join(", ")
                    ),
                ),
                ("从那里去掉他们", "take them out there"),
            );
        }
    }
}

fn value_is(names: &[super::at::At<String>], user: &str) -> bool {
    names.iter().any(|name| value(Some(name)).is_some_and(|name| name == user))
}
