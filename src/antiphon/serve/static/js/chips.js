// Everything that shapes the answer, as chips that can be removed.
import { $, h } from "./dom.js";
import * as state from "./state.js";
import { title, lookup } from "./space.js";
import { KINDS, face } from "./media.js";

export const events = { edit: () => {} };
const without = (list, place) => list.filter((_, other) => other !== place);

function chip(kind, text, remove, { away = false, itemId = null, before = null, edit = null } = {}) {
  const shown = h("span", {}, edit ? h("button", { type: "button", class: "edit", "aria-label": `Edit ${text}`, title: "Edit", onclick: edit }, text) : text);
  const button = h("button", { type: "button", "aria-label": `Remove ${kind ? `${kind}: ` : ""}${text}`, onclick: () => {
    remove();
    $("ask-box").focus({ preventScroll: true });
  } }, "×");
  if (itemId && !title(itemId)) {
    lookup(itemId).then((item) => {
      shown.textContent = item.title;
      button.setAttribute("aria-label", `Remove ${kind}: ${item.title}`);
    }).catch(() => { shown.textContent = `unknown item ${itemId}`; });
  }
  return h("li", { class: `chip${away ? " away" : ""}` }, before, kind && h("b", {}, `${kind}:`), shown, button);
}

// "genres any 'sci-fi', 'horror'" reads "genres: sci-fi or horror".
export function readable(filter) {
  const any = filter.match(/^(\w+) any (.+)$/);
  const not = filter.match(/^not (\w+) any (.+)$/);
  const plain = (values) => values.split(/,\s*/).map((word) => word.replace(/^['"]|['"]$/g, ""));
  if (any) return plain(any[2]).join(" or ");
  if (not) return `no ${plain(not[2]).join(", no ")}`;
  const test = filter.match(/^(\w+)(>=|<=|>|<)(.+)$/);
  if (!test) return filter;
  const said = { ">=": "from", "<=": "to", ">": "after", "<": "before" }[test[2]];
  return `${test[1]} ${said} ${test[3].replaceAll("'", "")}`;
}

// What the space read of the words: a click takes it back, and the words are only words.
export function readings(value, found) {
  const shown = found.map((read) => h("li", { class: `chip read${read.kind === "without" || read.kind === "unlike" ? " away" : ""}` }, h("span", {}, read.says),
    h("button", { type: "button", "aria-label": `Take back: ${read.says}`, title: `take “${read.words}” as words only`, onclick: () => {
      state.set({ literal: [...value.literal, read.words] });
      $("ask-box").focus({ preventScroll: true });
    } }, "×")));
  $("readings").replaceChildren(...shown);
}

export function draw(value) {
  const chips = [];
  for (const [name, kind] of Object.entries(KINDS)) {
    const file = value[name];
    if (file) chips.push(chip(kind, file.name || kind, () => state.set({ [name]: null }), { before: name === "image" ? face(file) : null }));
  }
  if (value.text) chips.push(chip("", `“${value.text}”`, () => state.set({ text: "" }), { edit: () => events.edit() }));
  for (const [name, kind, away] of [["more", "more", false], ["less", "less", true]]) {
    value[name].forEach((word, place) => chips.push(chip(kind, word, () => state.set({ [name]: without(value[name], place) }), { away })));
  }
  for (const [name, kind, away] of [["likes", "more like", false], ["dislikes", "less like", true], ["exclude", "not", true]]) {
    value[name].forEach((id, place) => chips.push(chip(kind, title(id) || "…", () => state.set({ [name]: without(value[name], place) }), { away, itemId: id })));
  }
  value.literal.forEach((words, place) => chips.push(chip("only words", words, () => state.set({ literal: without(value.literal, place) }))));
  value.where.forEach((part, place) => chips.push(chip("", readable(part), () => state.set({ where: without(value.where, place) }))));
  if (!value.text) $("readings").replaceChildren();
  $("chips").replaceChildren(...chips);
  $("clear").hidden = $("share").hidden = chips.length === 0;
  $("undo").hidden = !state.undoable();
  const both = Boolean((value.text || value.more.length) && (value.likes.length));
  $("mix-box").hidden = !both;
  $("mix").value = String(value.mix);
}
