//! What a press needs: a gateway with an app that is called back and a bot that is connected, a simulator that plays
//! WeCom and the people in it, and an upstream that makes silences.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use wecom_simulator::{Setup, Simulator};

use super::upstream::Upstream;
use crate::bench::process::Server;
use crate::gateway::free;
use crate::http;
use crate::ledger::record::Database;

/// Who presses, and who else has the card.
pub const PRESSES: &str = "zhangsan";
pub const WATCHES: &str = "lisi";
/// The conversation of the bot, as the simulator's inbox knows it.
const CONVERSATION: &str = "bot=sim-bot/zhangsan";
/// What both sides of the callback know; page 90238 wants so many characters.
const TOKEN: &str = "simtoken01";
const AES_KEY: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcdefg";
/// Until something must have happened.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks. Times are taken by the simulator, so that this only bounds how much looking costs.
const LOOK: Duration = Duration::from_millis(3);

/// Connections that may wait for the simulator.
const QUEUE: u32 = 1024;

/// By which way a card goes out and its presses come back. Each has a receiver of its name.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    App,
    Bot,
    /// The app once more, for a card of its own.
    Crowd,
}

impl Way {
    /// The receiver, and what its alert is called.
    const fn name(self) -> &'static str {
        match self {
            Self::App => "by-app",
            Self::Bot => "by-bot",
            Self::Crowd => "by-crowd",
        }
    }

    /// What the simulator calls the change of the card that a press brings about.
    pub const fn change(self) -> &'static str {
        match self {
            Self::App | Self::Crowd => "message/update_template_card",
            Self::Bot => "aibot_respond_update_msg",
        }
    }
}

/// All of it, running.
pub struct Stage {
    /// The program under measurement.
    pub gateway: Server,
    _wecom: Simulator,
    simulator: SocketAddr,
    /// Where silences are made.
    pub upstream: Upstream,
}

impl Stage {
    /// Starts everything on an empty database, and waits until WeCom has checked the callback and the bot is there.
    pub async fn set(binary: &Path, folder: &Path, database: &Database) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        // All presses at once: what the queue does not hold would come a second later.
        let listener = socket.listen(QUEUE)?;
        let simulator = listener.local_addr()?;
        let wecom = Simulator::start(listener, Setup::demo()).await;
        let upstream = Upstream::start().await?;
        let address = free()?;
        let file = folder.join(format!("{}.yaml", address.port()));
        std::fs::write(&file, configuration(address, database, simulator, upstream.address))?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("-c").arg(&file);
        let gateway = Server::start(command, address, "/readyz").await?;
        let stage = Self { gateway, _wecom: wecom, simulator, upstream };
        stage.connect().await?;
        Ok(stage)
    }

    async fn connect(&self) -> anyhow::Result<()> {
        let url = format!("http://{}/wecom/callback/ops", self.gateway.address);
        let server = json!({ "url": url, "token": TOKEN, "encoding_aes_key": AES_KEY });
        let checked = self
            .control("POST", "callbacks/verify", json!({ "agent_id": 1_000_002, "callback_server": server }))
            .await?;
        ensure!(checked["ok"] == true, "the callback was not taken: {checked}");
        until("the bot is connected", async || {
            let bots = self.control("GET", "bots", Value::Null).await?;
            Ok((!bots["bots"][0]["live"].is_null()).then_some(()))
        })
        .await?;
        self.control("POST", "bots/activate", json!({ "bot": "sim-bot", "chat": PRESSES })).await?;
        Ok(())
    }

    /// Brings a new alert by `way`; the number of its card, once that can be pressed.
    pub async fn card(&self, way: Way) -> anyhow::Result<u64> {
        let path = format!("/webhook/{}", way.name());
        http::control(self.gateway.address, "POST", &path, &alert(way.name())).await?;
        until("a card arrives", async || {
            let messages = self.inbox(way, PRESSES).await?;
            let card =
                messages.as_array().into_iter().flatten().find(|message| message.to_string().contains(way.name()));
            let Some(card) = card else { return Ok(None) };
            ensure!(card["content"]["card_type"] == "button_interaction", "it has no buttons: {card}");
            card["id"].as_u64().context("a message without an id").map(Some)
        })
        .await
    }

    /// The newest messages of `user` by `way`, as that person sees them.
    pub async fn inbox(&self, way: Way, user: &str) -> anyhow::Result<Value> {
        let whose = match way {
            Way::App | Way::Crowd => format!("user={user}"),
            Way::Bot => CONVERSATION.to_owned(),
        };
        Ok(self.control("GET", &format!("messages?{whose}"), Value::Null).await?["messages"].take())
    }

    /// Presses a button; the number of the click. Also where the card shows no buttons any more: another one may be
    /// quicker than its change.
    pub async fn press(&self, card: u64, key: &str) -> anyhow::Result<u64> {
        let press = json!({ "message": card, "user": PRESSES, "key": key, "anyway": true });
        let click = self.control("POST", "clicks", press).await?;
        ensure!(click["delivered"] == true, "the press was not delivered: {click}");
        click["id"].as_u64().context("a click without a number")
    }

    /// A click, once it was answered in these ways.
    pub async fn answered(&self, click: u64, hows: &[&str]) -> anyhow::Result<Value> {
        until(&format!("press {click} is answered by {hows:?}"), async || {
            let mut clicks = self.control("GET", &format!("clicks?id={click}"), Value::Null).await?;
            let click = clicks["clicks"][0].take();
            Ok(hows.iter().all(|how| answer(&click, how).is_some()).then_some(click))
        })
        .await
    }

    /// All clicks of a card.
    pub async fn clicks(&self, card: u64) -> anyhow::Result<Vec<Value>> {
        let mut clicks = self.control("GET", &format!("clicks?message={card}"), Value::Null).await?;
        match clicks["clicks"].take() {
            Value::Array(clicks) => Ok(clicks),
            other => anyhow::bail!("the simulator lists no clicks: {other}"),
        }
    }

    async fn control(&self, method: &str, path: &str, body: Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = http::control(self.simulator, method, &format!("/_simulator/{path}"), &body).await?;
        Ok(serde_json::from_str(&answer)?)
    }
}

/// The answer to a click of this kind; one that was refused is none.
pub fn answer<'a>(click: &'a Value, how: &str) -> Option<&'a Value> {
    click["answers"].as_array()?.iter().find(|answer| answer["how"] == how && answer["errcode"] == 0)
}

/// Looks until there is something.
pub async fn until<T>(what: &str, look: impl AsyncFn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

fn configuration(listen: SocketAddr, database: &Database, wecom: SocketAddr, upstream: SocketAddr) -> String {
    let card = format!("{{ app: ops, users: [{PRESSES}, {WATCHES}], face: card }}");
    format!(
        "listen: {listen}
database: {}
upstreams: {{ am: {{ kind: alertmanager, url: 'http://{upstream}' }} }}
wecom:
  api_url: http://{wecom}
  bot_url: ws://{wecom}/ws
  apps:
    ops:
      corp_id: wwsimcorp0000001
      agent_id: 1000002
      secret: sim-app-secret
      callback: {{ token: {TOKEN}, encoding_aes_key: {AES_KEY} }}
  bots: {{ duty: {{ bot_id: sim-bot, secret: sim-bot-secret }} }}
receivers:
  by-app: {{ targets: [ {card} ] }}
  by-bot: {{ targets: [ {{ bot: duty, chat: {PRESSES}, face: card }} ] }}
  by-crowd: {{ targets: [ {card} ] }}
route: {{ receiver: by-app }}
",
        database.line()
    )
}

/// A new alert as an Alertmanager tells it; `name` tells one card from another.
fn alert(name: &str) -> String {
    json!({
        "version": "4", "receiver": "wegraf", "status": "firing", "groupLabels": { "alertname": name },
        "commonLabels": { "alertname": name }, "commonAnnotations": {}, "truncatedAlerts": 0,
        "externalURL": "http://alertmanager.example.com", "groupKey": format!("{{}}:{{alertname=\"{name}\"}}"),
        "alerts": [{
            "status": "firing", "labels": { "alertname": name, "instance": "db-1", "severity": "warning" },
            "annotations": { "summary": "/var 已用 96.2%" }, "startsAt": "2026-11-22T06:02:00Z",
            "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        }],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_no_answer() {
        let click = json!({ "answers": [{ "how": "callback", "errcode": 1 }, { "how": "other", "errcode": 0 }] });
        assert!(answer(&click, "callback").is_none());
        assert!(answer(&click, "other").is_some());
    }
}
