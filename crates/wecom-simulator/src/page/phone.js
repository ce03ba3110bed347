// The conversations and the one that is open; kept up to date by server-sent events.

const KEPT = 5000; // as many as the simulator keeps
const ALONE = 8; // single chats with a bot that are listed before anything was said there
const SHOWN = 300; // messages drawn in a conversation: more make a browser slow
const COLOURS = ["#2b7cff", "#13a8a8", "#7a5af8", "#e8703a", "#2f9e44", "#c2417c", "#4263eb", "#b7791f"];
const $ = (id) => document.getElementById(id);
const state = { corp: null, messages: new Map(), read: load(), open: "", drawn: new Map(), follow: true, as: new Map(), meanwhile: null };

const ctx = {
  /** A person's name. */
  name(userid) {
    if (userid === "@all") return say("所有人", "everybody");
    const wanted = String(userid).toLowerCase();
    for (const corp of state.corp?.corps ?? []) {
      const user = corp.users.find((user) => user.userid.toLowerCase() === wanted);
      if (user) return user.name || user.userid;
    }
    return userid;
  },
  presser,
};

/** Where the reader stopped in each conversation, across visits. */
function load() {
  try { return JSON.parse(localStorage.getItem("read") ?? "{}"); } catch { return {}; }
}

function save() {
  try { localStorage.setItem("read", JSON.stringify(state.read)); } catch { /* a private window: unread marks are lost */ }
}

/** All conversations there are: members, group chats, webhook groups, and bots with whom talks to them. */
function conversations() {
  const all = [];
  for (const corp of state.corp?.corps ?? []) {
    for (const user of corp.users) {
      all.push({ key: `user/${user.userid}`, group: say("成员", "Members"), name: user.name || user.userid, mark: (user.name || user.userid).slice(-2), sub: `${user.userid} · ${say("应用消息", "app messages")}` });
    }
    for (const chat of corp.chats) {
      all.push({ key: `chat/${chat.chatid}`, group: say("应用群聊", "App chats"), name: chat.name || chat.chatid, count: chat.members.length, mark: say("群", "G"), sub: `${chat.chatid} · ${chat.members.map(ctx.name).join("、")}` });
    }
  }
  for (const hook of state.corp?.webhooks ?? []) {
    all.push({ key: `webhook/${hook.key}`, group: say("消息推送群", "Webhook groups"), name: hook.chat || hook.key, count: hook.members.length, mark: say("群", "G"), sub: `${hook.key} · ${hook.members.map(ctx.name).join("、")}` });
  }
  const users = (state.corp?.corps ?? []).flatMap((corp) => corp.users);
  const talked = new Set([...state.messages.values()].map((message) => message.bot));
  for (const bot of state.corp?.bots ?? []) {
    const name = bot.name || bot.bot_id;
    const group = say("智能机器人", "Bots");
    for (const room of bot.groups) {
      all.push({ key: `bot/${bot.bot_id}/${room.chatid}`, group, name: room.name || room.chatid, count: room.members.length + 1, mark: say("群", "G"), sub: `${room.chatid} · ${name}、${room.members.map(ctx.name).join("、")}` });
    }
    users.forEach((user, at) => {
      if (at >= ALONE && !talked.has(`${bot.bot_id}/${user.userid}`)) return;
      all.push({ key: `bot/${bot.bot_id}/${user.userid}`, group, name: `${name} · ${user.name || user.userid}`, mark: name.slice(0, 2), sub: `${bot.bot_id} · ${say(`${user.userid} 的单聊`, `single chat with ${user.userid}`)}` });
    });
  }
  return all;
}

/** Who talks to the bot in a conversation with one. */
function membersOf(key) {
  const [kind, id, ...rest] = key.split("/");
  const bot = kind === "bot" && state.corp?.bots.find((bot) => bot.bot_id === id);
  if (!bot) return [];
  return bot.groups.find((room) => room.chatid === rest.join("/"))?.members ?? [rest.join("/")];
}

/** Who reads a conversation here: the member, or whom the composer speaks for. */
function viewer(key) {
  if (key.startsWith("user/")) return key.slice(5);
  const members = membersOf(key);
  return members.includes(state.as.get(key)) ? state.as.get(key) : members[0] ?? null;
}

/** The conversations a message stands in. */
function placesOf(message) {
  if (message.channel === "bot") return [`bot/${message.bot}`];
  if (message.channel === "chat") return [`chat/${message.chat}`];
  if (message.channel === "webhook") return [`webhook/${message.webhook}`];
  return message.receivers.map((user) => `user/${user}`);
}

function messagesOf(key) {
  return [...state.messages.values()].filter((message) => placesOf(message).includes(key));
}

/** The message as this conversation's reader sees it: a card may have been updated for some only. */
function seen(message, key) {
  const content = message.updated_for?.[viewer(key)];
  return content ? { ...message, content, updated: true } : message;
}

function clock(ms, withDay) {
  const at = new Date(ms);
  const time = at.toLocaleTimeString("zh-CN", { hour: "2-digit", minute: "2-digit", hour12: false });
  return withDay ? `${say(`${at.getMonth() + 1}月${at.getDate()}日`, at.toLocaleDateString("en", { day: "numeric", month: "short" }))} ${time}` : time;
}

const dayOf = (ms) => new Date(ms).toDateString();

function avatar(mark, seed, className) {
  const node = h("span", `avatar ${className ?? ""}`, mark);
  let sum = 0;
  for (const letter of seed) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  node.style.background = COLOURS[sum % COLOURS.length];
  return node;
}

// ---- the list ----

function drawList() {
  const byPlace = new Map();
  for (const message of state.messages.values()) {
    for (const place of placesOf(message)) {
      const entry = byPlace.get(place) ?? { unread: 0, called: false };
      entry.last = message;
      if (message.id > (state.read[place] ?? 0) && !message.said_by) {
        entry.unread++;
        entry.called ||= message.mentions.length > 0;
      }
      byPlace.set(place, entry);
    }
  }
  const nodes = [];
  let group = "";
  let unread = 0;
  for (const one of conversations()) {
    if (one.group !== group) nodes.push(h("h2", "", (group = one.group)));
    const entry = byPlace.get(one.key) ?? { unread: 0 };
    unread += entry.unread;
    const last = entry.last && seen(entry.last, one.key);
    const item = h("a", `conversation${one.key === state.open ? " open" : ""}`,
      avatar(one.mark, one.key),
      h("span", "words",
        h("span", "line", h("b", "", one.name), h("time", "", last ? clock(last.at_ms, dayOf(last.at_ms) !== dayOf(Date.now())) : "")),
        h("span", "line", h("span", "preview", entry.called && h("em", "", say("[有人被@] ", "[@] ")), last ? preview(last, ctx) : say("还没有消息", "no messages yet")),
          entry.unread > 0 && h("span", "badge", entry.unread > 99 ? "99+" : String(entry.unread)))));
    item.href = `#${one.key}`;
    nodes.push(item);
  }
  $("conversations").replaceChildren(...nodes);
  document.title = `${unread ? `(${unread}) ` : ""}${say("企业微信模拟器", "WeCom simulator")}`;
}

// ---- the conversation ----

function drawMessage(original, key) {
  const message = seen(original, key);
  if (message.recalled) return h("div", "note", `${message.sender} ${say("撤回了一条消息", "took a message back")}`);
  if (message.said_by) {
    const name = ctx.name(message.said_by);
    return h("div", "message mine", avatar(name.slice(-2), `user/${message.said_by}`, "small"),
      h("div", "said", h("div", "sender", name, message.channel === "app" && h("span", "tag", `→ ${message.sender}`)),
        h("div", "bubble", inline(message.content.content, "text", ctx))));
  }
  let drawn;
  try {
    drawn = draw(message, ctx);
  } catch (error) {
    drawn = { node: h("div", "bubble", say("无法显示：", "this cannot be drawn: "), JSON.stringify(message.content)), wide: false };
    console.error(error);
  }
  return h("div", `message${drawn.wide ? " wide" : ""}`,
    avatar(message.sender.slice(0, 1) || "?", `sender ${message.sender}`, "small"),
    h("div", "said",
      h("div", "sender", message.sender, message.safe && h("span", "tag", say("保密", "confidential")), message.updated && h("span", "tag", say("已更新", "updated"))),
      drawn.node));
}

function drawRoom() {
  const key = state.open;
  const pane = $("messages");
  document.body.classList.toggle("inside", key !== "");
  state.drawn.clear();
  $("newer").hidden = true;
  drawComposer(key);
  if (key === "" || key === "about") return drawAbout(key);
  const one = conversations().find((one) => one.key === key);
  $("title").textContent = one ? one.name + (one.count ? ` (${one.count})` : "") : key;
  $("subtitle").textContent = one ? one.sub : say("没有这个会话", "there is no such conversation");
  $("foot").textContent = key.startsWith("bot/") ? say("这里是与智能机器人的会话", "a conversation with a bot") : key.startsWith("user/") ? say("这里是成员手机上看到的样子", "what this member sees on the phone") : say("这里是群成员看到的样子", "what the members of the group see");
  const all = messagesOf(key);
  const nodes = all.length > SHOWN ? [h("div", "note", say(`只显示最近 ${SHOWN} 条`, `the last ${SHOWN} of ${all.length}`))] : [];
  pane.replaceChildren(...nodes);
  state.last = null;
  for (const message of all.slice(-SHOWN)) append(message);
  if (!all.length) pane.append(h("div", "empty", h("p", "", say("还没有消息", "Nothing has arrived yet"))));
  pane.scrollTop = pane.scrollHeight;
  state.follow = true;
  mark(all[all.length - 1]);
}

function append(message) {
  const pane = $("messages");
  pane.querySelector(".empty")?.remove();
  const gap = state.last ? message.at_ms - state.last.at_ms : Infinity;
  if (gap > 300000) {
    pane.append(h("div", "note", clock(message.at_ms, dayOf(message.at_ms) !== dayOf(Date.now()))));
  }
  const node = drawMessage(message, state.open);
  state.drawn.set(message.id, node);
  state.last = message;
  pane.append(node);
  while (state.drawn.size > SHOWN) {
    const [oldest, drawn] = state.drawn.entries().next().value;
    drawn.remove();
    state.drawn.delete(oldest);
  }
}

/** The reader has seen up to here. */
function mark(message) {
  if (message && state.open && !document.hidden) {
    state.read[state.open] = Math.max(state.read[state.open] ?? 0, message.id);
    save();
  }
}

function drawAbout() {
  $("title").textContent = say("接入参数", "How to connect");
  $("subtitle").textContent = "How to connect";
  $("foot").textContent = "";
  const row = (label, value) => h("div", "pair", h("span", "", label), h("span", "", h("code", "", value)));
  const parts = [h("section", "card", h("h4", "", say("地址", "Base URL")), row("api_url", location.origin))];
  for (const corp of state.corp?.corps ?? []) {
    parts.push(h("section", "card", h("h4", "", corp.name || corp.corp_id), row("corp_id", corp.corp_id),
      corp.apps.map((app) => [h("hr"), row(app.name || "app", `agent_id ${app.agent_id}`), row("secret", app.secret)])));
  }
  parts.push(h("section", "card", h("h4", "", say("消息推送", "Webhooks")), (state.corp?.webhooks ?? []).map((hook) => row(hook.chat || "webhook", `key ${hook.key}`))));
  for (const bot of state.corp?.bots ?? []) {
    parts.push(h("section", "card", h("h4", "", say("智能机器人", "Bot")), row("socket", `${location.origin.replace(/^http/, "ws")}/ws`), row("bot_id", bot.bot_id), row("secret", bot.secret)));
  }
  const hook = state.corp?.webhooks[0];
  if (hook) {
    const sample = `curl '${location.origin}/cgi-bin/webhook/send?key=${hook.key}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{"msgtype":"markdown","markdown":{"content":"${say("**你好**", "**Hello**")} <font color=\\"info\\">WeCom</font>"}}'`;
    parts.push(h("section", "card", h("h4", "", say("试一试", "Try it")), h("pre", "", h("code", "", sample))));
  }
  parts.push(h("p", "hint", say("消息、请求、故障、时钟都在 /_simulator/ 下", "messages, requests, faults and the clock are under /_simulator/")));
  $("messages").replaceChildren(h("div", "about", parts));
}

// ---- keeping up ----

let planned = false;
/** Draws the list once for a burst of messages. */
function listSoon() {
  if (planned) return;
  planned = true;
  setTimeout(() => { planned = false; drawList(); }, 60);
}

function nearEnd(pane) {
  return pane.scrollHeight - pane.scrollTop - pane.clientHeight < 120;
}

function arrived(message) {
  state.meanwhile?.set(message.id, message);
  state.messages.set(message.id, message);
  if (state.messages.size > KEPT) state.messages.delete(state.messages.keys().next().value);
  if (placesOf(message).includes(state.open)) {
    const pane = $("messages");
    const follow = nearEnd(pane);
    append(message);
    if (follow) {
      pane.scrollTop = pane.scrollHeight;
      mark(message);
    } else {
      $("newer").hidden = false;
    }
  }
  listSoon();
}

function changed(message) {
  state.meanwhile?.set(message.id, message);
  state.messages.set(message.id, message);
  const drawn = state.drawn.get(message.id);
  if (drawn) {
    const node = drawMessage(message, state.open);
    drawn.replaceWith(node);
    state.drawn.set(message.id, node);
  }
  listSoon();
}

/** Fetches everything. What arrives meanwhile is newer than the answer; of two refreshes at once the later one counts. */
async function refresh() {
  const meanwhile = state.meanwhile = new Map();
  try {
    const [corp, inbox] = await Promise.all(["corp", "messages?said=true"].map((path) => fetch(`/_simulator/${path}`).then((answer) => answer.json())));
    if (state.meanwhile !== meanwhile) return;
    const fetched = inbox.messages.map((message) => [message.id, message]);
    take(corp, [...new Map([...fetched, ...meanwhile]).values()]);
  } finally {
    if (state.meanwhile === meanwhile) state.meanwhile = null;
  }
}

function take(corp, messages) {
  state.corp = corp;
  state.messages = new Map(messages.map((message) => [message.id, message]));
  const newest = messages.at(-1)?.id ?? 0;
  for (const key of Object.keys(state.read)) {
    if (state.read[key] > newest) delete state.read[key]; // another simulator on the same port has counted afresh
  }
  go();
}

function go() {
  state.open = decodeURIComponent(location.hash.replace(/^#\/?/, ""));
  drawRoom();
  drawList();
}

function listen() {
  const live = (on, words) => { $("live").textContent = words; $("live").classList.toggle("on", on); };
  const events = new EventSource("/_simulator/events");
  const data = (handle) => (event) => handle(JSON.parse(event.data));
  events.addEventListener("hello", () => refresh().then(() => live(true, say("在线", "online"))));
  events.addEventListener("message", data(arrived));
  events.addEventListener("change", data(changed));
  events.addEventListener("corp", refresh);
  events.addEventListener("reset", () => { state.read = {}; save(); refresh(); });
  events.addEventListener("error", () => live(false, say("已断开", "disconnected")));
}

// A picture that has arrived makes the conversation longer: who read the end stays at the end.
$("messages").addEventListener("load", () => { if (state.follow) $("messages").scrollTop = $("messages").scrollHeight; }, true);
addEventListener("hashchange", go);
addEventListener("visibilitychange", () => { if (!document.hidden) { mark(state.last); drawList(); } });
$("newer").addEventListener("click", () => { const pane = $("messages"); pane.scrollTop = pane.scrollHeight; });
$("messages").addEventListener("scroll", () => {
  state.follow = nearEnd($("messages"));
  if (!$("newer").hidden && nearEnd($("messages"))) { $("newer").hidden = true; mark(state.last); drawList(); }
});
