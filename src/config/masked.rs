//! The configuration as strangers may see it: its keys, and of its values only those that can be no secret and name no
//! person. Comments are left out, too.

use std::fmt::Write as _;
use std::path::Path;

use super::finding::Findings;
use super::yaml::{Node, Plain, Value, tree};

/// What a value that is not shown may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Private {
    /// The id or the address of a person.
    Person,
    /// Anything else.
    Text,
}

/// Keys whose values are shown. A key that is not listed may hold a secret.
const SHOWN: &str = " listen address paths proxy_protocol ca trusted_proxies listen_monitoring certificate memory lease raw record alerts size language \
    timezone allow_anonymous allow_addresses_alone kind port tls face matchers receiver receivers fallback critical other \
    webhook app apps bot hook on_call scheme preset timestamp_header timestamp_unit tolerance algorithm encoding several \
    separator signed send_resolved repeat_interval fallback_after image parts continue mention_from object place hidden \
    ignore_labels within swallow for theme bars expression hosts act_links gone_after interval after template templates \
    read own_keys pass_through mention_all confirm agent_id org_id sources wecom parties tags labels name env file \
    credential time_zone sample ";
/// Keys of addresses: of these scheme, host and port are shown.
const ADDRESSES: &str = " external_url api_url bot_url oauth_url login_url from to peers ";
/// Keys of people.
const PEOPLE: &str = " users plain mention allow_users people backup person mention_mobiles email ";
/// Keys above `url` where it is an address without a credential.
const PLAIN_URLS: &str = "upstreams";
/// Keys above `header` where it is the name of one.
const HEADER_NAMES: [&str; 2] = ["hmac", "proxy"];
/// Keys above names that people choose for secrets: such a name may be one of the keys that are shown.
const OF_SECRETS: [&str; 4] = ["tokens", "keys", "local", "headers"];
const INDENT: &str = "  ";

/// The configuration in `text`, in the folder `folder`, as YAML. What is not shown is replaced by what `hide` makes of it;
/// `hide` also gets what the secrets elsewhere hold (`env`, `file`), as far as they can be read. `None`: it is no YAML.
pub fn masked(text: &str, folder: &Path, hide: &mut dyn FnMut(Private, &str) -> String) -> Option<String> {
    let tree = tree(text.trim_start_matches('\u{feff}'), &mut Findings::default())?;
    let mut out = String::new();
    Writer { folder, hide, out: &mut out }.value(&tree, &mut Vec::new(), 0);
    Some(out.trim_start().to_owned() + "\n")
}

struct Writer<'w> {
    folder: &'w Path,
    hide: &'w mut dyn FnMut(Private, &str) -> String,
    out: &'w mut String,
}

impl<'n> Writer<'_> {
    /// Writes a value behind its key or dash. `keys`: those above it, the outermost first.
    fn value(&mut self, node: &'n Node, keys: &mut Vec<&'n str>, depth: usize) {
        match &node.value {
            Value::Null => {}
            Value::Scalar { plain, text } => {
                let shown = self.scalar(*plain, text, keys);
                write!(self.out, " {}", quoted(&shown)).expect("a String takes everything");
            }
            Value::List(values) if values.is_empty() => self.out.push_str(" []"),
            Value::Map(entries) if entries.is_empty() => self.out.push_str(" {}"),
            Value::List(values) => {
                for value in values {
                    self.line(depth);
                    self.out.push('-');
                    self.value(value, keys, depth + 1);
                }
            }
            Value::Map(entries) => {
                if let [(key, value)] = entries.as_slice() {
                    self.elsewhere(key.text(), value.text());
                }
                for (key, value) in entries {
                    self.line(depth);
                    write!(self.out, "{}:", quoted(key.text())).expect("a String takes everything");
                    keys.push(key.text());
                    self.value(value, keys, depth + 1);
                    keys.pop();
                }
            }
        }
    }

    fn line(&mut self, depth: usize) {
        self.out.push('\n');
        self.out.push_str(&INDENT.repeat(depth));
    }

    fn scalar(&mut self, plain: Plain, text: &str, keys: &[&str]) -> String {
        let key = keys.last().copied().unwrap_or_default();
        let above = keys.len().checked_sub(2).and_then(|at| keys.get(at)).copied().unwrap_or_default();
        let within = |list: &str, key: &str| list.split_whitespace().any(|known| known == key);
        match key {
            _ if OF_SECRETS.contains(&above) => (self.hide)(Private::Text, text),
            _ if matches!(plain, Plain::Bool(_)) || within(SHOWN, key) => text.to_owned(),
            "key" if matches!(text, "text" | "base64") => text.to_owned(),
            "header" if HEADER_NAMES.contains(&above) => text.to_owned(),
            "database" if text.starts_with("sqlite:") => text.to_owned(),
            "url" if keys.first() == Some(&PLAIN_URLS) => self.address(text),
            _ if within(ADDRESSES, key) => self.address(text),
            _ if within(PEOPLE, key) && text == "@all" => text.to_owned(),
            _ if within(PEOPLE, key) => (self.hide)(Private::Person, text),
            _ => (self.hide)(Private::Text, text),
        }
    }

    /// Scheme, host and port of an address; its user and what is behind the host may be credentials.
    fn address(&mut self, text: &str) -> String {
        let hidden = (self.hide)(Private::Text, text);
        let Ok(url) = reqwest::Url::parse(text) else { return hidden };
        let Some(host) = url.host_str() else { return hidden };
        if let Some(password) = url.password() {
            (self.hide)(Private::Text, password);
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let rest = if url.path().len() > 1 || url.query().is_some() { "/…" } else { "" };
        format!("{}://{host}{port}{rest}", url.scheme())
    }

    /// Hides what a secret is that is not written here, so that it is found wherever else it stands.
    fn elsewhere(&mut self, key: &str, value: &str) {
        let secret = match key {
            "env" => super::environment(value),
            "file" => std::fs::read_to_string(self.folder.join(value)).ok(),
            _ => None,
        };
        if let Some(secret) = secret.as_deref().map(str::trim).filter(|secret| !secret.is_empty()) {
            (self.hide)(Private::Text, secret);
        }
    }
}

/// A text as YAML: in quotes, unless it is a plain word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '…');
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    /// Every place where the schema has a secret, as `sources.*.bearer`.
    fn places(schema: &Json, at: &Json, path: &str, depth: usize, found: &mut Vec<String>) {
        let Some(object) = at.as_object().filter(|_| depth < 12) else { return };
        if let Some(name) = object.get("$ref").and_then(Json::as_str).and_then(|name| name.strip_prefix("#/$defs/")) {
            if name == "Secret" {
                found.push(path.to_owned());
            } else if name != "Route" {
                places(schema, &schema["$defs"][name], path, depth + 1, found);
            }
        }
        for list in ["anyOf", "oneOf", "allOf"] {
            for one in object.get(list).and_then(Json::as_array).into_iter().flatten() {
                places(schema, one, path, depth + 1, found);
            }
        }
        places(schema, &object.get("items").cloned().unwrap_or_default(), path, depth + 1, found);
        places(
            schema,
            &object.get("additionalProperties").cloned().unwrap_or_default(),
            &format!("{path}.*"),
            depth + 1,
            found,
        );
        for (key, below) in object.get("properties").and_then(Json::as_object).into_iter().flatten() {
            places(schema, below, &format!("{path}.{key}"), depth + 1, found);
        }
    }

    /// A configuration with a canary at this place.
    fn planted(path: &str, canary: &str) -> String {
        path.split('.').skip(1).collect::<Vec<_>>().iter().rev().fold(format!("'{canary}'"), |below, key| {
            let key = if *key == "*" { "name" } else { key };
            format!("{{ {key}: {below} }}")
        })
    }

    #[test]
    fn a_secret_at_any_place_of_the_schema_is_hidden() {
        let schema = crate::config::schema();
        let mut found = Vec::new();
        places(&schema, &schema, "", 0, &mut found);
        found.sort_unstable();
        found.dedup();
        for known in
            [".wecom.apps.*.secret", ".sources.*.bearer", ".sources.*.all.hmac.secret", ".hooks.*.url", ".database"]
        {
            assert!(found.iter().any(|place| place == known), "{known} is not among {found:?}");
        }
        for (number, place) in found.iter().enumerate() {
            let canary = format!("canary-{number}-x");
            let text = planted(place, &canary);
            let mut hidden = Vec::new();
            let shown = masked(&text, Path::new("."), &mut |_, value| {
                hidden.push(value.to_owned());
                "hidden".to_owned()
            });
            assert!(!shown.unwrap().contains("canary"), "{text}");
            assert_eq!(hidden, [canary], "{text}");
        }
    }

    #[test]
    fn keys_and_harmless_values_are_shown_and_the_rest_is_not() {
        let text = "listen: 0.0.0.0:8080 # canary\nsmtp: { host: canary, port: 587 }\n\
            upstreams: { am: { kind: alertmanager, url: 'https://u:canary@am.example.com:9093/canary?canary' } }\n\
            receivers:\n  ops:\n    targets:\n      - { app: ops, users: [canary], face: card, image: true }\n\
            route: { receiver: ops, routes: [ { matchers: ['team=\"dba\"'] } ] }\nunknown: canary\n";
        let shown = masked(text, Path::new("."), &mut |kind, _| format!("{kind:?}")).unwrap();
        let expected = "listen: \"0.0.0.0:8080\"\nsmtp:\n  host: Text\n  port: 587\nupstreams:\n  am:\n    kind: alertmanager\n    \
            url: \"https://am.example.com:9093/…\"\nreceivers:\n  ops:\n    targets:\n      -\n        app: ops\n        users:\n          - \
            Person\n        face: card\n        image: true\nroute:\n  receiver: ops\n  routes:\n    -\n      matchers:\n        - \
            \"team=\\\"dba\\\"\"\nunknown: Text\n";
        assert_eq!(shown, expected);
        let again = masked(&shown, Path::new("."), &mut |_, value| value.to_owned()).unwrap();
        assert_eq!(again, shown, "it is YAML");
        assert_eq!(masked("a: [", Path::new("."), &mut |_, _| String::new()), None);
    }
}
