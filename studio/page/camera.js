// The camera, or the screen, through the style: each frame is sent, stylized and drawn.
import { $ } from "./dom.js";

const LINES = 720;
const QUALITY = 0.85;
// Frames on their way at a time: one is stylized while the next one is encoded and sent.
const MOST_SENT = 2;

export class Camera {
  #video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  #canvas = document.createElement("canvas");
  #socket = null;
  #stream = null;
  #sent = new Map();
  #last = 0;
  #drawn = [];
  #encoding = false;

  /** @param look returns the look, ended is called when it is over, told with errors */
  constructor({ look, ended, told }) { Object.assign(this, { look, ended, told }); }

  get isOn() { return this.#stream !== null; }

  /** Start; returns the size of its frames, null where there is no camera or it is not allowed. */
  async start(isScreen) {
    try {
      const wanted = { width: { ideal: 1280 }, height: { ideal: 720 } };
      const devices = navigator.mediaDevices;
      this.#stream = isScreen ? await devices.getDisplayMedia({ video: wanted }) : await devices.getUserMedia({ video: wanted });
    } catch (error) {
      const what = isScreen ? "screen" : "camera";
      this.told(error.name === "NotAllowedError" ? `The browser does not allow the ${what}: allow it for this page` : `There is no ${what} that can be used`);
      return null;
    }
    this.#stream.getVideoTracks()[0].onended = () => this.stop();
    this.#video.srcObject = this.#stream;
    await this.#video.play();
    const scale = Math.min(1, LINES / this.#video.videoHeight);
    Object.assign(this.#canvas, { width: Math.round(this.#video.videoWidth * scale), height: Math.round(this.#video.videoHeight * scale) });
    this.#socket = new WebSocket(new URL("camera", location.href.split("#")[0].replace(/^http/, "ws")));
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => this.#receive(data);
    this.#socket.onclose = () => this.stop();
    requestAnimationFrame(() => this.#tick());
    return { width: this.#canvas.width, height: this.#canvas.height };
  }

  /** The frame at this moment as JPEG; null where the camera is off. */
  async shoot() {
    if (!this.#stream) return null;
    return new Promise((resolve) => { this.#canvas.toBlob(resolve, "image/jpeg", QUALITY); });
  }

  stop() {
    if (!this.#stream) return;
    this.#stream.getTracks().forEach((track) => track.stop());
    this.#socket?.close();
    this.#stream = this.#socket = null;
    for (const { picture } of this.#sent.values()) picture.close();
    this.#sent.clear();
    $("rate").hidden = true;
    this.ended();
  }

  async #tick() {
    if (!this.#stream) return;
    requestAnimationFrame(() => this.#tick());
    if (this.#socket.readyState !== WebSocket.OPEN || this.#sent.size >= MOST_SENT || this.#encoding) return;
    this.#encoding = true;
    const at = performance.now();
    this.#canvas.getContext("2d").drawImage(this.#video, 0, 0, this.#canvas.width, this.#canvas.height);
    const picture = await createImageBitmap(this.#canvas);
    const content = await new Promise((resolve) => { this.#canvas.toBlob(resolve, "image/jpeg", QUALITY); });
    this.#encoding = false;
    if (!this.#stream) return;
    this.#last += 1;
    const header = new TextEncoder().encode(JSON.stringify({ id: this.#last, look: this.look() }));
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, header.length);
    this.#sent.set(this.#last, { at, picture });
    this.#socket.send(new Blob([length, header, content]));
  }

  async #receive(data) {
    const stream = this.#stream;
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    const sent = this.#sent.get(header.id);
    // Answers come in order: what was sent before this one was passed over.
    for (const [id, { picture }] of this.#sent) {
      if (id > header.id) break;
      this.#sent.delete(id);
      if (id < header.id) picture.close();
    }
    if (header.error) this.told(header.error);
    if (header.error || !sent) return;
    const after = await createImageBitmap(new Blob([new Uint8Array(data, 4 + length)], { type: "image/jpeg" }));
    if (this.#stream !== stream) {
      // It was switched off meanwhile: the page shows a clip.
      sent.picture.close();
      after.close();
      return;
    }
    draw($("before"), sent.picture);
    draw($("after"), after);
    const now = performance.now();
    this.#drawn = [...this.#drawn.filter((one) => one > now - 1000), now];
    $("rate").hidden = false;
    $("rate").textContent = `${this.#drawn.length} frames/s · ${Math.round(now - sent.at)} ms`;
  }
}

function draw(canvas, picture) {
  if (canvas.width !== picture.width || canvas.height !== picture.height) Object.assign(canvas, { width: picture.width, height: picture.height });
  canvas.getContext("2d", { alpha: false }).drawImage(picture, 0, 0);
  picture.close();
}
