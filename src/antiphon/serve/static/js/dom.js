// Elements from data. Text goes in as text: nothing from the catalog is ever parsed as markup.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "style") for (const [key, setting] of Object.entries(value)) element.style.setProperty(key, setting);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const $ = (id) => document.getElementById(id);

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Children glide from where they were to where `change` puts them.
export function glide(list, change) {
  const before = new Map([...list.children].map((child) => [child.dataset.key, child.getBoundingClientRect()]));
  change();
  if (calm() || document.hidden) return;
  for (const child of list.children) {
    const old = before.get(child.dataset.key);
    const now = child.getBoundingClientRect();
    if (!old) {
      child.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 180, easing: "ease-out" });
    } else if (old.left !== now.left || old.top !== now.top) {
      const shift = `translate(${old.left - now.left}px, ${old.top - now.top}px)`;
      child.animate([{ transform: shift }, { transform: "none" }], { duration: 260, easing: "cubic-bezier(.2,.8,.3,1)" });
    }
  }
}

export function debounce(work, wait) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), wait);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

export const percent = (share) => `${Math.round(share * 100)}%`;
export const count = (number) => Number(number).toLocaleString("en");
