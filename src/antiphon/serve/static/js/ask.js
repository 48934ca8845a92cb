// The one box. What is typed is tried at once and kept with Enter; a title that is picked becomes a like.
import { $, h, debounce } from "./dom.js";
import { call, dropped } from "./api.js";
import * as state from "./state.js";
import { remember } from "./space.js";

export const events = { preview: () => {}, shown: () => [], failed: () => {} };
let titles = [];
let picked = -1;

const box = () => $("ask-box");

async function refined(say, kind) {
  const body = { wish: { ...state.wish(state.get()), weights: state.weights(state.get()) }, say, shown: events.shown() };
  const step = await call("/v1/refine", body, kind);
  const { weights, ...wish } = step.wish;
  const mix = weights.text === undefined || weights.likes === undefined ? state.get().mix : weights.text / (weights.text + weights.likes);
  const literal = wish.text === state.get().text ? state.get().literal : [];
  const next = { ...state.get(), ...wish, literal, text: wish.text || "", mix: Math.round(mix * 100) / 100 };
  // "start over" leaves nothing, also no picture.
  return state.says(next) || next.where.length ? next : { ...next, image: null, audio: null };
}

const tryIt = debounce(async () => {
  const say = box().value.trim();
  if (say.length < 3) return say ? undefined : events.preview(null);
  try {
    const [next, found] = await Promise.all([refined(say, "try"), call(`/v1/items?k=5&q=${encodeURIComponent(say)}`, undefined, "titles")]);
    if (box().value.trim() !== say) return;
    events.preview(next);
    offer(found.items);
  } catch (error) {
    if (!dropped(error) && error.status !== 400) events.failed(error);
  }
}, 90);

export async function say(text) {
  tryIt.cancel();
  offer([]);
  if (!text.trim()) return;
  try {
    const next = await refined(text.trim(), "try");
    box().value = "";
    state.set(next);
  } catch (error) {
    if (!dropped(error)) events.failed(error);
  }
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

export function start() {
  box().addEventListener("input", tryIt);
  box().addEventListener("blur", () => { $("ask-titles").hidden = true; box().setAttribute("aria-expanded", "false"); });
  box().addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && titles.length) { event.preventDefault(); pick(1); }
    else if (event.key === "ArrowUp" && titles.length) { event.preventDefault(); pick(-1); }
    else if (event.key === "Escape") { offer([]); if (box().value) { box().value = ""; events.preview(null); } else box().blur(); }
  });
  $("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (picked >= 0) like(titles[picked]);
    else say(box().value);
  });
}
