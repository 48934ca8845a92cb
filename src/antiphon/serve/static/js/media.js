// Files of a request: chosen, dropped or pasted. They go with the search; the address does not hold them.
import { $, h } from "./dom.js";
import * as state from "./state.js";
import { info } from "./space.js";
import * as recorder from "./record.js";

export const KINDS = { image: "picture", audio: "sound" };
export const events = { failed: () => {} };

const accepts = (kind) => (info.accepts || []).includes(kind);
const offered = () => Object.keys(KINDS).filter(accepts);
const named = () => offered().map((kind) => `a ${KINDS[kind]}`).join(" or ");

function take(file, kind = offered().find((one) => file.type.startsWith(`${one}/`))) {
  if (!kind) return events.failed(new Error(`“${file.name}” cannot be searched with; this catalog takes ${named()}.`));
  const most = info.limits.upload - 100_000;
  if (file.size > most) return events.failed(new Error(`“${file.name}” is too large; at most ${Math.floor(most / 1e6)} MB are taken.`));
  state.set({ [kind]: file });
  $("status").textContent = `Searching with the ${KINDS[kind]} ${file.name}.`;
}

// The body of a search with files: what the others send as JSON is one part of the form.
export function form(body, value) {
  const made = new FormData();
  for (const kind of Object.keys(KINDS)) if (value[kind]) made.append(kind, value[kind], value[kind].name || kind);
  made.append("query", JSON.stringify(body));
  return made;
}

export function face(file) {
  const address = URL.createObjectURL(file);
  const done = () => URL.revokeObjectURL(address);
  return h("img", { src: address, alt: "", class: "chip-face", onload: done, onerror: done });
}

function picker(kind) {
  const [button, input] = [$(`pick-${kind}`), $(`file-${kind}`)];
  button.hidden = !accepts(kind);
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files[0]) take(input.files[0], kind);
    input.value = ""; // the same file can be chosen again
    button.focus({ preventScroll: true });
  });
}

function microphone() {
  const button = $("record-audio");
  button.hidden = !(accepts("audio") && recorder.possible());
  const shown = (on) => {
    button.setAttribute("aria-pressed", String(on));
    button.setAttribute("aria-label", on ? "Stop recording and search" : "Record a sound to search with");
    $("status").textContent = on ? "Recording, ten seconds at most." : "";
  };
  button.addEventListener("click", async () => {
    if (recorder.recording()) {
      recorder.stop();
      return;
    }
    try {
      take(await recorder.record(() => shown(true)), "audio");
    } catch (error) {
      events.failed(new Error(error.name === "NotAllowedError" || error.name === "NotFoundError"
        ? "there is no microphone that this page may use." : `nothing was recorded (${error.message}).`));
    } finally {
      shown(false);
    }
  });
}

const carriesFiles = (event) => [...(event.dataTransfer?.types || [])].includes("Files");

function dropping() {
  const shown = (on) => document.body.classList.toggle("dropping", on);
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    shown(true);
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) shown(false); });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    shown(false);
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file) return;
    event.preventDefault();
    take(file);
  });
}

export function start() {
  for (const kind of Object.keys(KINDS)) picker(kind);
  if (!offered().length) return;
  microphone();
  $("ask-form").classList.add("takes-files");
  $("ask-form").style.setProperty("--pickers", String(document.querySelectorAll(".pickers button:not([hidden])").length));
  $("drop-here").textContent = `Drop ${named()} to search with it`;
  dropping();
}
