// The options of a command as fields, by group; and its command line.
import { control, element } from "./dom.js";
import { post } from "./server.js";

/** Show the options of a command. */
export function showOptions(place, groups) {
  place.replaceChildren(...groups.map((one) => group(place.id, one)));
}

/** Return what is chosen among options, by flag. */
export function chosenOptions(place) {
  const options = {};
  for (const input of place.querySelectorAll("[name]")) options[input.name] = input.type === "checkbox" ? input.checked : input.value.trim();
  return options;
}

/** Show the command line of what is chosen. */
export async function showCommand(place, chosen) {
  const { words } = await (await post("command", chosen)).json();
  // A line breaks between words only.
  place.replaceChildren(...words.flatMap((word) => [element("span", "", word), " "]));
}

/** Make a button copy what an element holds. */
export function copies(button, place) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(place.textContent.trim()).catch(() => getSelection().selectAllChildren(place));
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

function group(prefix, { title, options }) {
  return element("details", "", element("summary", "", capital(title)), ...options.map((one) => option(prefix, one)));
}

function option(prefix, { flag, help, choices, switch: isSwitch }) {
  const id = `${prefix}${flag}`;
  const fallback = help.match(/Default: ([^,.]+)/)?.[1] ?? "";
  let input = control("input", { type: "text", placeholder: fallback, autocomplete: "off" });
  if (isSwitch) input = control("input", { type: "checkbox" });
  if (choices) {
    input = element("select");
    input.append(new Option(`default: ${fallback}`, ""), ...choices.map((choice) => new Option(choice, choice)));
  }
  Object.assign(input, { id, name: flag });
  const label = control("label", { htmlFor: id }, capital(flag.slice(2).replaceAll("-", " ")));
  return element("div", isSwitch ? "option switch" : "option", label, input, element("small", "", help));
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
