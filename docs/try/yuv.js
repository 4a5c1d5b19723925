// Stylized frames as encoders take them: limited-range BT.709 (H.273), chroma at the left.

export const BT709 = { primaries: "bt709", transfer: "bt709", matrix: "bt709", fullRange: false };

const [KR, KB] = [0.2126, 0.0722];
const KG = 1 - KR - KB;
// What a code of R, G and B is worth in the 219 and 224 steps of luma and chroma.
const LUMA = 219 / 255;
const CHROMA = 224 / 255;

/**
 * Convert RGBA codes to planes of Y, Cb and Cr, one after the other; chroma has half the size.
 *
 * @param pixels codes of width * height pixels
 * @returns a Uint8Array as WebCodecs' "I420" wants it
 */
export function toI420(pixels, width, height) {
  const [columns, rows] = [(width + 1) >> 1, (height + 1) >> 1];
  const made = new Uint8ClampedArray(width * height + 2 * columns * rows);
  const cb = new Float32Array(width);
  const cr = new Float32Array(width);
  let at = width * height;
  for (let row = 0; row < rows; row += 1) {
    cb.fill(0);
    cr.fill(0);
    // An odd last row stands for two.
    for (const y of [2 * row, Math.min(2 * row + 1, height - 1)]) {
      for (let x = 0, from = 4 * y * width; x < width; x += 1, from += 4) {
        const luma = KR * pixels[from] + KG * pixels[from + 1] + KB * pixels[from + 2];
        made[y * width + x] = 16 + LUMA * luma;
        cb[x] += (pixels[from + 2] - luma) / (4 * (1 - KB));
        cr[x] += (pixels[from] - luma) / (4 * (1 - KR));
      }
    }
    for (let x = 0; x < width; x += 2, at += 1) {
      const [left, right] = [Math.max(0, x - 1), Math.min(width - 1, x + 1)];
      made[at] = 128 + CHROMA * (cb[left] + 2 * cb[x] + cb[right]) / 4;
      made[at + columns * rows] = 128 + CHROMA * (cr[left] + 2 * cr[x] + cr[right]) / 4;
    }
  }
  return new Uint8Array(made.buffer);
}
