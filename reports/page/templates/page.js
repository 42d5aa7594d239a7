"use strict";
// The page is whole without this script; it adds filters, the wire logs and links to single events. Payloads come from the
// wire and are hostile: they reach the page by textContent only.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const GAP = "\ue000";
  const keys = Object.keys(data.attempts);
  const at = (id) => document.getElementById(id);

  function el(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props || {})) {
      if (value === null || value === undefined || value === "") continue;
      name in node && name !== "list" ? (node[name] = value) : node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== ""));
    return node;
  }

  function shape(tag, props, text) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
    if (text) node.textContent = text;
    return node;
  }

  const clock = (ms) => `${(ms / 1000).toFixed(3)} s`;
  const span = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
  const tone = (verdict) => ({ pass: "pass", warn: "warn", error: "error", unsupported: "" })[verdict] ?? "fail";

  // Filters
  const filters = at("filters");
  const facts = new Map([...document.querySelectorAll("#attempt-rows tr")].map((row) => [row.querySelector("a").getAttribute("href"), row]));
  const squares = [...document.querySelectorAll(".strips a")].map((link) => [link.firstElementChild, facts.get(link.getAttribute("href"))]);
  function filter() {
    const wanted = Object.fromEntries([...filters.querySelectorAll("select")].map((s) => [s.name, s.value]));
    const fits = (node) => Object.entries(wanted).every(([key, value]) => !value || (node.dataset[key] || "").split("\n").includes(value));
    let shown = 0;
    const rows = document.querySelectorAll("#attempt-rows tr");
    for (const row of rows) shown += !(row.hidden = !fits(row));
    for (const [square, row] of squares) square.classList.toggle("dim", row === undefined || row.hidden);
    for (const node of document.querySelectorAll("[data-filtered]")) node.hidden = !fits(node);
    at("shown").textContent = `${shown} of ${rows.length} shown`;
  }
  if (filters) {
    filters.hidden = false;
    filters.addEventListener("change", filter);
    filters.addEventListener("reset", () => setTimeout(filter));
    filter();
  }

  // Copying the command
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  // One attempt: its checks, its two legs on one time axis, its wire log
  function read(attempt, event) {
    const [seq, t, way, kind, name, form, ids, rest] = event;
    const [last, end, count, ms, scripted, conn] = rest || [seq, t, 1, 0, "", 0];
    return { seq, last, t, end, leg: way >> 1, dir: way & 1, kind: data.kinds[kind], name: data.names[name], count, ms, scripted, conn,
      payload: () => data.shapes[form].split(GAP).map((part, i) => part + (i < ids.length ? attempt.ids[ids[i]] : "")).join("") };
  }
  const isError = (event) => event.name === "error" || event.name === "Error" || (event.kind === "close" && event.dir === 1);

  function lanes(attempt, events) {
    const width = 1040, left = 82, right = 12, height = 190;
    const end = Math.max(attempt.ms, 1, ...events.map((event) => event.end));
    const x = (ms) => left + (ms / end) * (width - left - right);
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": "lanes-title" });
    svg.append(shape("title", { id: "lanes-title" }, "Both legs over time; the wire log below says the same in words"));
    const failing = attempt.windows.filter(([, verdict]) => verdict !== "pass");
    (failing.length ? failing : attempt.windows).slice(0, 3).forEach(([id, verdict, spans], row) => {
      for (const [from, to] of spans) {
        svg.append(shape("rect", { class: `window ${tone(verdict)}`, x: x(from), y: 24, width: Math.max(2, x(Math.min(to, end)) - x(from)), height: 128 }));
      }
      if (spans.length) svg.append(shape("text", { class: tone(verdict), x: left + row * 300, y: 14 }, `window of ${id.length > 40 ? `${id.slice(0, 39)}…` : id}`));
    });
    ["client leg", "upstream leg"].forEach((name, leg) => {
      const y = 56 + leg * 64;
      svg.append(shape("text", { x: 0, y: y + 4 }, name), shape("line", { class: "lane", x1: left, x2: width - right, y1: y, y2: y }));
    });
    for (const event of events) {
      const y = 56 + event.leg * 64;
      const [top, bottom] = event.dir === 0 ? [y - 20, y] : [y, y + 20];
      const what = shape("title", {}, `${clock(event.t)} ${event.leg ? "upstream" : "client"} ${event.dir ? "down" : "up"} ${event.name}`);
      let mark;
      if (event.kind === "audio" || event.kind === "deltas") {
        mark = shape("rect", { class: event.kind, x: x(event.t), y: event.dir === 0 ? top + 6 : top, width: Math.max(3, x(event.kind === "audio" ? Math.max(event.end, event.t + event.ms) : event.end) - x(event.t)), height: 14 });
      } else if (event.kind === "mark") {
        mark = shape("path", { class: "fault", d: `M${x(event.t)} ${y + 24}l-5 9h10z` });
      } else {
        mark = shape("line", { class: isError(event) ? "err" : event.scripted ? "tick made" : "tick", x1: x(event.t), x2: x(event.t), y1: top, y2: bottom });
        const late = x(event.t) > width - 90;
        if (isError(event)) svg.append(shape("text", { class: "fail", x: x(event.t) + (late ? -5 : 5), "text-anchor": late ? "end" : "start", y: event.dir === 0 ? top + 8 : bottom }, event.name));
      }
      mark.append(what);
      svg.append(mark);
    }
    const step = [0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 300, 900, 3600].find((s) => end / 1000 / s <= 12) || end / 1000;
    for (let s = 0; s * 1000 <= end; s += step) {
      svg.append(shape("text", { x: x(s * 1000), y: height - 8, "text-anchor": "middle" }, `${+s.toFixed(2)} s`), shape("line", { class: "lane", x1: x(s * 1000), x2: x(s * 1000), y1: height - 30, y2: height - 24 }));
    }
    return el("div", { className: "lanes", tabIndex: 0, role: "region", ariaLabel: "Swimlane of both legs" }, svg);
  }

  function wire(attempt, events, key) {
    const body = el("tbody");
    const hits = new Set(attempt.checks.map((check) => check[5]).filter((seq) => seq !== null));
    let before = 0;
    for (const event of events) {
      if (event.t - before > 1000) body.append(el("tr", { className: "gap" }, el("td", { colSpan: 3 }, `${span(event.t - before)} of silence`)));
      before = Math.max(before, event.end);
      const inside = attempt.windows.filter(([, verdict, spans]) => verdict !== "pass" && spans.some(([from, to]) => from <= event.t && event.t <= to));
      const button = el("button", { type: "button", "aria-expanded": "false" }, el("span", { className: isError(event) ? "err-name" : "" }, event.name));
      if (event.conn) button.append(` connection ${event.conn}`);
      if (event.scripted) button.append(" ", el("span", { className: "flag" }, `script: ${event.scripted}`));
      if (hits.has(event.seq) && inside.length) button.append(" ", el("span", { className: "flag win" }, `inside the window of ${inside[0][0]}`));
      const cell = el("td", { className: event.dir ? "down" : "up" }, button);
      const row = el("tr", { id: `${key}/e${event.seq}`, className: [hits.has(event.seq) || isError(event) ? "hit" : "", inside.length ? "in" : ""].join(" ").trim() },
        el("td", { className: "num t soft" }, clock(event.t)), event.leg === 0 ? cell : el("td"), event.leg === 1 ? cell : el("td"));
      row.dataset.from = event.seq;
      row.dataset.to = event.last;
      button.addEventListener("click", () => toggle(row, event, button));
      button.setAttribute("aria-label", `${event.leg ? "upstream" : "client"} ${event.dir ? "down" : "up"} ${event.name}, payload`);
      body.append(row);
    }
    if (!events.length) body.append(el("tr", {}, el("td", { colSpan: 3 }, "No events: this attempt has no recording that can be read.")));
    return el("div", { className: "scroll free" }, el("table", { className: "wire" }, el("caption", { className: "sr" }, "Wire log; each event opens to its payload"),
      el("thead", {}, el("tr", {}, el("th", { className: "num t", scope: "col" }, "time"), el("th", { scope: "col" }, "client leg"), el("th", { scope: "col" }, "upstream leg"))), body));
  }

  function toggle(row, event, button) {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    if (open) { row.nextElementSibling.remove(); return; }
    const text = event.payload();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* clipped: shown as it is */ }
    const link = el("a", { href: `#${encodeURI(row.id)}` }, `event ${event.seq}`);
    row.after(el("tr", { className: "payload" }, el("td", { colSpan: 3 }, el("pre", { tabIndex: 0 }, shown), el("p", { className: "soft" }, link, event.count > 1 ? ` to ${event.last}: ${event.count} frames from ${clock(event.t)} to ${clock(event.end)}` : ` at ${clock(event.t)}`, event.ms ? `, ${event.ms} ms of audio` : ""))));
  }

  function show(key, seq, jump) {
    const box = at("attempt-box");
    const attempt = data.attempts[key];
    if (!attempt) {
      box.replaceChildren(el("p", {}, `${key}: this page has no wire log of it, since it holds the failures and some passes only. Read its recording in the run folder.`));
      if (jump) at("attempt").scrollIntoView();
      return;
    }
    const events = attempt.events.map((event) => read(attempt, event));
    const place = keys.indexOf(key);
    const step = (by) => el("a", { href: `#attempt/${encodeURI(keys[(place + by + keys.length) % keys.length])}` }, by < 0 ? "previous" : "next");
    box.replaceChildren(
      el("div", { className: "attempt-head" }, el("h3", {}, `${attempt.name} · ${attempt.cell} · attempt ${attempt.n}`),
        el("span", { className: `badge ${tone(attempt.verdict)}` }, attempt.verdict),
        el("span", { className: "soft" }, `on ${attempt.target}, seed ${attempt.seed}, ${span(attempt.ms)}`),
        attempt.recording ? el("a", { href: attempt.recording }, "recording") : "",
        el("span", { className: "go" }, step(-1), step(1))),
      attempt.known ? el("p", {}, `Known failure: ${attempt.known}`) : "",
      attempt.message ? el("p", {}, attempt.message) : "",
      el("ul", { className: "checks" }, ...attempt.checks.map(([id, verdict, blame, message, t, hit]) => el("li", {},
        el("span", { className: `badge ${tone(verdict)}` }, verdict), ` `, el("strong", {}, id), blame ? `, blame ${blame}` : "", t === null ? "" : ` at ${clock(t)}`, message ? `: ${message} ` : " ",
        hit === null ? "" : el("a", { href: `#attempt/${encodeURI(key)}/e${hit}` }, `event ${hit}`)))),
      ...(events.length ? [lanes(attempt, events)] : []),
      wire(attempt, events, `attempt/${key}`));
    if (jump) at("attempt").scrollIntoView();
    if (seq !== null) {
      const row = [...box.querySelectorAll("tr[data-from]")].find((tr) => +tr.dataset.from <= seq && seq <= +tr.dataset.to);
      if (row) {
        row.classList.add("target");
        row.querySelector("button").click();
        row.scrollIntoView({ block: "center" });
        row.querySelector("button").focus({ preventScroll: true });
      }
    }
  }

  function route(jump) {
    let hash = location.hash;
    try { hash = decodeURIComponent(hash); } catch { /* a broken escape stays as it is */ }
    const match = /^#attempt\/(.+?)(?:\/e(\d+))?$/s.exec(hash);
    if (match && jump) show(match[1], match[2] === undefined ? null : +match[2], jump);
    else if (!match && !jump && keys.length) show(keys[0], null, false);
  }
  addEventListener("hashchange", () => route(true));
  route(false);
  // A browser that opens a page at a fragment takes the focus back once it has loaded; the event asked for gets it after that.
  if (location.hash.startsWith("#attempt/")) addEventListener("load", () => setTimeout(() => route(true)));
  if (!keys.length) at("attempt-box").textContent = "No attempt has a wire log.";
})();
