/* What the network's kernels have in common; `kernels.c` says how they go together. */

#ifndef BRUSHREEL_KERNELS_H
#define BRUSHREEL_KERNELS_H

#include <immintrin.h>
#include <stdint.h>

typedef uint16_t bf16;

enum { TILE = 16 };

/* Features of one frame. `origin` is the first channel of the upper left pixel, inside the border;
there are `row` values from a row to the one below. */
struct map {
    bf16 *origin;
    int64_t row;
    int32_t width, height, channels, border;
};

enum kind { FROM_PIXELS, RELU, SUMS, NORMALIZE_RELU, NORMALIZE_ADD, DOUBLE_ADD_RELU, TO_PIXELS };

struct step {
    int32_t kind;
    int32_t reflect; /* whether the border of `out` mirrors it; else it repeats it */
    struct map *in, *out;
    /* A convolution: `size` taps along an axis, those of the low-pass filter before it included;
    `tiles` times 16 outputs for `across` pixels side by side. How weights are laid out is in
    `on_amx.py` and `on_avx512.py`. A normalisation: its gain and its shift, one after the other, as
    `bias`. */
    const bf16 *weights;
    const float *bias;
    int32_t size, stride, across, tiles;
    float epsilon;
    float *sums;   /* (rows, 2, channels): of values and of their squares */
    float *pixels; /* (3, height, width) */
    /* Rows between filter and convolution, `kept_size` bytes for each thread. */
    char *kept;
    int64_t kept_size;
};

/* A row of a convolution by tiles of AMX, to whose thread `amx_begin` was called. */
void amx_convolve(const struct step *step, int y);
void amx_begin(void);
void amx_end(void);

/* The same by AVX-512. Rows of a step are taken in order: `kept` is this thread's memory of it, and
`*made` the first row that is not in there yet. */
void avx512_convolve(const struct step *step, int y, char *kept, int *made);

static inline __m512 widened(const bf16 *values) {
    __m256i codes = _mm256_loadu_si256((const __m256i *)values);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes), 16));
}

static inline void narrow(bf16 *to, __m512 values) {
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(values));
}

/* (tanh(x) + 1) / 2, which is 1 / (1 + exp(-2 x)). */
static inline __m512 squashed(__m512 x) {
    __m512 t = _mm512_mul_ps(x, _mm512_set1_ps(-2.885390082f)); /* exp(-2 x) = 2^t */
    __m512 whole = _mm512_roundscale_ps(t, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 f = _mm512_sub_ps(t, whole);
    /* 2^f on [-1/2, 1/2]: Taylor, off by less than 2e-7. */
    __m512 p = _mm512_set1_ps(1.5403530e-4f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.3333558e-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.6181291e-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.5504109e-2f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4022651e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9314718e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1));
    __m512 power = _mm512_scalef_ps(p, whole);
    return _mm512_div_ps(_mm512_set1_ps(1), _mm512_add_ps(_mm512_set1_ps(1), power));
}

/* What becomes of 16 outputs, from `16 * tile` on, of up to 16 pixels from (x, y) on, or of as many
times `across` pixels. */
static inline void finish_tile(const struct step *step, enum kind kind, const float *values, int x,
                               int y, int tile, int count) {
    const struct map *out = step->out;
    const __m512 zero = _mm512_setzero_ps();
    if (kind == RELU) {
        int64_t wide = out->channels * step->across;
        bf16 *to = out->origin + y * out->row + x * wide + tile * TILE;
        for (int i = 0; i < count; i++, to += wide)
            narrow(to, _mm512_max_ps(_mm512_load_ps(values + i * TILE), zero));
    } else if (kind == SUMS) {
        bf16 *to = out->origin + y * out->row + (int64_t)x * out->channels + tile * TILE;
        float *sums = step->sums + (int64_t)y * 2 * out->channels + tile * TILE;
        __m512 sum = _mm512_loadu_ps(sums), squares = _mm512_loadu_ps(sums + out->channels);
        for (int i = 0; i < count; i++, to += out->channels) {
            __m512 v = _mm512_load_ps(values + i * TILE);
            sum = _mm512_add_ps(sum, v);
            squares = _mm512_fmadd_ps(v, v, squares);
            narrow(to, v);
        }
        _mm512_storeu_ps(sums, sum);
        _mm512_storeu_ps(sums + out->channels, squares);
    } else if (kind == DOUBLE_ADD_RELU) {
        int place = tile * TILE / out->channels, channel = tile * TILE % out->channels;
        bf16 *to = out->origin + (2 * y + place / 2) * out->row +
                   (int64_t)(2 * x + place % 2) * out->channels + channel;
        for (int i = 0; i < count; i++, to += 2 * out->channels)
            narrow(to, _mm512_max_ps(_mm512_add_ps(_mm512_load_ps(values + i * TILE), widened(to)),
                                     zero));
    } else {
        const struct map *in = step->in;
        int64_t size = (int64_t)in->width * in->height;
        /* `across` is 4: a row of a tile holds four pixels' red, green and blue. */
        for (int i = 0; i < count; i += 4, values += 4 * TILE) {
            __m512 a = _mm512_load_ps(values), b = _mm512_load_ps(values + TILE);
            __m512 c = _mm512_load_ps(values + 2 * TILE), d = _mm512_load_ps(values + 3 * TILE);
            __m512 ab = _mm512_shuffle_f32x4(a, b, 0x44), cd = _mm512_shuffle_f32x4(c, d, 0x44);
            __m512 planes[3] = {_mm512_shuffle_f32x4(ab, cd, 0x88),
                                _mm512_shuffle_f32x4(ab, cd, 0xDD),
                                _mm512_shuffle_f32x4(_mm512_shuffle_f32x4(a, b, 0xEE),
                                                     _mm512_shuffle_f32x4(c, d, 0xEE), 0x88)};
            int left = 4 * (count - i);
            for (int colour = 0; colour < 3; colour++)
                _mm512_mask_storeu_ps(
                    step->pixels + colour * size + (int64_t)y * in->width + 4 * (x + i),
                    (__mmask16)(left < TILE ? (1u << left) - 1 : 0xFFFF), squashed(planes[colour]));
        }
    }
}

#endif
