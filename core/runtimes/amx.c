/* Convolutions by AMX: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1,
chapter 18. A tile has 16 rows of 64 bytes; TDPBF16PS adds the product of 16 pixels by 32 inputs and
32 inputs by 16 outputs to 16 pixels by 16 outputs in float32. */

#include "kernels.h"

enum { CHUNK = 32, WIDEST = 1024, MOST_CHUNKS = 5 * 5 * WIDEST / CHUNK };

/* Products that wait for what becomes of them: `count` tiles, for `n` times 16 outputs from `16 *
tile` on and as many pixels as there are tiles for, from `x` on. That is done tile by tile between
the multiplications of the next ones: they are few instructions that take long, and all others fit
between them. */
struct products {
    float values[4][256] __attribute__((aligned(64)));
    int x, tile, n, count;
};

static inline __attribute__((always_inline)) void finish(const struct step *step, enum kind kind,
                                                         int y, int width,
                                                         const struct products *last, int i) {
    if (i >= last->count) return;
    int pair = last->n == 2, x = last->x + (pair ? i / 2 : i) * TILE, left = width - x;
    if (left > 0)
        finish_tile(step, kind, last->values[i], x, y, last->tile + (pair ? i % 2 : 0),
                    left < TILE ? left : TILE);
}

/* Load and multiply; registers are named by constants. Between the first four steps, the last
products are finished. */
#define LOAD_A(t, m) _tile_loadd(t, from + offsets[k] + (m) * group, pixel)
#define LOAD_B(t, n) _tile_loadd(t, b + (n) * 1024, 64)
/* clang-format off */
#define ACCUMULATE(N, STEP)                                                                        \
    for (; k < 4 && k < chunks; k++, b += (N) * 1024) {                                            \
        STEP                                                                                       \
        finish(step, kind, y, width, &last, k);                                                    \
    }                                                                                              \
    for (int i = k; i < 4; i++)                                                                    \
        finish(step, kind, y, width, &last, i);                                                    \
    for (; k < chunks; k++, b += (N) * 1024) {                                                     \
        STEP                                                                                       \
    }
/* clang-format on */

/* A row of a convolution: 32 (times `across`) pixels by 32 outputs at a time, 48 by 16 where only
those are left. */
static inline __attribute__((always_inline)) void convolve_row(const struct step *step,
                                                               enum kind kind, int y) {
    const struct map *in = step->in;
    const int apart = step->stride * step->across, width = in->width / apart;
    const int reach = step->size / 2, span = step->size + apart - step->stride;
    const int64_t pixel = (int64_t)apart * in->channels * 2, group = pixel * TILE;
    int chunks = 0;
    int64_t offsets[MOST_CHUNKS];
    for (int ky = 0; ky < step->size; ky++)
        for (int k = 0; k < span * in->channels; k += CHUNK)
            offsets[chunks++] = (ky * in->row + k) * 2;
    const char *first = (const char *)(in->origin + (y * step->stride - reach) * in->row -
                                       (int64_t)reach * in->channels);
    const char *weights = (const char *)step->weights;
    struct products last;
    last.count = 0;
    for (int tile = 0; tile < step->tiles;) {
        int n = step->tiles - tile == 1 ? 1 : 2, m = n == 1 ? 3 : 2;
        const float *bias = step->bias + tile * TILE;
        for (int x = 0; x < width; x += m * TILE) {
            const char *from = first + x * pixel, *b = weights;
            int k = 0;
            _tile_loadd(0, bias, 0);
            _tile_loadd(2, bias, 0);
            if (n == 2) {
                _tile_loadd(1, bias + TILE, 0);
                _tile_loadd(3, bias + TILE, 0);
                /* clang-format off */
                ACCUMULATE(2, LOAD_A(4, 0); LOAD_B(6, 0); _tile_dpbf16ps(0, 4, 6);
                           LOAD_B(7, 1); _tile_dpbf16ps(1, 4, 7);
                           LOAD_A(5, 1); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);)
                /* clang-format on */
                _tile_stored(3, last.values[3], 64);
            } else {
                _tile_loadd(1, bias, 0);
                /* clang-format off */
                ACCUMULATE(1, LOAD_B(7, 0); LOAD_A(4, 0); _tile_dpbf16ps(0, 4, 7);
                           LOAD_A(5, 1); _tile_dpbf16ps(1, 5, 7);
                           LOAD_A(6, 2); _tile_dpbf16ps(2, 6, 7);)
                /* clang-format on */
            }
            _tile_stored(0, last.values[0], 64);
            _tile_stored(1, last.values[1], 64);
            _tile_stored(2, last.values[2], 64);
            last.x = x, last.tile = tile, last.n = n, last.count = m * n;
        }
        weights += (int64_t)chunks * n * 1024;
        tile += n;
    }
    for (int i = 0; i < 4; i++) finish(step, kind, y, width, &last, i);
}

void amx_convolve(const struct step *step, int y) {
    switch (step->kind) {
        case RELU:
            convolve_row(step, RELU, y);
            break;
        case SUMS:
            convolve_row(step, SUMS, y);
            break;
        case DOUBLE_ADD_RELU:
            convolve_row(step, DOUBLE_ADD_RELU, y);
            break;
        case TO_PIXELS:
            convolve_row(step, TO_PIXELS, y);
            break;
    }
}

void amx_begin(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } shape = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shape.bytes[i] = 64;
        shape.rows[i] = TILE;
    }
    _tile_loadconfig(&shape);
}

void amx_end(void) { _tile_release(); }
