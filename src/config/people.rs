//! People in the file: userids, files of userids, mobile numbers, the people on duty.

use std::path::PathBuf;

use super::at::At;
use super::file::{Crew, File};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::users_in;
use crate::duty::{ON_CALL, split};

/// Most userids of one `message/send` (page 90236).
const MOST_USERS: usize = 1000;
/// Labels of `mention_from`: each may cost a look-up, and an alert has one owner or two.
const MOST_LABELS: usize = 10;

impl Resolver<'_> {
    /// Userids, or `@all`.
    pub(super) fn userids(&mut self, users: Option<&At<Vec<At<String>>>>, key: &str) -> Vec<String> {
        let Some((place, users)) = placed(users) else { return Vec::new() };
        if users.len() > MOST_USERS {
            self.too_many(place, key, MOST_USERS);
        }
        let mut found = Vec::new();
        for (place, user) in users.iter().filter_map(|user| placed(Some(user))) {
            if user != "@all" {
                self.check_userid(place, user);
            }
            found.push(user.clone());
        }
        found
    }

    pub(super) fn check_userid(&mut self, place: Place, user: &str) {
        if is_userid(user) {
            return;
        }
        self.found.mistake(
            place,
            (format!("`{user}` 不是 userid"), format!("`{user}` is not a userid")),
            (
                "userid 是管理后台 → 通讯录 → 成员详情里的“账号”：1–64 个字母、数字或 _ - @ .，不是姓名；多个用列表",
                "a userid is the “账号” of the member in the admin console: 1 to 64 letters, digits or _ - @ . and not the name; several make a list",
            ),
        );
    }

    /// The mentions of a target: userids, `@all`, or `on_call:NAME`.
    pub(super) fn mentioned(&mut self, list: Option<&At<Vec<At<String>>>>, file: &File) -> Vec<String> {
        let Some((place, list)) = placed(list) else { return Vec::new() };
        if list.len() > MOST_USERS {
            self.too_many(place, "mention", MOST_USERS);
        }
        let mut found = Vec::new();
        for (place, entry) in list.iter().filter_map(|entry| placed(Some(entry))) {
            if entry != "@all" {
                self.check_person(place, entry, file);
            }
            found.push(entry.clone());
        }
        found
    }

    /// A userid, or `on_call:NAME`.
    pub(super) fn check_person(&mut self, place: Place, entry: &str, file: &File) {
        match entry.strip_prefix(ON_CALL) {
            Some(duty) => drop(self.duty(Some(&At { place, value: Some(duty.to_owned()) }), file)),
            None => self.check_userid(place, entry),
        }
    }

    /// The name of a rota, or `NAME/backup`; returned even if it does not exist, because one report is enough.
    pub(super) fn duty(&mut self, duty: Option<&At<String>>, file: &File) -> Option<String> {
        let (place, text) = placed(duty)?;
        let (name, backup) = split(text);
        let known = At { place, value: Some(name.to_owned()) };
        self.known(&known, value(file.rotas.as_ref()), "值班表", "rota", "rotas");
        if backup && self.rotas.0.get(name).is_some_and(|rota| rota.backup.is_empty()) {
            self.found.mistake(
                place,
                (format!("值班表 `{name}` 没有二线"), format!("the rota `{name}` has no second line")),
                (format!("在它的文件里加上 backup，或写 {name}"), format!("add `backup` to its file, or write {name}")),
            );
        }
        Some(text.clone())
    }

    /// The people of one turn of a rota, or of one entry of the directory.
    pub(super) fn crew(&mut self, crew: &At<Crew>, mut check: impl FnMut(&mut Self, Place, &str)) -> Vec<String> {
        let Some(people) = crew.get() else { return Vec::new() };
        if people.0.is_empty() {
            self.found.mistake(crew.place, ("这里没有人", "there is no one here"), ("写一个 userid", "write a userid"));
        }
        let mut found = Vec::new();
        for person in &people.0 {
            let Some(text) = person.get() else { continue };
            // A person who is not in a list has the place of the crew.
            let place = if person.place.line == 0 { crew.place } else { person.place };
            check(self, place, text);
            found.push(text.clone());
        }
        found
    }

    /// Names of labels, in order of precedence.
    pub(super) fn label_names(&mut self, names: Option<&At<Vec<At<String>>>>) -> Vec<String> {
        let Some((place, names)) = placed(names) else { return Vec::new() };
        if names.is_empty() || names.len() > MOST_LABELS || names.iter().filter_map(At::get).any(String::is_empty) {
            self.found.mistake(
                place,
                (
                    format!("`mention_from` 要写 1 到 {MOST_LABELS} 个标签名"),
                    format!("`mention_from` names from 1 to {MOST_LABELS} labels"),
                ),
                ("例如 mention_from: [owner, team]", "for example mention_from: [owner, team]"),
            );
        }
        names.iter().filter_map(At::get).cloned().collect()
    }

    /// A missing or empty file is a note: it may be filled while wegraf runs.
    pub(super) fn users_file(&mut self, file: Option<&At<PathBuf>>) -> Option<PathBuf> {
        let (place, path) = placed(file)?;
        let path = self.folder.join(path);
        let (zh, en) = match std::fs::read_to_string(&path) {
            Err(error) => (
                format!("现在读不到 {}（{error}）", path.display()),
                format!("{} cannot be read now ({error})", path.display()),
            ),
            Ok(text) if users_in(&text).is_empty() => {
                (format!("{} 里没有 userid", path.display()), format!("there is no userid in {}", path.display()))
            }
            Ok(text) => {
                for user in users_in(&text).into_iter().filter(|user| !is_userid(user) && *user != "@all") {
                    self.found.note(
                        place,
                        (
                            format!("{} 里的 `{user}` 不是 userid", path.display()),
                            format!("`{user}` in {} is not a userid", path.display()),
                        ),
                        ("一行一个 userid（账号），不是姓名", "one userid (“账号”) a line, not names"),
                    );
                }
                return Some(path);
            }
        };
        self.found.note(
            place,
            (format!("users_file：{zh}"), format!("users_file: {en}")),
            (
                "建立这个文件，一行一个 userid；改动后自动重读",
                "make the file, one userid a line; it is read anew when it changes",
            ),
        );
        Some(path)
    }

    pub(super) fn mobiles(&mut self, mobiles: Option<&At<Vec<At<String>>>>) -> Vec<String> {
        let Some((_, mobiles)) = placed(mobiles) else { return Vec::new() };
        let mut found = Vec::new();
        for (place, mobile) in mobiles.iter().filter_map(|mobile| placed(Some(mobile))) {
            let digits = mobile.trim_start_matches('+');
            let fits = (5..=32).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            if mobile != "@all" && !fits {
                self.found.mistake(
                    place,
                    (format!("`{mobile}` 不是手机号"), format!("`{mobile}` is not a mobile number")),
                    ("只写数字，例如 \"13800000000\"", "digits only, for example \"13800000000\""),
                );
            }
            found.push(mobile.clone());
        }
        found
    }
}

/// 1 to 64 bytes of letters, digits and `_ . @ -` (docs/reference/wecom.md#userids).
fn is_userid(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'@' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('@')
}
