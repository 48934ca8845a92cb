// The whole request as one value; the address bar holds it, so it can be shared and the back button works.

const LISTS = { more: "more", less: "less", likes: "like", dislikes: "dislike", exclude: "not", where: "where", literal: "literal" };
export const EMPTY = Object.freeze({ text: "", more: [], less: [], likes: [], dislikes: [], exclude: [], where: [], literal: [], mix: 0.5, view: "search", image: null, audio: null });

let state = EMPTY;
const listeners = new Set();

export const get = () => state;

export function read(search) {
  const parameters = new URLSearchParams(search);
  const found = { ...EMPTY, text: parameters.get("q") || "" };
  for (const [name, key] of Object.entries(LISTS)) found[name] = [...new Set(parameters.getAll(key))].slice(0, 200);
  // A word that is there twice counts twice.
  found.more = parameters.getAll("more").slice(0, 50);
  found.less = parameters.getAll("less").slice(0, 50);
  const mix = Number(parameters.get("mix") ?? 0.5);
  found.mix = Number.isFinite(mix) ? Math.min(1, Math.max(0, mix)) : 0.5;
  found.view = parameters.get("view") === "map" ? "map" : "search";
  return found;
}

export function write(value) {
  const parameters = new URLSearchParams();
  if (value.text) parameters.set("q", value.text);
  for (const [name, key] of Object.entries(LISTS)) for (const entry of value[name]) parameters.append(key, entry);
  if (value.mix !== 0.5) parameters.set("mix", String(value.mix));
  if (value.view !== "search") parameters.set("view", value.view);
  const text = parameters.toString();
  return text ? `?${text}` : location.pathname;
}

export function onChange(listener) {
  listeners.add(listener);
}

function tell(before) {
  for (const listener of listeners) listener(state, before);
}

export function set(change, { replace = false } = {}) {
  const before = state;
  state = { ...state, ...change };
  const address = write(state);
  const steps = (history.state?.steps || 0) + (replace ? 0 : 1);
  if (address !== write(before)) history[replace ? "replaceState" : "pushState"]({ steps }, "", address);
  tell(before);
}

// Every request is an entry of the browser's history: undo is the way back, as long as it stays on this page.
export const undoable = () => (history.state?.steps || 0) > 0;

export function undo() {
  if (undoable()) history.back();
}

export function start() {
  state = read(location.search);
  addEventListener("popstate", () => {
    const before = state;
    // The address has no files: going back changes the words around them.
    state = { ...read(location.search), image: state.image, audio: state.audio };
    tell(before);
  });
}

export const says = (value) => Boolean(value.text || value.more.length || value.less.length || value.likes.length || value.dislikes.length);
export const files = (value) => Boolean(value.image || value.audio);
export const asks = (value) => says(value) || files(value);

// The mix of taste and words: in the middle both weigh 1.
export function weights(value) {
  if (value.mix === 0.5) return {};
  const words = Math.round(Math.min(1, value.mix * 2) * 100) / 100;
  const taste = Math.round(Math.min(1, (1 - value.mix) * 2) * 100) / 100;
  return { text: Math.max(words, 0.02), likes: Math.max(taste, 0.02) };
}

export function wish(value) {
  return {
    text: value.text || null, more: value.more, less: value.less, likes: value.likes, dislikes: value.dislikes,
    exclude: value.exclude, where: value.where,
  };
}

// The body of a search: what is empty is left out, so that the call is short to read.
export function body(value) {
  const full = { ...wish(value), literal: value.literal, weights: weights(value) };
  return Object.fromEntries(Object.entries(full).filter(([, part]) => part && (!Array.isArray(part) || part.length)
    && (typeof part !== "object" || Array.isArray(part) || Object.keys(part).length)));
}

export function toggle(name, itemId) {
  const other = name === "likes" ? "dislikes" : "likes";
  const has = state[name].includes(itemId);
  set({ [name]: has ? state[name].filter((id) => id !== itemId) : [...state[name], itemId], [other]: state[other].filter((id) => id !== itemId) });
}
