// One click deeper: shares, ranks in each modality alone, matched words, the nearest likes.
import { h, percent, count } from "./dom.js";
import { call } from "./api.js";
import { face } from "./cover.js";
import * as state from "./state.js";
import { open } from "./dialogs.js";
import { info } from "./space.js";
import { about, colour, label } from "./voices.js";

// What the answer said already is shown at once; places and likes come when the service has them.
export async function explain(hit) {
  const box = h("div", {}, ...details(hit));
  open(hit.title, h("div", { class: "dialog-row" }, h("div", { class: "face" }, face(hit, 320)), box));
  const value = state.get();
  // With a picture or a sound, the answer itself says why; the rest is only known of words and likes.
  if (!state.says(value) || state.files(value)) return;
  try {
    const more = await call("/v1/why", { ...state.body(value), item_id: hit.item_id }, "why");
    box.replaceChildren(...details({ ...more, ...(hit.why ? { why: hit.why, matched: hit.matched, rank: hit.rank } : {}) }));
  } catch (error) {
    if (error.name !== "AbortError") box.append(h("p", {}, error.message));
  }
}

const spoken = (rank) => (rank ? `alone: place ${count(rank)}` : "it has none");

function share([name, part], largest, ranks) {
  return h("div", { title: about(name) }, h("span", {}, label(name)),
    h("span", { class: "bar", "aria-hidden": "true" }, h("i", { class: colour(name), style: { width: percent(Math.max(0, part) / largest) } })),
    h("span", {}, part < 0 ? `−${percent(-part)}` : percent(part)),
    h("small", { class: "dim" }, ranks && name in ranks ? spoken(ranks[name]) : ""));
}

function fieldsOf(found) {
  const matched = new Set(Object.values(found.matched || {}).flat());
  const first = (words) => [...words].sort((one, two) => matched.has(two) - matched.has(one)).slice(0, 40);
  const shown = (value) => (Array.isArray(value)
    ? h("div", { class: "tags" }, first(value).map((word) => h("span", { class: matched.has(word) ? "hit" : "" }, word)))
    : h("span", { class: matched.has(String(value)) ? "hit" : "" }, String(value)));
  const fields = Object.entries(found.fields).filter(([, value]) => value !== null && value.length !== 0);
  const order = (name) => (info.card.includes(name) ? info.card.indexOf(name) : info.card.length);
  fields.sort(([one], [two]) => order(one) - order(two));
  return fields.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, shown(value))]);
}

function details(found) {
  const parts = Object.entries(found.why || {}).filter(([, part]) => Math.abs(part) >= 0.005);
  const largest = Math.max(0.01, ...parts.map(([, part]) => Math.abs(part)));
  const words = [...new Set(Object.values(found.matched || {}).flat())].slice(0, 8);
  const rank = found.rank ? `Answer ${count(found.rank)}.` : found.rank === null && state.asks(state.get()) ? "Not among the 500 answers that fit best." : "";
  const likes = found.nearest_likes || [];
  return [
    h("p", {}, rank, words.length ? ` It has ${words.map((word) => `“${word}”`).join(", ")}.` : ""),
    parts.length && h("h3", {}, "Why"),
    parts.length && h("div", { class: "shares" }, parts.sort((one, two) => two[1] - one[1]).map((part) => share(part, largest, found.ranks))),
    likes.length && h("h3", {}, "Nearest of your likes"),
    ...likes.map((like) => h("p", {}, `${like.title} `, h("span", { class: "dim" }, like.similarity.toFixed(2)))),
    h("h3", {}, "About it"),
    h("dl", {}, fieldsOf(found)),
  ].filter(Boolean);
}
