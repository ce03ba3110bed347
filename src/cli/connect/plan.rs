//! What is changed in Grafana, from what it has (pure).

use serde_json::{Value, json};

use super::grafana::Refused;
use crate::words::told;

/// What happens to the contact point.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is there, and as it should be.
    None,
    /// It is made.
    Make,
    /// The one with this uid is changed, which sends to the host `from` now; the rest of the address may hold a key.
    Update { uid: String, from: String },
}

/// Which alerts it gets.
pub(super) enum Route<'r> {
    /// Those with these labels.
    Labels(&'r [(String, String)]),
    /// Those of the default policy.
    Default,
}

/// The contact point.
pub(super) fn contact_point(name: &str, url: &str, token: &str) -> Value {
    json!({
        "name": name,
        "type": "webhook",
        "disableResolveMessage": false,
        "settings": {
            "url": url,
            "httpMethod": "POST",
            "authorization_scheme": "Bearer",
            "authorization_credentials": token,
        },
    })
}

/// What has to be done to have it. Grafana does not show credentials, so a contact point that is there is set again unless
/// what it shows tells that it is the same.
///
/// Grafana lists each integration of a contact point as an entry of its own. Of several webhooks the one with our address
/// is taken; if none has it, which of them was meant is not known, and none is changed.
pub(super) fn contact(points: &Value, wanted: &Value) -> Result<Change, Refused> {
    let same_name: Vec<&Value> =
        points.as_array().into_iter().flatten().filter(|point| point["name"] == wanted["name"]).collect();
    let webhooks: Vec<&Value> = same_name.iter().filter(|point| point["type"] == "webhook").copied().collect();
    let ours = webhooks.iter().find(|point| point["settings"]["url"] == wanted["settings"]["url"]);
    let point = match (ours, webhooks.as_slice(), same_name.first()) {
        (Some(ours), ..) => ours,
        (None, [one], _) => one,
        (None, [], Some(other)) => other,
        (None, [], None) => return Ok(Change::Make),
        (None, several, _) => {
            let (name, count) = (&wanted["name"], several.len());
            let said = told!(
                "联络点 {name} 有 {count} 个 webhook，没有一个是 wegraf 的：用 --name 另起一个名字",
                "contact point {name} has {count} webhooks, none of them to wegraf: choose another name with --name"
            );
            return Err(Refused::Other(said.to_string()));
        }
    };
    if point["provenance"].as_str().is_some_and(|by| !by.is_empty() && by != "api") {
        return Err(Refused::Files("contact point"));
    }
    if point["type"] != "webhook" {
        return Err(Refused::Other(format!("{}: {}", wanted["name"], point["type"])));
    }
    let settings = |key: &str| point["settings"][key] == wanted["settings"][key];
    if ["url", "httpMethod", "authorization_scheme", "authorization_credentials"].into_iter().all(settings) {
        return Ok(Change::None);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let from = host(&text(&point["settings"]["url"])).to_owned();
    Ok(Change::Update { uid: text(&point["uid"]), from })
}

/// Scheme, host and port of an address.
pub(super) fn host(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |at| host + at);
    &url[..end]
}

/// The tree of policies with one route more, or with another default; `None` if it has that already. All else stays.
pub(super) fn with_route(tree: &Value, route: &Route<'_>, name: &str) -> Result<Option<Value>, Refused> {
    if tree["provenance"].as_str().is_some_and(|by| !by.is_empty() && by != "api") {
        return Err(Refused::Files("policies"));
    }
    let mut changed = tree.clone();
    match route {
        Route::Default if tree["receiver"] == name => return Ok(None),
        Route::Default => changed["receiver"] = name.into(),
        Route::Labels(labels) => {
            let matchers: Vec<Value> = labels.iter().map(|(label, value)| json!([label, "=", value])).collect();
            let matchers = Value::from(matchers);
            let routes = tree["routes"].as_array().cloned().unwrap_or_default();
            if routes.iter().any(|route| route["receiver"] == name && route["object_matchers"] == matchers) {
                return Ok(None);
            }
            // First, so that no other route stops the alerts; `continue` lets later routes match them, too.
            let mut all = vec![json!({ "receiver": name, "object_matchers": matchers, "continue": true })];
            all.extend(routes);
            changed["routes"] = all.into();
        }
    }
    Ok(Some(changed))
}

/// The request for Grafana's own test of this contact point.
pub(super) fn test(point: &Value) -> Value {
    json!({
        "receivers": [{
            "name": point["name"],
            "grafana_managed_receiver_configs": [{
                "name": point["name"],
                "type": point["type"],
                "disableResolveMessage": false,
                "settings": point["settings"],
            }],
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_route_is_added_and_the_rest_of_the_tree_stays() {
        let tree = json!({ "receiver": "email", "group_by": ["alertname"], "routes": [
            { "receiver": "dba", "object_matchers": [["team", "=", "dba"]], "routes": [{ "receiver": "x" }] },
            { "receiver": "y", "mute_time_intervals": ["night"] },
        ] });
        let labels = [("team".to_owned(), "dba".to_owned())];
        let changed = with_route(&tree, &Route::Labels(&labels), "wegraf").unwrap().unwrap();
        assert_eq!(
            changed["routes"][0],
            json!({ "receiver": "wegraf", "object_matchers": [["team", "=", "dba"]], "continue": true })
        );
        let mut without = changed.clone();
        without["routes"].as_array_mut().unwrap().remove(0);
        assert_eq!(without, tree);
        assert_eq!(with_route(&changed, &Route::Labels(&labels), "wegraf").unwrap(), None);
        let default = with_route(&tree, &Route::Default, "wegraf").unwrap().unwrap();
        assert_eq!((&default["receiver"], &default["routes"]), (&json!("wegraf"), &tree["routes"]));
        assert_eq!(with_route(&default, &Route::Default, "wegraf").unwrap(), None);
        let files = json!({ "receiver": "email", "provenance": "file" });
        assert!(matches!(with_route(&files, &Route::Default, "wegraf"), Err(Refused::Files("policies"))));
    }

    #[test]
    fn a_contact_point_is_made_changed_or_left_alone() {
        let wanted = contact_point("wegraf", "https://w/webhook", "token");
        assert_eq!(contact(&json!([]), &wanted).unwrap(), Change::Make);
        let mut there = wanted.clone();
        there["uid"] = "u1".into();
        let updated = |uid: &str| Change::Update { uid: uid.to_owned(), from: "https://w".to_owned() };
        assert_eq!(contact(&json!([there]), &wanted).unwrap(), Change::None);
        there["settings"]["authorization_credentials"] = "[REDACTED]".into();
        assert_eq!(contact(&json!([there]), &wanted).unwrap(), updated("u1"));
        there["settings"]["url"] = "https://w.old/webhook".into();
        let from = |uid: &str| Change::Update { uid: uid.to_owned(), from: "https://w.old".to_owned() };
        assert_eq!(contact(&json!([there]), &wanted).unwrap(), from("u1"), "wegraf has another address now");
        there["settings"]["url"] = "https://w/webhook".into();
        there["provenance"] = "file".into();
        assert!(contact(&json!([there]), &wanted).is_err());
        assert!(contact(&json!([{ "name": "wegraf", "type": "email" }]), &wanted).is_err());
    }

    #[test]
    fn of_several_webhooks_only_our_own_is_changed() {
        let wanted = contact_point("wegraf", "https://w/webhook", "token");
        let point = |uid: &str, url: &str| {
            let mut point = contact_point("wegraf", url, "[REDACTED]");
            point["uid"] = uid.into();
            point
        };
        let (pager, chat, ours) =
            (point("p", "https://pager/x"), point("c", "https://chat/x"), point("w", "https://w/webhook"));
        let changed = contact(&json!([pager, ours, chat]), &wanted).unwrap();
        assert_eq!(changed, Change::Update { uid: "w".to_owned(), from: "https://w".to_owned() });
        assert!(matches!(contact(&json!([pager, chat]), &wanted), Err(Refused::Other(_))));
        for url in ["https://hooks.example.com:8443/services/T0/SECRET", "https://hooks.example.com:8443?key=SECRET"] {
            assert_eq!(host(url), "https://hooks.example.com:8443", "a key in the address is not shown");
        }
    }
}
