// What takes part in a score, by name: how it is called, and its colour, the same wherever it is shown.
import { $, h } from "./dom.js";

const NAMES = { text: "meaning", image: "picture", audio: "sound", sound: "sound", cf: "shared likes", taste: "taste", words: "words", facets: "categories",
  passages: "passages", popularity: "popularity", names: "title" };
const ABOUT = { text: "what its texts mean", image: "what its picture shows", audio: "how it sounds", sound: "how it sounds", cf: "who likes it, as a part of the space",
  taste: "people who like what you like also like it", words: "words of your request that it has", facets: "its genre, year, tags and other fields", passages: "single sentences of its texts",
  popularity: "many people like it", names: "its title" };
const OWN = 3;
const own = [];

export const label = (name) => NAMES[name] || name;
export const about = (name) => ABOUT[name] || "";

export function colour(name) {
  if (name in NAMES) return `v-${name}`;
  if (!own.includes(name)) own.push(name);
  return `v-own${own.indexOf(name) % OWN}`;
}

// The legend of the bars of these answers: what none of them has is left out.
export function legend(hits) {
  const names = new Set(hits.flatMap((hit) => Object.entries(hit.why || {}).filter(([, share]) => share >= 0.01).map(([name]) => name)));
  $("legend").hidden = names.size === 0;
  $("legend").replaceChildren("Found by ", ...[...names].map((name) => h("span", { title: about(name) }, h("i", { class: colour(name), "aria-hidden": "true" }), label(name))));
}
