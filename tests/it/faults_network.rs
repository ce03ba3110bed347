//! Network faults between wegraf and WeCom, on every channel: nothing is lost, an app never shows a copy, a chat or a
//! webhook at most one for each send with an unknown result.

use std::time::{Duration, Instant};

use wecom_simulator::Setup;
use wegraf::internals::store::State;

use crate::harness::{EVERY_CHANNEL, PATIENCE, World, alertmanager};
use crate::proxy::{By, Of, Plan, Proxy};

/// An app, a chat, a webhook: in the order of the targets of receiver `all`.
const INBOXES: [&str; 3] = ["user=daixuan", "chat=AITest", "webhook=sim-ops-group"];

/// A gateway that reaches WeCom through a proxy, and has its token already.
async fn through_a_proxy() -> (World, Proxy) {
    let mut world = World::idle(Setup::demo(), EVERY_CHANNEL).await;
    world.stand_still();
    let upstream = world.simulator.url().trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::start(upstream).await;
    let text = world.config_text("127.0.0.1:0", EVERY_CHANNEL);
    world.write("wegraf.yaml", &text.replace(&world.simulator.url(), &proxy.url()));
    world.start().await;
    world.accept("/webhook", alertmanager("先来", &[("db-0", "firing")])).await;
    for inbox in INBOXES {
        world.arrived(inbox, 1).await;
    }
    world.settled().await;
    (world, proxy)
}

/// Posts an alert, waits until all three sends have met the fault, repairs the network and waits until all is told.
/// Returns the class of the first attempt and the copies that arrived, by channel.
async fn meets(world: &World, proxy: &mut Proxy, plan: Plan, name: &str) -> Vec<(String, usize)> {
    proxy.set(plan).await;
    let before = world.deliveries().await.len();
    world.accept("/webhook", alertmanager(name, &[("db-1", "firing")])).await;
    let rows = world.deliveries().await.split_off(before);
    assert_eq!(rows.len(), 3);
    for row in &rows {
        world.delivery(row.message, |delivery| delivery.row.outcome.is_some()).await;
    }
    proxy.set(Plan::Pass).await;
    world.pass(Duration::from_mins(2));
    // Three consecutive calls without an answer are an outage: the host is probed before it gets a message again.
    let begun = Instant::now();
    while !world.app().store().breakers().await.unwrap().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "it is not noticed that the host answers again");
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.pass(Duration::from_secs(1));
    }
    world.pass(Duration::from_secs(2));
    world.settled().await;
    let mut seen = Vec::new();
    for (row, inbox) in rows.iter().zip(INBOXES) {
        let delivery = world.delivery(row.message, |delivery| delivery.row.state == State::Sent).await;
        let first = delivery.attempts[0].outcome.clone().expect("the first attempt has an outcome");
        let copies =
            world.inbox(inbox).await.iter().filter(|message| message["content"].to_string().contains(name)).count();
        seen.push((first, copies));
    }
    seen
}

/// The same class on every channel, and the copies in app, chat and webhook.
fn all(class: &str, copies: [usize; 3]) -> Vec<(String, usize)> {
    copies.into_iter().map(|copies| (class.to_owned(), copies)).collect()
}

#[tokio::test]
async fn while_the_host_is_unreachable_a_message_waits_and_then_arrives_once() {
    let (world, mut proxy) = through_a_proxy().await;
    assert_eq!(meets(&world, &mut proxy, Plan::Refuse, "连不上").await, all("not_sent", [1, 1, 1]));
}

#[tokio::test]
async fn a_request_that_is_cut_anywhere_arrives_once_in_the_end() {
    let (world, mut proxy) = through_a_proxy().await;
    // Nothing, within the request line, within the headers, within the body (all bodies are longer).
    for after in [0, 10, 120, 400] {
        for by in [By::Close, By::Reset] {
            let plan = Plan::Cut { of: Of::Request, after, by };
            let seen = meets(&world, &mut proxy, plan, &format!("请求断在{after}{by:?}")).await;
            assert_eq!(seen, all("unsure", [1, 1, 1]), "{plan:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_anywhere_leaves_one_message_in_an_app_and_at_most_one_copy_elsewhere() {
    let (world, mut proxy) = through_a_proxy().await;
    // Nothing, within the status line, within the headers, within the body (which begins before byte 130).
    for (after, by) in [(0, By::Reset), (9, By::Close), (60, By::Reset), (60, By::Close), (130, By::Close)] {
        let plan = Plan::Cut { of: Of::Answer, after, by };
        let seen = meets(&world, &mut proxy, plan, &format!("答复断在{after}{by:?}")).await;
        assert_eq!(seen, all("unsure", [1, 2, 2]), "{plan:?}");
    }
}

#[tokio::test]
async fn a_black_hole_costs_its_deadline_and_then_everything_arrives_once() {
    let (world, mut proxy) = through_a_proxy().await;
    let before = proxy.connections();
    assert_eq!(meets(&world, &mut proxy, Plan::BlackHole, "黑洞").await, all("unsure", [1, 1, 1]));
    assert!(proxy.connections() > before, "it was tried on connections of its own");
}

#[tokio::test]
async fn a_slow_network_only_delays() {
    let (world, mut proxy) = through_a_proxy().await;
    let seen = meets(&world, &mut proxy, Plan::Delay(Duration::from_millis(500)), "很慢").await;
    assert_eq!(seen, all("accepted", [1, 1, 1]));
}
