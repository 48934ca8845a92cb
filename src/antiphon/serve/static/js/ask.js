// The one box. What is typed is tried at once and kept with Enter; a title that is picked becomes a like.
import { $, h, debounce } from "./dom.js";
import { call, dropped } from "./api.js";
import * as state from "./state.js";
import * as how from "./how.js";
import { remember } from "./space.js";

export const events = { preview: () => {}, shown: () => [], failed: () => {} };
let titles = [];
let picked = -1;
let editing = false;
let turn = null; // the last sentence: { before, ways: { anew, refine, edit }, way }
let sending = false;

const box = () => $("ask-box");

async function refined(say, kind) {
  const body = { wish: { ...state.wish(state.get()), weights: state.weights(state.get()) }, say, shown: events.shown() };
  const step = await call("/v1/refine", body, kind);
  const { weights, ...wish } = step.wish;
  const mix = weights.text === undefined || weights.likes === undefined ? state.get().mix : weights.text / (weights.text + weights.likes);
  const literal = wish.text === state.get().text ? state.get().literal : [];
  const next = { ...state.get(), ...wish, literal, text: wish.text || "", mix: Math.round(mix * 100) / 100 };
  // "start over" leaves nothing, also no picture.
  const left = state.says(next) || next.where.length ? next : { ...next, image: null, audio: null };
  return { next: left, guessed: step.guessed };
}

// What a sentence makes of the request. The first one is searched as it was said, as by every other door. After it a
// command ("newer", "less violent") refines; other words ask anew, unless there are no words yet for them to replace.
async function taken(say, kind) {
  const now = state.get();
  const anew = { ...state.EMPTY, view: now.view, text: say };
  if (editing) return { before: now.text, ways: { edit: { ...now, text: say, literal: [] } }, way: "edit" };
  if (!state.asks(now)) return { before: "", ways: { anew: { ...anew, where: now.where } }, way: "anew" };
  const { next, guessed } = await refined(say, kind);
  if (!now.text && guessed) return { before: "", ways: { anew, refine: { ...now, text: say } }, way: "refine" };
  if (!state.asks(next)) return { before: now.text, ways: { refine: next }, way: "refine" };
  return { before: now.text, ways: { anew, refine: next }, way: guessed ? "anew" : "refine" };
}

function keep(way, { replace = false } = {}) {
  tryIt.cancel();
  turn.way = way;
  editing = false;
  box().value = "";
  sending = true;
  state.set(turn.ways[way], { replace });
  sending = false;
  how.draw(turn, { sent: true, change: () => keep(how.other(turn), { replace: true }) });
  const said = $("how").firstChild?.textContent;
  if (said) $("status").textContent = said;
}

const tryIt = debounce(async () => {
  const say = box().value.trim();
  if (say.length < 3) return say || editing ? undefined : stop();
  try {
    const [next, found] = await Promise.all([taken(say, "try"), call(`/v1/items?k=5&q=${encodeURIComponent(say)}`, undefined, "titles")]);
    if (box().value.trim() !== say) return;
    turn = next;
    how.draw(turn, { sent: false, change: () => keep(how.other(turn)) });
    events.preview(turn.ways[turn.way]);
    offer(found.items);
  } catch (error) {
    if (!dropped(error) && error.status !== 400) events.failed(error);
  }
}, 90);

// Nothing is typed any more: what was tried goes, what was asked stands.
function stop() {
  editing = false;
  turn = null;
  how.clear();
  events.preview(null);
}

// `otherwise`: add where it would ask anew, and the other way round.
export async function say(text, { otherwise = false } = {}) {
  tryIt.cancel();
  offer([]);
  if (text !== box().value) editing = false; // a suggestion, and not what stands in the box
  if (!text.trim()) return editing ? emptied() : undefined;
  try {
    turn = await taken(text.trim(), "try");
    keep((otherwise && turn.ways[how.other(turn)] && how.other(turn)) || turn.way);
  } catch (error) {
    if (!dropped(error)) events.failed(error);
  }
}

function emptied() {
  editing = false;
  state.set({ text: "" });
}

// The words that were sent come back into the box.
export function edit() {
  editing = true;
  box().value = state.get().text;
  box().focus();
  box().select();
  turn = { before: state.get().text, ways: { edit: state.get() }, way: "edit" };
  how.draw(turn, { sent: false });
}

function offer(items) {
  remember(items);
  titles = items;
  picked = -1;
  const list = $("ask-titles");
  list.replaceChildren(...items.map((item, place) => h("li", { role: "option", id: `title-${place}`, "aria-selected": "false",
    onpointerdown: (event) => {
      event.preventDefault();
      like(item);
    } }, item.title, h("small", {}, "more like this"))));
  list.hidden = items.length === 0 || document.activeElement !== box();
  box().setAttribute("aria-expanded", String(!list.hidden));
  box().removeAttribute("aria-activedescendant");
}

function like(item) {
  tryIt.cancel();
  editing = false;
  box().value = "";
  offer([]);
  if (!state.get().likes.includes(item.item_id)) state.toggle("likes", item.item_id);
}

function pick(step) {
  picked = (picked + step + titles.length + 1) % (titles.length + 1);
  if (picked === titles.length) picked = -1;
  [...$("ask-titles").children].forEach((row, place) => row.setAttribute("aria-selected", String(place === picked)));
  if (picked >= 0) box().setAttribute("aria-activedescendant", `title-${picked}`);
  else box().removeAttribute("aria-activedescendant");
}

function keys(event) {
  if (event.key === "ArrowDown" && titles.length) { event.preventDefault(); pick(1); }
  else if (event.key === "ArrowUp" && titles.length) { event.preventDefault(); pick(-1); }
  else if (event.key === "ArrowUp" && !box().value && state.get().text) { event.preventDefault(); edit(); }
  else if (event.key === "Escape") { tryIt.cancel(); offer([]); if (box().value || editing) { box().value = ""; stop(); } else box().blur(); }
  else if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); say(box().value, { otherwise: true }); }
}

export function start() {
  box().addEventListener("input", tryIt);
  box().addEventListener("blur", () => { $("ask-titles").hidden = true; box().setAttribute("aria-expanded", "false"); });
  box().addEventListener("keydown", keys);
  state.onChange(() => {
    if (sending) return;
    turn = null;
    how.clear();
  });
  $("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (picked >= 0) like(titles[picked]);
    else say(box().value);
  });
}
