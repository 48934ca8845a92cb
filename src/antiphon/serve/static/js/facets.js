// Filters: counts among the candidates, histograms for numbers.
import { $, h, count, debounce } from "./dom.js";
import { call, dropped } from "./api.js";
import * as state from "./state.js";

const FEW = 8;
const opened = new Set();

const escape = (word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const quoted = (value) => (value.includes("'") ? `"${value.replaceAll('"', "")}"` : `'${value}'`);

export function chosen(where, field) {
  const part = where.find((text) => new RegExp(`^${escape(field)} any `).test(text));
  if (!part) return [];
  return [...part.slice(field.length + 5).matchAll(/'([^']*)'|"([^"]*)"|([^,'"]+)/g)].map((found) => (found[1] ?? found[2] ?? found[3]).trim()).filter(Boolean);
}

function choose(field, values) {
  const rest = state.get().where.filter((text) => !text.startsWith(`${field} any `));
  state.set({ where: values.length ? [...rest, `${field} any ${values.map(quoted).join(", ")}`] : rest });
}

export function bounds(where, field, whole = true) {
  const found = { low: null, high: null };
  for (const text of where) {
    const test = text.match(new RegExp(`^${escape(field)}(>=|<=|>|<)(-?[\\d.]+)$`));
    if (!test) continue;
    const value = Number(test[2]);
    if (test[1].startsWith(">")) found.low = test[1] === ">" && whole ? Math.floor(value) + 1 : value;
    else found.high = test[1] === "<" && whole ? Math.ceil(value) - 1 : value;
  }
  return found;
}

const bound = debounce((field, low, high, facet) => {
  const rest = state.get().where.filter((text) => !new RegExp(`^${escape(field)}(>=|<=|>|<)`).test(text));
  const parts = [];
  if (low > facet.min) parts.push(`${field}>=${low}`);
  if (high < facet.max) parts.push(`${field}<=${high}`);
  state.set({ where: [...rest, ...parts] });
}, 150);

function words(facet) {
  const picked = chosen(state.get().where, facet.field);
  const folded = picked.map((value) => value.toLowerCase());
  const extra = picked.filter((value) => !facet.values.some((one) => one.value.toLowerCase() === value.toLowerCase())).map((value) => ({ value, count: 0 }));
  const all = [...extra, ...facet.values];
  const first = all.filter((one, place) => place < FEW || folded.includes(one.value.toLowerCase()));
  const shown = opened.has(facet.field) ? all : first;
  const rows = shown.map((one) => h("label", { class: "value" },
    h("input", { type: "checkbox", ...(folded.includes(one.value.toLowerCase()) ? { checked: true } : {}), onchange: (event) => {
      const now = chosen(state.get().where, facet.field);
      choose(facet.field, event.target.checked ? [...now, one.value] : now.filter((value) => value.toLowerCase() !== one.value.toLowerCase()));
    } }), h("span", { title: one.value }, one.value), h("small", {}, count(one.count))));
  const shownText = opened.has(facet.field) ? "fewer" : `${all.length - FEW} more`;
  const toggle = all.length > FEW && h("button", { type: "button", class: "quiet", "aria-label": `${shownText} values of ${facet.field}`, onclick: () => {
    if (!opened.delete(facet.field)) opened.add(facet.field);
    draw(last);
  } }, shownText);
  return h("section", { class: "facet", "aria-label": facet.field }, h("h3", {}, facet.field, toggle || ""), rows.length ? rows : h("p", { class: "dim" }, "none here"));
}

function numbers(facet) {
  if (facet.min === null || facet.min === facet.max || facet.type !== "number") return null;
  const { low, high } = bounds(state.get().where, facet.field, facet.whole);
  const most = Math.max(1, ...facet.bins.map((bin) => bin.count));
  const from = low ?? facet.min;
  const to = high ?? facet.max;
  const bars = facet.bins.map((bin) => h("i", { class: bin.to <= from || bin.from > to ? "out" : "", title: `${bin.from} – ${bin.to}: ${bin.count}`, style: { height: `${Math.round(100 * bin.count / most)}%` } }));
  const step = facet.whole ? 1 : (facet.max - facet.min) / 200;
  const range = (name, value) => h("input", { type: "range", min: facet.min, max: facet.max, step, value, "aria-label": `${facet.field}: ${name}` });
  const one = range("from", from);
  const two = range("to", to);
  // A filter may ask for what the catalog does not have: then it is said, and the sliders stand at the ends.
  const beyond = from > facet.max || to < facet.min || from > to;
  const ends = beyond
    ? h("p", { class: "dim" }, `None: the filter is ${[low !== null && `from ${low}`, high !== null && `to ${high}`].filter(Boolean).join(" ")}, the catalog has ${facet.min} to ${facet.max}.`)
    : h("div", { class: "ends" }, h("span", {}, String(from)), h("span", {}, String(to)));
  const moved = () => {
    const [start, end] = [Number(one.value), Number(two.value)].sort((a, b) => a - b);
    ends.replaceChildren(h("span", {}, String(start)), h("span", {}, String(end)));
    ends.className = "ends";
    bars.forEach((bar, place) => bar.classList.toggle("out", facet.bins[place].to <= start || facet.bins[place].from > end));
    bound(facet.field, start, end, facet);
  };
  one.addEventListener("input", moved);
  two.addEventListener("input", moved);
  return h("section", { class: "facet", "aria-label": facet.field }, h("h3", {}, facet.field), h("div", { class: "histogram", "aria-hidden": "true" }, bars), h("div", { class: "range" }, one, two), ends);
}

let last = null;

export function draw(found) {
  if (!found) return;
  last = found;
  const active = document.activeElement;
  const held = $("facet-list").contains(active) ? active.getAttribute("aria-label") || active.closest("label")?.querySelector("span")?.textContent : null;
  const sections = found.facets.map((facet) => (facet.bins ? numbers(facet) : words(facet))).filter(Boolean);
  const first = (section) => (section.querySelector(".histogram") ? 0 : 1);
  $("facet-list").replaceChildren(...sections.sort((one, two) => first(one) - first(two)));
  $("facet-count").textContent = found.within === "all" ? `${count(found.n_items)} items` : `${count(found.n_items)} answers that fit best`;
  if (held) {
    const again = [...$("facet-list").querySelectorAll("input, button")].find((element) => (element.getAttribute("aria-label") || element.closest("label")?.querySelector("span")?.textContent) === held);
    again?.focus({ preventScroll: true });
  }
}

export async function update(value) {
  try {
    draw(await call("/v1/facets", state.body(value), "facets"));
  } catch (error) {
    if (!dropped(error)) $("facet-count").textContent = "";
  }
}
