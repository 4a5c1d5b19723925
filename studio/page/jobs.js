// The queue as the server has it: renders, watched folders, trainings.
import { control } from "./dom.js";
import { json, post } from "./server.js";

// Milliseconds between two looks at the queue, while something is done and else.
const SOON = 700;
const LATER = 4000;

export class Jobs {
  #timer = null;
  #library = null;

  /** @param shown is called with all jobs, changed when the library has other styles, told with errors */
  constructor({ shown, changed, told }) {
    Object.assign(this, { shown, changed, told });
    this.look();
  }

  /** Look at the queue now. */
  async look() {
    clearTimeout(this.#timer);
    let busy = false;
    try {
      const { jobs, library, trouble } = await json("jobs");
      busy = jobs.some(({ state }) => state === "running" || state === "waiting");
      this.shown(jobs);
      if (trouble) this.told(trouble);
      if (this.#library !== null && this.#library !== library) this.changed();
      this.#library = library;
    } catch (error) {
      this.told(error.message);
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look(), busy ? SOON : LATER);
  }

  /** Put something into the queue; throws a Refusal. */
  async add(fields) {
    await post("jobs", fields);
    this.look();
  }

  /** Make a button that does something with a job: "pause", "resume" or "remove". */
  button(act, label, job, question = "") {
    return jobButton(act, label, job, async (button) => {
      if (question && !confirm(question)) return;
      button.disabled = true;
      await post(`jobs/${job.id}/${act}`, {}).catch((error) => this.told(error.message));
      button.disabled = false;
      this.look();
    });
  }
}

/** Make a button of a job that calls a function. */
export function jobButton(act, label, job, pressed) {
  const button = control("button", { type: "button", className: "quiet", textContent: label });
  button.dataset.act = act;
  button.setAttribute("aria-label", `${label}: ${job.title}`);
  button.addEventListener("click", () => pressed(button));
  return button;
}

/** Say how long it takes. */
export function left(seconds) {
  if (seconds === null) return "";
  return seconds < 90 ? `${Math.ceil(seconds)} s left` : `${Math.round(seconds / 60)} min left`;
}

/** Make the progress bar of a job, or return null where there is nothing to tell. */
export function progress(job) {
  if (job.state !== "running" && job.state !== "paused") return null;
  const bar = control("progress", { max: 1 });
  if (job.expected) bar.value = job.frames / job.expected;
  else if (job.state === "paused") bar.value = 0;
  bar.setAttribute("aria-label", `Progress of ${job.title}`);
  return bar;
}
