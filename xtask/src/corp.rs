//! A corp of any size for the simulator, with the configuration and the addresses that go with it.

use std::fmt::Write as _;

use wecom_simulator::{Chat, Setup, User, Webhook};

use crate::ledger::{Address, Channel};

/// The number of receivers of each kind. Each has one target and a lane of its own.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Members of an app.
    pub members: usize,
    /// Group chats of the app, each with members of its own.
    pub chats: usize,
    /// Webhooks.
    pub webhooks: usize,
    /// Pairs of members of an app, of which one is the same in all: WeCom's limit for that member bounds the sum of all
    /// these lanes.
    pub pairs: usize,
}

/// The member of all pairs.
const BOSS: &str = "boss";

/// Faces in turn, so that each channel sends each of its faces.
const APP_FACES: [&str; 4] = ["markdown", "text", "news", "textcard"];
const WEBHOOK_FACES: [&str; 3] = ["markdown_v2", "text", "markdown"];

/// The corp as the simulator plays it.
pub fn setup(size: Size) -> Setup {
    let mut setup = Setup::demo();
    let corp = &mut setup.corps[0];
    // Far above anything sent here: the daily limit depends on it.
    corp.accounts = 100_000;
    corp.users = (0..size.members).map(|number| user(&member(number), vec![2])).collect();
    corp.users.extend((0..size.chats).map(|number| user(&owner(number), vec![2])));
    if size.pairs > 0 {
        corp.users.push(user(BOSS, vec![2]));
        corp.users.extend((0..size.pairs).map(|number| user(&pair(number), vec![2])));
    }
    corp.chats = (0..size.chats)
        .map(|number| Chat {
            chatid: chat(number),
            name: format!("群 {number}"),
            owner: owner(number),
            members: vec![owner(number)],
            agent_id: 1_000_002,
            dissolved: false,
        })
        .collect();
    setup.webhooks = (0..size.webhooks)
        .map(|number| Webhook {
            key: webhook(number),
            name: format!("机器人 {number}"),
            chat: format!("群 w{number}"),
            members: vec![owner(0)],
            disabled: false,
        })
        .collect();
    setup
}

/// All addresses: members first, then chats, webhooks, pairs. The place of a pair is the member who is in no other.
pub fn addresses(size: Size) -> Vec<Address> {
    let address = |name: &str, lane: String, channel| Address {
        receiver: name.to_owned(),
        lane,
        channel,
        places: vec![name.to_owned()],
    };
    let members = (0..size.members).map(member).map(|name| address(&name, format!("app/ops/{name}"), Channel::App));
    let chats = (0..size.chats).map(chat).map(|name| address(&name, format!("app/ops/chat/{name}"), Channel::Chat));
    let webhooks =
        (0..size.webhooks).map(webhook).map(|name| address(&name, format!("webhook/{name}"), Channel::Webhook));
    let pairs = (0..size.pairs).map(pair).map(|name| address(&name, format!("app/ops/{BOSS}|{name}"), Channel::App));
    members.chain(chats).chain(webhooks).chain(pairs).collect()
}

/// The accounts and receivers of a configuration; the label `to` names the receiver of an alert.
pub fn configuration(size: Size, api_url: &str) -> String {
    let mut text = format!(
        "wecom:\n  api_url: {api_url}\n  apps:\n    ops: {{ corp_id: wwsimcorp0000001, agent_id: 1000002, secret: sim-app-secret }}\n  webhooks:\n"
    );
    let mut line = |line: String| writeln!(text, "{line}").expect("a String takes everything");
    for number in 0..size.webhooks {
        line(format!("    {0}: {{ key: {0} }}", webhook(number)));
    }
    line("receivers:".to_owned());
    for number in 0..size.members {
        let face = APP_FACES[number % APP_FACES.len()];
        line(format!("  {0}: {{ targets: [ {{ app: ops, users: [{0}], face: {face} }} ] }}", member(number)));
    }
    for number in 0..size.chats {
        let face = APP_FACES[number % APP_FACES.len()];
        line(format!("  {0}: {{ targets: [ {{ app: ops, chat: {0}, face: {face} }} ] }}", chat(number)));
    }
    for number in 0..size.webhooks {
        let face = WEBHOOK_FACES[number % WEBHOOK_FACES.len()];
        line(format!("  {0}: {{ targets: [ {{ webhook: {0}, face: {face} }} ] }}", webhook(number)));
    }
    for number in 0..size.pairs {
        line(format!("  {0}: {{ targets: [ {{ app: ops, users: [{BOSS}, {0}], face: text }} ] }}", pair(number)));
    }
    let addresses = addresses(size);
    line(format!("route:\n  receiver: {}\n  routes:", addresses[0].receiver));
    for Address { receiver, .. } in &addresses {
        line(format!("    - {{ matchers: ['to=\"{receiver}\"'], receiver: {receiver} }}"));
    }
    text
}

pub(crate) fn member(number: usize) -> String {
    format!("member{number:03}")
}

fn pair(number: usize) -> String {
    format!("pair{number:03}")
}

fn owner(number: usize) -> String {
    format!("owner{number:03}")
}

pub(crate) fn chat(number: usize) -> String {
    format!("chat{number:03}")
}

pub(crate) fn webhook(number: usize) -> String {
    format!("hook{number:03}")
}

/// A member visible to all.
pub(crate) fn user(userid: &str, departments: Vec<i64>) -> User {
    User {
        userid: userid.to_owned(),
        name: userid.to_owned(),
        mobile: String::new(),
        email: format!("{userid}@sim.example"),
        personal_email: String::new(),
        status: 1,
        departments,
    }
}
