// The playlist panel: generate, extend, smooth, reorder by hand or keys, undo, export.
import { $, h, glide } from "./dom.js";
import { call, file } from "./api.js";
import { face } from "./cover.js";
import * as state from "./state.js";
import { info } from "./space.js";

const STORE = "antiphon-playlist";
const MOST = 500;
let entries = [];
let links = [];
let past = [];
const options = { length: 12, per: "", most: 2 };
export const events = { changed: () => {}, said: () => {} };

export const has = (itemId) => entries.some((entry) => entry.item_id === itemId);

function keep() {
  sessionStorage.setItem(STORE, JSON.stringify({ entries, links, options }));
}

function change(next, nextLinks = null) {
  past = [...past.slice(-49), { entries, links }];
  entries = next.slice(0, MOST);
  links = nextLinks || [];
  draw();
  if (!nextLinks && entries.length > 1) measure();
}

export function toggle(item) {
  change(has(item.item_id) ? entries.filter((entry) => entry.item_id !== item.item_id) : [...entries, item]);
}

export function undo() {
  const before = past.pop();
  if (!before) return;
  ({ entries, links } = before);
  draw();
}

// How similar each neighbour pair is; asked again after every change by hand.
async function measure() {
  const asked = entries;
  try {
    const made = await call("/v1/playlist/order", { item_ids: asked.map((entry) => entry.item_id), flow: false }, "links");
    if (asked !== entries) return;
    links = made.items.map((item) => item.link);
    draw();
  } catch { /* the list is usable without its links */ }
}

async function work(button, task) {
  button.disabled = true;
  try {
    await task();
  } catch (error) {
    events.said(error.message);
  } finally {
    button.disabled = false;
  }
}

const limits = () => (options.per ? { [options.per]: options.most } : {});

async function generate() {
  const value = state.get();
  if (state.files(value) && !state.says(value)) throw new Error("A playlist is made of words and likes: like one of the answers first.");
  const made = await call("/v1/playlist", { ...state.body(value), length: options.length, max_per: limits() });
  change(made.items, made.items.map((item) => item.link));
  events.said(made.short || "");
}

async function extend() {
  const value = state.get();
  const made = await call("/v1/playlist", { ...(state.says(value) ? state.body(value) : {}), after: entries.map((entry) => entry.item_id), length: 5, max_per: limits() });
  change([...entries, ...made.items], [...fill(links, entries.length), ...made.items.map((item) => item.link)]);
  events.said(made.short || "");
}

const fill = (list, length) => Array.from({ length }, (_, place) => list[place] ?? null);

async function smooth() {
  const made = await call("/v1/playlist/order", { item_ids: entries.map((entry) => entry.item_id) });
  change(made.items, made.items.map((item) => item.link));
}

async function download(format) {
  const name = state.get().text || `${info.name} playlist`;
  const blob = await file("/v1/playlist/order", { item_ids: entries.map((entry) => entry.item_id), flow: false, format, name: name.slice(0, 200) });
  const link = h("a", { href: URL.createObjectURL(blob), download: `${name.replace(/[^\w -]+/g, "").slice(0, 60) || "playlist"}.${format}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export function shift(from, to) {
  if (to < 0 || to >= entries.length || from === to) return;
  const next = [...entries];
  next.splice(to, 0, ...next.splice(from, 1));
  change(next);
}

function lift(event, place) {
  if (event.button > 0) return;
  const rows = [...$("playlist").querySelectorAll(".entry")];
  const row = rows[place];
  const middles = rows.map((other) => { const box = other.getBoundingClientRect(); return box.top + box.height / 2; });
  const start = event.clientY;
  let to = place;
  row.classList.add("lifted");
  event.target.setPointerCapture(event.pointerId);
  const moved = (now) => {
    row.style.setProperty("transform", `translateY(${now.clientY - start}px)`);
    to = middles.filter((middle, other) => other !== place && now.clientY > middle).length;
  };
  const done = () => {
    event.target.removeEventListener("pointermove", moved);
    row.classList.remove("lifted");
    row.style.removeProperty("transform");
    shift(place, to);
  };
  event.target.addEventListener("pointermove", moved);
  event.target.addEventListener("pointerup", done, { once: true });
  event.target.addEventListener("pointercancel", done, { once: true });
}

function keys(event, place) {
  const to = { ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: entries.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  const aim = Math.min(entries.length - 1, Math.max(0, to));
  shift(place, aim);
  $("playlist").querySelectorAll(".grip")[aim]?.focus();
  $("status").textContent = `Now at place ${aim + 1} of ${entries.length}.`;
}

function row(entry, place) {
  const link = links[place];
  const known = place > 0 && link !== null && link !== undefined;
  return h("li", { "data-key": entry.item_id },
    place > 0 && h("span", { class: "link", title: known ? `similarity ${link.toFixed(2)}` : "" }, h("i", { style: { width: known ? `${Math.round(100 * Math.max(0.02, link))}%` : "0" } })),
    h("div", { class: "entry" },
      h("button", { type: "button", class: "grip", "aria-label": `Move ${entry.title}; place ${place + 1}. Arrow keys move it`, title: "Drag, or use the arrow keys", onpointerdown: (event) => lift(event, place), onkeydown: (event) => keys(event, place) }, String(place + 1)),
      h("span", { class: "thumb" }, face(entry, 80)),
      h("span", { class: "name", title: entry.title }, entry.title),
      h("span", { class: "tail" }, h("button", { type: "button", "aria-label": `Take ${entry.title} off the playlist`, onclick: () => toggle(entry) }, "×"))));
}

function menu() {
  const list = h("div", { hidden: true }, ["m3u8", "xspf", "csv", "json"].map((format) => h("button", { type: "button", onclick: () => {
    list.hidden = true;
    download(format).catch((error) => events.said(error.message));
  } }, format.toUpperCase())));
  const button = h("button", { type: "button", "aria-expanded": "false", onclick: () => {
    list.hidden = !list.hidden;
    button.setAttribute("aria-expanded", String(!list.hidden));
  } }, "export ▾");
  return h("span", { class: "menu" }, button, list);
}

function controls() {
  const fields = Object.keys(info.fields).filter((name) => info.fields[name] === "string" || info.fields[name] === "list");
  const length = h("input", { type: "number", min: 1, max: 100, value: options.length, "aria-label": "Length of the playlist", onchange: () => { options.length = Math.min(100, Math.max(1, Number(length.value) || 12)); keep(); } });
  const per = h("select", { "aria-label": "At most two that share a", onchange: () => { options.per = per.value; keep(); } },
    h("option", { value: "" }, "any mix"), fields.map((name) => h("option", { value: name, ...(options.per === name ? { selected: true } : {}) }, `max 2 per ${name}`)));
  const generating = h("button", { type: "button", class: "main", onclick: () => work(generating, generate) }, "Generate");
  return [h("div", { class: "options" }, length, "items", per), h("div", { class: "bar-row" }, generating, ...(entries.length ? rest() : undoing()))];
}

const undoing = () => (past.length ? [h("button", { type: "button", onclick: undo }, "undo")] : []);

function rest() {
  const extending = h("button", { type: "button", onclick: () => work(extending, extend) }, "extend");
  const smoothing = h("button", { type: "button", title: "An order that flows", onclick: () => work(smoothing, smooth) }, "smooth");
  return [extending, smoothing, ...undoing(), h("button", { type: "button", class: "quiet", onclick: () => change([]) }, "clear"), menu()];
}

export function draw() {
  keep();
  const panel = $("playlist");
  const head = h("div", { class: "pane-head" }, h("h2", {}, "Playlist"), h("span", { class: "dim" }, entries.length ? String(entries.length) : ""),
    h("button", { type: "button", class: "quiet close", "data-close": "playlist", "aria-label": "Close the playlist" }, "×"));
  const list = panel.querySelector(".entries") || h("ol", { class: "entries" });
  const empty = entries.length ? "" : h("p", { class: "empty-list" }, "Put answers here with “+ list”, or let one be made from your request.");
  panel.replaceChildren(head, ...controls(), empty, list);
  glide(list, () => list.replaceChildren(...entries.map(row)));
  $("dock-count").textContent = entries.length ? String(entries.length) : "";
  events.changed();
}

export function start() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORE) || "{}");
    entries = (stored.entries || []).filter((entry) => entry && entry.item_id);
    links = stored.links || [];
    Object.assign(options, stored.options || {});
  } catch { /* begin with an empty list */ }
  draw();
}
