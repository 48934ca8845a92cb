// The one dialog: help, the API call of the current state, a key, and why.
import { $, h } from "./dom.js";
import { setKey } from "./api.js";
import * as state from "./state.js";

export function open(title, ...content) {
  const dialog = $("dialog");
  const close = h("button", { type: "button", class: "quiet x", "aria-label": "Close", onclick: () => dialog.close() }, "×");
  dialog.replaceChildren(h("h2", { id: "dialog-title" }, title), close, ...content);
  if (!dialog.open) dialog.showModal();
  close.focus();
}

const KEYS = [["/", "say something"], ["Enter", "ask it: words ask anew, “newer” and the like refine"], ["Shift + Enter", "the other way: refine where it would ask anew"], ["↑", "in the empty box: edit what was asked"], ["Esc", "give up what is typed; close a panel"], ["← ↑ ↓ →", "move between answers"], ["+  −", "more, less like the answer in focus"],
  ["l", "put it on the playlist, or off"], ["w", "why it came"], ["m", "map or search"], ["Enter", "on the map: like the item in its middle"], ["u", "undo: the request before"], ["z", "undo in the playlist"], ["?", "this list"]];

export function help() {
  open("Talk to the catalog", h("p", {}, "Say what you are after, then steer: “newer”, “less violent”, “more like the second one”, “no horror”, “from the 80s”. Everything that shapes the answer is a chip that you can remove; the address holds all of it."),
    h("h3", {}, "Keys"), h("dl", {}, KEYS.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])));
}

function copyable(text) {
  const button = h("button", { type: "button", onclick: async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } }, "copy");
  return [h("pre", { tabindex: "0" }, text), button];
}

export function api() {
  const body = { ...state.body(state.get()), k: 20, explain: true };
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  const given = ["image", "audio"].filter((kind) => state.get()[kind]).map((kind) => [kind, state.get()[kind].name.replace(/['"\\]/g, "_")]);
  const curl = given.length
    ? `curl -s ${location.origin}/v1/search/media \\\n${given.map(([kind, name]) => `  -F '${kind}=@"${name}"' \\\n`).join("")}  --form-string 'query=${quoted}'`
    : `curl -s ${location.origin}/v1/search \\\n  -H 'content-type: application/json' \\\n  -d '${quoted}'`;
  const python = JSON.stringify(body, null, 4).replace(/\btrue\b(?=,?\n)/g, "True").replace(/\bnull\b(?=,?\n)/g, "None");
  open("This answer over HTTP", h("h3", {}, "curl"), ...copyable(curl), h("h3", {}, "Python"),
    ...copyable(given.length
      ? `import json\nimport requests\n\nquery = ${python}\nfiles = {${given.map(([kind, name]) => `"${kind}": open("${name}", "rb")`).join(", ")}}\nhits = requests.post("${location.origin}/v1/search/media", files=files, data={"query": json.dumps(query)}).json()["hits"]`
      : `import requests\n\nhits = requests.post("${location.origin}/v1/search", json=${python}).json()["hits"]`),
    h("p", { class: "dim" }, "All of it: ", h("a", { href: "/openapi.json" }, "/openapi.json")));
}

export function askKey(detail) {
  const box = h("input", { type: "password", "aria-label": "API key", autocomplete: "off" });
  const form = h("form", { method: "dialog", onsubmit: () => {
    setKey(box.value.trim());
    location.reload();
  } }, box, " ", h("button", { class: "main" }, "Use it"));
  open("This service wants a key", h("p", {}, detail), h("p", { class: "dim" }, "It stays in this tab."), form);
  box.focus();
}
