//! Two replicas on one PostgreSQL share one bot: the one that has its socket is killed, paused and stopped, while people
//! press. `WEGRAF_BOT_ROUNDS` sets how often (default 1: each of the three once; one takes half a minute).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::gateway::free;
use xtask::ledger::record::Database;

use crate::bots::{PERSON, activate, bot, said, switches, told, with_bot};
use crate::harness::{World, alertmanager};
use crate::process::Wegraf;
use crate::programs::until;
use crate::replicas::database;

/// Longest time without a socket after its holder is gone.
const RECONNECT: Duration = Duration::from_secs(10);
/// How long nothing may happen after a paused one is awake.
const QUIET: Duration = Duration::from_secs(3);
/// Presses while no socket is connected.
const PRESSES: usize = 3;

const OPS: &str =
    "receivers: { ops: { targets: [ { bot: duty, chat: zhangsan, face: card } ] } }\nroute: { receiver: ops }\n";

fn count(bot: &Value, name: &str) -> i64 {
    bot[name].as_i64().unwrap()
}

/// Two gateways, where they listen, and how often each was connected.
struct Pair {
    world: World,
    replicas: Vec<(Wegraf, SocketAddr)>,
}

impl Pair {
    async fn start(mut world: World) -> Self {
        let mut replicas = Vec::new();
        for _ in 0..2 {
            let address = free().unwrap();
            replicas.push((Wegraf::serve_at(&mut world, address).await, address));
        }
        Self { world, replicas }
    }

    /// The one that was connected last: by its log.
    async fn holder(&self, connections: i64) -> usize {
        until("one of them is connected", async || {
            let bot = bot(&self.world).await;
            (!bot["live"].is_null() && count(&bot, "subscribes") >= connections).then_some(())
        })
        .await;
        until("it knows that it is", async || {
            let last = |log: String| {
                let lines = log.lines().filter(|line| line.contains("The bot is connected."));
                lines
                    .filter_map(|line| {
                        serde_json::from_str::<Value>(line).ok()?["timestamp"].as_str().map(str::to_owned)
                    })
                    .next_back()
            };
            let lasts: Vec<_> = self.replicas.iter().map(|(wegraf, _)| last(wegraf.log())).collect();
            let all = self
                .replicas
                .iter()
                .map(|(wegraf, _)| wegraf.log().matches("The bot is connected.").count())
                .sum::<usize>();
            (all > 0).then(|| usize::from(lasts[1] > lasts[0]))
        })
        .await
    }

    /// Waits for another connection than `former`; how long it took.
    async fn reconnected(&self, former: &Value, since: Instant) -> Duration {
        loop {
            let live = bot(&self.world).await["live"]["connection"].clone();
            if !live.is_null() && live != former["connection"] {
                return since.elapsed();
            }
            assert!(since.elapsed() < RECONNECT, "no replica holds the socket after {:?}", since.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Presses the first button that the card has now, several times.
    async fn press(&self) {
        for _ in 0..PRESSES {
            until("the card can be pressed", async || self.press_once().await.then_some(())).await;
        }
    }

    /// False if the card has changed in the meantime.
    async fn press_once(&self) -> bool {
        let World { simulator, http, .. } = &self.world;
        let card = said(&self.world, &format!("user=zhangsan&{PERSON}")).await.remove(0);
        let key = &card["content"]["button_list"][0]["key"];
        let press = json!({ "message": card["id"], "user": "zhangsan", "key": key, "anyway": true });
        let answer = http.post(format!("{}/_simulator/clicks", simulator.url())).json(&press).send().await.unwrap();
        answer.status().is_success()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_goes_from_hand_to_hand_and_no_press_is_lost() {
    let Some((_server, database)) = database() else { return };
    let rounds: usize =
        std::env::var_os("WEGRAF_BOT_ROUNDS").map_or(1, |rounds| rounds.to_str().unwrap().parse().unwrap());
    let world = crate::bots::idle(OPS).await;
    let text = with_bot(&world, "127.0.0.1:0", "sim-bot-secret", OPS).replace("sqlite:wegraf.db", &database);
    world.write("wegraf.yaml", &text);
    switches(&world, json!({ "bot_events_wait_ms": 600_000, "enforce_rate": false })).await;
    activate(&world, "zhangsan", true).await;
    let mut pair = Pair::start(world).await;
    let record = Database::Postgres(database);
    let acts = || record.count("act").unwrap();
    pair.world.accept("/webhook", alertmanager("磁盘将满", &[("db-1", "firing")])).await;
    told(&pair.world, PERSON, 1).await;
    let mut pressed = 0;
    let mut paused = 0;
    let mut slowest = Duration::ZERO;
    for round in 0..rounds * 3 {
        let before = bot(&pair.world).await;
        let holder = pair.holder(count(&before, "subscribes")).await;
        let begun = Instant::now();
        let signal = ["KILL", "STOP", "TERM"][round % 3];
        pair.replicas[holder].0.signal(signal).await;
        if signal != "STOP" {
            pair.replicas[holder].0.ended().await;
        }
        pair.press().await;
        pressed += PRESSES;
        slowest = slowest.max(pair.reconnected(&before["live"], begun).await);
        pair.press().await;
        pressed += PRESSES;
        if signal == "STOP" {
            paused += 1;
            let former = bot(&pair.world).await;
            pair.replicas[holder].0.signal("CONT").await;
            tokio::time::sleep(QUIET).await;
            let later = bot(&pair.world).await;
            assert_eq!(later["live"], former["live"], "the one that was paused came back");
        } else {
            let address = pair.replicas[holder].1;
            pair.replicas[holder].0 = Wegraf::serve_at(&mut pair.world, address).await;
        }
        until(&format!("all presses up to {signal} are acts"), async || (acts() == pressed).then_some(())).await;
        assert_eq!(count(&bot(&pair.world).await, "evictions"), paused, "{signal}: two sockets at once");
    }
    tokio::time::sleep(QUIET).await;
    assert_eq!(acts(), pressed, "one act for each press");
    println!("{} rounds, {pressed} presses, the longest time without a socket was {slowest:?}", rounds * 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_lease_that_they_share_they_evict_each_other() {
    let (Some((_one, first)), Some((_two, second))) = (database(), database()) else { return };
    let mut world = crate::bots::idle(OPS).await;
    let mut apart = Vec::new();
    for database in [first, second] {
        let text = with_bot(&world, "127.0.0.1:0", "sim-bot-secret", OPS).replace("sqlite:wegraf.db", &database);
        world.write("wegraf.yaml", &text);
        apart.push(Wegraf::serve_at(&mut world, free().unwrap()).await);
    }
    until("one evicts the other", async || (count(&bot(&world).await, "evictions") > 0).then_some(())).await;
}
