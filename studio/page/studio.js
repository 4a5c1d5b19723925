// The studio's page: its parts, its keyboard, and its state, which is kept in the address.
import { $, control, element } from "./dom.js";
import { Camera } from "./camera.js";
import { Clips } from "./clips.js";
import { Jobs } from "./jobs.js";
import { Look } from "./look.js";
import { json } from "./server.js";
import { Renders } from "./renders.js";
import { Training } from "./training.js";
import { Viewer } from "./viewer.js";
import { listenToWipe } from "./wipe.js";

const VIEWS = { after: "Stylized", before: "Source", wipe: "Wipe", split: "Split" };
const PLACES = { stylize: "Stylize", train: "Train" };
const told = (text) => { $("message").textContent = text; };

let look = null;
let training = null;
let place = "stylize";
const viewer = new Viewer({ look: () => look.query, moved, settledOn: (number) => look.showOn(viewer.clip, number), told });
const clips = new Clips({ choose: open, listed: (all) => training?.offerFootage(all), takes, told });
const camera = new Camera({ look: () => look.query, ended: showCamera, told });

function showCamera() {
  for (const id of ["camera", "screen"]) $(id).setAttribute("aria-pressed", camera.isOn && camera.kind === id);
}

async function shoot(kind) {
  if (camera.isOn) {
    camera.stop();
    if (clips.chosen) clips.select(clips.chosen);
    return;
  }
  told("");
  const size = await camera.start(kind === "screen");
  if (!size) return;
  camera.kind = kind;
  look.showCamera(() => camera.shoot());
  $("clip-name").textContent = kind === "screen" ? "Screen" : "Camera";
  $("facts").textContent = `${size.width}×${size.height}`;
  $("scrub").disabled = true;
  viewer.openCamera(size);
  showPlaying();
  showCamera();
}

function fill() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("stage").requestFullscreen().catch(() => told("The browser does not allow a full screen here"));
}

function moved(number, timecode) {
  $("scrub").value = number;
  if (timecode) $("timecode").textContent = timecode;
  $("scrub").setAttribute("aria-valuetext", `frame ${number}${timecode ? `, ${timecode}` : ""}`);
  if (!viewer.playing) remember();
}

/** Show the place where clips are stylized, or the one where styles are trained. */
function go(to) {
  place = to;
  document.body.dataset.place = to;
  for (const id of ["see", "settings"]) $(id).hidden = to !== "stylize";
  for (const id of ["runs", "training"]) $(id).hidden = to !== "train";
  document.querySelector(`input[name=place][value=${to}]`).checked = true;
  if (to === "train" && viewer.playing) play();
  remember();
}

/** Take a painting that was dropped where styles are trained. */
function takes(file) {
  const isPainting = place === "train" && file.type.startsWith("image/");
  if (isPainting) training.take(file);
  return isPainting;
}

/** Show the styles that the library has by now. */
async function update() {
  try {
    const session = await json("session");
    look.update(session);
    training.update(session);
  } catch (error) {
    told(error.message);
  }
}

async function open(id, number = 0) {
  told("");
  go("stylize");
  let clip;
  try {
    clip = await json(`clips/${id}`);
  } catch (error) {
    told(error.message);
    return;
  }
  if (clips.chosen !== id) return; // another one was chosen meanwhile
  show(clip, number);
}

/** Show a rendered clip beside its source; by itself where it has other frames. */
async function openResult(source, result) {
  try {
    const [clip, rendered] = [await json(`clips/${source}`), await json(`clips/${result}`)];
    const beside = clip.frames === rendered.frames && clip.width === rendered.width;
    clips.mark(source);
    show(beside ? clip : rendered, 0, beside ? rendered : null);
    setView(beside ? "wipe" : "before");
  } catch (error) {
    told(error.message);
  }
}

function show(clip, number, against = null) {
  camera.stop();
  $("clip-name").textContent = clip.name;
  $("against").hidden = !against;
  $("against-name").textContent = against?.name ?? "";
  document.title = `${clip.name}: Brushreel studio`;
  $("facts").textContent = facts(clip);
  Object.assign($("scrub"), { max: clip.frames - 1, disabled: false });
  $("timecode").textContent = clip.start;
  look.on(clip);
  viewer.open(clip, number, against);
  showPlaying();
}

function leaveResult() {
  if (viewer.against) show(viewer.clip, viewer.number);
}

function facts(clip) {
  const depth = clip.depth > 8 ? `${clip.depth} bit` : "";
  const sound = clip.sound ? "" : "no sound";
  const rate = Number(clip.rate.toFixed(3));
  return [`${clip.width}×${clip.height}`, `${rate} fps`, `${clip.frames} frames`, clip.codec, depth, clip.hdr, clip.interlaced ? "interlaced" : "", sound].filter(Boolean).join(" · ");
}

function play() {
  if (viewer.playing) viewer.pause();
  else viewer.play();
  if (viewer.playing) look.rest();
  showPlaying();
}

function showPlaying() {
  $("play").textContent = viewer.playing ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", viewer.playing ? "Pause" : "Play");
}

function step(frames) {
  viewer.pause();
  showPlaying();
  viewer.seek(viewer.number + frames);
}

function setView(view) {
  viewer.view = view;
  $("stage").classList.remove(...Object.keys(VIEWS));
  $("stage").classList.add(view);
  document.querySelector(`input[name=view][value=${view}]`).checked = true;
  viewer.fit();
  viewer.refresh();
  remember();
}

function zoom() {
  const whole = $("stage").classList.toggle("whole");
  $("zoom").setAttribute("aria-pressed", whole);
  viewer.fit();
}

function toggle(name) {
  if (name === "loop") viewer.loop = !viewer.loop;
  else viewer.muted = !viewer.muted;
  $(name).setAttribute("aria-pressed", name === "loop" ? viewer.loop : !viewer.muted);
}

function remember() {
  if (!look) return;
  const shown = viewer.clip ? { clip: viewer.clip.id, frame: viewer.number } : {};
  const state = new URLSearchParams({ place, ...shown, view: viewer.view, ...look.state });
  history.replaceState(null, "", `#${state}`);
}

const KEYS = {
  t: () => go(place === "train" ? "stylize" : "train"),
  " ": play,
  ArrowLeft: (event) => step(event.shiftKey ? -10 : -1),
  ArrowRight: (event) => step(event.shiftKey ? 10 : 1),
  Home: () => step(-Infinity),
  End: () => step(Infinity),
  l: () => toggle("loop"),
  m: () => toggle("mute"),
  z: zoom,
  f: fill,
  "/": () => $("search").focus(),
  "?": () => $("help").showModal(),
};
Object.keys(VIEWS).forEach((view, index) => { KEYS[index + 1] = () => setView(view); });

addEventListener("keydown", (event) => {
  if (place === "train" && !["t", "?", "/"].includes(event.key)) return;
  const own = event.target.closest("input, select, textarea, dialog, [role=slider], button");
  const typed = own && !(own.matches("button") && event.key !== " " && event.key !== "Enter");
  if (typed || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key](event);
});

function listen() {
  for (const [name, label] of Object.entries(PLACES)) {
    const radio = control("input", { type: "radio", name: "place", value: name });
    radio.addEventListener("change", () => go(name));
    const state = name === "train" ? [control("span", { id: "place-train-state" })] : [];
    $("places").append(element("label", "", radio, element("span", "", label, ...state)));
  }
  for (const [view, label] of Object.entries(VIEWS)) {
    const radio = control("input", { type: "radio", name: "view", value: view, checked: view === "after" });
    radio.addEventListener("change", () => setView(view));
    $("views").append(element("label", "", radio, label));
  }
  $("play").addEventListener("click", play);
  $("first").addEventListener("click", () => step(-Infinity));
  $("back").addEventListener("click", () => step(-1));
  $("forward").addEventListener("click", () => step(1));
  $("loop").addEventListener("click", () => toggle("loop"));
  $("mute").addEventListener("click", () => toggle("mute"));
  $("zoom").addEventListener("click", zoom);
  $("full").addEventListener("click", fill);
  for (const id of ["camera", "screen"]) $(id).addEventListener("click", () => shoot(id));
  $("leave").addEventListener("click", leaveResult);
  $("help-button").addEventListener("click", () => $("help").showModal());
  $("scrub").addEventListener("input", () => viewer.seek(Number($("scrub").value)));
  $("strip").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) step(Number(button.dataset.frame) - viewer.number);
  });
  listenToWipe(() => viewer.view === "wipe");
}

/** Show a style that was trained on the clip at hand. */
function use(name) {
  go("stylize");
  look.choose(name);
}

async function start() {
  listen();
  let session;
  try {
    session = await json("session");
  } catch (error) {
    told(error.message);
    return;
  }
  look = new Look(session, { told, changed: () => { leaveResult(); viewer.refresh(); remember(); } });
  const chosen = () => ({ clip: viewer.clip?.id, look: look.query });
  const jobs = new Jobs({ shown: (all) => { renders.show(all); training.show(all); }, changed: update, told });
  const renders = new Renders(session, { jobs, chosen, openResult, told });
  training = new Training(session, { jobs, open: use, told });
  const state = new URLSearchParams(location.hash.slice(1));
  look.restore(state);
  setView(VIEWS[state.get("view")] ? state.get("view") : "after");
  const wanted = PLACES[state.get("place")] ? state.get("place") : "stylize";
  go(wanted);
  await clips.look();
  const id = clips.has(state.get("clip")) ? state.get("clip") : clips.first;
  if (!id) return;
  clips.choose = async (clip) => {
    await open(clip, clip === state.get("clip") ? Number(state.get("frame")) : 0);
    go(wanted);
  };
  clips.select(id);
  clips.choose = open;
}

start();
