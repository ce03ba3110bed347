//! A person at the phone page in a real browser: chooses, presses, writes, and sees what comes of it.

use std::path::Path;

use serde_json::{Value, json};
use wecom_simulator::Setup;

use crate::browser::Browser;
use crate::harness::World;
use crate::programs::until;

/// A bot on the simulator's socket that says what it is told to and answers each click.
const BOT: &str = r"
window.bot = new WebSocket(location.origin.replace('http', 'ws') + '/ws');
window.tell = (cmd, body, req_id = cmd) => bot.send(JSON.stringify({ cmd, headers: { req_id }, body }));
window.card = (task_id, label) => ({
  card_type: 'button_interaction', task_id, source: { desc: 'Grafana · 生产', desc_color: 2 },
  main_title: { title: '【告警】磁盘将满', desc: 'db-1 · /var' }, sub_title_text: '/var 已用 97 %，一小时内写满',
  horizontal_content_list: [{ keyname: '级别', value: 'critical' }, { keyname: '集群', value: 'sh-1' }],
  action_menu: { desc: '更多', action_list: [{ text: '撤销认领', key: 'undo' }, { text: '不再提醒', key: 'mute' }] },
  button_selection: { question_key: 'dur', title: '静默时长', option_list: [{ id: '1h', text: '1 小时' }, { id: '4h', text: '4 小时' }] },
  button_list: [{ text: '认领', style: 1, key: 'ack' }, { text: '静默', style: 2, key: 'silence' }],
  ...(label && { replace_text: label }),
});
bot.onmessage = ({ data }) => {
  const { cmd, headers, body } = JSON.parse(data);
  const event = body?.event;
  if (cmd === 'aibot_msg_callback') {
    const content = '**现在 2 条告警**\n\n| 告警 | 主机 |\n|---|---|\n| 磁盘将满 | db-1 |\n| 延迟高 | pay-2 |';
    tell('aibot_respond_msg', { msgtype: 'stream', stream: { id: headers.req_id, finish: true, content } }, headers.req_id);
    tell('aibot_send_msg', { chatid: body.chatid ?? body.from.userid, msgtype: 'template_card', template_card: card(body.msgid) });
  } else if (event?.eventtype === 'template_card_event') {
    const { task_id, event_key, selected_items } = event.template_card_event;
    const chosen = selected_items?.selected_item[0].option_ids.option_id.join() ?? '';
    const template_card = card(task_id, `${body.from.userid} ${event_key} ${chosen}`);
    tell('aibot_respond_update_msg', { response_type: 'update_template_card', template_card }, headers.req_id);
  } else if (event?.eventtype === 'enter_chat') {
    tell('aibot_respond_welcome_msg', { msgtype: 'text', text: { content: '你好，我是值班机器人' } }, headers.req_id);
  }
};
new Promise((resolve) => { bot.onopen = () => { tell('aibot_subscribe', { bot_id: 'sim-bot', secret: 'sim-bot-secret' }); resolve(true); }; })
";

/// Types into the composer and sends.
async fn write(browser: &mut Browser, words: &str) {
    let script = format!("$('words').value = {words:?}; $('composer').requestSubmit()");
    browser.evaluate(&script).await;
}

async fn pictured(browser: &mut Browser, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/phone");
    for (width, height) in [(1280, 900), (375, 812)] {
        browser.resize(width, height).await;
        browser.evaluate("$('messages').scrollTop = $('messages').scrollHeight").await;
        browser.screenshot(&folder.join(format!("{name}-{width}.png"))).await;
    }
    let wider = browser.evaluate("document.documentElement.scrollWidth - innerWidth").await;
    assert!(wider.as_i64().unwrap() <= 0, "{name} must not scroll sideways on a phone: {wider}");
}

fn shows(words: &str) -> String {
    format!("$('messages').innerText.includes({words:?})")
}

#[tokio::test]
async fn a_person_writes_to_the_bot_chooses_and_presses_alone_and_in_a_group() {
    let world = World::idle(Setup::demo(), "").await;
    let Some(mut browser) = Browser::open(375, 812, &[]).await else { return };
    world.control("PUT", "switches", json!({ "bot_cards_in_groups": true })).await;
    browser.visit(&format!("{}/#bot/sim-bot/lisi", world.simulator.url())).await;
    browser.evaluate(BOT).await;
    browser.until("$('live').classList.contains('on')").await;
    browser.evaluate("$('enter').click()").await;
    browser.until(&shows("你好，我是值班机器人")).await;
    write(&mut browser, "现在有什么告警").await;
    browser.until("document.querySelector('.template select') !== null").await;
    pictured(&mut browser, "bot-asked").await;
    browser.evaluate("document.querySelector('.dots summary').click()").await;
    pictured(&mut browser, "bot-menu").await;
    let choose = "const chosen = document.querySelector('.template select'); chosen.value = '4h'; \
                  chosen.dispatchEvent(new Event('change')); document.querySelector('.button.red').click()";
    browser.evaluate(choose).await;
    browser.until(&shows("lisi silence 4h")).await;
    assert_eq!(browser.evaluate("document.querySelector('.template select').disabled").await, true);
    pictured(&mut browser, "bot-pressed").await;
    browser.evaluate("document.querySelector('.entries button').click()").await;
    browser.until(&shows("lisi undo")).await;

    browser.evaluate("location.hash = '#bot/sim-bot/wrSimDutyGroup'").await;
    browser.until("$('as').options.length === 3 && $('as').value === 'daixuan'").await;
    browser.evaluate("$('as').value = 'zhangsan'; $('as').dispatchEvent(new Event('change'))").await;
    write(&mut browser, "谁在值班").await;
    browser.until("document.querySelector('.template .button.blue:enabled') !== null").await;
    assert_eq!(browser.evaluate(&shows("@值班机器人 谁在值班")).await, true);
    browser.evaluate("document.querySelector('.button.blue').click()").await;
    browser.until(&shows("zhangsan ack 1h")).await;
    pictured(&mut browser, "bot-group").await;
    let clicks = world.control("GET", "clicks", Value::Null).await["clicks"].clone();
    let pressed: Vec<_> = clicks.as_array().unwrap().iter().map(|click| (&click["user"], &click["key"])).collect();
    let expected = [("lisi", "silence"), ("lisi", "undo"), ("zhangsan", "ack")].map(|(a, b)| (json!(a), json!(b)));
    assert_eq!(pressed, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}

#[tokio::test]
async fn a_person_presses_an_apps_card_which_then_shows_who_has_it_or_that_it_was_recalled() {
    let world = World::idle(Setup::demo(), "").await;
    let Some(mut browser) = Browser::open(375, 812, &[]).await else { return };
    let api = async |path: &str, body: Value| -> Value {
        let url = format!("{}/cgi-bin/{path}", world.simulator.url());
        world.http.post(url).json(&body).send().await.unwrap().json().await.unwrap()
    };
    let token = api("gettoken?corpid=wwsimcorp0000001&corpsecret=sim-app-secret", Value::Null).await;
    let token = token["access_token"].as_str().unwrap();
    let vote = json!({
        "card_type": "vote_interaction", "task_id": "v1", "main_title": { "title": "今晚谁值守？" },
        "checkbox": { "question_key": "who", "mode": 1, "option_list": [
            { "id": "zhang", "text": "张三", "is_checked": true }, { "id": "li", "text": "李四" },
        ] },
        "submit_button": { "text": "提交", "key": "go" },
    });
    let message =
        json!({ "touser": "daixuan|lisi", "msgtype": "template_card", "agentid": 1_000_002, "template_card": vote });
    let sent = api(&format!("message/send?access_token={token}"), message).await;
    browser.visit(&format!("{}/#user/daixuan", world.simulator.url())).await;
    browser.until("$('live').classList.contains('on')").await;
    write(&mut browser, "谁在值班").await;
    browser.until("document.querySelector('.message.mine') !== null").await;
    browser.evaluate("document.querySelectorAll('.choice input')[1].click()").await;
    browser.evaluate("document.querySelector('.button').click()").await;
    // The demo's app has no server; the page says so, and the click is there all the same.
    browser.until("!$('toast').hidden").await;
    // What was written has brought that notice up, too: the click may still be on its way.
    let click = until("the click", async || {
        let clicks = world.control("GET", "clicks", Value::Null).await;
        clicks["clicks"].get(0).cloned()
    })
    .await;
    assert_eq!((&click["user"], &click["selected"]), (&json!("daixuan"), &json!({ "who": ["zhang", "li"] })));
    pictured(&mut browser, "app-asked").await;
    let update = json!({
        "atall": 1, "agentid": 1_000_002, "response_code": click["response_code"],
        "button": { "replace_name": "戴轩 已提交" },
    });
    api(&format!("message/update_template_card?access_token={token}"), update).await;
    browser.until(&shows("戴轩 已提交")).await;
    pictured(&mut browser, "app-pressed").await;
    api(&format!("message/recall?access_token={token}"), json!({ "msgid": sent["msgid"] })).await;
    browser.until(&shows("撤回了一条消息")).await;
    assert!(browser.complaints.is_empty(), "{:#?}", browser.complaints);
}
