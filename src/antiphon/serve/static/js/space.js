// What the service says of its space; titles of items by id, asked once each.
import { call } from "./api.js";

export const info = { name: "", n_items: 0, fields: {}, modalities: {}, images: false, card: [], examples: [] };
const known = new Map();

export async function load() {
  Object.assign(info, await call("/v1/space"));
}

export function remember(items) {
  for (const item of items) known.set(item.item_id, item);
}

export const title = (itemId) => known.get(itemId)?.title;

export async function lookup(itemId) {
  if (!known.has(itemId)) known.set(itemId, await call(`/v1/items/${encodeURIComponent(itemId)}`));
  return known.get(itemId);
}
