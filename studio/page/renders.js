// Renders and watched folders: the dialog with the command's options, and the queue with its progress.
import { $, control, element, settled } from "./dom.js";
import { jobButton, left, progress } from "./jobs.js";
import { chosenOptions, showCommand, showOptions } from "./options.js";

const WORDS = {
  render: { waiting: "waiting", running: "rendering", paused: "paused", done: "done", failed: "failed" },
  watch: { waiting: "starting", running: "watching", paused: "stopped", done: "ended", failed: "failed" },
};

export class Renders {
  #command = settled(150, () => this.#showCommand());
  #kind = "render";

  /** @param chosen returns clip and look, openResult is called with the ids of source and result */
  constructor(session, { jobs, chosen, openResult, told }) {
    Object.assign(this, { session, jobs, chosen, openResult, told });
    $("delivery").append(...session.deliveries.map((name) => new Option(name, name)));
    $("render").disabled = $("watch").disabled = false;
    $("render").addEventListener("click", () => this.#open("render"));
    $("watch").addEventListener("click", () => this.#open("watch"));
    $("render-cancel").addEventListener("click", () => $("render-dialog").close());
    $("render-form").addEventListener("submit", (event) => this.#start(event));
    $("render-form").addEventListener("input", this.#command);
  }

  #open(kind) {
    const { clip, look } = this.chosen();
    if (!look || (kind === "render" && !clip)) {
      this.told(look ? "Choose a clip first" : "Choose a style first");
      return;
    }
    if (kind !== this.#kind || !$("options").children.length) showOptions($("options"), this.session.options[kind]);
    this.#kind = kind;
    const watching = kind === "watch";
    $("render-title").textContent = watching ? "Watch a folder" : "Render";
    $("render-what").textContent = watching ? `Every clip that arrives in a folder, in ${$("style-title").textContent}` : `${$("clip-name").textContent} in ${$("style-title").textContent}`;
    $("inbox-row").hidden = !watching;
    if (watching && !$("inbox").value) $("inbox").value = this.session.folders[0];
    $("folder").placeholder = watching ? "from the root on" : "next to the clip";
    $("folder-label").textContent = watching ? "Write to" : "Folder";
    $("render-start").textContent = watching ? "Watch" : "Add to renders";
    $("render-error").textContent = "";
    $("render-dialog").showModal();
    this.#command();
  }

  #fields() {
    const options = { ...chosenOptions($("options")), "--delivery": $("delivery").value };
    return { ...this.chosen(), kind: this.#kind, inbox: $("inbox").value.trim(), folder: $("folder").value.trim(), options };
  }

  async #showCommand() {
    const fields = this.#fields();
    if (fields.kind === "watch" && !fields.folder) {
      $("render-command").replaceChildren("brushreel watch …");
      return;
    }
    try {
      await showCommand($("render-command"), fields);
      $("render-error").textContent = "";
    } catch (error) {
      $("render-command").replaceChildren("brushreel …");
      $("render-error").textContent = error.message;
    }
  }

  async #start(event) {
    event.preventDefault();
    try {
      await this.jobs.add(this.#fields());
      $("render-dialog").close();
    } catch (error) {
      $("render-error").textContent = error.message;
    }
  }

  /** Show the queue. */
  show(all) {
    const jobs = all.filter(({ kind }) => kind !== "train");
    $("queue").hidden = !jobs.length;
    const known = new Map([...$("jobs").children].map((row) => [row.dataset.id, row]));
    const rows = jobs.map((job) => {
      const text = JSON.stringify(job);
      const old = known.get(job.id);
      if (old?.dataset.job === text) return old;
      const row = old ?? control("li", { className: "job" });
      Object.assign(row.dataset, { id: job.id, job: text, state: job.state, kind: job.kind });
      const focused = row.contains(document.activeElement) ? document.activeElement.dataset.act : null;
      row.replaceChildren(...this.#parts(job));
      if (focused) row.querySelector(`[data-act=${focused}]`)?.focus();
      return row;
    });
    if (rows.some((row, index) => $("jobs").children[index] !== row) || rows.length !== known.size) $("jobs").replaceChildren(...rows);
  }

  * #parts(job) {
    const { clip, done, failed, said } = job.facts;
    const watching = job.kind === "watch";
    yield element("b", "", job.title);
    const counts = watching ? [done && `${done} done`, failed && `${failed} failed`, job.state === "running" && clip] : [];
    yield element("p", "soft", [WORDS[job.kind][job.state], ...counts, amount(job), left(job.left)].filter(Boolean).join(" · "));
    const bar = watching && !job.expected ? null : progress(job);
    if (bar) yield bar;
    if (job.error) yield element("p", "error", job.error);
    for (const warning of job.warnings) yield element("p", watching ? "error" : "soft", warning);
    if (watching && said && job.state === "running") yield element("p", "soft", said.replace("; Ctrl-C ends it", ""));
    if (!watching && job.state === "done" && job.output) yield element("p", "soft", job.output);
    const acts = element("div", "bar");
    acts.append(...this.#buttons(job));
    yield acts;
  }

  * #buttons(job) {
    const watching = job.kind === "watch";
    const { state } = job;
    if (state === "waiting" || state === "running") yield this.jobs.button("pause", watching ? "Stop" : "Pause", job);
    if (state === "paused") yield this.jobs.button("resume", watching ? "Watch again" : "Resume", job);
    if (state === "failed") yield this.jobs.button("resume", "Try again", job);
    if (job.result) yield jobButton("show", "Show", job, () => this.openResult(job.source, job.result));
    const over = state === "done" || state === "failed" || (watching && state === "paused");
    yield this.jobs.button("remove", over || watching ? "Remove" : "Cancel", job);
  }
}

const amount = ({ frames, expected }) => (frames ? `${frames}${expected ? ` of ${expected}` : ""} frames` : "");
