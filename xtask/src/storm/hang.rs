//! Intake while WeCom answers and while it hangs: in turn, on one gateway, in one run.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::group::{Group, Round};
use super::load::{Taken, quantile};
use super::stage::Stage;
use crate::ledger::record::Database;

/// How long each kind is measured in one round.
const ROUND: Duration = Duration::from_secs(10);
/// Before WeCom's answers are measured: the deadline of the sends that hang, and the probe of a breaker after it.
const RECOVERY: Duration = Duration::from_secs(16);
/// Between two notifications: far from what intake can take, so that waiting is not what is measured.
const PAUSE: Duration = Duration::from_millis(20);
/// Alerts of one notification.
const ALERTS: usize = 3;
/// Groups, in turn: five rounds of 36 s (recovery, answers, hang) post 9,000 notifications, so that in up to five
/// rounds each one begins a group and is news.
const GROUPS: usize = 9_000;

/// How long each notification took, in milliseconds, sorted.
#[derive(Debug, Default)]
pub struct Intake {
    /// While WeCom answered.
    pub answers: Vec<f64>,
    /// While it hung.
    pub hangs: Vec<f64>,
    /// Notifications that were refused, and why.
    pub refused: Vec<String>,
}

impl Intake {
    /// How many times as long the slowest of a hundred notifications takes while WeCom hangs.
    pub fn ratio(&self) -> f64 {
        quantile(&self.hangs, 0.99) / quantile(&self.answers, 0.99)
    }
}

/// Measures `rounds` of each kind, in turn.
pub async fn measure(
    program: &Path,
    folder: &Path,
    database: &Database,
    targets: usize,
    rounds: usize,
) -> anyhow::Result<Intake> {
    let stage = Stage::start(program, folder, database, targets).await?;
    let receivers: Arc<[String]> = stage.receivers().into();
    let (mut intake, mut next) = (Intake::default(), 0);
    for _ in 0..rounds {
        stage.control("DELETE", "faults", &json!({})).await?;
        steadily(stage.address, &receivers, RECOVERY, &mut next).await;
        let answers = steadily(stage.address, &receivers, ROUND, &mut next).await;
        let hang = json!({ "match": { "path": "/send" }, "times": "forever", "action": "hang" });
        stage.control("POST", "faults", &hang).await?;
        let hangs = steadily(stage.address, &receivers, ROUND, &mut next).await;
        intake.answers.extend(answers.millis);
        intake.hangs.extend(hangs.millis);
        intake.refused.extend(answers.refused.into_iter().chain(hangs.refused));
    }
    intake.answers.sort_by(f64::total_cmp);
    intake.hangs.sort_by(f64::total_cmp);
    stage.end().await?;
    Ok(intake)
}

/// Posts a notification every [`PAUSE`], also while earlier ones wait for their answer: slow answers do not lower the
/// load.
async fn steadily(to: SocketAddr, receivers: &Arc<[String]>, time: Duration, next: &mut usize) -> Taken {
    let (begun, mut ticks, mut requests) = (Instant::now(), tokio::time::interval(PAUSE), JoinSet::new());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while begun.elapsed() < time {
        ticks.tick().await;
        let (number, receivers) = (*next, receivers.clone());
        *next += 1;
        requests.spawn(async move {
            let mut taken = Taken::default();
            let group = Group { number: number % GROUPS, size: ALERTS, critical: false };
            let round = if number / GROUPS == 0 { Round::Begin } else { Round::HalfEnds };
            let (text, news) = group.notification(round, &receivers[number % receivers.len()]);
            taken.post(to, &text, news).await;
            taken
        });
    }
    let mut all = Taken::default();
    while let Some(taken) = requests.join_next().await {
        let taken = taken.expect("a request does not panic");
        all.millis.extend(taken.millis);
        all.refused.extend(taken.refused);
    }
    all
}
