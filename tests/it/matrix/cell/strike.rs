//! How a message meets its fault.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::fault::{Answer, Fault};
use super::super::place::Stranger;
use super::{Cell, Channel, FIRST, NEXT};
use crate::harness::{PATIENCE, alertmanager};
use crate::programs::until;
use crate::proxy::Plan;
use wegraf::internals::store::State;

impl Channel {
    /// The name in metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Chat => "chat",
            Self::Webhook => "webhook",
            Self::Hook => "hook",
        }
    }

    /// Most messages in a minute besides critical alerts and ends: WeCom's limit less the margin and the reserve
    /// (docs/reference/reliability.md#budgets). `None` where there is no limit.
    const fn room(self) -> Option<usize> {
        match self {
            Self::App => Some(24 - 6),
            Self::Chat => Some(150 - 30),
            Self::Webhook => Some(18 - 5),
            Self::Hook => None,
        }
    }
}

/// The sign that is waited for.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// The record of an accepted message.
    Accepted,
    /// This many connections to the other side.
    Connections(usize),
    /// This many messages on the other side.
    Heard(usize),
}

impl Cell {
    /// The fault is present when the message comes. Returns the message once it was tried.
    pub(super) async fn meet(&mut self) -> i64 {
        self.break_it().await;
        let first = self.post(FIRST).await;
        if !self.fault.strikes_alone() {
            self.post(NEXT).await;
        }
        self.world.delivery(first, |delivery| delivery.row.outcome.is_some()).await;
        self.note_breakers().await;
        if let Fault::Answers(Answer::Late(_), _) = self.fault {
            // No time passes on the gateway's clock, so it does not retry before the late one has arrived.
            self.until(Sign::Heard(2)).await;
        }
        first
    }

    async fn break_it(&mut self) {
        match self.fault {
            Fault::Network(plan) => self.proxy.set(plan).await,
            Fault::Answers(answer, times) => self.answer(answer, json!(times), Some(times)).await,
            Fault::Lasting(answer) => self.answer(answer, json!("forever"), None).await,
            Fault::Tokens(answer, times) => {
                let matches = json!({ "path": "gettoken" });
                self.world.fault(json!({ "match": matches, "times": times, "action": answer.action() })).await;
            }
            Fault::Uploads(answer) => {
                // The picture follows its message.
                let uploaded = async || (self.world.requests("media/upload").await.len() == 1).then_some(());
                until("the first one had its picture", uploaded).await;
                let matches = json!({ "path": "media/upload" });
                self.world.fault(json!({ "match": matches, "times": "forever", "action": answer.action() })).await;
            }
            Fault::Killed(code) => {
                self.world.control("POST", "tokens/expire", json!({ "variant": code })).await;
            }
            Fault::Elsewhere(place) => {
                self.stranger = Some(Stranger::start(place).await);
                self.configure();
                self.world.app().reload();
            }
            Fault::Repetition(reply) => {
                self.world.control("PUT", "switches", json!({ "duplicate_reply": reply })).await;
                self.answer(Answer::ResetAfter, json!(1), Some(1)).await;
            }
            Fault::Ghost | Fault::Full | Fault::Kill { .. } => {}
        }
    }

    async fn answer(&self, answer: Answer, times: Value, count: Option<u32>) {
        if self.channel == Channel::Hook {
            self.ear.answer(answer, count);
        } else {
            let matches = self.channel.call();
            self.world.fault(json!({ "match": matches, "times": times, "action": answer.action() })).await;
        }
    }

    /// Sends as much as is permitted in a minute; the message comes then.
    pub(super) async fn spend(&mut self) -> i64 {
        let room = self.channel.room().expect("the channel has a limit");
        // One was sent already, to get a token.
        for number in 1..room {
            let message = self.post(&format!("先到的 {number}")).await;
            self.world.delivery(message, |delivery| delivery.row.state == State::Sent).await;
        }
        self.post(FIRST).await
    }

    /// Kills the gateway while it sends, and starts another one on its store.
    pub(super) async fn kill(&mut self, taken: bool) -> i64 {
        self.say("热身").await;
        // Otherwise it would be retried, and mistaken for the message.
        self.until(Sign::Accepted).await;
        self.proxy.set(if taken { Plan::Mute } else { Plan::BlackHole }).await;
        let before = self.proxy.connections();
        self.say(FIRST).await;
        self.say(NEXT).await;
        // It connects only after the claim, whose attempt is on disk by then.
        self.until(Sign::Connections(before + 1)).await;
        if taken {
            self.until(Sign::Heard(2)).await;
        }
        self.process.take().expect("it runs").kill().await;
        self.proxy.set(Plan::Pass).await;
        // At the real time: the dead one used the machine's clock.
        self.world.stand_still();
        self.world.start().await;
        let rows = self.rows().await;
        rows.iter().find(|row| row.name == FIRST).expect("it is in the outbox").message
    }

    async fn say(&self, name: &str) {
        self.world.accept("/webhook", alertmanager(name, &[("db-1", "firing")])).await;
    }

    async fn until(&self, sign: Sign) {
        let begun = Instant::now();
        while !self.shows(sign).await {
            assert!(begun.elapsed() < PATIENCE, "{:?} on {:?}: there is no {sign:?}", self.fault, self.channel);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn shows(&self, sign: Sign) -> bool {
        match sign {
            Sign::Accepted => {
                let channel = self.channel.name();
                let name = format!("wegraf_attempts_total{{channel=\"{channel}\",outcome=\"accepted\"}}");
                self.world.metric(&name).await >= 1.0
            }
            Sign::Connections(count) => self.proxy.connections() >= count,
            Sign::Heard(count) => self.texts().await.len() >= count,
        }
    }
}
