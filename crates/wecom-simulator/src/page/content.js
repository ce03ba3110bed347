// From a message's content to what a client shows.

/** The drawing of a message: { node, wide } where wide things are cards and not bubbles. */
function draw(message, ctx) {
  const content = message.content;
  const bubble = (...children) => ({ node: h("div", "bubble", ...children), wide: false });
  const card = (node) => ({ node, wide: true });
  switch (message.msgtype) {
    case "text": return bubble(inline(content.content, "text", ctx), called(message, ctx));
    case "markdown": return bubble(message.channel === "bot" ? markdown2(content.content, ctx) : markdown(content.content, ctx));
    case "stream": return bubble(content.content ? markdown2(content.content, ctx) : h("span", "writing", "…"));
    case "markdown_v2": return bubble(markdown2(content.content, ctx));
    case "image": return { node: opens(content.url, "photo", picture(content.url, "", say("图片", "picture"))), wide: false };
    case "voice": return { node: opens(content.url, "bubble voice", say("🔊 语音", "🔊 voice"), h("small", "", size(content.bytes))), wide: false };
    case "video": return card(opens(content.url, "card file", h("div", "name", content.title || content.name, h("small", "", content.description || size(content.bytes))), h("span", "kind", "MP4")));
    case "file": return card(opens(content.url, "card file", h("div", "name", content.name || say("文件", "file"), h("small", "", size(content.bytes))), h("span", "kind", suffix(content.name))));
    case "textcard": return card(textcard(content));
    case "news": return card(news(content.articles));
    case "mpnews": return card(news(content.articles.map((a) => ({ title: a.title, description: a.digest, picurl: a.picurl, url: a.content_source_url }))));
    case "template_card": return card(templateCard(content, ctx, message));
    case "miniprogram_notice": return card(miniprogram(content));
    default: return bubble(h("code", "", message.msgtype), " ", JSON.stringify(content));
  }
}

/** One line for the list of conversations. */
function preview(message, ctx) {
  if (message.recalled) return say("撤回了一条消息", "took a message back");
  const content = message.content;
  const flat = (text) => String(text ?? "").replace(/<@([^>]+)>/g, (_, id) => `@${ctx.name(id)}`).replace(/<\/?(?:font|a|div|br)\b[^>]*>/g, "")
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/^\s*\|?[\s:|-]+\|?\s*$/gm, " ").replace(/[*`#>|]+/g, " ").replace(/\s+/g, " ").trim();
  switch (message.msgtype) {
    case "text": case "markdown": case "markdown_v2": case "stream": return flat(content.content).slice(0, 120);
    case "image": return say("[图片]", "[picture]");
    case "voice": return say("[语音]", "[voice]");
    case "video": return say("[视频]", "[video]");
    case "file": return `${say("[文件]", "[file]")} ${content.name ?? ""}`;
    case "news": case "mpnews": return `${say("[图文]", "[article]")} ${content.articles[0].title}`;
    case "template_card": return content.main_title?.title || content.sub_title_text || say("[卡片]", "[card]");
    default: return content.title || `[${message.msgtype}]`;
  }
}

/** Who is called by the lists of a text: WeCom writes the names behind it. */
function called(message, ctx) {
  const words = message.content.content ?? "";
  const listed = message.mentions.filter((id) => !words.toLowerCase().includes(`<@${id.toLowerCase()}>`));
  return listed.map((id) => [" ", h("span", "at", `@${ctx.name(id)}`)]);
}

function opens(url, className, ...children) {
  const node = h("a", className, ...children);
  node.href = url;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return node;
}

function size(bytes) {
  if (!(bytes >= 0)) return "";
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

function suffix(name) {
  return (/\.([A-Za-z0-9]{1,4})$/.exec(name ?? "")?.[1] ?? say("文件", "file")).toUpperCase();
}

function textcard(content) {
  return link(content.url, "card textcard", h("h4", "", content.title), described(content.description), h("div", "more", content.btntxt));
}

function news(articles) {
  if (articles.length === 1) {
    const [one] = articles;
    return link(one.url, "card news one",
      one.picurl && picture(one.picurl, "cover", ""),
      h("h4", "", one.title), one.description && h("p", "desc", lines(one.description)));
  }
  return h("div", "card news", articles.map((article, at) => at === 0 && article.picurl
    ? link(article.url, "lead", picture(article.picurl, "cover", ""), h("h4", "", article.title))
    : link(article.url, "row", h("div", "", h("h4", "", article.title), article.description && h("small", "", article.description)), article.picurl && picture(article.picurl, "thumb", ""))));
}

function miniprogram(content) {
  return h("div", "card", h("h4", "", content.title), content.description && h("p", "desc", content.description),
    (content.content_item ?? []).map((item) => h("div", "pair", h("span", "", item.key), h("span", "", item.value))),
    h("div", "more", say("小程序", "mini program")));
}

const SOURCE_COLOURS = ["grey", "black", "red", "green"];
const BUTTON_STYLES = { 1: "blue", 2: "red", 3: "green", 4: "grey" };

function templateCard(card, ctx, message) {
  const box = h("div", "card template");
  const put = (...children) => box.append(h("div", "part", ...children));
  const press = ctx.presser(message); // null where nothing comes back
  const chosen = {}; // question → ids, as the reader has it now
  const source = card.source;
  if (source?.desc || source?.icon_url || card.action_menu) {
    put(h("div", "source " + (SOURCE_COLOURS[Number(source?.desc_color) || 0] ?? "grey"),
      source?.icon_url && picture(source.icon_url, "icon", ""), source?.desc, card.action_menu && menu(card.action_menu, press)));
  }
  if (card.card_type === "news_notice" && card.card_image) {
    const cover = picture(card.card_image.url, "cover", "");
    cover.style.aspectRatio = String(Number(card.card_image.aspect_ratio) || 1.3);
    box.append(cover);
  }
  const title = card.main_title ?? {};
  if (title.title || title.desc) put(title.title && h("h4", "", title.title), title.desc && h("p", "desc", title.desc));
  if (card.emphasis_content?.title || card.emphasis_content?.desc) {
    put(h("div", "emphasis", h("b", "", card.emphasis_content.title), h("small", "", card.emphasis_content.desc)));
  }
  const area = card.image_text_area;
  if (area && !card.card_image) {
    put(link(area.url, "area", picture(area.image_url, "thumb", ""), h("div", "", h("b", "", area.title), h("small", "", area.desc))));
  }
  const quote = card.quote_area;
  if (quote?.title || quote?.quote_text) {
    put(link(quote.url, "quoted", quote.title && h("b", "", quote.title), quote.quote_text && h("div", "", lines(quote.quote_text))));
  }
  if (card.sub_title_text) put(h("p", "sub", lines(card.sub_title_text)));
  for (const line of card.vertical_content_list ?? []) put(h("b", "", line.title), line.desc && h("p", "desc", lines(line.desc)));
  if (card.horizontal_content_list?.length) put(card.horizontal_content_list.map((row) => pair(row, ctx)));
  if (card.jump_list?.length) {
    box.append(h("div", "jumps", card.jump_list.map((jump) => link(jump.url, "jump", jump.title))));
  }
  const over = !press || Boolean(card.replace_name ?? card.replace_text);
  const questions = card.button_selection ? [card.button_selection] : card.select_list ?? [];
  if (questions.length) put(questions.map((question) => select(question, chosen, over)));
  if (card.checkbox) put(choices(card.checkbox, chosen, over));
  box.append(...buttons(card, chosen, press));
  if (safeUrl(card.card_action?.url) && !card.button_list) {
    box.append(link(card.card_action.url, "more", say("查看详情", "Details")));
  }
  return box;
}

function pair(row, ctx) {
  const value = { 1: () => link(row.url, "", row.value || row.url), 3: () => h("span", "at", row.value || ctx.name(row.userid)) }[Number(row.type)];
  return h("div", "pair", h("span", "", row.keyname), value ? h("span", "", value()) : h("span", "", row.value));
}

/** A drop-down; what is not chosen by the card is its first option. */
function select(question, chosen, over) {
  const options = question.option_list ?? [];
  const list = h("select", "chosen", options.map((option) => {
    const node = h("option", "", option.text);
    node.value = option.id;
    return node;
  }));
  if (options.some((option) => option.id === question.selected_id)) list.value = question.selected_id;
  list.disabled = over || question.disable === true;
  const note = () => { chosen[question.question_key] = [list.value]; };
  list.addEventListener("change", note);
  if (options.length) note();
  return h("label", "pair ask", h("span", "", question.title || say("请选择", "choose")), list);
}

/** Boxes to tick: one, or as many as the reader likes. */
function choices(checkbox, chosen, over) {
  const boxes = [];
  const note = () => { chosen[checkbox.question_key] = boxes.filter((box) => box.checked).map((box) => box.value); };
  const name = `choice ${++drawnQuestions}`;
  const lines = (checkbox.option_list ?? []).map((option) => {
    const box = h("input");
    Object.assign(box, {
      type: Number(checkbox.mode) === 1 ? "checkbox" : "radio", name, value: option.id,
      disabled: over || checkbox.disable === true, checked: option.is_checked === true,
    });
    box.addEventListener("change", note);
    boxes.push(box);
    return h("label", "choice", box, option.text);
  });
  note();
  return lines;
}

let drawnQuestions = 0; // radio buttons of one question share a name, those of two cards must not

/** The menu in the corner. */
function menu(given, press) {
  const entries = (given.action_list ?? []).map((entry) => {
    const node = h("button", "", entry.text);
    node.type = "button";
    node.disabled = !press;
    node.addEventListener("click", () => { node.closest("details").open = false; press(entry.key, {}, node); });
    return node;
  });
  return h("details", "dots", h("summary", "", "⋯"), h("div", "entries", given.desc && h("small", "", given.desc), entries));
}

/** After an update one label stands in the buttons' place. */
function buttons(card, chosen, press) {
  const label = card.replace_name ?? card.replace_text;
  const all = card.button_list ?? (card.submit_button ? [{ ...card.submit_button, style: 1 }] : []);
  if (label && (all.length || card.replace_name)) return [h("div", "buttons", h("span", "button done", label))];
  if (!all.length) return [];
  return [h("div", "buttons" + (all.length > 2 ? " many" : ""), all.map((button) => {
    const style = `button ${BUTTON_STYLES[Number(button.style)] ?? "blue"}`;
    if (Number(button.type) === 1) return link(button.url, style, button.text);
    const node = h("button", style, button.text);
    node.type = "button";
    node.disabled = !press;
    node.title = press ? "" : say("这里按不了", "no program listens to presses here");
    node.addEventListener("click", () => press(button.key, chosen, node));
    return node;
  }))];
}
