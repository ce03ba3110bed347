//! The targets of a storm: members of two apps, a department whose members have lanes of their own, chats that share
//! members, webhooks, and a pool of two webhooks. Windows overlap here as they do in a company.

use std::fmt::Write as _;

use wecom_simulator::{Chat, Department, Setup, Visible, Webhook};

use crate::corp::{chat, member, user, webhook};
use crate::ledger::{Address, Channel};

/// A department that is told as a whole.
const PARTY: i64 = 9;
/// Members of the department who have a lane of their own, too.
const BOTH: usize = 2;
/// A member of the department only: its messages are recognised by this member.
const CLERK: &str = "clerk";

/// Targets of each kind; beside them a department and a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Town {
    /// Of the first app.
    members: usize,
    /// Of the second app.
    others: usize,
    chats: usize,
    webhooks: usize,
}

impl Town {
    /// Divides `targets`, at least 6, among the kinds.
    pub const fn of(targets: usize) -> Self {
        let (others, chats, webhooks) = (targets.div_ceil(10), targets / 5, targets / 4);
        Self { members: targets.saturating_sub(others + chats + webhooks + 2), others, chats, webhooks }
    }

    /// The corp as the simulator plays it.
    pub fn setup(self) -> Setup {
        let mut setup = Setup::demo();
        let corp = &mut setup.corps[0];
        // Far above anything sent here: the daily ceiling is reckoned from it.
        corp.accounts = 100_000;
        corp.departments.push(Department { id: PARTY, name: "值班部".to_owned(), parent: 1 });
        let party = |number: usize| if number < BOTH { vec![2, PARTY] } else { vec![2] };
        corp.users = (0..self.members).map(|number| user(&member(number), party(number))).collect();
        corp.users.extend((0..self.others).map(|number| user(&other(number), vec![3])));
        corp.users.push(user(CLERK, vec![PARTY]));
        corp.apps[1].visible = Visible { users: (0..self.others).map(other).collect(), ..Visible::default() };
        corp.chats = (0..self.chats)
            .map(|number| Chat {
                chatid: chat(number),
                name: format!("群 {number}"),
                owner: member(0),
                members: (0..self.members).map(member).collect(),
                agent_id: 1_000_002,
                dissolved: false,
            })
            .collect();
        let keys = (0..self.webhooks).map(webhook).chain((0..2).map(pooled));
        setup.webhooks = keys
            .map(|key| Webhook {
                name: format!("机器人 {key}"),
                chat: format!("群 {key}"),
                members: vec![member(0)],
                disabled: false,
                key,
            })
            .collect();
        setup
    }

    /// Where everything arrives.
    pub fn addresses(self) -> Vec<Address> {
        let one =
            |name: String, lane: String, channel| Address { receiver: name.clone(), lane, channel, places: vec![name] };
        let members = (0..self.members).map(member).map(|it| one(it.clone(), format!("app/ops/{it}"), Channel::App));
        let others = (0..self.others).map(other).map(|it| one(it.clone(), format!("app/duty/{it}"), Channel::App));
        let chats = (0..self.chats).map(chat).map(|it| one(it.clone(), format!("app/ops/chat/{it}"), Channel::Chat));
        let webhooks =
            (0..self.webhooks).map(webhook).map(|it| one(it.clone(), format!("webhook/{it}"), Channel::Webhook));
        let department = Address {
            receiver: "department".to_owned(),
            lane: format!("app/ops/party:{PARTY}"),
            channel: Channel::App,
            places: vec![CLERK.to_owned()],
        };
        let pool = Address {
            receiver: "pool".to_owned(),
            lane: "webhook/pool".to_owned(),
            channel: Channel::Webhook,
            places: (0..2).map(pooled).collect(),
        };
        members.chain(others).chain(chats).chain(webhooks).chain([department, pool]).collect()
    }

    /// Accounts, receivers and routes; the label `to` names the receiver of an alert. Faces are those in which a digest
    /// marks its lines as a list.
    pub fn configuration(self, api_url: &str) -> String {
        let mut text = format!(
            "wecom:\n  api_url: {api_url}\n  apps:\n    ops: {{ corp_id: wwsimcorp0000001, agent_id: 1000002, secret: sim-app-secret }}\n    duty: {{ corp_id: wwsimcorp0000001, agent_id: 1000003, secret: sim-second-secret }}\n  webhooks:\n    pool: {{ keys: [ {}, {} ] }}\n",
            pooled(0),
            pooled(1)
        );
        let mut line = |line: String| writeln!(text, "{line}").expect("a String takes everything");
        for name in (0..self.webhooks).map(webhook) {
            line(format!("    {name}: {{ key: {name} }}"));
        }
        line("receivers:".to_owned());
        for (number, address) in self.addresses().iter().enumerate() {
            let name = &address.receiver;
            let target = match (address.channel, name.as_str()) {
                (_, "department") => format!("app: ops, parties: [{PARTY}]"),
                (Channel::App, _) if address.lane.starts_with("app/duty/") => format!("app: duty, users: [{name}]"),
                (Channel::App, _) => format!("app: ops, users: [{name}]"),
                (Channel::Chat, _) => format!("app: ops, chat: {name}"),
                (Channel::Webhook, _) => format!("webhook: {name}"),
            };
            let face = match (address.channel, number % 2) {
                (_, 0) => "text",
                (Channel::Webhook, _) => "markdown_v2",
                _ => "markdown",
            };
            line(format!("  {name}: {{ targets: [ {{ {target}, face: {face} }} ] }}"));
        }
        line("route:\n  receiver: pool\n  routes:".to_owned());
        for Address { receiver, .. } in self.addresses() {
            line(format!("    - {{ matchers: ['to=\"{receiver}\"'], receiver: {receiver} }}"));
        }
        text
    }
}

fn other(number: usize) -> String {
    format!("other{number:03}")
}

fn pooled(number: usize) -> String {
    format!("pooled{number:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_addresses_as_asked_for_and_some_of_every_kind() {
        for targets in [6, 8, 20, 50] {
            let town = Town::of(targets);
            assert_eq!(town.addresses().len(), targets, "{town:?}");
            assert!([town.members, town.others, town.chats, town.webhooks].iter().all(|kind| *kind > 0), "{town:?}");
        }
    }
}
