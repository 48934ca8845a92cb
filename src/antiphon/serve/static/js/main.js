// Puts the panels together: one state, one search at a time, everything else follows.
import { $, h, count, debounce } from "./dom.js";
import * as api from "./api.js";
import * as state from "./state.js";
import * as space from "./space.js";
import * as ask from "./ask.js";
import * as cards from "./cards.js";
import * as chips from "./chips.js";
import * as facets from "./facets.js";
import * as playlist from "./playlist.js";
import * as atlas from "./atlas.js";
import * as dialogs from "./dialogs.js";
import * as media from "./media.js";
import * as understand from "./understand.js";

const PAGE = 20;
let hits = [];

function notice(...content) {
  $("notice").replaceChildren(...content);
}

function failed(error) {
  if (api.dropped(error)) return;
  if (!hits.length) cards.clear();
  notice(h("div", { class: "note bad", role: "alert" }, h("h2", {}, error.status === 0 ? "No answer" : "That did not work"), h("p", {}, error.message),
    h("div", { class: "choices" }, h("button", { type: "button", onclick: () => search(state.get()) }, "Try again"))));
}

function welcome() {
  hits = [];
  cards.clear();
  $("more").hidden = true;
  const talk = (example) => h("div", { class: "talk" }, h("button", { type: "button", onclick: () => ask.say(example.text) }, `“${example.text}”`), h("span", { class: "then" }, `then ${example.then.map((said) => `“${said}”`).join(", ")}`));
  notice(h("div", { class: "note" }, h("h2", {}, "What are you after?"),
    h("p", { class: "dim" }, `Describe it in your own words, name something you like, or begin with one of these. ${count(space.info.n_items)} items listen.`),
    h("div", { class: "talks" }, space.info.examples.map(talk))));
}

function nothing(value, loosen) {
  const better = loosen.filter((part) => part.would_match > 0 && part.part < value.where.length);
  notice(h("div", { class: "note" }, h("h2", {}, "Nothing passes these filters together"),
    h("p", { class: "dim" }, better.length ? "Loosen one of them:" : "No single filter is to blame; remove several."),
    h("div", { class: "choices" }, better.map((part) => h("button", { type: "button", onclick: () => state.set({ where: value.where.filter((_, place) => place !== part.part) }) },
      `without “${chips.readable(value.where[part.part])}”: ${count(part.would_match)} items`)),
    h("button", { type: "button", onclick: () => state.set({ where: [] }) }, "remove all filters"))));
}

async function search(value, { offset = 0 } = {}) {
  if (!offset) understand.offer(value);
  if (!state.asks(value)) {
    if (value.where.length) { notice(h("div", { class: "note" }, h("h2", {}, "And what are you after?"), h("p", { class: "dim" }, "The filters are set. Say a few words, or pick something you like."))); cards.clear(); hits = []; }
    else welcome();
    atlas.highlight([]);
    suggest(value);
    return;
  }
  if (!hits.length) { notice(); cards.waiting(); }
  try {
    const body = { ...state.body(value), k: PAGE, offset, explain: true };
    const found = await (state.files(value) ? api.call("/v1/search/media", media.form(body, value), "search") : api.call("/v1/search", body, "search"));
    space.remember(found.hits);
    hits = offset ? [...hits, ...found.hits] : found.hits;
    notice();
    cards.show(found.hits, { append: offset > 0 });
    if (!offset) chips.readings(value, found.read || []);
    $("more").hidden = found.hits.length < PAGE;
    if (!hits.length) nothing(value, found.loosen || []);
    else if (found.nothing_fits) notice(h("div", { class: "note", role: "status" }, h("h2", {}, "Nothing fits well"), h("p", { class: "dim" }, "The catalog knows none of this. These are the nearest answers; other words may find better ones.")));
    atlas.highlight(hits);
    suggest(value);
  } catch (error) {
    failed(error);
  }
}

// What can be said next, from what is shown.
function suggest(value) {
  const said = [];
  if (!state.asks(value)) said.push(...space.info.examples.map((example) => example.text));
  else {
    said.push(...(space.info.examples.find((example) => example.text === value.text)?.then || []));
    if (hits.length > 1) said.push("more like the second one");
    const tally = new Map();
    for (const hit of hits) for (const name of space.info.card) if (space.info.fields[name] === "list") for (const word of (hit.fields[name] || []).slice(0, 4)) tally.set(word, (tally.get(word) || 0) + 1);
    const common = [...tally].sort((one, two) => two[1] - one[1]).slice(0, 2).map(([word]) => word);
    if (common[0]) said.push(`less ${common[0]}`);
    if (common[1]) said.push(`only ${common[1]}`);
    if (Object.entries(space.info.fields).some(([name, kind]) => /year|date/i.test(name) || kind === "date")) said.push("newer", "older");
    said.push("start over");
  }
  $("suggestions").replaceChildren(...[...new Set(said)].slice(0, 9).map((text) => h("button", { type: "button", onclick: () => ask.say(text) }, text)));
}

function views(value) {
  const map = value.view === "map";
  document.body.dataset.view = value.view;
  $("view-search").setAttribute("aria-pressed", String(!map));
  $("view-map").setAttribute("aria-pressed", String(map));
  $("cards").hidden = map;
  document.querySelector(".more-row").hidden = map;
  if (map) { if (state.asks(value)) notice(); atlas.show(); } else atlas.hide();
}

const sameRequest = (one, two) => state.write({ ...one, view: "" }) === state.write({ ...two, view: "" }) && one.image === two.image && one.audio === two.audio;

function changed(value, before) {
  chips.draw(value);
  views(value);
  if (before && sameRequest(value, before)) return;
  search(value);
  facets.update(value);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open) return;
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "range" && event.target.type !== "checkbox";
  if (typing) return;
  const card = document.activeElement?.closest?.(".card");
  const hit = card ? cards.item(card.dataset.key) : null;
  if (event.key === "/") { $("ask-box").focus(); $("ask-box").select(); }
  else if (event.key === "?") dialogs.help();
  else if (event.key === "m") state.set({ view: state.get().view === "map" ? "search" : "map" });
  else if (event.key === "z") playlist.undo();
  else if (event.key === "u") state.undo();
  else if (event.key === "Escape" && document.querySelector("aside.open")) close(document.querySelector("aside.open"));
  else if (hit && (event.key === "+" || event.key === "=")) state.toggle("likes", hit.item_id);
  else if (hit && event.key === "-") state.toggle("dislikes", hit.item_id);
  else if (hit && event.key === "l") playlist.toggle(hit);
  else if (hit && (event.key === "w" || (event.key === "Enter" && event.target === card))) card.querySelector(".face").click();
  else if (event.key.startsWith("Arrow") && event.target.type !== "range" && cards.move(event.key)) { /* moved */ }
  else return;
  event.preventDefault();
}

// Panels that are drawn in from a side take the focus, and give it back.
function toggle(panel, button) {
  if (panel.classList.contains("open")) return close(panel);
  panel.classList.add("open");
  panel.querySelector(".close").focus();
  panel.opener = button;
}

function close(panel) {
  panel.classList.remove("open");
  panel.opener?.focus();
}

async function share() {
  try {
    await navigator.clipboard.writeText(location.href);
    $("share").textContent = "copied";
    $("status").textContent = "The link is copied.";
    setTimeout(() => { $("share").textContent = "copy link"; }, 2000);
  } catch { // pages without https may not write to the clipboard
    dialogs.open("A link to this", h("pre", { tabindex: "0" }, location.href));
  }
}

const THEMES = [["", "◐", "as the system"], ["light", "○", "light"], ["dark", "●", "dark"]];

function theme(step) {
  const now = THEMES.findIndex(([name]) => name === (localStorage.getItem("antiphon-theme") || ""));
  const [name, sign, said] = THEMES[(Math.max(0, now) + step) % THEMES.length];
  localStorage.setItem("antiphon-theme", name);
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  $("theme").textContent = sign;
  $("theme").setAttribute("aria-label", `Colour theme: ${said}`);
}

function wire() {
  theme(0);
  $("theme").addEventListener("click", () => theme(1));
  $("open-help").addEventListener("click", dialogs.help);
  $("open-api").addEventListener("click", dialogs.api);
  $("view-search").addEventListener("click", () => state.set({ view: "search" }));
  $("view-map").addEventListener("click", () => state.set({ view: "map" }));
  $("clear").addEventListener("click", () => { state.set({ ...state.EMPTY, view: state.get().view }); $("ask-box").focus(); });
  $("undo").addEventListener("click", state.undo);
  $("share").addEventListener("click", share);
  $("mix").addEventListener("input", debounce(() => state.set({ mix: Number($("mix").value) }, { replace: true }), 80));
  $("more").addEventListener("click", () => search(state.get(), { offset: hits.length }));
  $("dialog").addEventListener("click", (event) => { if (event.target === $("dialog")) $("dialog").close(); });
  document.addEventListener("keydown", keys);
  document.addEventListener("click", (event) => {
    const opening = event.target.closest("[data-open]")?.dataset.open;
    const closing = event.target.closest("[data-close]")?.dataset.close;
    if (opening) toggle($(opening), event.target.closest("[data-open]"));
    if (closing) close($(closing));
  });
  ask.events.preview = (next) => search(next || state.get());
  ask.events.shown = cards.ids;
  ask.events.failed = failed;
  chips.events.edit = ask.edit;
  media.events.failed = failed;
  cards.events.list = (hit) => playlist.toggle(hit);
  cards.events.listed = playlist.has;
  playlist.events.changed = cards.mark;
  playlist.events.said = (text) => { if (text) notice(h("div", { class: "note", role: "alert" }, h("p", {}, text))); };
  api.needsKey.ask = dialogs.askKey;
}

async function start() {
  wire();
  state.start();
  if (state.asks(state.get())) cards.waiting();
  try {
    await space.load();
  } catch (error) {
    failed(error);
    return;
  }
  const { name, n_items: items, modalities } = space.info;
  $("about").textContent = `${name} · ${count(items)} items · ${Object.keys(modalities).map((one) => (one === "cf" ? "CF" : one)).join(", ")}`;
  document.title = `${name} – antiphon`;
  ask.start();
  media.start();
  playlist.start();
  state.onChange(changed);
  changed(state.get(), null);
}

start();
