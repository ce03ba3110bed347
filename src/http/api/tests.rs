//! The description is the one in `docs`, and what programs rest on stays.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

/// What a program that follows `old` would miss in `new`: a path, a method, a parameter, an answer, or a property of a
/// shape; and what it would have to add.
fn broken(old: &Value, new: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, methods) in object(&old["paths"]) {
        for (method, operation) in object(methods) {
            let now = &new["paths"][path][method];
            if now.is_null() {
                broken.push(format!("{method} {path} is gone"));
                continue;
            }
            let names = |operation: &Value, required: bool| -> BTreeSet<String> {
                let all = operation["parameters"].as_array().into_iter().flatten();
                let chosen = all.filter(|one| !required || one["required"] == true);
                chosen.map(|one| format!("{} {}", one["in"], one["name"])).collect()
            };
            let gone = names(operation, false).difference(&names(now, false)).cloned().collect::<Vec<_>>();
            broken.extend(gone.iter().map(|name| format!("{method} {path}: the parameter {name} is gone")));
            let asked = names(now, true).difference(&names(operation, true)).cloned().collect::<Vec<_>>();
            broken.extend(asked.iter().map(|name| format!("{method} {path}: the parameter {name} is asked for")));
            for (status, _) in object(&operation["responses"]) {
                if status.starts_with('2') && now["responses"][status].is_null() {
                    broken.push(format!("{method} {path}: the answer {status} is gone"));
                }
            }
        }
    }
    for (name, shape) in object(&old["components"]["schemas"]) {
        let now = &new["components"]["schemas"][name];
        for (property, was) in object(&shape["properties"]) {
            let is = &now["properties"][property];
            if is.is_null() {
                broken.push(format!("{name}.{property} is gone"));
            } else if is["type"] != was["type"] {
                broken.push(format!("{name}.{property} has another type"));
            }
        }
    }
    broken
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

#[test]
fn the_description_in_docs_is_the_one_of_the_code_and_breaks_no_client() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let old: Value = serde_json::from_str(&kept).unwrap_or_default();
    let new: Value = serde_json::from_str(&openapi()).unwrap();
    assert_eq!(broken(&old, &new), [""; 0], "programs rest on this");
    assert!(kept == openapi(), "docs/openapi.json is old: wegraf schema --api > docs/openapi.json");
}

#[test]
fn what_breaks_a_program_is_found() {
    let new: Value = serde_json::from_str(&openapi()).unwrap();
    assert_eq!(broken(&new, &new), [""; 0]);
    let without = |pointer: &str, key: &str| {
        let mut less = new.clone();
        less.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(key).unwrap();
        broken(&new, &less)
    };
    assert_eq!(without("/paths", "/api/v1/health"), ["get /api/v1/health is gone"]);
    assert_eq!(without("/components/schemas/Incident/properties", "short"), ["Incident.short is gone"]);
    let answer = without("/paths/~1api~1v1~1acts/post/responses", "201");
    assert_eq!(answer, ["post /api/v1/acts: the answer 201 is gone"]);
    let mut other = new.clone();
    let parameters = other.pointer_mut("/paths/~1api~1v1~1silences/get/parameters").unwrap();
    *parameters = json!([{ "in": "query", "name": "m", "required": true }]);
    let [state, gone, asked] = &broken(&new, &other)[..] else { panic!("three things changed") };
    assert!(state.ends_with("\"state\" is gone") && gone.ends_with("\"upstream\" is gone"), "{state} {gone}");
    assert!(asked.ends_with("\"m\" is asked for"), "{asked}");
    *other.pointer_mut("/components/schemas/Act/properties/alerts/type").unwrap() = json!("string");
    assert!(broken(&new, &other).contains(&"Act.alerts has another type".to_owned()));
}

#[test]
fn every_path_asks_for_a_token_and_tells_of_its_problems() {
    let api: Value = serde_json::from_str(&openapi()).unwrap();
    for (path, methods) in object(&api["paths"]) {
        assert!(path.starts_with("/api/v1/"), "{path}");
        for (method, operation) in object(methods) {
            assert!(operation["security"][0]["token"].is_array(), "{method} {path}");
            for status in ["400", "401", "403", "404", "429", "503"] {
                let content = &operation["responses"][status]["content"]["application/problem+json"];
                assert!(!content.is_null(), "{method} {path} {status}");
            }
        }
    }
}
