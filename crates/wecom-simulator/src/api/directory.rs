//! People, departments, tags: `user/*`, `department/*`, `tag/*` (docs/reference/wecom.md#look-ups,
//! #departments-and-tags). All inside the visible scope.

use serde_json::{Value, json};

use crate::answer::{Outcome, Refusal, Reply};
use crate::call::{Call, filled, int};
use crate::clock::DAY_MS;
use crate::rate::Recent;
use crate::setup::{App, Corp, Department, User};
use crate::state::World;

/// Mobile → userid.
pub(super) fn by_mobile(world: &mut World, call: &Call) -> Outcome {
    look_up(world, call, |user, body| {
        let mobile = filled(body, "mobile").filter(|mobile| (5..=32).contains(&mobile.len()));
        mobile.map(|mobile| user.mobile == mobile).ok_or_else(|| Refusal::parameter("mobile should have 5 to 32 bytes"))
    })
}

/// E-mail → userid.
pub(super) fn by_email(world: &mut World, call: &Call) -> Outcome {
    look_up(world, call, |user, body| {
        let email = filled(body, "email").ok_or_else(|| Refusal::parameter("email is missing"))?;
        let known = if int(body, "email_type") == Some(2) { &user.personal_email } else { &user.email };
        Ok(!known.is_empty() && known.eq_ignore_ascii_case(email))
    })
}

/// Finds one member. Wrong guesses beyond 20 % of the head-count bar the corp from that API for a day
/// (docs/reference/wecom.md#look-ups).
fn look_up(world: &mut World, call: &Call, is_meant: impl Fn(&User, &Value) -> Result<bool, Refusal>) -> Outcome {
    let badge = world.badge(call)?;
    let now = world.clock.now();
    let body = call.json()?;
    let (corp, app) = world.app(&badge)?;
    let allowed = usize::try_from(corp.accounts / 5).unwrap_or(usize::MAX);
    let mut found = None;
    for user in &corp.users {
        if is_meant(user, &body)? && corp.sees(app, user) {
            found = Some(user.userid.clone());
        }
    }
    let key = (badge.corp_id, call.path.clone());
    let (wrong, barred_until) =
        world.lookups.entry(key).or_insert_with(|| (Recent::new(allowed.saturating_add(1).min(100_000)), 0));
    if now < *barred_until && world.switches.enforce_rate {
        return Err(Refusal::saying(45009, "api freq out of limit: too many wrong look-ups"));
    }
    if let Some(userid) = found {
        return Ok(Reply::with(json!({"userid": userid})));
    }
    wrong.push(now);
    if wrong.within(now, DAY_MS) > allowed {
        *barred_until = now + DAY_MS;
    }
    Err(Refusal::code(46004))
}

/// One member, without mobile and mail: apps of today do not get them (docs/reference/wecom.md#members).
pub(super) fn user(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let userid = call.param("userid").ok_or_else(|| Refusal::code(41009))?;
    let (corp, app) = world.app(&badge)?;
    let user = corp.user(userid).filter(|user| in_scope(corp, app, user)).ok_or_else(|| Refusal::code(60111))?;
    Ok(Reply::with(json!({
        "userid": user.userid,
        "name": user.name,
        "department": user.departments,
        "order": user.departments.iter().map(|_| 0).collect::<Vec<_>>(),
        "position": "",
        "is_leader_in_dept": user.departments.iter().map(|_| 0).collect::<Vec<_>>(),
        "direct_leader": [],
        "telephone": "",
        "alias": "",
        "status": user.status,
        "main_department": user.departments.first().copied().unwrap_or(1),
        "extattr": {"attrs": []},
    })))
}

/// The members of one department, not of those below it.
pub(super) fn users(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let (corp, app) = world.app(&badge)?;
    let id = department_id(call, "department_id")?.ok_or_else(|| Refusal::parameter("department_id is missing"))?;
    if !corp.departments.iter().any(|department| department.id == id) {
        return Err(Refusal::code(60003));
    }
    let members = corp.users.iter().filter(|user| user.departments.contains(&id) && in_scope(corp, app, user));
    let list: Vec<_> =
        members.map(|user| json!({"userid": user.userid, "name": user.name, "department": user.departments})).collect();
    Ok(Reply::with(json!({"userlist": list})))
}

/// Department ids.
pub(super) fn departments_simple(world: &mut World, call: &Call) -> Outcome {
    let list = listed(
        world,
        call,
        |department| json!({"id": department.id, "parentid": department.parent, "order": department.id}),
    )?;
    Ok(Reply::with(json!({"department_id": list})))
}

/// Departments with names.
pub(super) fn departments(world: &mut World, call: &Call) -> Outcome {
    let list = listed(world, call, |department| {
        json!({
            "id": department.id, "name": department.name, "name_en": "", "department_leader": [],
            "parentid": department.parent, "order": department.id,
        })
    })?;
    Ok(Reply::with(json!({"department": list})))
}

/// The departments in scope, at and below the one asked for.
fn listed(world: &World, call: &Call, show: impl Fn(&Department) -> Value) -> Result<Vec<Value>, Refusal> {
    let badge = world.badge(call)?;
    let (corp, app) = world.app(&badge)?;
    let below = department_id(call, "id")?;
    if below.is_some_and(|id| !corp.departments.iter().any(|department| department.id == id)) {
        return Err(Refusal::code(60003));
    }
    let wanted = |department: &&Department| {
        corp.sees_party(app, department.id) && below.is_none_or(|id| corp.is_within(department.id, id))
    };
    Ok(corp.departments.iter().filter(wanted).map(show).collect())
}

/// All tags.
pub(super) fn tags(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let (corp, app) = world.app(&badge)?;
    let seen = corp.tags.iter().filter(|tag| app.has_root_scope() || app.visible.tags.contains(&tag.id));
    let list: Vec<_> = seen.map(|tag| json!({"tagid": tag.id, "tagname": tag.name})).collect();
    Ok(Reply::with(json!({"taglist": list})))
}

/// Who carries a tag.
pub(super) fn tag(world: &mut World, call: &Call) -> Outcome {
    let badge = world.badge(call)?;
    let id = call.param("tagid").ok_or_else(|| Refusal::code(41017))?;
    let (corp, app) = world.app(&badge)?;
    let tag = corp.tags.iter().find(|tag| tag.id.to_string() == id).ok_or_else(|| Refusal::code(40068))?;
    let members = tag.users.iter().filter_map(|userid| corp.user(userid)).filter(|user| in_scope(corp, app, user));
    let users: Vec<_> = members.map(|user| json!({"userid": user.userid, "name": user.name})).collect();
    Ok(Reply::with(json!({"tagname": tag.name, "userlist": users, "partylist": tag.parties})))
}

/// In the visible scope, though perhaps disabled or gone: the directory shows those with their status.
fn in_scope(corp: &Corp, app: &App, user: &User) -> bool {
    corp.sees(app, &User { status: 1, ..user.clone() })
}

fn department_id(call: &Call, name: &str) -> Result<Option<i64>, Refusal> {
    call.param(name).map(|id| id.parse().map_err(|_| Refusal::code(60123))).transpose()
}
