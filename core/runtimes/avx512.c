/* Convolutions by AVX-512's products of bfloat16 pairs: Intel 64 and IA-32 Architectures Software
Developer's Manual, volume 2, VDPBF16PS. It adds the products of a pair of inputs, which is the same
for all lanes, and of 16 pairs of weights to 16 outputs in float32. Sums of a block of pixels stay in
registers, so that there are far fewer loads than products.

There are fewer products than on AMX, whose are cheaper than anything else. The low-pass filter before
a stride and the bilinear doubling are done to rows by vectors, and the convolution is one of 3 x 3 taps
in the first case, and in the other one of pixels with zeros in between, of whose taps most meet zeros.
Those of the residual blocks compute two adjacent outputs at once. */

#include <limits.h>

#include "kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 32")

enum { FILTERED_ROWS = 3, DOUBLED_ROWS = 5, TRANSFORMED_ROWS = 3 }; /* that are kept */
enum { PARTS = 4 };                                                 /* of a transformed row */
enum { MOST_TAPS = 3, MOST_PIXELS = 28, MOST_SUMS = 28, MOST_TILES = 3 };

/* What is multiplied: for every output `pairs` pairs of inputs from each of some rows; `apart` bytes
from an output's to the next one's. */
struct inputs {
    const char *rows[MOST_TAPS];
    int count, pairs;
    int64_t apart;
};

/* Where sums go: `pixel` and `tile` values apart. */
struct outputs {
    float *values;
    int64_t pixel, tile;
};

/* 16 outputs times `tiles` for `pixels` pixels from the first on. Weights: for every row, pair and
tile 16 pairs. */
INLINE void multiply(const struct inputs *in, int64_t first, const bf16 *weights, const float *bias,
                     struct outputs out, const int pixels, const int tiles) {
    __m512 sums[MOST_SUMS];
    UNROLLED for (int p = 0; p < pixels; p++) UNROLLED for (int t = 0; t < tiles; t++)
        sums[p * tiles + t] = _mm512_loadu_ps(bias + t * TILE);
    for (int row = 0; row < in->count; row++) {
        const char *from = in->rows[row] + first * in->apart;
        int64_t apart = in->apart;
        for (int k = 0; k < in->pairs; k++, from += 4, weights += tiles * 2 * TILE) {
            __m512bh factors[MOST_TILES];
            UNROLLED for (int t = 0; t < tiles; t++) factors[t] =
                (__m512bh)_mm512_loadu_si512(weights + t * 2 * TILE);
            UNROLLED for (int p = 0; p < pixels; p++) {
                int32_t pair;
                __builtin_memcpy(&pair, from + p * apart, sizeof pair);
                __m512bh same = (__m512bh)_mm512_set1_epi32(pair);
                UNROLLED for (int t = 0; t < tiles; t++) sums[p * tiles + t] =
                    _mm512_dpbf16_ps(sums[p * tiles + t], factors[t], same);
            }
        }
    }
    UNROLLED for (int p = 0; p < pixels; p++) UNROLLED for (int t = 0; t < tiles; t++)
        _mm512_storeu_ps(out.values + p * out.pixel + t * out.tile, sums[p * tiles + t]);
}

/* The tiles that are multiplied together: so many that sums fill the registers. */
static inline int tiles_together(int left) {
    return left == 4 || left == 2 ? 2 : left == 1 ? 1 : 3;
}

#define BLOCK(PIXELS, TILES)                                                            \
    static __attribute__((noinline)) void multiply_##PIXELS##_##TILES(                  \
        const struct inputs *in, int64_t first, const bf16 *weights, const float *bias, \
        struct outputs out) {                                                           \
        multiply(in, first, weights, bias, out, PIXELS, TILES);                         \
    }
BLOCK(28, 1)
BLOCK(7, 1)
BLOCK(12, 2)
BLOCK(4, 2)
BLOCK(9, 3)
BLOCK(3, 3)

/* A block of up to `left` pixels, and maybe some beyond; returns their number. */
static int multiply_some(const struct inputs *in, int64_t first, int left, int tiles,
                         const bf16 *weights, const float *bias, struct outputs out) {
    static void (*const blocks[][2])(const struct inputs *, int64_t, const bf16 *, const float *,
                                     struct outputs) = {
        {multiply_28_1, multiply_7_1}, {multiply_12_2, multiply_4_2}, {multiply_9_3, multiply_3_3}};
    static const int sizes[][2] = {{28, 7}, {12, 4}, {9, 3}};
    int small = left <= sizes[tiles - 1][0] - sizes[tiles - 1][1];
    blocks[tiles - 1][small](in, first, weights, bias, out);
    return sizes[tiles - 1][small];
}

/* A row of a convolution of `in`, whose results become what the step's kind says. */
static void convolve(const struct step *step, const struct inputs *in, int width, int y) {
    float values[MOST_SUMS * TILE] __attribute__((aligned(64)));
    const bf16 *weights = step->weights;
    for (int tile = 0, n; tile < step->tiles; tile += n) {
        n = tiles_together(step->tiles - tile);
        for (int x = 0, count; x < width; x += count) {
            struct outputs out = {values, TILE, MOST_SUMS / n * TILE};
            count = multiply_some(in, x, width - x, n, weights, step->bias + tile * TILE, out);
            for (int t = 0; t < n; t++)
                finish_tile(step, step->kind, values + t * out.tile, x, y, tile + t,
                            width - x < count ? width - x : count);
        }
        weights += (int64_t)in->count * in->pairs * n * 2 * TILE;
    }
}

/* A row of a map, filtered by 1 2 1 along both axes, from the pixel to the left of it on. The sum of
the taps is 16, for which weights make up. */
static void low_pass(const struct map *in, int y, bf16 *to) {
    const __m512 two = _mm512_set1_ps(2);
    int channels = in->channels;
    for (int c = 0; c < channels; c += TILE) {
        const bf16 *from = in->origin + y * in->row - 2 * channels + c;
        __m512 columns[3] = {{0}};
        for (int x = 0; x < in->width + 3; x++, from += channels) {
            columns[0] = columns[1], columns[1] = columns[2];
            columns[2] =
                _mm512_fmadd_ps(widened(from), two,
                                _mm512_add_ps(widened(from - in->row), widened(from + in->row)));
            if (x >= 2)
                narrow(to + (x - 2) * channels + c,
                       _mm512_fmadd_ps(columns[1], two, _mm512_add_ps(columns[0], columns[2])));
        }
    }
}

/* The lengths of rows that are kept, in values; blocks may reach beyond a row's end. */
static int64_t filtered_row(const struct map *in) { return (in->width + 64) * in->channels; }
static int64_t transformed_row(const struct map *in) { return (in->width / 2 + 64) * in->channels; }
static int64_t spread_row(const struct map *out) { return (out->width + 64) * out->channels; }

static void convolve_filtered(const struct step *step, int y, char *kept, int *made) {
    const struct map *in = step->in;
    int64_t length = filtered_row(in);
    bf16 *rows = (bf16 *)kept;
    struct inputs inputs = {.count = FILTERED_ROWS,
                            .pairs = FILTERED_ROWS * in->channels / 2,
                            .apart = 2 * in->channels * sizeof(bf16)};
    for (int k = 0; k < FILTERED_ROWS; k++) {
        int source = 2 * y - 1 + k;
        bf16 *row = rows + (source + FILTERED_ROWS) % FILTERED_ROWS * length;
        if (source >= *made) low_pass(in, source, row), *made = source + 1;
        inputs.rows[k] = (const char *)row;
    }
    convolve(step, &inputs, in->width / 2, y);
}

/* A row of a map for `convolve_pairs`: of four adjacent pixels a b c d, from the one to the left of
every second one on, a - c, b + c, c - b and b - d; each of these in a row of its own, `length` values
apart. */
static void transform(const struct map *in, int y, bf16 *to, int64_t length) {
    int channels = in->channels;
    for (int c = 0; c < channels; c += TILE) {
        const bf16 *from = in->origin + y * in->row - channels + c;
        bf16 *at = to + c;
        __m512 v[4] = {widened(from), widened(from + channels)};
        for (int x = 0; x < in->width; x += 2, at += channels) {
            from += 2 * channels;
            v[2] = widened(from), v[3] = widened(from + channels);
            narrow(at, _mm512_sub_ps(v[0], v[2]));
            narrow(at + length, _mm512_add_ps(v[1], v[2]));
            narrow(at + 2 * length, _mm512_sub_ps(v[2], v[1]));
            narrow(at + 3 * length, _mm512_sub_ps(v[1], v[3]));
            v[0] = v[2], v[1] = v[3];
        }
    }
}

/* Two adjacent outputs each of `count` sums of the four parts. */
static void combine(float (*sums)[MOST_SUMS * TILE], int64_t first, int count, float *values) {
    for (int i = 0; i < count; i++, first += TILE, values += 2 * TILE) {
        __m512 parts[PARTS];
        UNROLLED for (int j = 0; j < PARTS; j++) parts[j] = _mm512_load_ps(sums[j] + first);
        _mm512_store_ps(values, _mm512_add_ps(parts[0], _mm512_add_ps(parts[1], parts[2])));
        _mm512_store_ps(values + TILE, _mm512_sub_ps(_mm512_sub_ps(parts[1], parts[2]), parts[3]));
    }
}

/* A row of a 3 x 3 convolution with two thirds of its products: for two adjacent outputs, a row of
taps takes four of them instead of six (Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural
Networks", F(2, 3), after Winograd). */
static void convolve_pairs(const struct step *step, int y, char *kept, int *made) {
    static const float zeros[MOST_TILES * TILE];
    float sums[PARTS][MOST_SUMS * TILE] __attribute__((aligned(64)));
    float values[2 * MOST_SUMS * TILE] __attribute__((aligned(64)));
    int width = step->in->width, pairs = step->in->channels / 2;
    int64_t length = transformed_row(step->in);
    const char *rows[TRANSFORMED_ROWS];
    for (int k = 0; k < TRANSFORMED_ROWS; k++) {
        int source = y - 1 + k;
        bf16 *row = (bf16 *)kept + (source + TRANSFORMED_ROWS) % TRANSFORMED_ROWS * PARTS * length;
        if (source >= *made) transform(step->in, source, row, length), *made = source + 1;
        rows[k] = (const char *)row;
    }
    struct inputs inputs[PARTS];
    for (int j = 0; j < PARTS; j++) {
        inputs[j] = (struct inputs){.count = TRANSFORMED_ROWS, .pairs = pairs, .apart = 4 * pairs};
        for (int k = 0; k < TRANSFORMED_ROWS; k++)
            inputs[j].rows[k] = rows[k] + j * length * sizeof(bf16);
    }
    const bf16 *weights = step->weights;
    int64_t tile_weights = TRANSFORMED_ROWS * pairs * 2 * TILE;
    for (int tile = 0, n; tile < step->tiles; weights += n * tile_weights, tile += n) {
        n = tiles_together(step->tiles - tile);
        int64_t apart = MOST_SUMS / n * TILE;
        for (int x = 0, count = 0; x < width; x += 2 * count) {
            for (int j = 0; j < PARTS; j++)
                count = multiply_some(&inputs[j], x / 2, (width - x + 1) / 2, n,
                                      weights + j * step->tiles * tile_weights,
                                      j == 1 ? step->bias + tile * TILE : zeros,
                                      (struct outputs){sums[j], TILE, apart});
            for (int t = 0; t < n; t++) {
                combine(sums, t * apart, count, values);
                finish_tile(step, SUMS, values, x, y, tile + t,
                            width - x < 2 * count ? width - x : 2 * count);
            }
        }
    }
}

/* A row of the convolution of a map with zeros between its pixels, from two pixels to the left of it
on. Where zeros are known, taps are left out: of 3 taps along an axis, one or two remain. */
static void convolve_spread(const struct step *step, int y, float *to) {
    const struct map *in = step->in;
    int channels = step->out->channels, odd = y & 1;
    const bf16 *first = in->origin + (y >> 1) * in->row - in->channels, *weights = step->weights;
    int64_t size = (int64_t)in->channels * channels;
    if (odd) weights += 3 * size;
    for (int right = 0; right < 2; right++) {
        struct inputs inputs = {{(const char *)first, (const char *)(first + in->row)},
                                1 + odd,
                                (1 + right) * in->channels / 2,
                                in->channels * sizeof(bf16)};
        for (int tile = 0, n; tile < step->tiles; tile += n) {
            n = tiles_together(step->tiles - tile);
            for (int x = 0, width = in->width + 2 - right, count; x < width; x += count) {
                float *values = to + (2 * x + right) * channels + tile * TILE;
                struct outputs out = {values, 2 * channels, TILE};
                count =
                    multiply_some(&inputs, x, width - x, n, weights, step->bias + tile * TILE, out);
            }
            weights += (int64_t)inputs.count * inputs.pairs * n * 2 * TILE;
        }
    }
}

INLINE __m512 one_three_three_one(__m512 a, __m512 b, __m512 c, __m512 d) {
    return _mm512_fmadd_ps(_mm512_add_ps(b, c), _mm512_set1_ps(3), _mm512_add_ps(a, d));
}

/* Two rows of `out`: the rows two above to two below, from two pixels to the left on, filtered by
1 3 3 1 along both axes, plus what is there, and ReLU. Bilinear doubling puts zeros between pixels
and filters so; the convolution is done before the filter. */
static void interpolate(const struct map *out, int y, const float *const rows[5]) {
    int channels = out->channels;
    for (int c = 0; c < channels; c += TILE) {
        bf16 *to = out->origin + y * out->row + c;
        __m512 above[4] = {{0}}, below[4] = {{0}};
        for (int x = 0; x < out->width + 3; x++) {
            __m512 v[5];
            UNROLLED for (int k = 0; k < 5; k++) v[k] =
                _mm512_loadu_ps(rows[k] + (int64_t)x * channels + c);
            UNROLLED for (int k = 0; k < 3; k++) above[k] = above[k + 1], below[k] = below[k + 1];
            above[3] = one_three_three_one(v[0], v[1], v[2], v[3]);
            below[3] = one_three_three_one(v[1], v[2], v[3], v[4]);
            if (x < 3) continue;
            __m512 a = one_three_three_one(above[0], above[1], above[2], above[3]);
            __m512 b = one_three_three_one(below[0], below[1], below[2], below[3]);
            narrow(to, _mm512_max_ps(_mm512_add_ps(a, widened(to)), _mm512_setzero_ps()));
            narrow(to + out->row,
                   _mm512_max_ps(_mm512_add_ps(b, widened(to + out->row)), _mm512_setzero_ps()));
            to += channels;
        }
    }
}

static void convolve_doubled(const struct step *step, int y, char *kept, int *made) {
    int64_t length = spread_row(step->out);
    const float *rows[DOUBLED_ROWS];
    for (int k = 0; k < DOUBLED_ROWS; k++) {
        int source = 2 * y - 2 + k;
        float *row = (float *)kept + (source + DOUBLED_ROWS) % DOUBLED_ROWS * length;
        if (source >= *made) convolve_spread(step, source, row), *made = source + 1;
        rows[k] = row;
    }
    interpolate(step->out, 2 * y, rows);
}

/* Bytes of `kept` for each thread. */
__attribute__((visibility("default"))) int64_t brushreel_kept_size(const struct step *step) {
    if (step->kind == DOUBLE_ADD_RELU) return DOUBLED_ROWS * spread_row(step->out) * sizeof(float);
    if (step->kind == SUMS)
        return TRANSFORMED_ROWS * PARTS * transformed_row(step->in) * sizeof(bf16);
    return step->stride == 2 ? FILTERED_ROWS * filtered_row(step->in) * sizeof(bf16) : 0;
}

void avx512_convolve(const struct step *step, int y, char *kept, int *made) {
    if (step->kind == DOUBLE_ADD_RELU) {
        convolve_doubled(step, y, kept, made);
    } else if (step->kind == SUMS) {
        convolve_pairs(step, y, kept, made);
    } else if (step->stride == 2) {
        convolve_filtered(step, y, kept, made);
    } else {
        const struct map *in = step->in;
        int reach = step->size / 2;
        struct inputs inputs = {.count = step->size,
                                .pairs = (step->size + step->across - 1) * in->channels / 2,
                                .apart = (int64_t)step->across * in->channels * sizeof(bf16)};
        for (int k = 0; k < step->size; k++)
            inputs.rows[k] = (const char *)(in->origin + (y - reach + k) * in->row -
                                            (int64_t)reach * in->channels);
        convolve(step, &inputs, in->width / step->across, y);
    }
}
