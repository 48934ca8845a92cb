// One click deeper: shares, ranks in each modality alone, matched words, the nearest likes.
import { h, percent, count } from "./dom.js";
import { call } from "./api.js";
import { face } from "./cover.js";
import * as state from "./state.js";
import { open } from "./dialogs.js";
import { info } from "./space.js";

export async function explain(hit) {
  const box = h("div", {}, h("p", { class: "dim" }, "asking…"));
  open(hit.title, h("div", { class: "dialog-row" }, h("div", { class: "face" }, face(hit, 320)), box));
  const value = state.get();
  try {
    // With a picture or a sound, the answer itself says why; the rest is only known of words and likes.
    const found = state.says(value) && !state.files(value) ? await call("/v1/why", { ...state.body(value), item_id: hit.item_id }, "why") : { ...hit, ranks: {}, nearest_likes: [] };
    box.replaceChildren(...details(found));
  } catch (error) {
    if (error.name !== "AbortError") box.replaceChildren(h("p", {}, error.message));
  }
}

function details(found) {
  const matched = new Set(Object.values(found.matched || {}).flat());
  const parts = Object.entries(found.why || {});
  const largest = Math.max(0.01, ...parts.map(([, share]) => Math.abs(share)));
  const fields = Object.entries(found.fields).filter(([, value]) => value !== null && value.length !== 0);
  const rank = found.rank ? `Answer ${count(found.rank)}, score ${found.score.toFixed(3)}.` : state.asks(state.get()) ? "Not among the best 500 answers." : "";
  return [
    h("p", {}, rank),
    parts.length && h("h3", {}, "Why"),
    parts.length && h("div", { class: "shares" }, parts.map(([name, share], place) => h("div", {},
      h("span", {}, name === "cf" ? "taste (CF)" : name),
      h("span", { class: "bar" }, h("i", { class: `m${Math.min(place, 3)}`, style: { width: percent(Math.max(0, share) / largest) } })),
      h("span", {}, share < 0 ? `−${percent(-share)}` : percent(share)),
      h("small", { class: "dim" }, found.ranks[name] ? `alone: ${count(found.ranks[name])}.` : name in found.ranks ? "has none" : "")))),
    found.nearest_likes.length > 0 && h("h3", {}, "Nearest of your likes"),
    ...found.nearest_likes.map((like) => h("p", {}, `${like.title} `, h("span", { class: "dim" }, like.similarity.toFixed(2)))),
    h("h3", {}, "About it"),
    h("dl", {}, fields.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, info.fields[name] === "list" || Array.isArray(value)
      ? h("div", { class: "tags" }, value.slice(0, 40).map((word) => h("span", { class: matched.has(word) ? "hit" : "" }, word)))
      : h("span", { class: matched.has(String(value)) ? "hit" : "" }, String(value)))])),
  ].filter(Boolean);
}
