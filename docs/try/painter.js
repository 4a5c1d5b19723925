// The painter: styles stylize frames in a worker, so that the page stays alive.

export class Painter {
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #waiting = new Map();
  #last = 0;

  /** @param wanted device ("auto", "webgpu" or "wasm") and threads (0: as many as there are) */
  constructor(wanted) {
    this.wanted = wanted;
    this.#worker.onmessage = ({ data: { id, error, ...answer } }) => {
      const { resolve, reject } = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) reject(new Error(error));
      else resolve(answer);
    };
    this.#worker.onerror = (event) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(event.message ?? "The worker of this page does not start"));
      this.#waiting.clear();
    };
  }

  get isBusy() { return this.#waiting.size > 0; }

  /**
   * Stylize a frame.
   *
   * @param task style, strokeSize, width, height, and pixels: RGBA codes, which are given away
   * @returns pixels, milliseconds, and about: device and threads
   */
  paint(task) {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...this.wanted, ...task }, [task.pixels.buffer]);
    });
  }
}
