// The map: a second view of the same state. Hits glow, likes are pinned, a lasso becomes likes.
import { $, h } from "./dom.js";
import { call, dropped } from "./api.js";
import { Points } from "./points.js";
import * as state from "./state.js";
import { lookup, title } from "./space.js";
import { meta } from "./cards.js";

const COLOURS = ["#4e79c4", "#e08a3c", "#57a773", "#cf5c68", "#8d6bb8", "#9c755f", "#c9699e", "#5aa5b5"];
const LASSO_MOST = 8;
const view = { x: 0, y: 0, zoom: 1 };
let map = null;
let points = null;
let colour = null;
let hits = [];
let lassoing = false;
let parts = null;

const rgb = (hex) => [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16) / 255);
const ramp = (share) => [0.16 + 0.72 * share, 0.3 + 0.28 * Math.sin(share * Math.PI), 0.75 - 0.55 * share];

function style(row) {
  if (!colour) return [0.5, 0.52, 0.6];
  if (colour.kind === "number") {
    const value = colour.values[row];
    return value === null ? [0.6, 0.6, 0.62] : ramp(Math.min(1, Math.max(0, (value - colour.low) / (colour.high - colour.low || 1))));
  }
  return colour.codes[row] < 0 ? [0.6, 0.6, 0.62] : rgb(COLOURS[colour.codes[row]]);
}

function paint() {
  if (!points || !map) return;
  const bright = new Set(hits.map((hit) => hit.item_id));
  const liked = new Set(state.get().likes);
  const looks = new Float32Array(map.item_ids.length * 4);
  const some = bright.size > 0;
  for (let row = 0; row < map.item_ids.length; row += 1) {
    const id = map.item_ids[row];
    const strong = map.x[row] < 0 ? 0 : bright.has(id) || liked.has(id) ? 2 : some ? 0.28 : 0.62;
    looks.set([...style(row), strong], row * 4);
  }
  points.set(map.places, looks);
  draw();
}

function draw() {
  if (!points || $("atlas").hidden) return;
  points.draw(view);
  const box = parts.labels.getBoundingClientRect();
  const taken = [];
  for (const label of parts.labels.children) {
    const [wide, high] = [label.offsetWidth / 2 + 6, 12];
    const [at, y] = [(Number(label.dataset.x) * view.zoom + view.x) * box.width, (Number(label.dataset.y) * view.zoom + view.y) * box.height];
    // A name at the side of the map is moved inwards, not cut.
    const x = at > 0 && at < box.width ? Math.min(box.width - wide, Math.max(wide, at)) : at;
    label.style.setProperty("left", `${x}px`);
    label.style.setProperty("top", `${y}px`);
    // Larger regions come first; a smaller one's name gives way until there is room for it.
    const free = y > high && taken.every(([otherX, otherY, otherWide]) => Math.abs(x - otherX) > wide + otherWide || Math.abs(y - otherY) > 2 * high);
    label.style.setProperty("visibility", free ? "visible" : "hidden");
    if (free) taken.push([x, y, wide]);
  }
}

const asMap = (event) => {
  const box = parts.canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width - view.x) / view.zoom, ((event.clientY - box.top) / box.height - view.y) / view.zoom];
};

function nearest(event, reach = 12) {
  const [x, y] = asMap(event);
  const box = parts.canvas.getBoundingClientRect();
  let best = null;
  let least = (reach / Math.min(box.width, box.height) / view.zoom) ** 2;
  for (let row = 0; row < map.item_ids.length; row += 1) {
    if (map.x[row] < 0) continue;
    const far = (map.places[row * 2] - x) ** 2 + (map.places[row * 2 + 1] - y) ** 2;
    if (far < least) [best, least] = [row, far];
  }
  return best;
}

// By keys, the item in the middle of what is shown is the one that is meant.
function aim() {
  const box = parts.canvas.getBoundingClientRect();
  const middle = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 };
  point(middle, Infinity).catch(() => {});
}

async function point(event, reach = 12) {
  const row = nearest(event, reach);
  const tip = parts.tip;
  parts.hover = row;
  tip.hidden = row === null;
  if (row === null) return;
  const box = parts.canvas.getBoundingClientRect();
  tip.style.setProperty("left", `${Math.min(event.clientX - box.left + 14, box.width - 250)}px`);
  tip.style.setProperty("top", `${event.clientY - box.top + 14}px`);
  const id = map.item_ids[row];
  tip.replaceChildren(title(id) || "…");
  const item = await lookup(id);
  if (parts.hover === row) tip.replaceChildren(h("b", {}, item.title), h("br"), meta(item.fields, item.title));
}

function zoom(factor, x, y) {
  const next = Math.min(24, Math.max(1, view.zoom * factor));
  view.x = x - (x - view.x) * next / view.zoom;
  view.y = y - (y - view.y) * next / view.zoom;
  view.zoom = next;
  hold();
  draw();
}

function hold() {
  view.x = Math.min(0.25, Math.max(0.75 - view.zoom, view.x));
  view.y = Math.min(0.25, Math.max(0.75 - view.zoom, view.y));
}

function inside(x, y, path) {
  let odd = false;
  for (let i = 0, j = path.length - 1; i < path.length; j = i, i += 1) {
    const [[xi, yi], [xj, yj]] = [path[i], path[j]];
    if ((yi > y) !== (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

// The items nearest to the middle of the lasso stand for it.
function take(path) {
  const rows = [];
  for (let row = 0; row < map.item_ids.length; row += 1) if (map.x[row] >= 0 && inside(map.places[row * 2], map.places[row * 2 + 1], path)) rows.push(row);
  if (!rows.length) return;
  const middle = [0, 1].map((axis) => rows.reduce((sum, row) => sum + map.places[row * 2 + axis], 0) / rows.length);
  const far = (row) => (map.places[row * 2] - middle[0]) ** 2 + (map.places[row * 2 + 1] - middle[1]) ** 2;
  rows.sort((one, two) => far(one) - far(two));
  const likes = rows.slice(0, LASSO_MOST).map((row) => map.item_ids[row]);
  state.set({ likes: [...new Set([...state.get().likes, ...likes])], dislikes: state.get().dislikes.filter((id) => !likes.includes(id)) });
}

// What a lasso takes for whoever has no pointer: the middle of what is shown.
const MIDDLE = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]];

function frame() {
  const box = parts.canvas.getBoundingClientRect();
  const shown = lassoing && parts.canvas.matches(":focus-visible");
  parts.trace.setAttribute("points", shown ? [...MIDDLE, MIDDLE[0]].map(([x, y]) => `${x * box.width},${y * box.height}`).join(" ") : "");
}

function drag(event) {
  const canvas = parts.canvas;
  const box = canvas.getBoundingClientRect();
  const path = [asMap(event)];
  let [lastX, lastY, far] = [event.clientX, event.clientY, 0];
  canvas.setPointerCapture(event.pointerId);
  const moved = (now) => {
    far += Math.hypot(now.clientX - lastX, now.clientY - lastY);
    if (lassoing) {
      path.push(asMap(now));
      parts.trace.setAttribute("points", path.map(([x, y]) => `${(x * view.zoom + view.x) * box.width},${(y * view.zoom + view.y) * box.height}`).join(" "));
    } else {
      view.x += (now.clientX - lastX) / box.width;
      view.y += (now.clientY - lastY) / box.height;
      hold();
      draw();
    }
    [lastX, lastY] = [now.clientX, now.clientY];
  };
  canvas.addEventListener("pointermove", moved);
  const done = (now) => {
    canvas.removeEventListener("pointermove", moved);
    parts.trace.setAttribute("points", "");
    if (lassoing && path.length > 4) take(path);
    else if (far < 5) { const row = nearest(now); if (row !== null) state.toggle("likes", map.item_ids[row]); }
  };
  canvas.addEventListener("pointerup", done, { once: true });
  canvas.addEventListener("pointercancel", () => canvas.removeEventListener("pointermove", moved), { once: true });
}

async function recolour(name) {
  colour = name ? await call(`/v1/map/colours?field=${encodeURIComponent(name)}`, undefined, "colours") : null;
  parts.legend.replaceChildren();
  if (colour?.kind === "number") {
    const known = colour.values.filter((value) => value !== null).sort((one, two) => one - two);
    colour.low = known[Math.floor(known.length * 0.02)] ?? 0;
    colour.high = known[Math.floor(known.length * 0.98)] ?? 1;
    const swatch = (share) => h("b", { style: { background: `rgb(${ramp(share).map((part) => Math.round(part * 255)).join(" ")})` } });
    parts.legend.append(h("span", {}, swatch(0), String(colour.low)), h("span", {}, swatch(0.5), "…"), h("span", {}, swatch(1), String(colour.high)));
  } else if (colour) {
    parts.legend.append(...colour.legend.map((word, place) => h("span", {}, h("b", { style: { background: COLOURS[place] } }), word)));
  }
  parts.legend.hidden = !colour;
  paint();
}

function build() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const trace = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  for (const [name, value] of [["fill", "none"], ["stroke", "currentColor"], ["stroke-width", "2"], ["stroke-dasharray", "4 4"]]) trace.setAttribute(name, value);
  svg.append(trace);
  const canvas = h("canvas", { role: "img", "aria-label": "Items as points; near ones are alike. Arrows move, plus and minus zoom, Enter likes the item in the middle, or with the lasso those around it. The same answers are in the search view.", tabindex: "0" });
  const lists = map.fields;
  const picker = h("select", { "aria-label": "Colour by", onchange: () => recolour(picker.value).catch(() => {}) }, h("option", { value: "" }, "no colours"), lists.map((name) => h("option", { value: name }, `colour: ${name}`)));
  const lasso = h("button", { type: "button", "aria-pressed": "false", onclick: () => { lassoing = !lassoing; lasso.setAttribute("aria-pressed", String(lassoing)); } }, "lasso");
  const home = h("button", { type: "button", onclick: () => { Object.assign(view, { x: 0, y: 0, zoom: 1 }); draw(); } }, "whole map");
  const labels = h("div", { "aria-hidden": "true" }, map.regions.map((region) => h("span", { class: "region", "data-x": region.x, "data-y": region.y }, region.label)));
  labels.style.setProperty("position", "absolute");
  labels.style.setProperty("inset", "0");
  labels.style.setProperty("pointer-events", "none");
  parts = { canvas, trace, labels, tip: h("div", { class: "tip", hidden: true }), legend: h("span", { class: "legend", hidden: true }), hover: null, picker };
  $("atlas").replaceChildren(h("div", { class: "bar-top" }, picker, lasso, home, parts.legend), h("div", { class: "stage" }, canvas, labels, svg, parts.tip));
  canvas.addEventListener("pointerdown", drag);
  canvas.addEventListener("pointermove", (event) => { if (!event.buttons) point(event).catch(() => {}); });
  canvas.addEventListener("pointerleave", () => { parts.tip.hidden = true; });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 400), (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && lassoing) take(MIDDLE.map(([x, y]) => [(x - view.x) / view.zoom, (y - view.y) / view.zoom]));
    else if (event.key === "Enter" && parts.hover !== null) state.toggle("likes", map.item_ids[parts.hover]);
    else if (event.key === "+" || event.key === "=") zoom(1.3, 0.5, 0.5);
    else if (event.key === "-") zoom(1 / 1.3, 0.5, 0.5);
    else if (event.key.startsWith("Arrow")) { view.x += { ArrowLeft: 0.06, ArrowRight: -0.06 }[event.key] || 0; view.y += { ArrowUp: 0.06, ArrowDown: -0.06 }[event.key] || 0; hold(); draw(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
    aim();
  });
  canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) aim(); frame(); });
  canvas.addEventListener("blur", () => { parts.tip.hidden = true; frame(); });
  new ResizeObserver(draw).observe(canvas);
  points = new Points(canvas);
}

export function highlight(answers) {
  hits = answers;
  paint();
}

export async function show() {
  $("atlas").hidden = false;
  if (!map) {
    try {
      map = await call("/v1/map", undefined, "map");
    } catch (error) {
      if (!dropped(error)) $("atlas").replaceChildren(h("p", { class: "note bad" }, error.message));
      return;
    }
    map.places = new Float32Array(map.item_ids.length * 2);
    map.item_ids.forEach((_, row) => { map.places[row * 2] = map.x[row] / 65535; map.places[row * 2 + 1] = map.y[row] / 65535; });
    build();
    const first = map.fields.find((name) => name === "genres" || name === "tags") || map.fields[0];
    if (first) { parts.picker.value = first; await recolour(first).catch(() => {}); }
  }
  paint();
}

export function hide() {
  $("atlas").hidden = true;
}
