//! What is changed in Grafana, from what it has (pure).

use serde_json::{Value, json};

use super::grafana::Refused;

/// What happens to the contact point.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is there, and as it should be.
    None,
    /// It is made.
    Make,
    /// The one with this uid is changed.
    Update(String),
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
pub(super) fn contact(points: &Value, wanted: &Value) -> Result<Change, Refused> {
    let same_name: Vec<&Value> =
        points.as_array().into_iter().flatten().filter(|point| point["name"] == wanted["name"]).collect();
    let Some(point) = same_name.iter().find(|point| point["type"] == "webhook").or(same_name.first()) else {
        return Ok(Change::Make);
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
    Ok(Change::Update(point["uid"].as_str().unwrap_or_default().to_owned()))
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
            // First, so that none takes the alerts away; and on to the others, so that it takes none from them.
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
        assert_eq!(contact(&json!([there]), &wanted).unwrap(), Change::None);
        there["settings"]["authorization_credentials"] = "[REDACTED]".into();
        assert_eq!(contact(&json!([there]), &wanted).unwrap(), Change::Update("u1".to_owned()));
        there["provenance"] = "file".into();
        assert!(contact(&json!([there]), &wanted).is_err());
        assert!(contact(&json!([{ "name": "wegraf", "type": "email" }]), &wanted).is_err());
    }
}
