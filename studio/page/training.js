// Training: the form of a new style, and the runs with their losses and frames as trained so far.
import { $, control, element, settled } from "./dom.js";
import { jobButton, left, progress } from "./jobs.js";
import { chosenOptions, copies, showCommand, showOptions } from "./options.js";
import { upload } from "./server.js";
import { doubling, slider } from "./sliders.js";

const WORDS = { waiting: "waiting for the one before", running: "training", paused: "stopped", done: "done", failed: "failed" };
// Those that people judge a run by; the others are in its report.
const LOSSES = { style: "distance to the painting", content: "distance to the scene", temporal: "flicker" };
const MINUTES = 15;
const STEPS = 3000;
const DISCARD = "Discard what was trained so far?";

export class Training {
  #command = settled(200, () => this.#showCommand());
  #runs = new Map();
  #named = "";

  /** @param open is called with the name of a finished style */
  constructor(session, { jobs, open, told }) {
    Object.assign(this, { session, jobs, open, told });
    this.sliders = Object.fromEntries(["strength", "scale"].map((name) => {
      const label = { strength: "Strength of the style", scale: "Size of strokes" }[name];
      return [name, slider(`train-${name}`, label, doubling(...session.factors), 1, () => this.#command())];
    }));
    $("train-sliders").append(...Object.values(this.sliders).map((one) => one.row));
    showOptions($("train-options"), session.options.train);
    this.#offerParents();
    $("parent").value = session.styles[0]?.name ?? "";
    this.#showLossNetwork(session.loss_network);
    $("train-form").addEventListener("submit", (event) => this.#start(event));
    $("train-form").addEventListener("input", this.#command);
    for (const radio of document.querySelectorAll("input[name=unit]")) radio.addEventListener("change", () => { $("long").value = this.#unit === "minutes" ? MINUTES : STEPS; });
    $("painting-path").addEventListener("change", () => this.#showPainting());
    $("painting-file").addEventListener("change", () => this.take($("painting-file").files[0]));
    $("painting-picture").addEventListener("error", () => { $("painting-picture").hidden = true; });
    copies($("train-copy"), $("train-command"));
  }

  get #unit() { return document.querySelector("input[name=unit]:checked").value; }

  /** Offer folders of footage: those that the clips are in. */
  offerFootage(clips) {
    const folders = new Set(this.session.folders);
    for (const { folder, name, dropped } of clips) {
      const inside = name.split("/").slice(0, -1);
      folders.add([dropped ? this.session.dropped : folder, ...inside].join("/"));
    }
    $("footages").replaceChildren(...[...folders].map((folder) => control("option", { value: folder, label: folder === this.session.dropped ? "dropped clips" : "" })));
    if (!$("footage").value) $("footage").value = this.session.folders[0];
  }

  /** Offer other styles to start from, after the library has changed. */
  update(session) {
    this.session = session;
    const chosen = $("parent").value;
    this.#offerParents();
    $("parent").value = session.styles.some(({ name }) => name === chosen) ? chosen : "";
    this.#showLossNetwork(session.loss_network);
    this.#command();
  }

  #offerParents() {
    $("parent").replaceChildren(new Option("nothing: random weights, much slower", ""), ...this.session.styles.map(({ name }) => new Option(name, name)));
  }

  #showLossNetwork(missing) {
    $("loss-network").hidden = !missing;
    $("loss-network-error").textContent = missing;
  }

  /** Take a dropped painting. */
  async take(file) {
    if (!file) return;
    $("train-error").textContent = "";
    try {
      const { path } = await upload(file, () => {}, "paintings");
      $("painting-path").value = path;
      this.#showPainting();
    } catch (error) {
      $("train-error").textContent = error.message;
    }
    $("painting-file").value = "";
  }

  #showPainting() {
    const path = $("painting-path").value.trim();
    $("painting-picture").hidden = !path;
    if (path) $("painting-picture").src = `painting.jpg?${new URLSearchParams({ path })}`;
    const name = path.split("/").pop().replace(/\.[^.]*$/, "").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
    if (!$("train-name").value || $("train-name").value === this.#named) $("train-name").value = name;
    this.#named = name;
    this.#command();
  }

  #fields() {
    const value = (id) => $(id).value.trim();
    const options = chosenOptions($("train-options"));
    if (!$("loss-network").hidden) options["--download-loss-network"] = $("download").checked;
    return {
      kind: "train", painting: value("painting-path"), footage: value("footage"), name: value("train-name"), parent: value("parent"),
      strength: this.sliders.strength.value, scale: this.sliders.scale.value, [this.#unit]: value("long"), options,
      title: value("title"), artist: value("artist"), year: value("year"), licence: value("licence"),
    };
  }

  async #showCommand() {
    const fields = this.#fields();
    $("train-error").textContent = "";
    if (!fields.painting || !fields.footage || !fields.name) return;
    try {
      await showCommand($("train-command"), fields);
    } catch (error) {
      $("train-error").textContent = error.message;
    }
  }

  async #start(event) {
    event.preventDefault();
    try {
      await this.jobs.add(this.#fields());
      $("train-error").textContent = "";
    } catch (error) {
      $("train-error").textContent = error.message;
    }
  }

  /** Show the runs, the latest one first. */
  show(all) {
    const jobs = all.filter(({ kind }) => kind === "train").reverse();
    $("no-runs").hidden = jobs.length > 0;
    const busy = jobs.find(({ state }) => state === "running");
    $("place-train-state").textContent = busy?.expected ? ` ${Math.floor((100 * busy.frames) / busy.expected)} %` : "";
    for (const job of jobs) {
      if (!this.#runs.has(job.id)) this.#runs.set(job.id, new RunCard(this));
      this.#runs.get(job.id).show(job);
    }
    const cards = jobs.map(({ id }) => this.#runs.get(id).card);
    if (cards.length !== $("trainings").children.length || cards.some((card, index) => $("trainings").children[index] !== card)) $("trainings").replaceChildren(...cards);
  }
}

/** A run: its parts are changed one by one, so that frames do not blink and the focus stays. */
class RunCard {
  #shown = {};
  #parts = Object.fromEntries(["title", "state", "bar", "error", "acts", "frames", "losses", "command"].map((name) => [name, element("div", `run-${name}`)]));

  constructor(training) {
    this.training = training;
    this.card = element("article", "run", ...Object.values(this.#parts));
  }

  show(job) {
    const { facts } = job;
    Object.assign(this.card.dataset, { id: job.id, state: job.state });
    this.card.setAttribute("aria-label", `Training of ${job.title}`);
    this.#set("title", job.title, () => [element("h3", "", job.title)]);
    this.#set("state", state(job), (text) => [text]);
    this.#set("bar", [job.state, job.frames, job.expected], () => [progress(job)].filter(Boolean));
    this.#set("error", job.error, (text) => (text ? [element("p", "error", text)] : []));
    this.#set("acts", [job.state, job.resumable, job.frames > 0], () => [...this.#buttons(job)]);
    this.#set("frames", [facts.step, facts.pictures], () => frames(job));
    this.#set("losses", facts.losses, (losses) => Object.keys(LOSSES).filter((name) => losses?.[name]?.length).map((name) => curve(name, losses[name], job.expected)));
    this.#set("command", job.command, (text) => [element("details", "", element("summary", "", "Command line"), control("code", { tabIndex: 0 }, text))]);
  }

  #set(name, value, make) {
    const text = JSON.stringify(value) ?? "";
    if (this.#shown[name] === text) return;
    this.#shown[name] = text;
    const part = this.#parts[name];
    const focused = part.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    part.replaceChildren(...make(value));
    if (focused) part.querySelector(`[data-act=${focused}]`)?.focus();
  }

  * #buttons(job) {
    const { jobs, open } = this.training;
    const { state: now, resumable } = job;
    if (now === "running" || now === "waiting") yield jobs.button("pause", "Stop", job);
    if (now === "paused") yield jobs.button("resume", resumable ? "Go on" : "Start again", job);
    if (now === "failed") yield jobs.button("resume", resumable ? "Go on" : "Try again", job);
    if (now === "done" && job.facts.style) yield jobButton("show", "Use it", job, () => open(job.facts.style));
    const loses = now !== "done" && (resumable || (now === "running" && job.frames > 0));
    yield jobs.button("remove", loses ? "Discard" : "Remove", job, loses ? DISCARD : "");
  }
}

function state(job) {
  if (job.state === "running" && !job.expected) return "preparing footage and losses …";
  if (job.state === "running" && job.frames === job.expected) return "measuring the style …";
  const steps = job.expected && job.state !== "done" ? `step ${job.frames} of ${job.expected}` : "";
  const made = job.state === "done" ? `${job.expected} steps; it is in the library, and on every page` : "";
  return [WORDS[job.state], steps, made, left(job.left)].filter(Boolean).join(" · ");
}

function frames({ id, facts }) {
  return (facts.pictures ?? []).map(({ clip }, number) => {
    const image = (side, alt) => control("img", { src: `jobs/${id}/${number}.${side}.jpg?step=${facts.step}`, alt });
    const caption = element("figcaption", "soft", `${clip} · after step ${facts.step}`);
    return element("figure", "", image("before", `${clip}, source`), image("after", `${clip}, as trained so far`), caption);
  });
}

const SVG = "http://www.w3.org/2000/svg";

function curve(name, points, steps) {
  const [width, height] = [240, 60];
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (step) => (width * step) / Math.max(steps ?? 1, 1);
  const y = (value) => height - 3 - ((height - 6) * (value - low)) / (high - low || 1);
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.setAttribute("preserveAspectRatio", "none");
  picture.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" "));
  picture.append(line);
  const last = values.at(-1).toPrecision(3);
  return element("figure", "loss", element("figcaption", "", element("b", "", last), ` ${name}: ${LOSSES[name]}`), picture);
}
