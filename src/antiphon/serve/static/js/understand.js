// A request read another way: what of it could be filters and likes, beside what a search reads by itself. It is only
// offered; a click makes it so.
import { $, h } from "./dom.js";
import { call, dropped } from "./api.js";
import * as state from "./state.js";
import { remember } from "./space.js";

const readings = new Map();
let wanted = "";

// What a reading adds to the request; nothing where it is there already, as after the click.
function added(value, query) {
  const more = {};
  for (const name of ["where", "likes", "less"]) {
    const fresh = (query[name] || []).filter((part) => !value[name].includes(part));
    if (fresh.length) more[name] = [...value[name], ...fresh];
  }
  return more;
}

function clear() {
  wanted = "";
  $("read-as").replaceChildren();
}

function apply(value, reading, more) {
  clear();
  remember(reading.likes.map((item) => ({ ...item, fields: {} })));
  $("ask-box").value = "";
  state.set({ ...value, text: reading.query.text || "", ...more });
  $("ask-box").focus({ preventScroll: true });
  $("status").textContent = `Applied: ${reading.says.join(", ")}.`;
}

function draw(value, reading) {
  const more = added(value, reading.query);
  if (!reading.says.length || !Object.keys(more).length) return clear();
  $("read-as").replaceChildren(h("span", { id: "read-says" }, h("span", { class: "dim" }, "Read as: "), reading.says.join(" · ")),
    h("button", { type: "button", "aria-describedby": "read-says", onclick: () => apply(value, reading, more) }, "apply"));
}

export async function offer(value) {
  if (!value?.text) return clear();
  wanted = value.text;
  if (!readings.has(value.text)) {
    try {
      const reading = await call("/v1/understand", { text: value.text, beside_search: true }, "understand");
      if (readings.size > 200) readings.clear();
      readings.set(value.text, reading);
    } catch (error) { // an offer that cannot be made is none: the search says what is wrong
      if (!dropped(error) && wanted === value.text) clear(); // dropped: the same text is on its way again
      return;
    }
  }
  if (wanted === value.text) draw(value, readings.get(value.text));
}
