// Answers as cards. A card keeps its element while its item stays, so answers move and do not blink.
import { $, h, glide, percent, count } from "./dom.js";
import { face } from "./cover.js";
import * as state from "./state.js";
import { explain } from "./why.js";
import { info } from "./space.js";
import { colour, label, legend } from "./voices.js";

const shown = new Map();
export const events = { list: () => {}, listed: () => false };

export const ids = () => [...$("cards").children].map((card) => card.dataset.key).filter(Boolean);
export const item = (itemId) => shown.get(itemId)?.hit;

// The fields that say most of an item, the service's choice; what the title says already is left out.
export function meta(fields, title = "") {
  const words = [];
  for (const name of info.card) {
    const value = fields[name];
    if (value === null || value === undefined || value.length === 0) continue;
    const said = Array.isArray(value) ? value.slice(0, 3).join(", ") : info.fields[name] === "date" ? String(value).slice(0, 10) : String(value);
    if (!title.includes(said)) words.push(said);
  }
  return words.slice(0, 3).join(" · ");
}

export function shares(why) {
  const positive = Object.entries(why || {}).map(([name, share]) => [name, Math.max(0, share)]);
  const total = positive.reduce((sum, [, share]) => sum + share, 0) || 1;
  return positive.map(([name, share]) => [name, share / total]);
}

function whyBar(hit) {
  const parts = shares(hit.why);
  const matched = Object.values(hit.matched || {}).flat();
  const best = [...parts].sort((one, two) => two[1] - one[1]).filter(([, share]) => share >= 0.01);
  const said = best.map(([name, share]) => `${label(name)} ${percent(share)}`).join(", ");
  const text = matched.length ? `“${[...new Set(matched)].slice(0, 3).join("”, “")}”` : best.slice(0, 2).map(([name, share]) => `${label(name)} ${percent(share)}`).join(" · ");
  return h("button", { type: "button", class: "whybar", "data-tool": "why", "aria-label": `Why: ${said}${matched.length ? `; matches ${matched.join(", ")}` : ""}`, title: said },
    h("span", { class: "bar", "aria-hidden": "true" }, parts.map(([name, share]) => h("i", { class: colour(name), style: { width: percent(share) } }))),
    h("span", { class: "whytext" }, text));
}

function make(hit) {
  const card = h("li", { class: `card${info.images ? "" : " square"}`, tabindex: "-1", "data-key": hit.item_id },
    h("div", { class: "face" }, face(hit, 320)), h("h3", { title: hit.title }, hit.title), h("p", { class: "meta" }, meta(hit.fields, hit.title)),
    h("div", { class: "whyslot" }),
    h("div", { class: "acts" },
      h("button", { type: "button", "data-tool": "more", "aria-label": `+ more like ${hit.title}`, title: "More like this" }, "+ more"),
      h("button", { type: "button", "data-tool": "less", "aria-label": `− less like ${hit.title}`, title: "Less like this" }, "− less"),
      h("button", { type: "button", "data-tool": "list", "aria-pressed": "false", "aria-label": `+ list: ${hit.title}`, title: "On the playlist" }, "+ list")));
  card.addEventListener("click", (event) => act(event, hit.item_id));
  return card;
}

function act(event, itemId) {
  const tool = event.target.closest("[data-tool]")?.dataset.tool;
  const hit = shown.get(itemId).hit;
  if (tool === "more") state.toggle("likes", itemId);
  else if (tool === "less") state.toggle("dislikes", itemId);
  else if (tool === "list") events.list(hit);
  else if (tool === "why" || event.target.closest(".face")) explain(hit);
}

function update(card, hit) {
  card.querySelector(".whyslot").replaceChildren(hit.why ? whyBar(hit) : "");
  card.classList.remove("stale");
  card.setAttribute("aria-label", `${hit.rank}. ${hit.title}`);
}

export function mark() {
  for (const [itemId, { card, hit }] of shown) {
    const listed = events.listed(itemId);
    const button = card.querySelector('[data-tool="list"]');
    button.setAttribute("aria-pressed", String(listed));
    button.textContent = listed ? "✓ list" : "+ list";
    button.setAttribute("aria-label", `${button.textContent}: ${hit.title}`);
  }
}

export function show(hits, { append = false } = {}) {
  const list = $("cards");
  list.querySelectorAll(".skeleton").forEach((card) => card.remove());
  const focused = list.contains(document.activeElement) ? document.activeElement.closest(".card")?.dataset.key : null;
  const wanted = append ? [...ids().map((itemId) => shown.get(itemId).hit), ...hits.filter((hit) => !shown.has(hit.item_id))] : hits;
  glide(list, () => {
    const cards = wanted.map((hit) => {
      const known = shown.get(hit.item_id);
      const card = known?.card || make(hit);
      shown.set(hit.item_id, { card, hit });
      update(card, hit);
      return card;
    });
    const kept = new Set(wanted.map((hit) => hit.item_id));
    for (const itemId of [...shown.keys()]) if (!kept.has(itemId)) shown.delete(itemId);
    list.replaceChildren(...cards);
    if (cards.length) cards[0].tabIndex = 0;
  });
  // A focused card that stays keeps the focus; where it went, its neighbour takes it.
  if (focused) (shown.get(focused)?.card || list.firstElementChild)?.focus({ preventScroll: true });
  mark();
  legend(wanted);
  $("status").textContent = wanted.length ? `${count(wanted.length)} answers; the first is ${wanted[0].title}.` : "No answers.";
}

export function waiting() {
  const list = $("cards");
  if (list.children.length) return;
  const bones = () => h("li", { class: "card skeleton", "aria-hidden": "true" }, h("div", { class: "face" }), h("div", { class: "line" }), h("div", { class: "line" }));
  list.replaceChildren(...Array.from({ length: 10 }, bones));
}

export function clear() {
  shown.clear();
  legend([]);
  $("cards").replaceChildren();
}

export function move(key) {
  const cards = [...$("cards").children];
  const here = cards.indexOf(document.activeElement?.closest?.(".card"));
  if (here < 0 || !cards.length) return false;
  const row = cards.findIndex((card) => card.offsetTop > cards[0].offsetTop);
  const columns = row < 0 ? cards.length : row;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  const there = cards[Math.min(cards.length - 1, Math.max(0, here + step))];
  cards[here].tabIndex = -1;
  there.tabIndex = 0;
  there.focus();
  return true;
}
