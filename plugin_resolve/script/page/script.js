"use strict";
const $ = (id) => document.getElementById(id);
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`)?.value;
let options = null;
let over = false;
// A computer that wakes up or changes its network fails once or twice; Brushreel goes on in the meantime.
const PATIENCE = 8;
let failures = 0;
// Milliseconds without a change of the strokes after which the previews are made again.
const SETTLING = 250;
let strokeSize = 1;
let lookTimer = null;
let lookAskedFor = null;

function element(kind, className, ...children) {
  const made = document.createElement(kind);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function radio(name, value, checked) {
  const made = element("input");
  Object.assign(made, { type: "radio", name, value, checked });
  return made;
}

function fill() {
  const last = options.last;
  const names = options.styles.map((style) => style.name);
  const style = names.includes(last.style) ? last.style : names[0];
  for (const one of options.styles) {
    const card = element("label", "style", radio("style", one.name, one.name === style),
      element("div", "blank"), element("b", "", one.name), element("small", "", one.title));
    card.title = one.title;
    $("styles").append(card);
  }
  for (const id of ["extent", "codec"]) {
    for (const one of options[id]) $(id).append(new Option(one.label, one.value));
    if (options[id].some((one) => one.value === last[id])) $(id).value = last[id];
  }
  for (const one of options.mode) {
    $("modes").append(element("label", "mode", radio("mode", one.value, one.value === last.mode), one.label));
  }
  $("strength").value = Math.round(100 * last.strength);
  setStrokeSize(last.stroke_size);
  $("detail").value = Math.round(100 * last.detail);
  $("handles").value = last.handles;
  $("keep_colors").checked = last.keep_colors;
  for (const [id, value] of Object.entries(options.defaults)) {
    $(id).addEventListener("dblclick", () => {
      if (id === "stroke_size") setStrokeSize(value);
      else $(id).value = 100 * value;
      update();
    });
  }
  $("stroke_size").addEventListener("input", () => {
    strokeSize = Number((2 ** Number($("stroke_size").value)).toFixed(2));
  });
  $("form").addEventListener("input", update);
  update();
}

function showPreviews() {
  for (const one of options.styles) {
    const card = document.querySelector(`.style input[value="${one.name}"]`).parentElement;
    const blank = card.querySelector(".blank");
    if (!one.preview) continue;
    const image = card.querySelector("img") ?? element("img");
    if (image.getAttribute("src") === one.preview) continue;
    image.src = one.preview;
    image.alt = "";
    blank?.replaceWith(image);
  }
  showPreview();
}

function showPreview() {
  const one = options.styles.find((style) => style.name === chosen("style"));
  const strength = $("strength").value / 100;
  if (options.source && !$("before").getAttribute("src")) $("before").src = options.source;
  $("before").hidden = !options.source;
  $("after").hidden = !one?.preview;
  if (one?.preview && $("after").getAttribute("src") !== one.preview) $("after").src = one.preview;
  $("after").style.opacity = strength;
  $("after").classList.toggle("luma", $("keep_colors").checked);
  if (one?.preview) $("caption").textContent = one.title;
  else if (options.source) $("caption").textContent = `Stylizing a frame in ${one?.name} …`;
}

// The slider's middle is the style's own size; its ends are a quarter and four times of that.
function setStrokeSize(size) {
  strokeSize = size;
  $("stroke_size").value = Math.log2(size);
}

const detail = () => Number($("detail").value) / 100;

function askForLook() {
  const look = JSON.stringify({ stroke_size: strokeSize, detail: detail() });
  if (look === lookAskedFor) return;
  lookAskedFor = look;
  clearTimeout(lookTimer);
  const ask = () => send("look", { ...JSON.parse(look), first: chosen("style") }).catch(() => {});
  lookTimer = setTimeout(ask, SETTLING);
}

function update() {
  const extent = options.extent.find((one) => one.value === $("extent").value);
  $("percent").textContent = `${$("strength").value} %`;
  $("stroke").textContent = strokeSize.toFixed(2);
  $("detail_percent").textContent = `${$("detail").value} %`;
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
    style: chosen("style"), strength: $("strength").value / 100, keep_colors: $("keep_colors").checked,
    extent: $("extent").value, mode: chosen("mode"), codec: $("codec").value, handles: Number($("handles").value),
    stroke_size: strokeSize, detail: detail(),
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
