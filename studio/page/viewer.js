// The viewer: a clip that plays stylized by a clock, and stands still exactly.
import { $, settled } from "./dom.js";
import { Refusal, blob } from "./server.js";
import { Stream } from "./stream.js";

// Milliseconds without a change after which the exact frame is made.
const SETTLING = 220;
// Frames that are asked for at a time, and that may wait to be drawn.
const MOST_ASKED = 2;
const MOST_READY = 3;
const MOST_LINES = 720;
// Seconds by which frames are asked for before their time, at most.
const MOST_LEAD = 0.4;

export class Viewer {
  #stream = new Stream((frame) => this.#arrived(frame), (error) => this.#failed(error));
  #audio = new Audio();
  #ready = [];
  #began = { time: 0, at: 0 };
  #asked = 0;
  // Of the frame that is shown, in seconds: exact as soon as the server has told it.
  #time = 0;
  #latency = 60;
  // Counts starts and seeks: what was asked for before one of them is over.
  #turn = 0;
  #drawn = [];
  #still = null;
  #makeExact = settled(SETTLING, () => this.#exact());

  /**
   * @param look returns the chosen look as an object for a query, null without a style
   * @param moved is called when another frame is shown, told with errors
   */
  constructor({ look, moved, settledOn, told }) {
    Object.assign(this, { look, moved, settledOn, told });
    this.clip = this.size = null;
    this.against = null;
    this.number = 0;
    this.playing = false;
    this.loop = true;
    this.view = "after";
    this.leftOut = 0;
    this.#audio.preload = "none";
    new ResizeObserver(() => this.fit()).observe($("stage"));
  }

  /**
   * Show a clip, described by its facts, at a frame.
   *
   * @param against facts of a rendered clip that is shown in place of stylized frames
   */
  open(clip, number = 0, against = null) {
    this.pause();
    this.clip = this.size = clip;
    this.against = against;
    this.#audio.removeAttribute("src");
    if (clip.sound) this.#audio.src = `clips/${clip.id}/sound.wav`;
    $("hint").hidden = true;
    for (const id of ["before", "after"]) Object.assign($(id), { width: clip.width, height: clip.height });
    this.fit();
    this.seek(number);
  }

  /** Make room for frames of a camera. */
  openCamera(size) {
    this.pause();
    this.#still?.abort();
    Object.assign(this, { clip: null, against: null, size });
    $("hint").hidden = true;
    this.fit();
  }

  get muted() { return this.#audio.muted; }
  set muted(wanted) { this.#audio.muted = wanted; }

  /** Show a frame: at once a small one, exactly as soon as nothing changes any more. */
  seek(number) {
    if (!this.clip) return;
    this.number = Math.min(Math.max(0, number), this.clip.frames - 1);
    if (this.playing) {
      this.#start(this.number / this.clip.rate);
      return;
    }
    this.#time = this.number / this.clip.rate;
    this.moved(this.number, null);
    this.refresh();
  }

  /** Show the frame again, after the look or the view has changed. */
  refresh() {
    this.#still?.abort();
    this.#still = null;
    delete $("stage").dataset.exact;
    if (!this.clip || this.playing) return;
    if (this.#stream.waiting < MOST_ASKED) this.#ask({ number: this.number });
    this.#makeExact();
  }

  play() {
    if (!this.clip || this.playing) return;
    this.#still?.abort();
    this.playing = true;
    this.leftOut = 0;
    this.#drawn = [];
    this.#start(this.number >= this.clip.frames - 1 ? 0 : this.#time);
    requestAnimationFrame(() => this.#tick());
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.#audio.pause();
    this.#empty();
    this.#turn += 1;
    $("rate").hidden = true;
    this.seek(this.number);
  }

  #start(time) {
    this.#empty();
    this.#turn += 1;
    this.#began = { time, at: performance.now() };
    this.#asked = time - 1 / this.clip.rate;
    if (!this.#audio.src) return;
    this.#audio.currentTime = time;
    this.#audio.play().catch(() => {}); // without sound it plays by the other clock
  }

  // Seconds: the sound's where it plays, else this computer's.
  #clock() {
    const audio = this.#audio;
    if (audio.src && !audio.paused && !audio.seeking && audio.readyState > 2) {
      this.#began = { time: audio.currentTime, at: performance.now() };
    }
    return this.#began.time + (performance.now() - this.#began.at) / 1000;
  }

  #tick() {
    if (!this.playing) return;
    const now = this.#clock();
    if (now >= this.clip.duration) {
      if (!this.loop) {
        this.number = this.clip.frames - 1;
        this.pause();
        return;
      }
      this.#start(0);
    }
    while (this.#ready.length > 1 && this.#ready[1].time <= now) close(this.#ready.shift());
    const next = this.#ready[0];
    if (next && next.time <= now + 0.5 / this.clip.rate) this.#draw(this.#ready.shift());
    this.#askAhead(now);
    requestAnimationFrame(() => this.#tick());
  }

  #askAhead(now) {
    const step = 1 / this.clip.rate;
    const lead = Math.min(MOST_LEAD, this.#latency / 1000);
    if (this.#stream.waiting >= MOST_ASKED || this.#ready.length >= MOST_READY) return;
    const target = Math.max(now + lead, this.#asked + step);
    if (target > now + lead + MOST_READY * step || target >= this.clip.duration) return;
    // The middle of a frame's time: rounding must not lead to its neighbour.
    if (this.#ask({ time: target + step / 2 })) this.#asked = target;
  }

  #ask(moment) {
    const look = this.against ? null : this.look();
    const sides = (look === null && !this.against) || this.view === "before" ? "before" : this.view === "after" ? "after" : "both";
    return this.#stream.ask({ clip: this.clip.id, look, sides, against: this.against?.id, lines: this.#lines(), ...moment }, this.#turn);
  }

  #lines() {
    const shown = Math.round($("picture").clientHeight * devicePixelRatio);
    return Math.min(MOST_LINES, Math.max(180, shown));
  }

  #arrived(frame) {
    this.#latency = 0.8 * this.#latency + 0.2 * frame.latency;
    if (frame.number === this.number) this.#time = frame.time;
    if (frame.turn !== this.#turn) {
      close(frame);
    } else if (this.playing) {
      this.#ready.push(frame);
    } else if (frame.number === this.number && this.#still?.number !== this.number) {
      this.#draw(frame);
    } else {
      close(frame);
      if (frame.number === this.number) this.moved(frame.number, frame.timecode);
      else this.refresh();
    }
  }

  #draw(frame) {
    paint($("before"), frame.before);
    paint($("after"), frame.after);
    close(frame);
    if (this.playing) {
      this.leftOut += Math.max(0, frame.number - this.number - 1);
      this.#drawn = [...this.#drawn.filter((at) => at > performance.now() - 1000), performance.now()];
      $("rate").hidden = false;
      $("rate").textContent = `${this.#drawn.length} of ${Math.round(this.clip.rate)} frames/s · ${Math.round(frame.latency)} ms · ${this.leftOut} left out`;
      this.number = frame.number;
    }
    this.moved(frame.number, frame.timecode);
  }

  // The frame as a render gives it, at the clip's own size.
  async #exact() {
    if (!this.clip || this.playing) return;
    const { clip, number, against } = this;
    const look = this.look();
    const still = Object.assign(new AbortController(), { number: null });
    this.#still?.abort();
    this.#still = still;
    $("busy").hidden = look === null || against !== null;
    try {
      const fetched = async (address) => createImageBitmap(await blob(address, { signal: still.signal }), { colorSpaceConversion: "none" });
      const source = `clips/${clip.id}/${number}.png`;
      const stylized = against ? `clips/${against.id}/${number}.png` : look && `${source}?${new URLSearchParams(look)}`;
      const after = stylized && this.view !== "before" ? await fetched(stylized) : null;
      const before = this.view === "after" && stylized ? null : await fetched(source);
      if (still.signal.aborted || this.playing) return;
      still.number = number;
      paint($("before"), before);
      paint($("after"), after);
      close({ before, after });
      $("stage").dataset.exact = `${clip.id} ${number}`;
      this.told("");
      this.settledOn(number);
    } catch (error) {
      if (error instanceof Refusal) this.told(error.message);
    } finally {
      if (this.#still === still) $("busy").hidden = true;
    }
  }

  #failed(error) {
    this.told(error);
    if (this.playing) this.pause();
  }

  #empty() {
    this.#ready.forEach(close);
    this.#ready = [];
    delete $("stage").dataset.exact;
  }

  /** Fit the picture into the stage, or show it pixel by pixel. */
  fit() {
    if (!this.size) return;
    const stage = $("stage");
    const { width, height } = this.size;
    const columns = this.view === "split" ? 2 : 1;
    const scale = stage.classList.contains("whole")
      ? 1 / devicePixelRatio
      : Math.min((stage.clientWidth - 8 * (columns - 1)) / columns / width, stage.clientHeight / height);
    for (const id of ["before", "after"]) {
      $(id).style.width = `${width * scale}px`;
      $(id).style.height = `${height * scale}px`;
    }
  }
}

function paint(canvas, bitmap) {
  if (!bitmap) return;
  // A small frame keeps its own size: the browser enlarges it.
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
}

function close(frame) {
  frame.before?.close();
  frame.after?.close();
}
