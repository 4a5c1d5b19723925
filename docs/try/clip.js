// Clips in and out: WebCodecs decodes and encodes, Mediabunny reads and writes the files.
import {
  ALL_FORMATS, BlobSource, BufferTarget, EncodedAudioPacketSource, EncodedPacketSink, Input, MATROSKA, MP4, MkvOutputFormat,
  MovOutputFormat, Mp4OutputFormat, Output, QTFF, QUALITY_VERY_HIGH, VideoSample, VideoSampleSink, VideoSampleSource, WEBM,
  WebMOutputFormat, canEncodeVideo,
} from "./vendor/mediabunny.min.mjs";
import { BT709, toI420 } from "./yuv.js";

/** By preference; a browser has some of them. */
const CODECS = ["avc", "vp9", "av1", "hevc", "vp8"];

/** A file that can't be shown or written here, in words. */
export class Refusal extends Error {}

export class Clip {
  /** Open a file. */
  static async open(file) {
    const clip = new Clip();
    clip.name = file.name;
    clip.input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
    if (!await clip.input.canRead()) throw new Refusal(`${file.name} is no clip that this browser reads`);
    clip.track = await clip.input.getPrimaryVideoTrack();
    if (!clip.track) throw new Refusal(`${file.name} has no video stream`);
    if (!await clip.track.canDecode()) throw new Refusal(`This browser does not decode ${await clip.track.getCodec() ?? "the codec"} of ${file.name}; the program does`);
    if (await clip.track.hasHighDynamicRange()) throw new Refusal(`${file.name} is HDR, which this page would lose; the program keeps it`);
    clip.width = await clip.track.getDisplayWidth();
    clip.height = await clip.track.getDisplayHeight();
    clip.sink = new VideoSampleSink(clip.track);
    return clip;
  }

  /** Draw the first frame onto a canvas of the clip's size. */
  async drawFirst(context) {
    for await (const sample of this.sink.samples()) {
      sample.draw(context, 0, 0, this.width, this.height);
      sample.close();
      return;
    }
    throw new Refusal(`${this.name} has no frames`);
  }

  /**
   * Stylize all frames; audio is copied packet for packet.
   *
   * @param stylize takes a function that draws the frame, and returns RGBA codes of the stylized one
   * @param progress is called with the share of the clip that is done, and the number of frames
   * @param signal stops it
   * @returns the file and its extension
   */
  async stylize(stylize, progress, signal) {
    const sounds = await this.#sounds();
    const format = await this.#format(sounds);
    const codec = await this.#codec(format);
    const output = new Output({ format, target: new BufferTarget() });
    const source = new VideoSampleSource({
      codec, quality: QUALITY_VERY_HIGH,
      // The rate below is the clip's clock, which says nothing of how many frames there are.
      onEncoderConfig: (config) => { delete config.framerate; },
    });
    // MP4 and MOV count in ticks; of Matroska's milliseconds nothing has to be told.
    const isTicking = !(format instanceof MkvOutputFormat);
    output.addVideoTrack(source, isTicking ? { frameRate: await this.track.getTimeResolution() } : {});
    for (const { track, out } of sounds) output.addAudioTrack(out, { languageCode: await track.getLanguageCode() });
    await output.start();
    try {
      await Promise.all([this.#frames(source, stylize, progress, signal), ...sounds.map((sound) => copy(sound, signal))]);
      await output.finalize();
    } catch (error) {
      await output.cancel();
      throw error;
    }
    return { blob: new Blob([output.target.buffer], { type: await output.getMimeType() }), extension: format.fileExtension };
  }

  close() { this.input.dispose(); }

  async #frames(source, stylize, progress, signal) {
    const [start, end] = [await this.track.getFirstTimestamp(), await this.track.computeDuration()];
    let count = 0;
    for await (const sample of this.sink.samples()) {
      const { timestamp, duration } = sample;
      let pixels;
      try {
        signal.throwIfAborted();
        pixels = await stylize((context) => sample.draw(context, 0, 0, this.width, this.height));
        signal.throwIfAborted();
      } finally {
        sample.close();
      }
      const made = new VideoSample(toI420(pixels, this.width, this.height), {
        format: "I420", codedWidth: this.width, codedHeight: this.height, timestamp, duration, colorSpace: BT709,
      });
      await source.add(made);
      made.close();
      count += 1;
      progress((timestamp + duration - start) / (end - start), count);
    }
    source.close();
  }

  async #sounds() {
    const tracks = await this.input.getAudioTracks();
    return Promise.all(tracks.map(async (track) => {
      const codec = await track.getCodec();
      if (!codec) throw new Refusal(`The audio of ${this.name} can't be copied by this page; the program copies it`);
      return { track, codec, out: new EncodedAudioPacketSource(codec) };
    }));
  }

  /** The clip's own container, or Matroska where that does not hold its audio. */
  async #format(sounds) {
    const own = await this.input.getFormat();
    const table = new Map([[MP4, Mp4OutputFormat], [QTFF, MovOutputFormat], [WEBM, WebMOutputFormat], [MATROSKA, MkvOutputFormat]]);
    const format = new (table.get(own) ?? MkvOutputFormat)();
    const supported = format.getSupportedAudioCodecs();
    return sounds.every(({ codec }) => supported.includes(codec)) ? format : new MkvOutputFormat();
  }

  async #codec(format) {
    const { width, height } = this;
    const isOdd = width % 2 === 1 || height % 2 === 1;
    for (const codec of CODECS) {
      if (!format.getSupportedVideoCodecs().includes(codec) || (isOdd && (codec === "avc" || codec === "hevc"))) continue;
      if (await canEncodeVideo(codec, { width, height, quality: QUALITY_VERY_HIGH })) return codec;
    }
    throw new Refusal(`This browser encodes nothing that a ${format.fileExtension} of ${width}x${height} may hold; the program does`);
  }
}

async function copy({ track, out }, signal) {
  const meta = { decoderConfig: await track.getDecoderConfig() ?? undefined };
  for await (const packet of new EncodedPacketSink(track).packets()) {
    signal.throwIfAborted();
    await out.add(packet, meta);
  }
  out.close();
}
