// The camera: its frames, one after the other as fast as they are stylized.
import { $ } from "./parts/dom.js";

const WANTED = { width: { ideal: 1280 }, height: { ideal: 720 } };

export class Camera {
  #video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  #stream = null;
  #drawn = [];

  /** @param frame takes the video that holds a frame, and returns a promise; ended is called when it is over */
  constructor({ frame, ended }) { Object.assign(this, { frame, ended }); }

  get isOn() { return this.#stream !== null; }

  async start() {
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ video: WANTED });
    } catch (error) {
      throw new Error(error.name === "NotAllowedError" ? "The browser does not allow the camera: allow it for this page" : "There is no camera that can be used");
    }
    this.#stream.getVideoTracks()[0].onended = () => this.stop();
    this.#video.srcObject = this.#stream;
    await this.#video.play();
    this.#drawn = [];
    this.#run();
  }

  stop() {
    if (!this.#stream) return;
    this.#stream.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    $("rate").hidden = true;
    this.ended();
  }

  async #run() {
    const stream = this.#stream;
    while (this.#stream === stream) {
      await new Promise((resolve) => { requestAnimationFrame(resolve); });
      if (this.#stream !== stream) return;
      try {
        await this.frame(this.#video);
      } catch {
        this.stop();
        return;
      }
      this.#count();
    }
  }

  #count() {
    const now = performance.now();
    this.#drawn = [...this.#drawn.filter((one) => one > now - 2000), now];
    if (this.#drawn.length < 2) return;
    const rate = 1000 * (this.#drawn.length - 1) / (now - this.#drawn[0]);
    $("rate").hidden = false;
    $("rate").textContent = `${rate.toFixed(1)} frames/s`;
  }
}
