//! Sources: their credentials, the receivers to which they may post, and their watchdog alert.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::at::{At, Named, Several};
use super::file::{self, Credentials, File, Secret};
use super::finding::Place;
use super::resolve::{Resolver, placed, value};
use super::taught::Lists;
use super::{Envelope, Network, Proof, Source, Vendor, Watchdog};
use crate::names::SourceId;

/// The alert that ships with kube-prometheus and its kin.
const WATCHDOG: &str = "alertname=\"Watchdog\"";
/// Alertmanager repeats an unchanged alert every `repeat_interval`, which runbooks set to 5 min for this one.
const WITHIN: Duration = Duration::from_mins(15);
const WITHINS: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(7 * 24));

/// Where Huawei's certificates are.
const SMN_HOST: &str = "myhuaweicloud.com";
/// Ways to choose one of each credential that `all` demands: two of each while they are replaced.
const CHOICES: usize = 16;

impl Credentials<'_> {
    /// Is anything of it there, right or wrong?
    fn any(&self) -> bool {
        some(self.bearer)
            || some(self.basic)
            || some(self.header)
            || some(self.query)
            || some(self.path)
            || some(self.hmac)
            || self.sns.is_some()
            || self.smn.is_some()
            || self.client_cert.is_some()
    }
}

/// Is there a value, or one that did not fit and is a mistake of its own?
fn some<T>(at: Option<&At<Several<T>>>) -> bool {
    at.is_some_and(|at| at.get().is_none_or(|several| !several.0.is_empty()))
}

fn each<T>(at: Option<&At<Several<T>>>) -> impl Iterator<Item = &At<T>> {
    value(at).into_iter().flat_map(|several| &several.0)
}

impl Resolver<'_> {
    pub(super) fn sources(&mut self, file: &File) -> Vec<Source> {
        let mut resolved: Vec<Source> = Vec::new();
        for (name, place, source) in value(file.sources.as_ref()).into_iter().flat_map(Named::iter) {
            self.source_name(place, name);
            let watchdog = value(source.watchdog.as_ref()).map(|watchdog| self.watchdog(name, watchdog));
            let receivers = self.scope(name, source, file);
            let lists =
                Lists { object: source.object.as_ref(), place: source.place.as_ref(), hidden: source.hidden.as_ref() };
            let taught = self.taught(&format!("sources.{name}"), lists);
            let (proofs, addresses) = self.proofs_of(name, place, source);
            if !proofs.is_empty() || super::dropins::any(source) {
                resolved.push(Source { name: name.to_owned(), proofs, addresses, receivers, watchdog, taught });
            }
        }
        resolved.sort_by(|a, b| a.name.cmp(&b.name));
        resolved
    }

    /// A name for a source: none that the program uses for itself, so that the two cannot be confused.
    fn source_name(&mut self, place: Place, name: &str) {
        if SourceId::is_reserved(name) {
            let words = SourceId::RESERVED;
            self.found.mistake(
                place,
                (
                    format!("来源不能叫 `{name}`：{} 是程序自己用的名字", words.join("、")),
                    format!("a source cannot be called `{name}`: the program itself uses {}", words.join(" and ")),
                ),
                (format!("换一个名字，例如 {name}-1"), format!("choose another name, for example {name}-1")),
            );
        } else {
            self.name(place, name);
        }
    }

    /// The receivers to which it may post; `None`: all.
    fn scope(&mut self, name: &str, source: &file::Source, file: &File) -> Option<Vec<String>> {
        let (place, written) = placed(source.receivers.as_ref())?;
        if written.is_empty() {
            self.found.mistake(
                place,
                (
                    format!("`sources.{name}.receivers` 是空的：它什么也投递不了"),
                    format!("`sources.{name}.receivers` is empty: it could post nothing"),
                ),
                ("写上接收者，或删掉这一行", "name receivers, or remove the line"),
            );
        }
        let known = value(file.receivers.as_ref());
        Some(written.iter().filter_map(|name| self.known(name, known, "接收者", "receiver", "receivers")).collect())
    }

    /// Its proofs, any of which lets in, and the addresses that are demanded besides.
    fn proofs_of(&mut self, name: &str, place: Place, source: &file::Source) -> (Vec<Proof>, Vec<Network>) {
        let path = format!("sources.{name}");
        let mut proofs = self.proofs(name, source.credentials(), &path).concat();
        if let Some((place, entries)) = placed(source.all.as_ref()) {
            proofs.extend(self.all(name, place, entries, &format!("{path}.all")));
        }
        let addresses = self.networks(source.addresses.as_ref(), &format!("{path}.addresses"));
        let alone = value(source.allow_addresses_alone.as_ref()).copied().unwrap_or_default();
        let others = source.credentials().any() || source.all.is_some();
        match (&source.addresses, others, alone) {
            (Some(_), _, true) => {
                proofs.push(Proof::Addresses(addresses));
                return (proofs, Vec::new());
            }
            (Some(at), false, false) => self.found.mistake(
                at.place,
                (
                    format!("来源 `{name}` 只有地址：地址可以伪造，也可能与别人共用"),
                    format!("source `{name}` has addresses only: others can share or forge an address"),
                ),
                (
                    "再加一种证明（例如 query、bearer），或明确写 allow_addresses_alone: true",
                    "add another proof (for example query, bearer), or say allow_addresses_alone: true",
                ),
            ),
            (None, false, _) if super::dropins::any(source) => {}
            (None, false, _) => self.found.mistake(
                place,
                (
                    format!("来源 `{name}` 没有写怎样证明自己"),
                    format!("source `{name}` does not say how it proves itself"),
                ),
                (
                    "加上 bearer、basic、header、query、path、hmac、sns、smn、client_cert 之一",
                    "add one of bearer, basic, header, query, path, hmac, sns, smn and client_cert",
                ),
            ),
            (_, true, _) => {}
        }
        (proofs, addresses)
    }

    /// Proofs that are demanded at once: one for each choice among secrets that are written as a list.
    fn all(&mut self, name: &str, place: Place, entries: &[At<file::Proof>], path: &str) -> Vec<Proof> {
        let mut demanded: Vec<Vec<Proof>> = Vec::new();
        for (index, entry) in entries.iter().enumerate().filter_map(|(index, at)| Some((index, at.get()?))) {
            let path = format!("{path}[{}]", index + 1);
            demanded.extend(self.proofs(name, entry.credentials(), &path));
            if entry.addresses.is_some() {
                let networks = self.networks(entry.addresses.as_ref(), &format!("{path}.addresses"));
                demanded.push(vec![Proof::Addresses(networks)]);
            }
        }
        let is_credential = |proofs: &Vec<Proof>| !matches!(proofs[..], [Proof::Addresses(_)]);
        let unread = entries.iter().any(|entry| entry.get().is_none_or(|entry| entry.credentials().any()));
        if !unread && !demanded.iter().any(is_credential) {
            self.found.mistake(
                place,
                (
                    format!("`{path}` 里没有凭证：地址不能单独作证"),
                    format!("`{path}` holds no credential: addresses alone prove nothing"),
                ),
                (
                    "例如 all: [ { query: { name: token, value: … } }, { addresses: [10.0.0.0/8] } ]",
                    "for example all: [ { query: { name: token, value: … } }, { addresses: [10.0.0.0/8] } ]",
                ),
            );
        }
        if demanded.iter().map(Vec::len).product::<usize>() > CHOICES {
            self.found.mistake(
                place,
                (format!("`{path}` 的组合太多"), format!("`{path}` has too many combinations")),
                ("轮换时每种凭证最多写两个", "write at most two of each credential, while they are replaced"),
            );
            return Vec::new();
        }
        let choices = demanded.iter().fold(vec![Vec::new()], |choices: Vec<Vec<Proof>>, proofs| {
            let with = |choice: &Vec<Proof>, proof: &Proof| choice.iter().cloned().chain([proof.clone()]).collect();
            choices.iter().flat_map(|choice| proofs.iter().map(move |proof| with(choice, proof))).collect()
        });
        choices.into_iter().filter(|choice| !choice.is_empty()).map(Proof::All).collect()
    }

    /// For each kind that is written its secrets, any of which will do.
    fn proofs(&mut self, name: &str, written: Credentials<'_>, path: &str) -> Vec<Vec<Proof>> {
        let scheme = self.scheme(written.scheme, path).unwrap_or_else(|| "Bearer".to_owned());
        let mut bearer = Vec::new();
        for at in each(written.bearer) {
            let token = self.token(at, name, &format!("{path}.bearer"), false);
            bearer.extend(token.map(|token| Proof::Bearer { scheme: scheme.clone(), token }));
        }
        let mut basic = Vec::new();
        for written in each(written.basic).filter_map(At::get) {
            let path = format!("{path}.basic");
            if let Some((username, password)) = self.basic(written, &path) {
                self.note_token(written.password.place, name, &format!("{path}.password"), &password, false);
                basic.push(Proof::Basic { username, password });
            }
        }
        let mut header = Vec::new();
        for named in each(written.header).filter_map(At::get) {
            let value = self.token(&named.value, name, &format!("{path}.header.value"), false);
            let called = self.header(Some(&named.name));
            header.extend(called.zip(value).map(|(name, value)| Proof::Header { name, value }));
        }
        let mut query = Vec::new();
        for named in each(written.query).filter_map(At::get) {
            let value = self.token(&named.value, name, &format!("{path}.query.value"), true);
            let called = self.parameter(&named.name);
            query.extend(called.zip(value).map(|(name, value)| Proof::Query { name, value }));
        }
        let mut of_path = Vec::new();
        for at in each(written.path) {
            of_path.extend(self.path_token(at, name, &format!("{path}.path")).map(Proof::Path));
        }
        let mut hmac = Vec::new();
        for at in each(written.hmac) {
            let signing = at.get().and_then(|hmac| self.hmac(name, at.place, hmac, &format!("{path}.hmac")));
            hmac.extend(signing.map(|signing| Proof::Hmac(Box::new(signing))));
        }
        let sns = value(written.sns).map(|sns| self.sns(sns, &format!("{path}.sns")));
        let smn = value(written.smn).map(|smn| self.smn(smn, &format!("{path}.smn")));
        let envelopes = sns.into_iter().chain(smn).map(Proof::Envelope).collect();
        let shown =
            value(written.client_cert).and_then(|shown| self.client_cert(shown, &format!("{path}.client_cert")));
        let shown = shown.map(Proof::ClientCert).into_iter().collect();
        let kinds = [bearer, basic, header, query, of_path, hmac, envelopes, shown];
        kinds.into_iter().filter(|proofs| !proofs.is_empty()).collect()
    }

    fn sns(&mut self, sns: &file::Sns, path: &str) -> Envelope {
        let confirm = value(sns.confirm.as_ref()).copied().unwrap_or_default();
        Envelope { vendor: Vendor::Sns, topics: self.topics(&sns.topics, path), hosts: Vec::new(), confirm }
    }

    fn smn(&mut self, smn: &file::Smn, path: &str) -> Envelope {
        let mut hosts = Vec::new();
        for (place, host) in value(smn.hosts.as_ref()).into_iter().flatten().filter_map(|host| placed(Some(host))) {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
            if !host.contains('.') || !host.chars().all(plain) {
                self.found.mistake(
                    place,
                    (format!("`{host}` 不是域名"), format!("`{host}` is not a domain")),
                    (format!("例如 {SMN_HOST}"), format!("for example {SMN_HOST}")),
                );
            }
            hosts.push(host.to_lowercase());
        }
        if smn.hosts.is_none() {
            hosts.push(SMN_HOST.to_owned());
        }
        let confirm = value(smn.confirm.as_ref()).copied().unwrap_or_default();
        Envelope { vendor: Vendor::Smn, topics: self.topics(&smn.topics, path), hosts, confirm }
    }

    fn topics(&mut self, topics: &At<Vec<At<String>>>, path: &str) -> Vec<String> {
        let topics_given: Vec<String> = topics.get().into_iter().flatten().filter_map(At::get).cloned().collect();
        if topics.get().is_some_and(Vec::is_empty) {
            self.found.mistake(
                topics.place,
                (
                    format!("`{path}.topics` 是空的：什么也收不到"),
                    format!("`{path}.topics` is empty: nothing would be taken"),
                ),
                (
                    "写上主题的 ARN 或 URN：签名只说明是云发的，不说明是谁的主题",
                    "name topics by ARN or URN: the signature says which cloud sent it, and not whose topic it is",
                ),
            );
        }
        topics_given
    }

    fn token(&mut self, at: &At<Secret>, source: &str, path: &str, shown: bool) -> Option<SecretString> {
        let token = self.secret(at, path)?;
        self.note_token(at.place, source, path, &token, shown);
        Some(token)
    }

    /// A token that can be a part of a path.
    fn path_token(&mut self, at: &At<Secret>, source: &str, path: &str) -> Option<SecretString> {
        let token = self.token(at, source, path, true)?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '~');
        if !token.expose_secret().chars().all(plain) {
            self.found.mistake(
                at.place,
                (format!("`{path}` 不能放进路径"), format!("`{path}` cannot stand in a path")),
                ("只用字母、数字和 - _ . ~", "use letters, digits and - _ . ~ only"),
            );
        }
        Some(token)
    }

    fn scheme(&mut self, scheme: Option<&At<String>>, path: &str) -> Option<String> {
        let (place, text) = placed(scheme)?;
        if text.is_empty()
            || !text.chars().all(|letter| letter.is_ascii_graphic())
            || text.eq_ignore_ascii_case("basic")
        {
            self.found.mistake(
                place,
                (format!("`{path}.scheme` 不是一个词"), format!("`{path}.scheme` is not a word")),
                ("例如 Token、ApiKey、GenieKey", "for example Token, ApiKey, GenieKey"),
            );
        }
        Some(text.clone())
    }

    fn parameter(&mut self, at: &At<String>) -> Option<String> {
        let text = at.get()?;
        if text.is_empty()
            || text.len() > 64
            || text.chars().any(|letter| letter.is_control() || letter.is_whitespace())
        {
            self.found.mistake(
                at.place,
                ("这不是参数名", "this is not the name of a parameter"),
                ("例如 token、key、access_token", "for example token, key, access_token"),
            );
        }
        Some(text.clone())
    }

    /// A user name and a password that may stand in a header.
    pub(super) fn basic(&mut self, basic: &file::Basic, path: &str) -> Option<(String, SecretString)> {
        let password = self.secret(&basic.password, &format!("{path}.password"));
        let username = basic.username.get()?;
        if username.is_empty() || username.contains(':') {
            self.found.mistake(
                basic.username.place,
                ("用户名不能为空，也不能含冒号", "the user name cannot be empty or hold a colon"),
                ("换一个用户名", "choose another user name"),
            );
        }
        Some((username.clone(), password?))
    }

    pub(super) fn header(&mut self, header: Option<&At<String>>) -> Option<String> {
        let (place, text) = placed(header)?;
        if axum::http::HeaderName::from_bytes(text.as_bytes()).is_err() {
            self.found.mistake(
                place,
                (format!("`{text}` 不能做请求头的名字"), format!("`{text}` cannot be the name of a header")),
                ("只用字母、数字和连字符", "use letters, digits and hyphens only"),
            );
        }
        Some(text.clone())
    }

    fn watchdog(&mut self, name: &str, watchdog: &file::Watchdog) -> Watchdog {
        let path = format!("sources.{name}.watchdog");
        if let Some((place, _)) = placed(watchdog.matchers.as_ref()).filter(|(_, matchers)| matchers.is_empty()) {
            self.found.mistake(
                place,
                (
                    format!("`{path}.matchers` 是空的：任何告警都算"),
                    format!("`{path}.matchers` is empty: any alert would count"),
                ),
                (
                    format!("例如 ['{WATCHDOG}']，或删掉这一行"),
                    format!("for example ['{WATCHDOG}'], or remove the line"),
                ),
            );
        }
        let matchers = match watchdog.matchers {
            Some(_) => self.matchers(watchdog.matchers.as_ref()),
            None => crate::route::parse_matchers(WATCHDOG).unwrap_or_default(),
        };
        let within = self.duration(watchdog.within.as_ref(), &format!("{path}.within"), WITHINS.0..=WITHINS.1);
        let swallow = value(watchdog.swallow.as_ref()).copied().unwrap_or(true);
        Watchdog { matchers, within: within.unwrap_or(WITHIN), swallow }
    }
}
