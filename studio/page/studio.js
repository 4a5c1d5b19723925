// The studio's page: its parts, its keyboard, and its state, which is kept in the address.
import { $, control, element } from "./dom.js";
import { Camera } from "./camera.js";
import { Clips } from "./clips.js";
import { Look } from "./look.js";
import { json } from "./server.js";
import { Renders } from "./renders.js";
import { Viewer } from "./viewer.js";

const VIEWS = { after: "Stylized", before: "Source", wipe: "Wipe", split: "Split" };
const told = (text) => { $("message").textContent = text; };

let look = null;
const viewer = new Viewer({ look: () => look.query, moved, settledOn: (number) => look.showOn(viewer.clip, number), told });
const clips = new Clips({ choose: open, told });
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
  look.rest();
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

async function open(id, number = 0) {
  told("");
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

function setWipe(share) {
  const percent = Math.round(100 * Math.min(1, Math.max(0, share)));
  $("picture").style.setProperty("--wipe", `${percent}%`);
  $("wipe").setAttribute("aria-valuenow", percent);
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
  if (!look || !viewer.clip) return;
  const state = new URLSearchParams({ clip: viewer.clip.id, frame: viewer.number, view: viewer.view, ...look.state });
  history.replaceState(null, "", `#${state}`);
}

const KEYS = {
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
  const own = event.target.closest("input, select, textarea, dialog, [role=slider], button");
  const typed = own && !(own.matches("button") && event.key !== " " && event.key !== "Enter");
  if (typed || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key](event);
});

function listen() {
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
  const drag = (event) => {
    const { left, width } = $("picture").getBoundingClientRect();
    setWipe((event.clientX - left) / width);
  };
  $("picture").addEventListener("pointerdown", (event) => {
    if (viewer.view !== "wipe") return;
    $("picture").setPointerCapture(event.pointerId);
    drag(event);
    $("picture").addEventListener("pointermove", drag);
  });
  for (const end of ["pointerup", "pointercancel"]) $("picture").addEventListener(end, () => $("picture").removeEventListener("pointermove", drag));
  $("wipe").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -2, ArrowRight: 2, Home: -100, End: 100 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    setWipe((Number($("wipe").getAttribute("aria-valuenow")) + by) / 100);
  });
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
  new Renders(session, { chosen: () => viewer.clip && look.query && { clip: viewer.clip.id, look: look.query }, openResult, told });
  const state = new URLSearchParams(location.hash.slice(1));
  look.restore(state);
  setView(VIEWS[state.get("view")] ? state.get("view") : "after");
  await clips.look();
  const id = clips.has(state.get("clip")) ? state.get("clip") : clips.first;
  if (!id) return;
  clips.choose = (chosen) => open(chosen, chosen === state.get("clip") ? Number(state.get("frame")) : 0);
  clips.select(id);
  clips.choose = open;
}

start();
