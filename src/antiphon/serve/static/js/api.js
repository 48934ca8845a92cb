// Calls of the service. A later call of the same kind makes an earlier one's answer worthless: it is dropped.

const latest = new Map();
let waiting = 0;
let key = sessionStorage.getItem("antiphon-key") || "";
export const needsKey = { ask: null };

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export function setKey(value) {
  key = value;
  sessionStorage.setItem("antiphon-key", value);
}

export const hasKey = () => key !== "";

function headers(more = {}) {
  return key ? { ...more, authorization: `Bearer ${key}` } : more;
}

async function answered(response) {
  if (response.ok) return response;
  let detail = `the service answered ${response.status}.`;
  try {
    detail = (await response.json()).detail || detail;
  } catch { /* not a problem document: the status says enough */ }
  if (response.status === 401 && needsKey.ask) needsKey.ask(detail);
  throw new Problem(response.status, detail);
}

// The answers are busy while any call is under way: screen readers wait for the rest, and so do the tests.
async function busy(work) {
  const mark = () => document.getElementById("cards").setAttribute("aria-busy", String(waiting > 0));
  waiting += 1;
  mark();
  try {
    return await work();
  } finally {
    waiting -= 1;
    mark();
  }
}

// `kind` names what is asked for; null is never dropped.
export const call = (path, body, kind = null) => busy(() => asked(path, body, kind));

async function asked(path, body, kind) {
  const control = new AbortController();
  if (kind) {
    latest.get(kind)?.abort();
    latest.set(kind, control);
  }
  const options = body === undefined
    ? { headers: headers(), signal: control.signal }
    : body instanceof FormData
      ? { method: "POST", headers: headers(), body, signal: control.signal }
      : { method: "POST", headers: headers({ "content-type": "application/json" }), body: JSON.stringify(body), signal: control.signal };
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "the service cannot be reached. Is it still running?");
  }
  return (await answered(response)).json();
}

export async function file(path, body) {
  const response = await fetch(path, {
    method: "POST", headers: headers({ "content-type": "application/json" }), body: JSON.stringify(body),
  });
  return (await answered(response)).blob();
}

export const dropped = (error) => error.name === "AbortError";

// Pictures need no key unless the service asks for one; an <img> cannot send it, so it is fetched then.
export async function picture(image, itemId, width) {
  const path = `/v1/items/${encodeURIComponent(itemId)}/image?w=${width}`;
  if (!key) {
    image.src = path;
    return;
  }
  const response = await fetch(path, { headers: headers() });
  if (!response.ok) return image.dispatchEvent(new Event("error"));
  const address = URL.createObjectURL(await response.blob());
  image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
  image.src = address;
}
