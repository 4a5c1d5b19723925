// Renders: the dialog with the command's options, and the queue with its progress.
import { $, control, element, settled } from "./dom.js";
import { showCommand } from "./look.js";
import { json, post } from "./server.js";

// Milliseconds between two looks at the queue, while something is rendered and else.
const SOON = 700;
const LATER = 4000;
const WORDS = { waiting: "waiting", running: "rendering", paused: "paused", done: "done", failed: "failed" };

export class Renders {
  #timer = null;
  #command = settled(150, () => this.#showCommand());

  /** @param chosen returns clip and look, openResult is called with the ids of source and result */
  constructor(session, { chosen, openResult, told }) {
    Object.assign(this, { chosen, openResult, told });
    $("delivery").append(...session.deliveries.map((name) => new Option(name, name)));
    $("options").append(...session.options.map(group));
    $("render").disabled = false;
    $("render").addEventListener("click", () => this.#open());
    $("render-cancel").addEventListener("click", () => $("render-dialog").close());
    $("render-form").addEventListener("submit", (event) => this.#start(event));
    $("render-form").addEventListener("input", this.#command);
    this.#look();
  }

  #open() {
    if (!this.chosen()) {
      this.told("Choose a clip first");
      return;
    }
    $("render-what").textContent = `${$("clip-name").textContent} in ${$("style-title").textContent}`;
    $("render-error").textContent = "";
    $("render-dialog").showModal();
    this.#command();
  }

  #fields() {
    const options = {};
    for (const input of $("options").querySelectorAll("[name]")) options[input.name] = input.type === "checkbox" ? input.checked : input.value.trim();
    options["--delivery"] = $("delivery").value;
    return { ...this.chosen(), folder: $("folder").value.trim(), options };
  }

  async #showCommand() {
    try {
      await showCommand($("render-command"), this.#fields());
      $("render-error").textContent = "";
    } catch (error) {
      $("render-error").textContent = error.message;
    }
  }

  async #start(event) {
    event.preventDefault();
    try {
      await post("jobs", this.#fields());
      $("render-dialog").close();
    } catch (error) {
      $("render-error").textContent = error.message;
    }
    this.#look();
  }

  async #look() {
    clearTimeout(this.#timer);
    let jobs = [];
    try {
      jobs = await json("jobs");
      this.#show(jobs);
    } catch (error) {
      this.told(error.message);
    }
    const busy = jobs.some(({ state }) => state === "running" || state === "waiting");
    this.#timer = setTimeout(() => this.#look(), busy ? SOON : LATER);
  }

  #show(jobs) {
    $("queue").hidden = !jobs.length;
    const known = new Map([...$("jobs").children].map((row) => [row.dataset.id, row]));
    const rows = jobs.map((job) => {
      const text = JSON.stringify(job);
      const old = known.get(job.id);
      if (old?.dataset.job === text) return old;
      const row = old ?? control("li", { className: "job" });
      Object.assign(row.dataset, { id: job.id, job: text, state: job.state });
      const focused = row.contains(document.activeElement) ? document.activeElement.dataset.act : null;
      row.replaceChildren(...this.#parts(job));
      if (focused) row.querySelector(`[data-act=${focused}]`)?.focus();
      return row;
    });
    if (rows.some((row, index) => $("jobs").children[index] !== row) || rows.length !== known.size) $("jobs").replaceChildren(...rows);
  }

  * #parts(job) {
    yield element("b", "", job.title);
    yield element("p", "soft", [WORDS[job.state], amount(job), left(job.left)].filter(Boolean).join(" · "));
    if (job.state === "running" || job.state === "paused") {
      const bar = control("progress", { max: 1 });
      if (job.expected) bar.value = job.frames / job.expected;
      bar.setAttribute("aria-label", `Progress of ${job.title}`);
      yield bar;
    }
    if (job.error) yield element("p", "error", job.error);
    for (const warning of job.warnings) yield element("p", "soft", warning);
    if (job.state === "done" && job.output) yield element("p", "soft", job.output);
    const bar = element("div", "bar");
    const acts = { waiting: ["pause"], running: ["pause"], paused: ["resume"], failed: ["resume"], done: job.result ? ["show"] : [] }[job.state];
    for (const act of [...acts, "remove"]) bar.append(this.#button(act, job));
    yield bar;
  }

  #button(act, job) {
    const label = { pause: "Pause", resume: job.state === "failed" ? "Try again" : "Resume", show: "Show", remove: job.state === "done" || job.state === "failed" ? "Remove" : "Cancel" }[act];
    const button = control("button", { type: "button", className: "quiet", textContent: label });
    button.dataset.act = act;
    button.setAttribute("aria-label", `${label}: ${job.title}`);
    button.addEventListener("click", async () => {
      if (act === "show") {
        this.openResult(job.source, job.result);
        return;
      }
      button.disabled = true;
      await post(`jobs/${job.id}/${act}`, {}).catch((error) => this.told(error.message));
      this.#look();
    });
    return button;
  }
}

const amount = ({ frames, expected }) => (frames ? `${frames}${expected ? ` of ${expected}` : ""} frames` : "");

function left(seconds) {
  if (seconds === null) return "";
  return seconds < 90 ? `${Math.ceil(seconds)} s left` : `${Math.round(seconds / 60)} min left`;
}

function group({ title, options }) {
  return element("details", "", element("summary", "", title[0].toUpperCase() + title.slice(1)), ...options.map(option));
}

function option({ flag, help, choices, switch: isSwitch }) {
  const id = `option${flag}`;
  const name = flag.slice(2).replaceAll("-", " ");
  const fallback = help.match(/Default: ([^,.]+)/)?.[1] ?? "";
  let input = control("input", { type: "text", placeholder: fallback, autocomplete: "off" });
  if (isSwitch) input = control("input", { type: "checkbox" });
  if (choices) {
    input = element("select");
    input.append(new Option(`default: ${fallback}`, ""), ...choices.map((choice) => new Option(choice, choice)));
  }
  Object.assign(input, { id, name: flag });
  const row = element("div", isSwitch ? "option switch" : "option", control("label", { htmlFor: id }, name[0].toUpperCase() + name.slice(1)), input, element("small", "", help));
  return row;
}
