// Small helpers for building a page.

export const $ = (id) => document.getElementById(id);

/** Make an element of a kind and class, with children that are elements or text. */
export function element(kind, className = "", ...children) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Make an element and set properties of it. */
export function control(kind, properties, ...children) {
  return Object.assign(element(kind, "", ...children), properties);
}

/** Return a function that is called once there was no call for some milliseconds. */
export function settled(milliseconds, act) {
  let timer = null;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds, ...given);
  };
}
