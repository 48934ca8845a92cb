// Whether a sentence asks anew or refines what was asked: it is said, and one click takes the other way.
import { $, h } from "./dom.js";

const short = (text) => (text.length > 40 ? `${text.slice(0, 38)}…` : text);
const before = (turn) => (turn.before ? `“${short(turn.before)}”` : "what you have");

const SAYS = {
  anew: [() => "A new request.", (turn) => `add to ${before(turn)} instead`],
  refine: [(turn) => `Added to ${before(turn)}.`, () => "ask anew instead"],
  edit: [(turn) => `In place of ${before(turn)}; the rest stays.`, () => ""],
};

export const other = (turn) => ({ anew: "refine", refine: "anew" })[turn.way];

// `sent`: whether it is done already, or what Enter would do.
export function draw(turn, { sent, change }) {
  if (!turn || (!turn.ways[other(turn)] && turn.way !== "edit")) return clear();
  const [what, instead] = SAYS[turn.way].map((say) => say(turn));
  $("how").replaceChildren(h("span", {}, sent ? "" : h("kbd", {}, "Enter"), sent ? what : ` ${what.charAt(0).toLowerCase()}${what.slice(1)}`),
    instead && turn.ways[other(turn)] ? h("button", { type: "button", title: sent ? "" : "Shift + Enter", onclick: change }, instead) : "");
}

export function clear() {
  $("how").replaceChildren();
}
