// Frames over a WebSocket: each is asked for by time or number; answers are pictures, soon drawn.

const RETRY = 1000;

export class Stream {
  #socket = null;
  #last = 0;
  #asked = new Map();

  /** @param arrived is called with each frame, told with each error */
  constructor(arrived, told) {
    this.arrived = arrived;
    this.told = told;
  }

  /** Requests that wait for their answer. */
  get waiting() { return this.#asked.size; }

  /**
   * Ask for a frame; returns false where the connection is not open yet.
   *
   * @param turn comes back with the frame
   */
  ask(fields, turn) {
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      this.#open([fields, turn]);
      return false;
    }
    this.#last += 1;
    this.#asked.set(this.#last, { at: performance.now(), turn });
    this.#socket.send(JSON.stringify({ id: this.#last, ...fields }));
    return true;
  }

  #open(first) {
    this.first = first;
    if (this.#socket !== null) return;
    this.#socket = new WebSocket(new URL("play", location.href.split("#")[0].replace(/^http/, "ws")));
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.ask(...this.first);
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = () => {
      this.#asked.clear();
      setTimeout(() => { this.#socket = null; }, RETRY);
    };
  }

  async #receive(data) {
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    const { at, turn } = this.#asked.get(header.id) ?? { at: performance.now() };
    if (header.error) {
      this.#done(header.id);
      this.told(header.error);
      return;
    }
    const start = 4 + length;
    const [before, after] = await Promise.all([picture(data, start, header.before), picture(data, start + header.before, header.after)]);
    this.#done(header.id);
    this.arrived({ ...header, before, after, turn, latency: performance.now() - at });
  }

  // Answers come in order: what was asked before this one was passed over.
  #done(id) {
    for (const one of this.#asked.keys()) if (one <= id) this.#asked.delete(one);
  }
}

async function picture(data, start, length) {
  return length ? createImageBitmap(new Blob([new Uint8Array(data, start, length)], { type: "image/jpeg" })) : null;
}
