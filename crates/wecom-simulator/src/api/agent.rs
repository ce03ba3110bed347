//! `agent/get` and `agent/list` (page 90227).

use serde_json::json;

use crate::answer::{Outcome, Refusal, Reply};
use crate::call::Call;
use crate::state::World;

/// Shows the token's own app and its visible scope.
pub(super) fn get(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let stated = call.param("agentid").ok_or_else(|| Refusal::code(41011))?;
    let agent_id: i64 = stated.parse().map_err(|_| Refusal::code(40056))?;
    if agent_id != badge.agent_id {
        return Err(Refusal::code(301_002));
    }
    let app = world.app(&badge)?.1;
    let users: Vec<_> = app.visible.users.iter().map(|userid| json!({"userid": userid})).collect();
    Ok(Reply::with(json!({
        "agentid": agent_id,
        "name": app.name,
        "square_logo_url": format!("{}/_simulator/sample.png", world.url),
        "description": "played by wecom-simulator",
        "allow_userinfos": {"user": users},
        "allow_partys": {"partyid": app.visible.parties},
        "allow_tags": {"tagid": app.visible.tags},
        "close": i32::from(app.closed),
        "redirect_domain": "",
        "report_location_flag": 0,
        "isreportenter": 0,
        "home_url": "",
    })))
}

/// The apps the token may see: its own.
pub(super) fn list(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let app = world.app(&badge)?.1;
    let logo = format!("{}/_simulator/sample.png", world.url);
    Ok(Reply::with(json!({"agentlist": [{"agentid": app.agent_id, "name": app.name, "square_logo_url": logo}]})))
}
