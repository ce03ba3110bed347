// The official SDK of the bot's socket. Usage: with_aibot_node.cjs SIMULATOR PACKAGES
// People speak and click through the simulator's control API; what the SDK makes of it is printed.

const { createRequire } = require("node:module");

const [simulator, packages] = process.argv.slice(2);
const { WSClient } = createRequire(`${packages}/`)("@wecom/aibot-node-sdk");
const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function control(path, body) {
  const options = body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(`${simulator}/_simulator/${path}`, options);
  const read = await answer.json();
  if (!answer.ok) throw new Error(`${path}: ${read.error}`);
  return read;
}

/** The next event of that name; it may wait for ever, since the test ends a script that is late. */
const next = (client, name) => new Promise((resolve) => client.once(name, resolve));

/** What a call is refused with. */
const errcode = (call) => call.then(() => 0, (frame) => frame.errcode);

function client(secret = "sim-bot-secret") {
  return new WSClient({
    botId: "sim-bot", secret, wsUrl: `${simulator.replace("http", "ws")}/ws`, logger: silent,
    heartbeatInterval: 300, reconnectInterval: 1, maxAuthFailureAttempts: 1,
  });
}

async function connected() {
  const one = client();
  const authenticated = next(one, "authenticated");
  one.connect();
  await authenticated;
  return one;
}

const card = (label) => ({
  card_type: "button_interaction", task_id: "node1", main_title: { title: "磁盘将满", desc: "db-1" },
  button_selection: { question_key: "dur", title: "时长", option_list: [{ id: "1h", text: "1 小时" }, { id: "4h", text: "4 小时" }] },
  button_list: [{ text: "认领", style: 1, key: "ack" }],
  ...(label && { replace_text: label }),
});

async function main() {
  const said = {};
  const stranger = client("wrong");
  const exhausted = new Promise((resolve) => stranger.on("error", (error) => error.code && resolve(error.code)));
  stranger.connect();
  said.stranger = await exhausted;
  stranger.disconnect();

  const bot = await connected();
  said.before_a_word = await errcode(bot.sendMessage("lisi", { msgtype: "markdown", markdown: { content: "x" } }));

  const asked = next(bot, "message.text");
  await control("says", { bot: "sim-bot", user: "lisi", text: "状态" });
  const question = await asked;
  said.text = question.body.text.content;
  said.streamed = await errcode(bot.replyStream(question, "stream1", "一", false));
  said.streamed_on = await errcode(bot.replyStream(question, "stream1", "一 **二**", true));

  said.markdown = await errcode(bot.sendMessage("lisi", { msgtype: "markdown", markdown: { content: "**粗体**" } }));
  said.text_is_unknown = await errcode(bot.sendMessage("lisi", { msgtype: "text", text: { content: "x" } }));
  said.card = await errcode(bot.sendMessage("lisi", { msgtype: "template_card", template_card: card() }));

  const { messages } = await control("messages?bot=sim-bot/lisi");
  const clicked = next(bot, "event.template_card_event");
  await control("clicks", { message: messages.at(-1).id, user: "lisi", key: "ack", selected: { dur: ["4h"] } });
  const click = await clicked;
  said.click = click.body.event.template_card_event;
  said.updated = await errcode(bot.updateTemplateCard(click, card("李四 已认领")));

  const entered = next(bot, "event.enter_chat");
  await control("enters", { bot: "sim-bot", user: "lisi" });
  said.welcomed = await errcode(bot.replyWelcome(await entered, { msgtype: "text", text: { content: "你好" } }));

  // Three pieces, which the SDK sends side by side.
  const file = Buffer.alloc(1_200_000, "wegraf ");
  const media = await bot.uploadMedia(file, { type: "file", filename: "报告.txt" });
  said.uploaded = { ...media, media_id: typeof media.media_id };
  said.file = await errcode(bot.sendMediaMessage("lisi", "file", media.media_id));

  // It leaves when two heartbeats have not been answered.
  while ((await control("frames?cmd=ping&direction=out")).frames.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
  said.alive = bot.isConnected;

  const reconnecting = [];
  bot.on("reconnecting", (attempt) => reconnecting.push(attempt));
  const driven_out = next(bot, "event.disconnected_event");
  const gone = next(bot, "disconnected");
  const newer = await connected();
  said.driven_out = (await driven_out).body.event;
  await gone;
  said.after = { older: bot.isConnected, newer: newer.isConnected, reconnecting };
  newer.disconnect();
  console.log(JSON.stringify(said));
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
