"use strict";
// From the text of a message to nodes. Nothing here ever parses HTML: every word becomes a text node, every element
// is made by name, so that a message cannot bring markup, scripts or handlers of its own.

// The reader of the page: Chinese, or English for everybody else. What programs sent stays as it was sent.
const chinese = (navigator.language || "zh").toLowerCase().startsWith("zh");
const say = (zh, en) => (chinese ? zh : en);

/** An element with a class and children; strings become text nodes. */
function h(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

/** Only addresses that a person may follow from here. */
function safeUrl(url) {
  return typeof url === "string" && /^https?:\/\//i.test(url.trim()) ? url.trim() : null;
}

function link(url, className, ...children) {
  const href = safeUrl(url);
  if (!href) return h("span", className, ...children);
  const node = h("a", className, ...children);
  node.href = href;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  node.title = href;
  return node;
}

/** A picture, or a note that it cannot be fetched: WeCom's clients need it to be reachable, too. */
function picture(url, className, alt) {
  const src = typeof url === "string" && url.startsWith("/_simulator/") ? url : safeUrl(url);
  const missing = () => h("span", `${className} missing`, say("图片无法加载", "the picture cannot be loaded"));
  if (!src) return missing();
  const node = h("img", className);
  node.alt = alt || "";
  node.loading = "lazy";
  node.referrerPolicy = "no-referrer";
  node.addEventListener("error", () => node.replaceWith(missing()));
  node.src = src;
  return node;
}

/** Words with line breaks. */
function lines(text) {
  return text.split("\n").flatMap((line, at) => (at ? [h("br"), line] : [line]));
}

// What may stand inside a line, by edition. Each rule: pattern, and what its match becomes.
const code = [/`([^`\n]+)`/, (m) => h("code", "", m[1])];
const bold = [/\*\*(?!\s)([^\n]+?)\*\*/, (m, kind, ctx) => h("b", "", inline(m[1], kind, ctx))];
const anchor = [/\[([^\]\n]*)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)/, (m, kind, ctx) => link(m[2], "", inline(m[1], kind, ctx))];
const mention = [/<@([A-Za-z0-9_.@-]{1,64})>/, (m, kind, ctx) => h("span", "at", `@${ctx.name(m[1])}`)];
const font = [
  /<font color=["']?(info|comment|warning)["']?>([\s\S]*?)<\/font>/,
  (m, kind, ctx) => h("span", m[1], inline(m[2], kind, ctx)),
];
const image = [/!\[([^\]\n]*)\]\(([^()\s]+)\)/, (m) => picture(m[2], "inset", m[1])];
const italic = [/(?<![*\w])\*(?![*\s])([^*\n]+?)\*(?![*\w])|(?<!\w)_(?!\s)([^_\n]+?)_(?!\w)/, (m, kind, ctx) => h("i", "", inline(m[1] ?? m[2], kind, ctx))];
const html = [/<a href=["']?([^"'>\s]+)["']?>([\s\S]*?)<\/a>/i, (m) => link(m[1], "", m[2])];
const bare = [/https?:\/\/[^\s<>"'，。；、）】]+/, (m) => link(m[0], "", m[0])];
const RULES = {
  text: [html, mention, bare],
  plain: [bare],
  markdown: [code, bold, anchor, mention, font],
  markdown_v2: [code, image, bold, anchor, italic],
};

/** The nodes of a stretch of text. */
function inline(text, kind, ctx) {
  const nodes = [];
  let rest = text;
  while (rest) {
    let first = null;
    for (const [pattern, make] of RULES[kind]) {
      const match = pattern.exec(rest);
      if (match && (!first || match.index < first.match.index)) first = { match, make };
    }
    if (!first) break;
    nodes.push(...lines(rest.slice(0, first.match.index)), first.make(first.match, kind, ctx));
    rest = rest.slice(first.match.index + first.match[0].length);
  }
  nodes.push(...lines(rest));
  return nodes;
}

/** Markdown, first edition: headings, quotes and what stands inside a line. All else is plain text. */
function markdown(text, ctx) {
  const box = h("div", "md");
  const rows = text.replace(/\r\n?/g, "\n").split("\n");
  let plain = [];
  const flush = () => {
    while (plain.length && !plain[0].trim()) plain.shift();
    while (plain.length && !plain[plain.length - 1].trim()) plain.pop();
    if (plain.length) box.append(h("p", "", inline(plain.join("\n"), "markdown", ctx)));
    plain = [];
  };
  for (let at = 0; at < rows.length; at++) {
    const heading = /^(#{1,6})\s+(.*)$/.exec(rows[at]);
    if (heading) {
      flush();
      box.append(h(`h${heading[1].length}`, "", inline(heading[2], "markdown", ctx)));
    } else if (/^\s*>/.test(rows[at])) {
      flush();
      const quoted = [];
      while (at < rows.length && /^\s*>/.test(rows[at])) quoted.push(rows[at++].replace(/^\s*>\s?/, ""));
      at--;
      box.append(h("blockquote", "", inline(quoted.join("\n"), "markdown", ctx)));
    } else {
      plain.push(rows[at]);
    }
  }
  flush();
  return box;
}

const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const RULER = /^\s*(-{3,}|\*{3,}|_{3,})\s*$/;
const TABLE_RULE = /^\s*\|?\s*:?-{1,}:?\s*(\|\s*:?-{1,}:?\s*)*\|?\s*$/;

/** Markdown, second edition: tables, lists, code, rulers, pictures, quotes within quotes. No colours, no mentions. */
function markdown2(text, ctx, depth = 0) {
  const box = h("div", "md");
  const rows = text.replace(/\r\n?/g, "\n").split("\n");
  let at = 0;
  let plain = [];
  const flush = () => {
    if (plain.length) box.append(h("p", "", inline(plain.join("\n"), "markdown_v2", ctx)));
    plain = [];
  };
  const put = (node) => {
    flush();
    box.append(node);
  };
  while (at < rows.length) {
    const row = rows[at];
    const heading = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(row);
    if (/^\s*```/.test(row)) {
      const end = rows.findIndex((line, i) => i > at && /^\s*```\s*$/.test(line));
      const last = end < 0 ? rows.length : end;
      put(h("pre", "", h("code", "", rows.slice(at + 1, last).join("\n"))));
      at = last + 1;
    } else if (heading) {
      put(h(`h${heading[1].length}`, "", inline(heading[2], "markdown_v2", ctx)));
      at++;
    } else if (RULER.test(row)) {
      put(h("hr"));
      at++;
    } else if (/^\s*>/.test(row) && depth < 8) {
      const quoted = [];
      while (at < rows.length && /^\s*>/.test(rows[at])) quoted.push(rows[at++].replace(/^\s*>\s?/, ""));
      put(h("blockquote", "", ...markdown2(quoted.join("\n"), ctx, depth + 1).childNodes));
    } else if (row.includes("|") && at + 1 < rows.length && rows[at + 1].includes("-") && TABLE_RULE.test(rows[at + 1])) {
      const end = rows.findIndex((line, i) => i > at + 1 && !line.includes("|"));
      const last = end < 0 ? rows.length : end;
      put(table(rows.slice(at, last), ctx));
      at = last;
    } else if (ITEM.test(row)) {
      const end = rows.findIndex((line, i) => i > at && !ITEM.test(line) && !/^\s{2,}\S/.test(line));
      const last = end < 0 ? rows.length : end;
      put(list(rows.slice(at, last), ctx));
      at = last;
    } else {
      if (row.trim()) plain.push(row);
      else flush();
      at++;
    }
  }
  flush();
  return box;
}

/** A list; what is indented below an item belongs to it. */
function list(rows, ctx) {
  const [, indent, marker] = ITEM.exec(rows[0]);
  const node = h(/\d/.test(marker) ? "ol" : "ul", "");
  if (/\d/.test(marker)) node.start = parseInt(marker, 10);
  let at = 0;
  while (at < rows.length) {
    const [, , , words] = ITEM.exec(rows[at]) ?? ["", "", "", rows[at].trim()];
    const below = [];
    at++;
    while (at < rows.length && (ITEM.exec(rows[at])?.[1].length ?? Infinity) > indent.length) below.push(rows[at++]);
    const item = h("li", "", inline(words, "markdown_v2", ctx));
    const nested = below.findIndex((row) => ITEM.test(row));
    const own = nested < 0 ? below : below.slice(0, nested);
    for (const row of own) item.append(h("br"), ...inline(row.trim(), "markdown_v2", ctx));
    if (nested >= 0) item.append(list(below.slice(nested), ctx));
    node.append(item);
  }
  return node;
}

function table(rows, ctx) {
  const cells = (row) => row.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  const sides = cells(rows[1]).map((rule) => (/^:-+:$/.test(rule) ? "center" : /-:$/.test(rule) ? "right" : ""));
  const line = (row, tag) =>
    h("tr", "", cells(row).map((cell, i) => {
      const node = h(tag, "", inline(cell, "markdown_v2", ctx));
      if (sides[i]) node.style.textAlign = sides[i];
      return node;
    }));
  const body = rows.slice(2).map((row) => line(row, "td"));
  return h("div", "wide", h("table", "", h("thead", "", line(rows[0], "th")), h("tbody", "", body)));
}

/** A textcard's description: `<div class="gray|normal|highlight">` and `<br>` are known, all else is text. */
function described(text) {
  const box = h("div", "described");
  let into = box;
  for (const part of text.split(/(<div class=["']?(?:gray|normal|highlight)["']?>|<\/div>|<br\s*\/?>)/i)) {
    const opens = /^<div class=["']?(\w+)/i.exec(part);
    if (opens) {
      into = h("div", opens[1].toLowerCase());
      box.append(into);
    } else if (/^<\/div>$/i.test(part)) {
      into = box;
    } else if (/^<br/i.test(part)) {
      into.append(h("br"));
    } else {
      into.append(...lines(part));
    }
  }
  return box;
}
