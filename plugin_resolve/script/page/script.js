import { $, control, element, settled } from "./dom.js";
import { PERCENT, doubling, slider } from "./sliders.js";
import { cardOf, chosenStyle, setPicture, styleCard } from "./styles.js";

const chosen = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;
let options = null;
let over = false;
// A computer that wakes up or changes its network fails once or twice; Brushreel goes on in the meantime.
const PATIENCE = 8;
let failures = 0;
// Milliseconds without a change of the strokes after which the previews are made again.
const SETTLING = 250;
let sliders = null;
let lookAskedFor = null;

function fill() {
  const last = options.last;
  const names = options.styles.map((style) => style.name);
  const style = names.includes(last.style) ? last.style : names[0];
  $("styles").append(...options.styles.map((one) => styleCard(one, one.name === style)));
  for (const id of ["extent", "codec"]) {
    for (const one of options[id]) $(id).append(new Option(one.label, one.value));
    if (options[id].some((one) => one.value === last[id])) $(id).value = last[id];
  }
  for (const one of options.mode) {
    $("modes").append(element("label", "mode", radio(one.value, one.value === last.mode), one.label));
  }
  $("handles").value = last.handles;
  $("keep_colors").checked = last.keep_colors;
  const { stroke_size: natural, detail } = options.defaults;
  sliders = {
    strength: slider("strength", "Strength", PERCENT, 1, update),
    stroke_size: slider("stroke_size", "Stroke size", doubling(0.25, 4), natural, update),
    detail: slider("detail", "Detail", PERCENT, detail, update),
  };
  for (const [name, one] of Object.entries(sliders)) {
    one.value = last[name];
    $("sliders").append(one.row);
  }
  $("form").addEventListener("input", update);
  update();
}

function radio(value, checked) {
  return control("input", { type: "radio", name: "mode", value, checked });
}

function showPreviews() {
  for (const one of options.styles) if (one.preview) setPicture(cardOf($("styles"), one.name), one.preview);
  showPreview();
}

function showPreview() {
  const one = options.styles.find((style) => style.name === chosenStyle($("styles")));
  const strength = sliders.strength.value;
  if (options.source && !$("before").getAttribute("src")) $("before").src = options.source;
  $("before").hidden = !options.source;
  $("after").hidden = !one?.preview;
  if (one?.preview && $("after").getAttribute("src") !== one.preview) $("after").src = one.preview;
  $("after").style.opacity = strength;
  $("after").classList.toggle("luma", $("keep_colors").checked);
  if (one?.preview) $("caption").textContent = one.title;
  else if (options.source) $("caption").textContent = `Stylizing a frame in ${one?.name} …`;
}

const sendLook = settled(SETTLING, (look) => {
  send("look", { ...look, first: chosenStyle($("styles")) }).catch(() => {});
});

function askForLook() {
  const look = { stroke_size: sliders.stroke_size.value, detail: sliders.detail.value };
  if (JSON.stringify(look) === lookAskedFor) return;
  lookAskedFor = JSON.stringify(look);
  sendLook(look);
}

function update() {
  const extent = options.extent.find((one) => one.value === $("extent").value);
  askForLook();
  const shots = extent.shots === 1 ? "1 shot" : `${extent.shots} shots`;
  $("amount").textContent = extent.shots ? `${shots}, ${extent.frames} frames` : "Nothing here can be stylized";
  $("start").disabled = !extent.shots;
  const details = $("left-out");
  details.hidden = !extent.left_out.length;
  details.querySelector("summary").textContent = `${extent.left_out.length} left out: why`;
  details.querySelector("ul").replaceChildren(...extent.left_out.map((line) => element("li", "", line)));
  showPreview();
}

async function send(name, body) {
  return fetch(name, { method: "POST", body: body && JSON.stringify(body) });
}

async function start(event) {
  event.preventDefault();
  $("error").textContent = "";
  const answer = await send("start", {
    style: chosenStyle($("styles")), strength: sliders.strength.value, keep_colors: $("keep_colors").checked,
    extent: $("extent").value, mode: chosen("mode"), codec: $("codec").value, handles: Number($("handles").value),
    stroke_size: sliders.stroke_size.value, detail: sliders.detail.value,
  });
  if (!answer.ok) $("error").textContent = (await answer.json()).error;
  else ask();
}

function follow(state) {
  $("form").hidden = true;
  $("work").hidden = false;
  $("text").textContent = state.text;
  $("bar").value = state.share;
  $("lines").replaceChildren(...state.lines.map((line) => element("li", "", line)));
  $("stop").hidden = state.phase === "done";
  document.title = state.phase === "done" ? "Brushreel: done" : `${Math.round(100 * state.share)} % Brushreel`;
}

async function ask() {
  if (over) return;
  let state;
  try {
    state = await (await fetch("state")).json();
    failures = 0;
  } catch {
    failures += 1;
    if (failures < PATIENCE) return;
    over = true;
    follow({ phase: "done", text: "Brushreel has ended", share: 1, lines: [] });
    return;
  }
  $("title").textContent = state.title;
  if (state.phase === "choose") {
    const fresh = options === null;
    options = state.options;
    if (fresh) fill();
    showPreviews();
  } else {
    follow(state);
  }
  over = state.phase === "done";
}

$("form").addEventListener("submit", start);
$("cancel").addEventListener("click", async () => {
  over = true;
  await send("cancel");
  follow({ phase: "done", text: "Cancelled; you can close this page", share: 0, lines: [] });
});
$("stop").addEventListener("click", () => { $("stop").disabled = true; send("cancel"); });
window.addEventListener("pagehide", () => navigator.sendBeacon("leave"));
ask();
setInterval(ask, 700);
