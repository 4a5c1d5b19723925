/* Pictures scaled between their planes and the size that the network works at, row by row.

Every output is a weighted sum of a few neighbouring inputs along each axis (see resampling.py, which
makes the weights). Down: a plane of codes to floats. Up: floats to a plane of codes, with detail of
the source's own luma and as much of the source itself as is wanted.

It is plain C for any CPU. GCC and Clang make it into vectors, on x86-64 three times over, for
AVX-512, AVX2 and what every such CPU has. Nothing is contracted to fused multiply-adds (build with
-ffp-contract=off) and no sum is reordered, so that all of them give the same bits, and so does every
split of the rows among threads. scaling_on_torch.py says the same in PyTorch. */

#include <stdint.h>
#include <string.h>

#include "../cpu.h"

#define INLINE static inline __attribute__((always_inline))
#define PUBLIC __attribute__((visibility("default")))

/* Rows that are resampled along x together: one vector of AVX-512. */
enum { LANES = 16, MOST_COLOURS = 3 };
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4)));

enum type { BYTES, WORDS, FLOATS };

/* Samples in rows `stride` samples apart. */
struct plane {
    void *samples;
    int64_t stride;
    int32_t width, height, type;
};

/* Output i is the sum of `count` inputs from first[i] on, times weights[i * count] and following. */
struct taps {
    const int32_t *first;
    const float *weights;
    int32_t count;
};

/* A plane to floats of another size: out = sum * gain + shift. */
struct reduction {
    struct plane source;
    struct taps across, down;
    float *out;
    int32_t width, height;
    float gain, shift;
};

/* Floats to planes of another size, in codes of the target: (bases + slope * luma) or, without
slope, the bases alone, limited to `floor` and `top`; then mixed with the source's own planes. */
struct enlargement {
    const float *bases[MOST_COLOURS];
    const float *slope; /* or null; of the bases' size, as they are without gaps between rows */
    int32_t width, height, colours;
    struct taps across, down;
    struct plane sources[MOST_COLOURS]; /* of the targets' size */
    int32_t sources_count;
    float luma[MOST_COLOURS]; /* the sources' shares in luma */
    struct plane targets[MOST_COLOURS];
    float strength, floor, top;
    float low, high; /* codes of the targets that are legal */
    /* Only luma is taken, in so far as it leaves all colours between floor and top. KEEP_CHROMA: the
    only target is luma, and colours are what these planes add to it, in codes of luma for each of
    their own. KEEP_OFFSETS: there is one base, luma, for three targets, each of which stays as far
    from luma as its source is. */
    int32_t keep;
    struct plane chroma[2]; /* blue, red */
    int32_t shift_across, shift_down;
    float chroma_zero, red, blue, green_of_red, green_of_blue;
};

enum keep { KEEP_NOTHING, KEEP_CHROMA, KEEP_OFFSETS };

/* A stylized picture as the bases of an enlargement, and as its slope how much of the source's detail
comes back where (see strokes.py); all of one size and without gaps between rows. */
struct preparation {
    const float *stylized[MOST_COLOURS]; /* red, green, blue from 0 to 1 */
    float luma_shares[MOST_COLOURS];
    const float *luma; /* or null: no detail */
    int32_t width, height, colours;
    const float *from[MOST_COLOURS]; /* what the bases are made of; null: luma */
    float *bases[MOST_COLOURS];
    float *slope, *chroma[2]; /* or null; blue, red */
    float span, zero, slope_span, luma_zero;
    float chroma_spans[2], chroma_zero;
    float detail, steep, edge;
};

/* out += the sum of `count` rows of floats times weights, four at a time. */
#define ADD_ROWS(NAME, TYPE)                                                                  \
    INLINE void NAME(float *restrict out, const TYPE *const *rows, const float *weights,      \
                     int count, int width) {                                                  \
        int k = 0;                                                                            \
        for (; k + 4 <= count; k += 4) {                                                      \
            const TYPE *restrict a = rows[k], *restrict b = rows[k + 1],                      \
                                 *restrict c = rows[k + 2], *restrict d = rows[k + 3];        \
            float p = weights[k], q = weights[k + 1], r = weights[k + 2], s = weights[k + 3]; \
            if (k == 0)                                                                       \
                for (int x = 0; x < width; x++)                                               \
                    out[x] = p * a[x] + q * b[x] + r * c[x] + s * d[x];                       \
            else                                                                              \
                for (int x = 0; x < width; x++)                                               \
                    out[x] = out[x] + p * a[x] + q * b[x] + r * c[x] + s * d[x];              \
        }                                                                                     \
        for (; k < count; k++) {                                                              \
            const TYPE *restrict a = rows[k];                                                 \
            float p = weights[k];                                                             \
            if (k == 0)                                                                       \
                for (int x = 0; x < width; x++) out[x] = p * a[x];                            \
            else                                                                              \
                for (int x = 0; x < width; x++) out[x] = out[x] + p * a[x];                   \
        }                                                                                     \
    }

ADD_ROWS(add_bytes, uint8_t)
ADD_ROWS(add_words, uint16_t)
ADD_ROWS(add_floats, float)

enum { MOST_TAPS = 256 };

INLINE void add_plane_rows(float *out, const struct plane *plane, int first, const float *weights,
                           int count) {
    const void *rows[MOST_TAPS];
    int64_t size = plane->type == BYTES ? 1 : plane->type == WORDS ? 2 : 4;
    for (int k = 0; k < count; k++)
        rows[k] = (const char *)plane->samples + (first + k) * plane->stride * size;
    if (plane->type == BYTES)
        add_bytes(out, (const uint8_t *const *)rows, weights, count, plane->width);
    else if (plane->type == WORDS)
        add_words(out, (const uint16_t *const *)rows, weights, count, plane->width);
    else
        add_floats(out, (const float *const *)rows, weights, count, plane->width);
}

/* LANES rows of `width` floats to as many of another width. The rows lie `stride` apart; between,
they lie side by side in `columns`, LANES values for each x, so that vectors run across them. */
INLINE void resample_across(const float *rows, int64_t stride, int width, const struct taps *taps,
                            float *out, int64_t out_stride, int out_width, float *columns) {
    for (int x = 0; x < width; x++)
        for (int r = 0; r < LANES; r++) columns[x * LANES + r] = rows[r * stride + x];
    for (int x = 0; x < out_width; x++) {
        const lanes *in = (const lanes *)(columns + (int64_t)taps->first[x] * LANES);
        const float *weights = taps->weights + (int64_t)x * taps->count;
        lanes sum = weights[0] * in[0];
        for (int k = 1; k < taps->count; k++) sum += weights[k] * in[k];
        for (int r = 0; r < LANES; r++) out[r * out_stride + x] = sum[r];
    }
}

static inline int64_t padded(int width) { return (width + LANES - 1) / LANES * LANES; }

/* Floats of scratch memory for `reduce`. */
PUBLIC int64_t brushreel_reduce_scratch(const struct reduction *job) {
    return LANES * (2 * padded(job->source.width) + padded(job->width));
}

INLINE void reduce_rows(const struct reduction *job, int begin, int end, float *scratch) {
    int64_t wide = padded(job->source.width), narrow = padded(job->width);
    float *rows = scratch, *columns = rows + LANES * wide, *made = columns + LANES * wide;
    for (int y = begin; y < end; y += LANES) {
        int count = end - y < LANES ? end - y : LANES;
        for (int r = 0; r < LANES; r++) {
            int row = y + (r < count ? r : count - 1);
            add_plane_rows(rows + r * wide, &job->source, job->down.first[row],
                           job->down.weights + (int64_t)row * job->down.count, job->down.count);
        }
        resample_across(rows, wide, job->source.width, &job->across, made, narrow, job->width,
                        columns);
        for (int r = 0; r < count; r++) {
            float *restrict out = job->out + (int64_t)(y + r) * job->width;
            const float *restrict in = made + r * narrow;
            for (int x = 0; x < job->width; x++) out[x] = in[x] * job->gain + job->shift;
        }
    }
}

static inline int ring_rows(const struct taps *down) {
    return (down->count + 2 * LANES - 1) / LANES * LANES;
}

/* Floats of scratch memory for `enlarge`. */
PUBLIC int64_t brushreel_enlarge_scratch(const struct enlargement *job) {
    int64_t wide = padded(job->targets[0].width), narrow = padded(job->width);
    return (job->colours + 1) * ring_rows(&job->down) * wide + 2 * LANES * narrow + 5 * wide;
}

/* Add or set a row of luma. */
#define ADD_LUMA(NAME, TYPE)                                                                    \
    INLINE void NAME(float *restrict out, const void *row, float share, int width, int first) { \
        const TYPE *restrict in = row;                                                          \
        if (first)                                                                              \
            for (int x = 0; x < width; x++) out[x] = share * in[x];                             \
        else                                                                                    \
            for (int x = 0; x < width; x++) out[x] = out[x] + share * in[x];                    \
    }

ADD_LUMA(luma_of_bytes, uint8_t)
ADD_LUMA(luma_of_words, uint16_t)
ADD_LUMA(luma_of_floats, float)

/* Floats below 2^22 to the nearest integer, halves to even; needs no instruction of its own. */
INLINE float rounded(float value) {
    const float magic = 12582912.0f;
    return (value + magic) - magic;
}

#define NEAREST(value) (int32_t)(value)
#define AS_IT_IS(value) (value)

/* A finished row; `slope` and `mix` are constants where this is expanded. */
#define FINISH(NAME, TYPE, ROUND, CODE)                                                           \
    INLINE void NAME(const struct enlargement *job, void *target, const void *source,             \
                     const float *restrict base, const float *restrict slope,                     \
                     const float *restrict luma, int width, int mix) {                            \
        TYPE *restrict out = target;                                                              \
        const TYPE *restrict own = source;                                                        \
        float floor = job->floor, top = job->top, low = job->low, high = job->high,               \
              strength = job->strength;                                                           \
        for (int x = 0; x < width; x++) {                                                         \
            float value = base[x];                                                                \
            if (slope) value = value + slope[x] * luma[x];                                        \
            value = value > floor ? value : floor;                                                \
            value = value < top ? value : top;                                                    \
            if (mix) {                                                                            \
                float from = own[x];                                                              \
                value = from + strength * (value - from);                                         \
            }                                                                                     \
            value = ROUND(value);                                                                 \
            value = value > low ? value : low;                                                    \
            value = value < high ? value : high;                                                  \
            out[x] = (TYPE)CODE(value);                                                           \
        }                                                                                         \
    }                                                                                             \
    INLINE void NAME##_any(const struct enlargement *job, void *target, const void *source,       \
                           const float *base, const float *slope, const float *luma, int width) { \
        int mix = job->strength < 1;                                                              \
        if (slope && mix)                                                                         \
            NAME(job, target, source, base, slope, luma, width, 1);                               \
        else if (slope)                                                                           \
            NAME(job, target, source, base, slope, luma, width, 0);                               \
        else if (mix)                                                                             \
            NAME(job, target, source, base, NULL, NULL, width, 1);                                \
        else                                                                                      \
            NAME(job, target, source, base, NULL, NULL, width, 0);                                \
    }

FINISH(finish_bytes, uint8_t, rounded, NEAREST)
FINISH(finish_words, uint16_t, rounded, NEAREST)
FINISH(finish_floats, float, AS_IT_IS, AS_IT_IS)

static inline void *row_of(const struct plane *plane, int y) {
    int64_t size = plane->type == BYTES ? 1 : plane->type == WORDS ? 2 : 4;
    return (char *)plane->samples + y * plane->stride * size;
}

INLINE float smaller(float a, float b) { return a < b ? a : b; }
INLINE float larger(float a, float b) { return a > b ? a : b; }

/* What a row of luma may be for each sample of chroma. */
#define LIMITS(NAME, TYPE)                                                                  \
    INLINE void NAME(const struct enlargement *job, const void *blues, const void *reds,    \
                     float *restrict least, float *restrict most, int width) {              \
        const TYPE *restrict cb = blues, *restrict cr = reds;                               \
        float zero = job->chroma_zero, to_red = job->red, to_blue = job->blue,              \
              of_red = job->green_of_red, of_blue = job->green_of_blue, floor = job->floor, \
              top = job->top;                                                               \
        for (int x = 0; x < width; x++) {                                                   \
            float r = cr[x] - zero, b = cb[x] - zero;                                       \
            float red = to_red * r, blue = to_blue * b, green = of_red * r + of_blue * b;   \
            least[x] = floor - smaller(smaller(red, blue), green);                          \
            most[x] = top - larger(larger(red, blue), green);                               \
        }                                                                                   \
    }

LIMITS(limits_of_bytes, uint8_t)
LIMITS(limits_of_words, uint16_t)

/* Luma inside its limits, or where the source's own is. */
INLINE void keep_chroma(const struct enlargement *job, float *restrict base,
                        const float *restrict luma, int y, float *restrict least,
                        float *restrict most, int width) {
    const void *blues = row_of(&job->chroma[0], y >> job->shift_down),
               *reds = row_of(&job->chroma[1], y >> job->shift_down);
    if (job->chroma[0].type == BYTES)
        limits_of_bytes(job, blues, reds, least, most, job->chroma[0].width);
    else
        limits_of_words(job, blues, reds, least, most, job->chroma[0].width);
    if (job->shift_across)
        for (int x = 0; x < width; x++) {
            float low = smaller(least[x >> 1], luma[x]), high = larger(most[x >> 1], luma[x]);
            base[x] = smaller(larger(base[x], low), high);
        }
    else
        for (int x = 0; x < width; x++) {
            float low = smaller(least[x], luma[x]), high = larger(most[x], luma[x]);
            base[x] = smaller(larger(base[x], low), high);
        }
}

/* Three finished rows of one of luma. */
#define KEEP(NAME, TYPE, ROUND, CODE)                                                              \
    INLINE void NAME(const struct enlargement *job, int y, const float *restrict base,             \
                     const float *restrict luma, int width) {                                      \
        const TYPE *restrict a = row_of(&job->sources[0], y),                                      \
                             *restrict b = row_of(&job->sources[1], y),                            \
                             *restrict c = row_of(&job->sources[2], y);                            \
        TYPE *restrict p = row_of(&job->targets[0], y), *restrict q = row_of(&job->targets[1], y), \
                       *restrict r = row_of(&job->targets[2], y);                                  \
        float strength = job->strength, floor = job->floor, low = job->low, high = job->high;      \
        for (int x = 0; x < width; x++) {                                                          \
            float least = smaller(smaller(a[x], b[x]), c[x]),                                      \
                  most = larger(larger(a[x], b[x]), c[x]);                                         \
            float value = larger(base[x], luma[x] - least + floor);                                \
            value = smaller(value, larger(job->top, most) - (most - luma[x]));                     \
            float more = strength * (value - luma[x]);                                             \
            p[x] = (TYPE)CODE(smaller(larger(ROUND(a[x] + more), low), high));                     \
            q[x] = (TYPE)CODE(smaller(larger(ROUND(b[x] + more), low), high));                     \
            r[x] = (TYPE)CODE(smaller(larger(ROUND(c[x] + more), low), high));                     \
        }                                                                                          \
    }

KEEP(keep_bytes, uint8_t, rounded, NEAREST)
KEEP(keep_words, uint16_t, rounded, NEAREST)
KEEP(keep_floats, float, AS_IT_IS, AS_IT_IS)

INLINE void add_slope(float *restrict base, const float *restrict slope, const float *restrict luma,
                      int width) {
    for (int x = 0; x < width; x++) base[x] = base[x] + slope[x] * luma[x];
}

INLINE void enlarge_rows(const struct enlargement *job, int begin, int end, float *scratch) {
    int width = job->targets[0].width, ring = ring_rows(&job->down), taps = job->down.count;
    int planes = job->colours + (job->slope != NULL);
    int64_t wide = padded(width), narrow = padded(job->width);
    float *rings = scratch, *block = rings + (job->colours + 1) * ring * wide,
          *columns = block + LANES * narrow, *base = columns + LANES * narrow, *slope = base + wide,
          *luma = slope + wide, *least = luma + wide, *most = least + wide;
    int ready = job->down.first[begin];
    const int origin = ready;
    for (int y = begin; y < end; y++) {
        int first = job->down.first[y];
        const float *weights = job->down.weights + (int64_t)y * taps;
        const float *rows[MOST_TAPS];
        for (; ready < first + taps; ready += LANES)
            for (int p = 0; p < planes; p++) {
                const float *source = p < job->colours ? job->bases[p] : job->slope;
                for (int r = 0; r < LANES; r++) {
                    int row = ready + r < job->height ? ready + r : job->height - 1;
                    memcpy(block + r * narrow, source + (int64_t)row * job->width,
                           job->width * sizeof(float));
                }
                float *out = rings + (p * ring + (ready - origin) % ring) * wide;
                resample_across(block, narrow, job->width, &job->across, out, wide, width, columns);
            }
        if (job->slope) {
            for (int k = 0; k < taps; k++)
                rows[k] = rings + (job->colours * ring + (first + k - origin) % ring) * wide;
            add_floats(slope, rows, weights, taps, width);
        }
        if (job->slope || job->keep)
            for (int s = 0; s < job->sources_count; s++) {
                const struct plane *source = &job->sources[s];
                const void *row = row_of(source, y);
                if (source->type == BYTES)
                    luma_of_bytes(luma, row, job->luma[s], width, s == 0);
                else if (source->type == WORDS)
                    luma_of_words(luma, row, job->luma[s], width, s == 0);
                else
                    luma_of_floats(luma, row, job->luma[s], width, s == 0);
            }
        for (int c = 0; c < job->colours; c++) {
            for (int k = 0; k < taps; k++)
                rows[k] = rings + (c * ring + (first + k - origin) % ring) * wide;
            add_floats(base, rows, weights, taps, width);
            const struct plane *target = &job->targets[c];
            const float *with = job->slope ? slope : NULL;
            if (job->keep && with) {
                add_slope(base, slope, luma, width);
                with = NULL;
            }
            if (job->keep == KEEP_OFFSETS) {
                if (target->type == BYTES)
                    keep_bytes(job, y, base, luma, width);
                else if (target->type == WORDS)
                    keep_words(job, y, base, luma, width);
                else
                    keep_floats(job, y, base, luma, width);
                continue;
            }
            if (job->keep == KEEP_CHROMA) keep_chroma(job, base, luma, y, least, most, width);
            void *out = row_of(target, y);
            const void *own = job->strength < 1 ? row_of(&job->sources[c], y) : NULL;
            if (target->type == BYTES)
                finish_bytes_any(job, out, own, base, with, luma, width);
            else if (target->type == WORDS)
                finish_words_any(job, out, own, base, with, luma, width);
            else
                finish_floats_any(job, out, own, base, with, luma, width);
        }
    }
}

/* Rows around one whose mean is taken, 2 to either side, and what it is taken of: the stylized
luma, the source's, their product, the latter's square. */
enum { REACH = 2, SIDE = 2 * REACH + 1, MOMENTS = 4 };

/* Floats of scratch memory for `prepare`. */
PUBLIC int64_t brushreel_prepare_scratch(const struct preparation *job) {
    return (SIDE + 1) * MOMENTS * (padded(job->width) + LANES) + padded(job->width);
}

INLINE void luma_of_stylized(const struct preparation *job, int64_t row, float *restrict out) {
    const float *restrict red = job->stylized[0] + row, *restrict green = job->stylized[1] + row,
                          *restrict blue = job->stylized[2] + row;
    float r = job->luma_shares[0], g = job->luma_shares[1], b = job->luma_shares[2];
    for (int x = 0; x < job->width; x++) out[x] = red[x] * r + green[x] * g + blue[x] * b;
}

INLINE void prepare_rows(const struct preparation *job, int begin, int end, float *scratch) {
    int width = job->width;
    int64_t stride = padded(width) + LANES;
    float *sums = scratch + SIDE * MOMENTS * stride, *luma = sums + MOMENTS * stride;
    int ready = begin - REACH;
    for (int y = begin; y < end; y++) {
        int64_t row = (int64_t)y * width;
        luma_of_stylized(job, row, luma);
        const float *slope = NULL;
        if (job->luma) {
            for (; ready <= y + REACH; ready++) {
                int source = ready < 0 ? 0 : ready < job->height ? ready : job->height - 1;
                float *restrict p = scratch + (ready + SIDE) % SIDE * MOMENTS * stride,
                                *restrict own = p + stride, *restrict product = own + stride,
                                *restrict square = product + stride;
                const float *restrict in = job->luma + (int64_t)source * width;
                luma_of_stylized(job, (int64_t)source * width, p);
                for (int x = 0; x < width; x++) {
                    own[x] = in[x];
                    product[x] = p[x] * in[x];
                    square[x] = in[x] * in[x];
                }
            }
            for (int m = 0; m < MOMENTS; m++) {
                float *restrict sum = sums + m * stride + REACH;
                const float *restrict rows[SIDE];
                for (int k = 0; k < SIDE; k++)
                    rows[k] = scratch + ((y + k - REACH + SIDE) % SIDE * MOMENTS + m) * stride;
                const float *restrict a = rows[0], *restrict b = rows[1], *restrict c = rows[2],
                                      *restrict d = rows[3], *restrict e = rows[4];
                for (int x = 0; x < width; x++) sum[x] = a[x] + b[x] + c[x] + d[x] + e[x];
                for (int k = 1; k <= REACH; k++)
                    sum[-k] = sum[0], sum[width - 1 + k] = sum[width - 1];
            }
            const float *restrict ps = sums, *restrict ys = sums + stride,
                                  *restrict pys = sums + 2 * stride,
                                  *restrict yys = sums + 3 * stride;
            float *restrict out = job->slope + row;
            float edge = job->edge, detail = job->detail, steep = job->steep;
            const float share = 1.0f / (SIDE * SIDE);
            for (int x = 0; x < width; x++) {
                float p = (ps[x] + ps[x + 1] + ps[x + 2] + ps[x + 3] + ps[x + 4]) * share;
                float own = (ys[x] + ys[x + 1] + ys[x + 2] + ys[x + 3] + ys[x + 4]) * share;
                float py = (pys[x] + pys[x + 1] + pys[x + 2] + pys[x + 3] + pys[x + 4]) * share;
                float yy = (yys[x] + yys[x + 1] + yys[x + 2] + yys[x + 3] + yys[x + 4]) * share;
                float gain = ((py - p * own) * steep + edge * detail) / (yy - own * own + edge);
                out[x] = smaller(larger(gain, 0), steep);
            }
            slope = out;
        }
        for (int c = 0; c < job->colours; c++) {
            const float *restrict in = job->from[c] ? job->from[c] + row : luma;
            float *restrict out = job->bases[c] + row;
            float span = job->span, zero = job->zero, luma_zero = job->luma_zero;
            if (slope) {
                const float *restrict own = job->luma + row, *restrict share = slope;
                for (int x = 0; x < width; x++)
                    out[x] = (in[x] - share[x] * (own[x] + luma_zero)) * span + zero;
            } else
                for (int x = 0; x < width; x++) out[x] = in[x] * span + zero;
        }
        if (slope) {
            float *restrict out = job->slope + row;
            for (int x = 0; x < width; x++) out[x] = out[x] * job->slope_span;
        }
        for (int c = 0; c < 2; c++)
            if (job->chroma[c]) {
                const float *restrict in = job->stylized[c ? 0 : 2] + row, *restrict from = luma;
                float *restrict out = job->chroma[c] + row;
                float span = job->chroma_spans[c], zero = job->chroma_zero;
                for (int x = 0; x < width; x++) out[x] = (in[x] - from[x]) * span + zero;
            }
    }
}

/* NAME for the CPU that it runs on, of INLINED. */
#ifdef __x86_64__
#ifdef __clang__ /* it ignores all of the attribute for the last word */
#define AVX512 "avx512f,avx512bw,avx512vl,avx512dq"
#else
#define AVX512 "avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512"
#endif
#define FOR_THIS_CPU(NAME, INLINED, JOB)                                                           \
    __attribute__((target(AVX512))) static void INLINED##_avx512(const struct JOB *job, int begin, \
                                                                 int end, float *scratch) {        \
        INLINED(job, begin, end, scratch);                                                         \
    }                                                                                              \
    __attribute__((target("avx2"))) static void INLINED##_avx2(const struct JOB *job, int begin,   \
                                                               int end, float *scratch) {          \
        INLINED(job, begin, end, scratch);                                                         \
    }                                                                                              \
    PUBLIC void NAME(const struct JOB *job, int begin, int end, float *scratch) {                  \
        if (cpu_vectors() >= CPU_AVX512)                                                           \
            INLINED##_avx512(job, begin, end, scratch);                                            \
        else if (cpu_vectors() == CPU_AVX2)                                                        \
            INLINED##_avx2(job, begin, end, scratch);                                              \
        else                                                                                       \
            INLINED(job, begin, end, scratch);                                                     \
    }
#else
#define FOR_THIS_CPU(NAME, INLINED, JOB)                                          \
    PUBLIC void NAME(const struct JOB *job, int begin, int end, float *scratch) { \
        INLINED(job, begin, end, scratch);                                        \
    }
#endif

/* Rows from `begin` to before `end` of the output. */
FOR_THIS_CPU(brushreel_reduce, reduce_rows, reduction)

/* Rows from `begin` to before `end` of the targets. */
FOR_THIS_CPU(brushreel_enlarge, enlarge_rows, enlargement)

/* Rows from `begin` to before `end` of all that is made. */
FOR_THIS_CPU(brushreel_prepare, prepare_rows, preparation)
