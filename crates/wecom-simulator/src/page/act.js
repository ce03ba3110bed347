// What the reader does: write, open, press. The simulator tells the app's server or the bot's client.

async function post(path, body) {
  const answer = await fetch(`/_simulator/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const read = await answer.json();
  if (!answer.ok) throw new Error(read.error);
  return read;
}

let toasted;
/** Says something for a moment. */
function toast(words) {
  $("toast").textContent = words;
  $("toast").hidden = false;
  clearTimeout(toasted);
  toasted = setTimeout(() => { $("toast").hidden = true; }, 4000);
}

const NOBODY = say("没有程序在接收", "no program takes it");

/** What presses a key of the card in this message; null where nothing comes back. */
function presser(message) {
  const user = viewer(state.open);
  if (!user || (message.channel !== "app" && message.channel !== "bot")) return null;
  return async (key, selected, node) => {
    node.disabled = true;
    node.classList.add("waiting");
    try {
      const click = await post("clicks", { message: message.id, user, key, selected });
      if (!click.delivered) toast(NOBODY);
      else if (!(await answered(click.id))) toast(say("没有应答", "no answer came"));
    } catch (error) {
      toast(error.message);
    }
    // A card that was updated is another node by now.
    node.disabled = false;
    node.classList.remove("waiting");
  };
}

/** Whether something came back to the click within five seconds. */
async function answered(id) {
  for (let at = 0; at < 25; at++) {
    const { clicks } = await fetch(`/_simulator/clicks?id=${id}`).then((answer) => answer.json());
    if (clicks[0]?.answers.length) return true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return false;
}

/** The line to write in, where somebody listens: apps for a member, members in a bot's group. */
function drawComposer(key) {
  const apps = (state.corp?.corps ?? []).flatMap((corp) => corp.apps.map((app) => [`${corp.corp_id} ${app.agent_id}`, `→ ${app.name || app.agent_id}`]));
  const members = membersOf(key);
  const options = key.startsWith("user/") ? apps : key.startsWith("bot/") ? members.map((user) => [user, ctx.name(user)]) : [];
  $("composer").hidden = !options.length;
  $("as").hidden = options.length < 2;
  $("enter").hidden = key.startsWith("bot/") && members.length !== 1;
  $("as").replaceChildren(...options.map(([value, words]) => {
    const node = h("option", "", words);
    node.value = value;
    return node;
  }));
  const last = messagesOf(key).at(-1);
  const wanted = state.as.get(key) ?? (last?.channel === "app" ? `${last.corp_id} ${last.agent_id}` : null);
  if (options.some(([value]) => value === wanted)) $("as").value = wanted;
}

/** To whom the composer speaks, and as whom. */
function address() {
  const [kind, first, ...rest] = state.open.split("/");
  const user = viewer(state.open);
  if (kind === "bot") {
    const chat = rest.join("/");
    return { user, bot: first, ...(chat !== user && { chat }) };
  }
  const [corp_id, agent_id] = $("as").value.split(" ");
  return { user, corp_id, agent_id: Number(agent_id) };
}

async function act(path, body) {
  try {
    if (!(await post(path, body)).delivered) toast(NOBODY);
  } catch (error) {
    toast(error.message);
  }
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("words").value.trim();
  if (!text) return;
  $("words").value = "";
  act("says", { ...address(), text });
});
$("enter").addEventListener("click", () => {
  const { chat, ...where } = address();
  act("enters", where);
});
$("as").addEventListener("change", () => {
  state.as.set(state.open, $("as").value);
  if (state.open.startsWith("bot/")) drawRoom();
});
