// A worker in which styles stylize frames: ONNX Runtime, by WebAssembly.

/** Threads beyond which frames take no less time. */
const MOST_THREADS = 8;

let runtime = null;
const sessions = new Map();

/** Read a gzip file, whatever the server says of it. */
async function unpacked(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} can't be loaded (${response.status})`);
  const content = new Uint8Array(await response.arrayBuffer());
  // A server that states Content-Encoding has had it unpacked already.
  if (content[0] !== 0x1f || content[1] !== 0x8b) return content.buffer;
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Load ONNX Runtime once; device is "webgpu", which is on trial, or "auto", the CPU. */
async function load(device, threads) {
  const isGpu = device === "webgpu";
  const [ort, binary] = await Promise.all(isGpu
    ? [import("./vendor/ort.jspi.bundle.min.mjs"), unpacked("vendor/ort-jspi.wasm.gz")]
    : [import("./vendor/ort.wasm.bundle.min.mjs"), unpacked("vendor/ort.wasm.gz")]);
  const most = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency ?? 1, MOST_THREADS) : 1;
  ort.env.wasm.numThreads = threads ? Math.min(threads, most) : most;
  ort.env.wasm.wasmBinary = binary;
  ort.env.logLevel = "error";
  return { ort, providers: isGpu ? ["webgpu", "wasm"] : ["wasm"], about: { device: isGpu ? "webgpu" : "wasm", threads: ort.env.wasm.numThreads } };
}

async function session({ style, device, threads }) {
  runtime ??= load(device, threads);
  const { ort, providers } = await runtime;
  if (!sessions.has(style)) {
    sessions.set(style, (async () => {
      const response = await fetch(`models/${style}.onnx`);
      if (!response.ok) throw new Error(`The style ${style} can't be loaded (${response.status})`);
      return ort.InferenceSession.create(new Uint8Array(await response.arrayBuffer()), { executionProviders: providers, graphOptimizationLevel: "all" });
    })());
    // The next try asks again.
    sessions.get(style).catch(() => sessions.delete(style));
  }
  return sessions.get(style);
}

/** Interleaved RGBA codes to planes of R, G and B in [0, 1]. */
function toPlanes(pixels, count) {
  const planes = new Float32Array(3 * count);
  for (let at = 0, from = 0; at < count; at += 1, from += 4) {
    planes[at] = pixels[from] / 255;
    planes[count + at] = pixels[from + 1] / 255;
    planes[2 * count + at] = pixels[from + 2] / 255;
  }
  return planes;
}

/** The way back; storing rounds to the nearest code and clamps. */
function toPixels(planes, count, pixels) {
  for (let at = 0, to = 0; at < count; at += 1, to += 4) {
    pixels[to] = 255 * planes[at];
    pixels[to + 1] = 255 * planes[count + at];
    pixels[to + 2] = 255 * planes[2 * count + at];
  }
}

async function stylized({ pixels, width, height, strokeSize, ...wanted }) {
  const model = await session(wanted);
  const { ort } = await runtime;
  const began = performance.now();
  const frames = new ort.Tensor("float32", toPlanes(pixels, width * height), [1, 3, height, width]);
  const size = new ort.Tensor("float64", Float64Array.of(strokeSize), []);
  const { painted } = await model.run({ frames, stroke_size: size });
  toPixels(await painted.getData(), width * height, pixels);
  painted.dispose();
  return { pixels, milliseconds: performance.now() - began };
}

// One frame after the other: a session runs one at a time.
let before = Promise.resolve();
self.onmessage = ({ data: { id, ...task } }) => {
  before = before.then(async () => {
    try {
      const made = await stylized(task);
      self.postMessage({ id, ...made, about: (await runtime).about }, [made.pixels.buffer]);
    } catch (error) {
      self.postMessage({ id, error: String(error?.message ?? error) });
    }
  });
};
