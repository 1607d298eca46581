
"use strict";
const base = location.pathname.replace(/\/?$/, "/");
const $ = (id) => document.getElementById(id);
const STEP = 200;

// Everything is text: nothing that an application is called, or was asked, becomes markup.
function make(tag, facts = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// -- dark and light

const dark = matchMedia("(prefers-color-scheme: dark)");
let chosen = null;
function paint() {
  const isDark = chosen === null ? dark.matches : chosen;
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", String(isDark));
}
dark.addEventListener("change", paint);
$("theme").addEventListener("click", () => {
  chosen = document.documentElement.dataset.theme !== "dark";
  paint();
});
paint();

// -- the tree: what is closed has no elements, what is long comes in pieces

const words = (item) => (item.methods || []).length > 30 || (item.methods || [])[0] === "*" ? "ANY"
  : item.kind === "websocket" ? "WEBSOCKET" : (item.methods || []).join(" ");
const isRouter = (item) => item.kind === "router";
const short = (name) => /[/:]/.test(name) ? name : name.split(".").pop();
const handlers = (item) => (item.handlers || []).map(short).join(" > ");

function label(item) {
  const isOnTheWay = !isRouter(item) && !["route", "websocket", "app"].includes(item.kind);
  const row = make("div", {class: "row", title: item.source || ""});
  if (isRouter(item)) {
    row.append(make("span", {class: "router"}, item.path), make("span", {class: "soft"}, short(item.name)));
  } else if (isOnTheWay) {
    row.append(make("span", {class: "soft"}, item.kind), make("span", {}, handlers(item)),
      make("span", {class: "soft"}, item.path));
  } else {
    row.append(make("span", {class: "method"}, words(item)), make("span", {}, item.path),
      make("span", {class: "soft"}, [item.name, handlers(item)].filter(Boolean).join(" · ")));
  }
  return row;
}

function leaf(item) {
  const row = label(item);
  const name = [...row.children].map((part) => part.textContent).join(" ");
  const element = make("li", {role: "treeitem", tabindex: "-1", "aria-label": name}, row);
  if (isRouter(item) && item.items.length) {
    element.setAttribute("aria-expanded", "false");
    element.fill = () => {
      const group = make("ul", {role: "group"});
      element.append(group);
      pieces(group, item.items, item.cut);
    };
  }
  return element;
}

function pieces(group, items, isCut = false, from = 0) {
  group.append(...items.slice(from, from + STEP).map(leaf));
  const left = items.length - from - STEP;
  if (left > 0) {
    const more = make("li", {role: "treeitem", tabindex: "-1"},
      make("div", {class: "row"}, make("span", {class: "soft"}, `Show more (${left})`)));
    more.act = () => {
      const at = group.children.length - 1;
      more.remove();
      pieces(group, items, isCut, from + STEP);
      focusItem(group.children[at]);
    };
    group.append(more);
  } else if (isCut) {
    group.append(make("li", {role: "treeitem", tabindex: "-1"}, make("div", {class: "row"}, "and more")));
  }
}

function open(element, is) {
  if (!element.hasAttribute("aria-expanded")) return;
  element.setAttribute("aria-expanded", String(is));
  element.querySelector(":scope > [role=group]")?.remove();
  if (is) element.fill();
}

function focusItem(element) {
  if (!element) return;
  for (const each of $("tree").querySelectorAll('[tabindex="0"]')) each.tabIndex = -1;
  element.tabIndex = 0;
  element.focus();
}

const isOpen = (element) => element.getAttribute("aria-expanded") === "true";
const shown = () => [...$("tree").querySelectorAll("[role=treeitem]")];

$("tree").addEventListener("click", (event) => {
  const element = event.target.closest("[role=treeitem]");
  if (!element) return;
  if (element.act) { element.act(); return; }
  open(element, !isOpen(element));
  focusItem(element);
});

$("tree").addEventListener("keydown", (event) => {
  const element = event.target.closest("[role=treeitem]");
  if (!element || event.ctrlKey || event.altKey || event.metaKey) return;
  const around = element.parentElement.closest("[role=treeitem]");
  const all = shown();
  const at = all.indexOf(element);
  const keys = {
    ArrowDown: () => focusItem(all[at + 1]),
    ArrowUp: () => focusItem(all[at - 1]),
    Home: () => focusItem(all[0]),
    End: () => focusItem(all[all.length - 1]),
    ArrowRight: () => isOpen(element) ? focusItem(element.querySelector("[role=treeitem]")) : open(element, true),
    ArrowLeft: () => isOpen(element) ? open(element, false) : focusItem(around),
    Enter: () => element.act ? element.act() : open(element, !isOpen(element)),
    " ": () => element.act ? element.act() : open(element, !isOpen(element)),
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

let root = null;
let flat = [];
function flatten(item, into = []) {
  const pending = [item];
  while (pending.length) {
    const each = pending.pop();
    into.push(each);
    if (each.items) pending.push(...[...each.items].reverse());
  }
  return into;
}

function draw() {
  const wanted = $("filter").value.trim().toLowerCase();
  const tree = $("tree");
  tree.replaceChildren();
  const routes = flat.filter((item) => ["route", "websocket", "app"].includes(item.kind)).length;
  if (wanted) {
    const found = flat.filter((item) => item.hay.includes(wanted));
    pieces(tree, found);
    $("count").textContent = `${found.length} of ${flat.length} found`;
  } else {
    const top = leaf(root);
    tree.append(top);
    open(top, true);
    $("count").textContent = `${routes} routes, ${flat.length - routes} other layers`;
  }
  const first = tree.querySelector("[role=treeitem]");
  if (first) first.tabIndex = 0;
}

let typing = 0;
$("filter").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(draw, 80); });

async function loadTree() {
  const answer = await fetch(base + "tree");
  if (!answer.ok) throw new Error(`the tree: ${answer.status}`);
  root = await answer.json();
  planted = root.tree;
  flat = flatten(root);
  for (const item of flat) {
    item.hay = [item.kind, words(item), item.path, item.name, handlers(item)].join(" ").toLowerCase();
  }
  const isHere = $("tree").contains(document.activeElement);
  draw();
  if (isHere) focusItem(shown()[0]);
  if (latest !== null) plant(latest);
}
let planted = null;
let latest = null;
function showTree() {
  planted = null;
  loadTree().catch((error) => { $("count").textContent = `The layers cannot be shown (${error.message}).`; });
}
// A gateway that has reloaded has another tree: the news tell its number.
function plant(number) {
  latest = number;
  if (planted !== null && planted !== number) showTree();
}
showTree();

// -- requests

const KEPT = 200;
const rows = new Map();
const waiting = [];
let paused = false;
const ms = (value) => value === null ? "" : value < 10 ? `${value.toFixed(2)} ms` : `${Math.round(value)} ms`;
const colour = (status) => status === null ? "warn" : status < 400 ? "good" : status < 500 ? "warn" : "bad";

function way(trace) {
  const list = make("ol", {class: "steps"});
  const whole = Math.max(trace.took || 0, ...trace.spans.map((span) => span.at + (span.took || 0)), 0.001);
  for (const span of trace.spans) {
    const params = Object.entries(span.params).map(([name, value]) => `${name}=${value}`).join(", ");
    const text = make("span", {}, make("span", {class: "soft"}, span.kind + " "),
      make("span", {title: span.name}, short(span.name)),
      make("span", {class: "soft"}, ` ${span.path}${params ? ` (${params})` : ""}`));
    text.style.paddingLeft = `${span.depth * 0.8}rem`;
    const item = make("li", {}, text);
    if (span.took !== null) {
      const bar = make("i");
      bar.style.left = `${100 * span.at / whole}%`;
      bar.style.width = `${100 * span.took / whole}%`;
      item.append(make("span", {class: "track", "aria-hidden": "true"}, bar),
        make("span", {class: "time", title: `${ms(span.took)} with what ran inside of it`}, ms(span.own)));
    }
    list.append(item);
  }
  if (trace.cut) list.append(make("li", {}, "and more"));
  return list;
}

function put(trace) {
  const before = rows.get(trace.id);
  const wasOpen = before?.querySelector("button").getAttribute("aria-expanded") === "true";
  const target = trace.path + (trace.query ? "?" + trace.query : "");
  const status = trace.error || (trace.status === null ? "…" : String(trace.status));
  const button = make("button", {type: "button", class: "request", "aria-expanded": "false"},
    make("span", {class: "method"}, trace.method), make("span", {class: "target"}, target),
    make("span", {class: colour(trace.error ? 500 : trace.status)}, status),
    make("span", {class: "time"}, trace.took === null ? "open" : ms(trace.took)));
  const row = make("li", {class: before ? "" : "fresh"}, button);
  const toggle = (is) => {
    button.setAttribute("aria-expanded", String(is));
    row.querySelector(".steps")?.remove();
    if (is) row.append(way(trace));
  };
  button.addEventListener("click", () => toggle(button.getAttribute("aria-expanded") !== "true"));
  if (wasOpen) toggle(true);
  const focused = before?.contains(document.activeElement);
  if (before) before.replaceWith(row); else $("requests").prepend(row);
  if (focused) button.focus();
  rows.set(trace.id, row);
  if (rows.size > KEPT) {
    const [oldest, element] = rows.entries().next().value;
    element.remove();
    rows.delete(oldest);
  }
  $("none").hidden = true;
}

function empty() {
  rows.clear();
  waiting.length = 0;
  $("requests").replaceChildren();
  $("none").hidden = false;
}
$("clear").addEventListener("click", empty);
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  if (!paused) waiting.splice(0).forEach(put);
});

const news = new EventSource(base + "events");
let late = 0;
news.addEventListener("tree", (event) => plant(JSON.parse(event.data).tree));
news.addEventListener("hello", (event) => {
  clearTimeout(late);
  const hello = JSON.parse(event.data);
  if (hello.fresh) empty();
  plant(hello.tree);
  $("status").textContent = "Connected";
});
news.addEventListener("request", (event) => {
  const trace = JSON.parse(event.data);
  if (!paused) put(trace);
  else if (waiting.push(trace) > KEPT) waiting.shift();
});
news.addEventListener("error", () => {
  // A stream ends after some seconds, and the next one follows: that is no news.
  clearTimeout(late);
  late = setTimeout(() => {
    $("status").textContent = news.readyState === EventSource.CLOSED
      ? "The application refuses to tell of requests: reload the page" : "Connecting again";
  }, 2000);
});

// -- explain

const tone = {answers: "good", refuses: "bad", "may answer": "warn", "other method": "soft"};

$("explain").addEventListener("submit", async (event) => {
  event.preventDefault();
  const headers = $("headers").value.split("\n").map((line) => line.trim()).filter(Boolean)
    .map((line) => [line.split(":")[0].trim(), line.split(":").slice(1).join(":").trim()]);
  const told = $("explanation");
  let answer;
  try {
    const asked = {method: $("method").value.trim(), path: $("path").value.trim(), headers};
    const response = await fetch(base + "explain", {
      method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(asked),
    });
    const isJson = (response.headers.get("Content-Type") || "").includes("json");
    answer = isJson ? await response.json() : {error: `the answer was ${response.status}`};
  } catch (error) {
    answer = {error: `the application cannot be reached (${error.message})`};
  }
  if (answer.error) {
    told.replaceChildren(make("p", {class: "error"}, answer.error));
    return;
  }
  const list = make("ol", {class: "steps told"});
  for (const step of answer.steps) {
    const params = Object.entries(step.params).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ");
    const item = make("li", {}, make("span", {class: "soft"}, step.kind + " "),
      make("span", {title: step.name}, short(step.name)),
      step.name === step.path ? "" : ` ${step.path}`, ": ", make("strong", {class: tone[step.outcome] || ""}, step.outcome),
      make("span", {class: "soft"}, [step.methods.length ? words({methods: step.methods}) : "", params, step.why]
        .filter(Boolean).map((text) => `, ${text}`).join("")));
    item.style.paddingLeft = `${step.depth}rem`;
    list.append(item);
  }
  told.replaceChildren(make("h3", {}, `${answer.method} ${answer.path}`), list, make("p", {class: "end"}, answer.end));
});
