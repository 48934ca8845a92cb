// What stands in for a missing picture: the title on a colour drawn from the item's place in the space.
import { h } from "./dom.js";
import { picture } from "./api.js";

function hash(text) {
  let value = 2166136261;
  for (const letter of text) value = Math.imul(value ^ letter.codePointAt(0), 16777619);
  return value >>> 0;
}

export function hue(item) {
  if (!item.place) return hash(item.item_id) % 360;
  const [x, y] = item.place;
  const turn = hash(item.item_id) % 50 - 25; // neighbours are akin, not the same
  return (Math.atan2(y - 0.5, x - 0.5) * 180 / Math.PI + turn + 360) % 360;
}

export function cover(item) {
  const tone = hue(item);
  const seed = hash(item.item_id);
  const far = item.place ? Math.hypot(item.place[0] - 0.5, item.place[1] - 0.5) : 0.3;
  const circle = (shift, size, light) => h("i", { style: {
    width: `${size}%`, "aspect-ratio": "1", left: `${(seed >> shift) % 90 - 20}%`, top: `${(seed >> (shift + 6)) % 60 - 20}%`,
    background: `hsl(${(tone + 24) % 360} ${30 + far * 40}% ${light}%)` } });
  return h("div", { class: "cover", "aria-hidden": "true", style: {
    background: `linear-gradient(160deg, hsl(${tone} ${32 + far * 40}% 42%), hsl(${(tone + 40) % 360} ${30 + far * 40}% 22%))` } },
  circle(3, 70 + seed % 40, 44), circle(11, 40 + seed % 30, 30), h("span", {}, item.title));
}

export function face(item, width) {
  const parts = [cover(item)];
  if (item.image) {
    const image = h("img", { alt: "", loading: "lazy", decoding: "async" });
    image.addEventListener("error", () => image.remove());
    picture(image, item.item_id, width);
    parts.push(image);
  }
  return parts;
}
