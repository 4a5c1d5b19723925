// The page: a source (picture, clip or camera), a style, a stroke size, and the stylized frame.
import { $ } from "./parts/dom.js";
import { doubling, slider } from "./parts/sliders.js";
import { chosenStyle, setPicture, styleCard } from "./parts/styles.js";
import { listenToWipe } from "./parts/wipe.js";
import { Camera } from "./camera.js";
import { Painter } from "./painter.js";

/** Larger pictures are scaled down to so many pixels: the memory of browsers is bounded. */
const MOST_PIXELS = 3840 * 2160;
/** Larger strokes take less time: what a camera begins with, unless a size was chosen. */
const CAMERA_STROKES = 2;
/** Milliseconds for the service worker to start: without it there is one thread. */
const MOST_WAITING = 2000;

const before = $("before").getContext("2d", { willReadFrequently: true, alpha: false });
const after = $("after").getContext("2d", { alpha: false });
const strokes = slider("stroke_size", "Stroke size", doubling(0.5, 4), 1, () => { isStrokesChosen = true; refresh(); });
let isStrokesChosen = false;
let painter = null;
let camera = null;
let styles = [];
let clip = null;
let conversion = null;
let name = "example";
// Counts sources and settings: what was asked for earlier is over.
let turn = 0;

const say = (text) => { $("message").textContent = text; };
const complain = (error) => { $("error").textContent = error ? String(error.message ?? error) : ""; };

/** Stylize a frame that is drawn; returns its RGBA codes, after it is shown. */
async function paint(draw) {
  const { width, height } = before.canvas;
  draw(before);
  const { data } = before.getImageData(0, 0, width, height);
  const task = { style: chosenStyle($("styles")), strokeSize: strokes.value, width, height, pixels: data };
  const { pixels, milliseconds, about } = await painter.paint(task);
  after.putImageData(new ImageData(pixels, width, height), 0, 0);
  const threads = about.threads > 1 ? `${about.threads} threads` : "one thread";
  $("device").textContent = about.device === "webgpu" ? "Computed on the GPU, by WebGPU." : `Computed on the CPU, by WebAssembly with ${threads}.`;
  return { pixels, milliseconds };
}

function setSize(width, height) {
  for (const { canvas } of [before, after]) Object.assign(canvas, { width, height });
}

/** Stylize the still frame again, once what is under way is done. */
async function refresh() {
  $("painting").textContent = styles.find((style) => style.name === chosenStyle($("styles")))?.painting ?? "";
  if (camera.isOn || conversion) return;
  turn += 1;
  const mine = turn;
  delete $("stage").dataset.exact;
  offer(null);
  $("busy").hidden = false;
  while (painter.isBusy) {
    await new Promise((resolve) => { setTimeout(resolve, 10); });
    if (mine !== turn) return;
  }
  try {
    const { milliseconds } = await paint(() => {});
    if (mine !== turn) return;
    say(`${before.canvas.width}×${before.canvas.height}, stylized in ${(milliseconds / 1000).toFixed(2)} s`);
    $("stage").dataset.exact = `${name} ${chosenStyle($("styles"))} ${strokes.value}`;
    if (!clip) offerPicture();
  } catch (error) {
    complain(error);
  } finally {
    if (mine === turn) $("busy").hidden = true;
  }
}

/** Offer a file for download, or none. */
function offer(blob, extension) {
  const link = $("download");
  if (link.href) URL.revokeObjectURL(link.href);
  link.hidden = !blob;
  link.removeAttribute("href");
  if (!blob) return;
  link.href = URL.createObjectURL(blob);
  link.download = `${name.replace(/\.[^.]*$/, "")}.${chosenStyle($("styles"))}${extension}`;
}

function offerPicture() {
  const mine = turn;
  after.canvas.toBlob((blob) => { if (mine === turn) offer(blob, ".png"); });
}

function leave() {
  camera.stop();
  conversion?.abort();
  conversion = null;
  lock(false);
  clip?.close();
  clip = null;
  turn += 1;
  complain(null);
  for (const id of ["convert", "stop", "progress"]) $(id).hidden = true;
}

async function showPicture(blob, called) {
  const bitmap = await createImageBitmap(blob).catch(() => { throw new Error(`${called} is no picture that this browser reads`); });
  leave();
  name = called;
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  setSize(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  before.imageSmoothingQuality = "high";
  before.drawImage(bitmap, 0, 0, before.canvas.width, before.canvas.height);
  bitmap.close();
  refresh();
}

async function showClip(file) {
  const { Clip } = await import("./clip.js");
  const opened = await Clip.open(file);
  leave();
  [clip, name] = [opened, file.name];
  setSize(clip.width, clip.height);
  await clip.drawFirst(before);
  $("convert").hidden = false;
  refresh();
}

async function open(file) {
  if (!file) return;
  complain(null);
  try {
    await (file.type.startsWith("image/") ? showPicture(file, file.name) : showClip(file));
  } catch (error) {
    complain(error);
  }
}

async function showExample() {
  const response = await fetch("example.jpg");
  await showPicture(await response.blob(), "example.jpg");
}

async function convert() {
  offer(null);
  complain(null);
  turn += 1;
  const mine = new AbortController();
  const { signal } = mine;
  conversion = mine;
  const began = performance.now();
  $("convert").hidden = true;
  for (const id of ["stop", "progress"]) $(id).hidden = false;
  lock(true);
  const progress = (share, count) => {
    $("progress").value = share;
    const left = (performance.now() - began) / 1000 * (1 - share) / share;
    say(`${count} frames, ${Math.round(100 * share)} %, ${Math.ceil(left)} s left`);
  };
  try {
    const { blob, extension } = await clip.stylize(async (draw) => (await paint(draw)).pixels, progress, signal);
    offer(blob, extension);
    say(`Done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  } catch (error) {
    if (signal.aborted) say("Stopped");
    else complain(error);
  }
  // Another source may have been opened meanwhile.
  if (conversion !== mine) return;
  conversion = null;
  lock(false);
  $("convert").hidden = false;
  for (const id of ["stop", "progress"]) $(id).hidden = true;
}

/** One look for the whole of a clip. */
function lock(isLocked) {
  for (const input of document.querySelectorAll("#styles input, #sliders input, #sliders button")) input.disabled = isLocked;
}

async function cameraFrame(video) {
  const { videoWidth: width, videoHeight: height } = video;
  if (before.canvas.width !== width || before.canvas.height !== height) setSize(width, height);
  try {
    await paint((context) => context.drawImage(video, 0, 0));
    $("busy").hidden = true;
  } catch (error) {
    complain(error);
    throw error;
  }
}

async function switchCamera() {
  if (camera.isOn) {
    camera.stop();
    return;
  }
  leave();
  offer(null);
  say("");
  name = "camera";
  if (!isStrokesChosen) strokes.value = CAMERA_STROKES;
  try {
    await camera.start();
  } catch (error) {
    complain(error);
  }
  $("camera").setAttribute("aria-pressed", camera.isOn);
}

/** The last frame of the camera stays, as a picture. */
function cameraEnded() {
  $("camera").setAttribute("aria-pressed", false);
  refresh();
}

function listen() {
  listenToWipe(() => true);
  $("file").addEventListener("change", () => open($("file").files[0]));
  $("camera").addEventListener("click", switchCamera);
  $("example").addEventListener("click", () => showExample().catch(complain));
  $("convert").addEventListener("click", convert);
  $("stop").addEventListener("click", () => conversion?.abort());
  $("styles").addEventListener("change", refresh);
  addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    open(event.dataTransfer.files[0]);
  });
}

/** Threads need a page that is isolated from others: a service worker adds the headers for it. */
async function isolate() {
  if (crossOriginIsolated || !navigator.serviceWorker) return;
  try {
    if (sessionStorage.getItem("isolating")) return;
    sessionStorage.setItem("isolating", "once");
    const registered = await navigator.serviceWorker.register("isolation.js");
    await Promise.race([navigator.serviceWorker.ready, new Promise((resolve) => { setTimeout(resolve, MOST_WAITING); })]);
    if (!registered?.active) return;
  } catch {
    return;
  }
  location.reload();
  await new Promise(() => {});
}

async function start() {
  await isolate();
  const query = new URLSearchParams(location.search);
  painter = new Painter({ device: query.get("device") ?? "auto", threads: Number(query.get("threads")) });
  camera = new Camera({ frame: cameraFrame, ended: cameraEnded });
  $("sliders").append(strokes.row);
  try {
    styles = await (await fetch("models/styles.json")).json();
    styles.forEach((style, index) => {
      const card = styleCard(style, index === 0);
      setPicture(card, `models/${style.name}.jpg`);
      $("styles").append(card);
    });
    listen();
    await showExample();
  } catch (error) {
    complain(error);
  }
}

start();
