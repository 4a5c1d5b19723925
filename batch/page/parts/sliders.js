// Sliders with a label, a value and a reset to the default; a double click resets too.
import { control, element } from "./dom.js";

export const PERCENT = { min: 0, max: 100, step: 1, toPlace: (value) => 100 * value, toValue: (place) => place / 100, text: (value) => `${Math.round(100 * value)} %` };

/** A scale on which each step doubles: its middle is 1. */
export const doubling = (least, most) => ({
  min: Math.log2(least), max: Math.log2(most), step: 0.05, toPlace: Math.log2,
  toValue: (place) => Number((2 ** place).toFixed(2)), text: (value) => value.toFixed(2),
});

/**
 * Make a slider.
 *
 * @param id its id and name
 * @param label what it sets
 * @param scale PERCENT or doubling(...)
 * @param normal the value that a reset gives
 * @param changed is called when the user has changed it
 */
export function slider(id, label, scale, normal, changed) {
  const input = control("input", { type: "range", id, name: id, min: scale.min, max: scale.max, step: scale.step });
  const output = control("output", { htmlFor: id });
  const reset = control("button", { type: "button", className: "icon reset", title: `Reset to ${scale.text(normal)}` }, "↺");
  reset.setAttribute("aria-label", `Reset ${label.toLowerCase()} to ${scale.text(normal)}`);
  let value = normal;
  const show = () => {
    output.textContent = scale.text(value);
    input.setAttribute("aria-valuetext", output.textContent);
    reset.disabled = value === normal;
  };
  const made = {
    row: element("div", "slider", control("label", { htmlFor: id }, label), output, reset, input),
    get value() { return value; },
    set value(wanted) {
      value = wanted;
      input.value = scale.toPlace(wanted);
      show();
    },
  };
  const back = () => {
    made.value = normal;
    changed();
  };
  input.addEventListener("input", () => {
    value = scale.toValue(Number(input.value));
    show();
    changed();
  });
  input.addEventListener("dblclick", back);
  reset.addEventListener("click", () => {
    back();
    input.focus();
  });
  made.value = normal;
  return made;
}
