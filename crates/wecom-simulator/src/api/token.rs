//! `gettoken` (page 91039, docs/reference/wecom.md#access-tokens).

use serde_json::json;

use crate::answer::{Outcome, Refusal, Reply};
use crate::call::Call;
use crate::state::World;
use crate::tokens::Badge;

/// GET as documented, POST because Grafana does so.
pub(super) fn get(world: &mut World, call: &Call) -> Outcome {
    let now = world.clock.now();
    if world.tokens.is_barred(&call.from, now) {
        return Err(Refusal::code(45009));
    }
    let corp_id = call.param("corpid").ok_or_else(|| Refusal::code(41002))?;
    let secret = call.param("corpsecret").ok_or_else(|| Refusal::code(41004))?;
    let corp = world.corp(corp_id).ok_or_else(|| Refusal::code(40013))?;
    let Some(app) = corp.apps.iter().find(|app| app.secret == secret) else {
        let elsewhere = world.setup.corps.iter().flat_map(|corp| &corp.apps).any(|app| app.secret == secret);
        world.tokens.wrong_secret(&call.from, now, world.switches.wrong_secrets_until_ban);
        return Err(Refusal::code(if elsewhere { 40091 } else { 40001 }));
    };
    let badge = Badge { corp_id: corp.corp_id.clone(), agent_id: app.agent_id };
    if world.switches.trusted_ip_at_gettoken {
        world.check_address(&badge, app, &call.from)?;
    }
    let (token, expires_in) = world.tokens.issue(badge, now, world.switches.repeated_gettoken);
    Ok(Reply::with(json!({"access_token": token, "expires_in": expires_in})))
}
