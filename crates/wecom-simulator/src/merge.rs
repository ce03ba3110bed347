//! Laying a partial JSON document over a whole one, for the edits of the control API.

use serde_json::Value;

/// What names an element of a list of things, in this order (a chat has an `agent_id`, too): a patch to an element
/// with the same name changes that element.
const NAMES: [&str; 7] = ["corp_id", "chatid", "userid", "key", "agent_id", "bot_id", "id"];

/// Objects are merged field by field, lists of named things element by element (`"remove": true` takes one out),
/// everything else is replaced.
pub(crate) fn merge(base: &mut Value, patch: Value) {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            for (field, value) in patch {
                merge(base.entry(field).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(patch)) if patch.iter().any(|item| name(item).is_some()) => {
            for item in patch {
                merge_item(base, item);
            }
        }
        (base, patch) => *base = patch,
    }
}

fn merge_item(list: &mut Vec<Value>, mut item: Value) {
    let at = list.iter().position(|known| name(known) == name(&item));
    let remove = item.as_object_mut().and_then(|fields| fields.remove("remove")) == Some(Value::Bool(true));
    match (at, remove) {
        (Some(at), true) => drop(list.remove(at)),
        (Some(at), false) => merge(&mut list[at], item),
        (None, true) => {}
        (None, false) => list.push(item),
    }
}

fn name(item: &Value) -> Option<(&'static str, &Value)> {
    NAMES.iter().find_map(|&field| Some((field, item.get(field)?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_the_named_element_and_leaves_its_neighbours() {
        let mut base = json!({"users": [{"userid": "a", "name": "A"}, {"userid": "b", "name": "B"}]});
        merge(&mut base, json!({"users": [{"userid": "b", "name": "二"}, {"userid": "c", "name": "C"}]}));
        assert_eq!(
            base,
            json!({"users": [{"userid": "a", "name": "A"}, {"userid": "b", "name": "二"}, {"userid": "c", "name": "C"}]})
        );
        merge(&mut base, json!({"users": [{"userid": "a", "remove": true}, {"userid": "b", "remove": true}]}));
        assert_eq!(base, json!({"users": [{"userid": "c", "name": "C"}]}));
    }

    #[test]
    fn a_list_of_plain_values_is_replaced() {
        let mut base = json!({"ips": ["1.1.1.1"], "keep": 1});
        merge(&mut base, json!({"ips": ["2.2.2.2"]}));
        assert_eq!(base, json!({"ips": ["2.2.2.2"], "keep": 1}));
    }
}
