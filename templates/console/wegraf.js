// What pages do beyond HTML. All of them work without it.
"use strict";
(() => {
  const body = document.body;
  const root = body.dataset.root ?? "";
  // Text of ours only: the pages come from the same place as this script.
  const policy = window.trustedTypes?.createPolicy("wegraf", { createHTML: (text) => text });
  const parse = (text) => new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
  const typing = (element) => element?.matches?.("input, select, textarea, [contenteditable]") ?? false;

  // A form is sent once: a second press while the first is under way does nothing.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method === "dialog") return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    event.submitter?.setAttribute("aria-busy", "true");
  });
  // A text that is edited has numbers beside its lines, and can be copied.
  for (const text of document.querySelectorAll("textarea[data-lines]")) {
    const numbers = document.createElement("span");
    numbers.className = "lines";
    numbers.ariaHidden = "true";
    const box = document.createElement("span");
    box.className = "numbered";
    text.before(box);
    box.append(numbers, text);
    const write = () => {
      numbers.textContent = text.value.split("\n").map((_, at) => at + 1).join("\n");
      numbers.scrollTop = text.scrollTop;
    };
    text.addEventListener("input", write);
    text.addEventListener("scroll", write);
    write();
    const copy = text.form?.querySelector("[data-copy]");
    if (!copy || !navigator.clipboard) continue;
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.value);
      copy.textContent = copy.dataset.copy;
    });
  }
  // What is edited is tried by itself: the part beside it is the server's answer to the form, as of its button.
  for (const form of document.querySelectorAll("form[data-try]")) {
    let timer = 0;
    let asking = null;
    const result = () => document.querySelector(`[data-result="${form.dataset.try}"]`);
    const tried = async () => {
      asking?.abort();
      asking = new AbortController();
      const fields = new URLSearchParams(new FormData(form));
      fields.set("do", "try");
      result().ariaBusy = "true";
      try {
        const answer = await fetch(location.href, { method: "POST", body: fields, signal: asking.signal });
        const fresh = parse(await answer.text()).querySelector(`[data-result="${form.dataset.try}"]`);
        if (fresh) result().replaceWith(document.adoptNode(fresh));
      } catch {
        // Its button says what is wrong.
      }
      if (result()) result().ariaBusy = null;
    };
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(tried, 300);
    });
    for (const leaf of document.querySelectorAll("[data-leaf]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "leaf";
      button.textContent = leaf.textContent;
      leaf.replaceWith(button);
      button.addEventListener("click", () => {
        const text = form.querySelector("textarea");
        text.setRangeText(`{{ ${button.textContent} }}`, text.selectionStart, text.selectionEnd, "end");
        text.focus();
        text.dispatchEvent(new Event("input", { bubbles: true }));
      });
    }
    const hint = document.querySelector("[data-leaves]");
    if (hint) hint.hidden = false;
  }
  // A page that comes back from the browser's memory may be used again.
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) {
      delete form.dataset.sent;
      form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
    }
  });

  // Live parts. The server says which parts changed; the page is fetched again and its live parts are replaced.
  const part = body.dataset.part;
  const live = document.getElementById("live");
  if (part && live && window.EventSource) follow(part, live);

  function follow(part, live) {
    let source = null;
    let failures = 0;
    let etag = "";
    let fetching = false;
    let again = false;
    let last = 0;
    let timer = 0;
    let retry = 0;
    let poll = 0;
    let fresh = new Date();

    const say = (state, text) => {
      if (live.dataset.state === state && live.textContent === text) return;
      live.dataset.state = state;
      live.textContent = text;
    };
    const on = () => say("on", live.dataset.on);
    const off = () => {
      const time = fresh.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
      say("off", live.dataset.off.replace("{}", time));
    };

    // A form with something in it is left alone, and so is what is under way.
    const isBusy = (region) =>
      (region.contains(document.activeElement) && typing(document.activeElement)) ||
      [...region.querySelectorAll("form")].some((form) => form.dataset.sent) ||
      [...region.querySelectorAll("input:not([type=hidden]), textarea")].some((field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked) ||
      [...region.querySelectorAll("select")].some((list) =>
        [...list.options].some((option) => option.selected !== option.defaultSelected && list.value !== list.options[0].value),
      );
    const key = (details) => details.querySelector("summary")?.textContent ?? "";

    const replace = (region, fresh) => {
      if (region.innerHTML === fresh.innerHTML) return;
      const open = new Set([...region.querySelectorAll("details[open]")].map(key));
      const shut = new Set([...region.querySelectorAll("details:not([open])")].map(key));
      const focused = region.contains(document.activeElement) ? document.activeElement : null;
      const mark = focused && [focused.tagName, focused.getAttribute("href"), focused.textContent];
      const chosen = region.querySelector("[data-chosen] a")?.getAttribute("href");
      for (const details of fresh.querySelectorAll("details")) {
        if (open.has(key(details))) details.open = true;
        else if (shut.has(key(details))) details.open = false;
      }
      region.replaceChildren(...fresh.childNodes);
      if (chosen) {
        for (const row of rows()) if (row.querySelector("a")?.getAttribute("href") === chosen) row.dataset.chosen = "";
      }
      if (mark) {
        const same = [...region.querySelectorAll(mark[0])].find(
          (one) => one.getAttribute("href") === mark[1] && one.textContent === mark[2],
        );
        same?.focus({ preventScroll: true });
      }
    };

    const refresh = async () => {
      if (fetching) {
        again = true;
        return;
      }
      fetching = true;
      again = false;
      last = Date.now();
      try {
        const answer = await fetch(location.href.split("#")[0], { headers: etag ? { "If-None-Match": etag } : {} });
        if (answer.status === 401) return over();
        if (answer.status === 304) fresh = new Date();
        if (answer.ok) {
          const page = parse(await answer.text());
          let waits = false;
          for (const region of document.querySelectorAll("[data-live]")) {
            const other = page.querySelector(`[data-live="${region.dataset.live}"]`);
            if (!other) continue;
            if (isBusy(region)) waits = true;
            else replace(region, document.adoptNode(other));
          }
          document.title = page.title;
          fresh = new Date();
          etag = waits ? "" : (answer.headers.get("ETag") ?? "");
          if (waits) {
            say("waits", live.dataset.waits);
            plan(3000);
          } else if (source?.readyState === EventSource.OPEN) on();
        }
      } catch {
        // The stream says whether the server can be reached.
      } finally {
        fetching = false;
        if (again) plan();
      }
    };
    // At most once a second, and not all tabs at the same moment.
    const plan = (least = 0) => {
      clearTimeout(timer);
      timer = setTimeout(refresh, Math.max(least, last + 1000 - Date.now(), 0) + Math.random() * 300);
    };
    const over = () => {
      stop();
      location.reload();
    };
    const stop = () => {
      source?.close();
      source = null;
      clearTimeout(retry);
      clearInterval(poll);
      poll = 0;
    };
    const start = () => {
      stop();
      source = new EventSource(`${root}events`);
      source.addEventListener("open", () => {
        const missed = failures > 0 || live.dataset.state === "hidden";
        failures = 0;
        clearInterval(poll);
        poll = 0;
        on();
        if (missed) plan();
      });
      source.addEventListener("change", (event) => {
        if (JSON.parse(event.data).parts.includes(part)) plan();
      });
      source.addEventListener("over", over);
      source.addEventListener("error", () => {
        source?.close();
        source = null;
        failures += 1;
        off();
        // Where streams do not get through, it is asked now and then.
        if (failures >= 2 && !poll) poll = setInterval(refresh, 30_000);
        clearTimeout(retry);
        retry = setTimeout(start, Math.min(30_000, 1000 * 2 ** (failures - 1)) * (0.5 + Math.random()));
      });
    };
    // A hidden page needs no stream: browsers have few connections for one server.
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        stop();
        live.dataset.state = "hidden";
      } else start();
    });
    window.addEventListener("pagehide", stop);
    if (!document.hidden) start();
  }

  // Keys, unless they are switched off.
  const rows = () => [...document.querySelectorAll(".incidents > li, [data-rows] tbody tr")];
  if (body.dataset.keys) {
    let leader = 0;
    const go = (path) => location.assign(root + path);
    const choose = (step) => {
      const all = rows();
      if (all.length === 0) return;
      const at = all.findIndex((row) => "chosen" in row.dataset);
      const next = all[Math.min(all.length - 1, Math.max(0, at + step))];
      if (at >= 0) delete all[at].dataset.chosen;
      next.dataset.chosen = "";
      next.querySelector("a")?.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    };
    const open = (value) => {
      const button = document.querySelector(`#act button[value="${value}"]`);
      const details = button?.closest("details");
      if (details) {
        details.open = true;
        button.focus();
        details.scrollIntoView({ block: "nearest" });
        return;
      }
      const link = document.querySelector("[data-chosen] a");
      if (link) location.assign(`${link.href}#act`);
    };
    const places = { n: "now", m: "m", s: "silences", h: "state", d: "duty" };
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      if (Date.now() - leader < 1500 && places[event.key]) {
        leader = 0;
        event.preventDefault();
        go(places[event.key]);
        return;
      }
      leader = 0;
      const does = {
        "/": () => {
          const field = document.querySelector("[data-search], .search input");
          if (field) field.focus();
          else go("m");
        },
        j: () => choose(1),
        k: () => choose(-1),
        a: () => open("acknowledge"),
        s: () => open("silence"),
        g: () => {
          leader = Date.now();
        },
        "?": () => document.getElementById("keys")?.showModal(),
      }[event.key];
      if (!does) return;
      event.preventDefault();
      does();
    });
  }
})();
