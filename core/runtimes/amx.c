/* The stylizing network in bfloat16 on CPUs with AMX: every step of it, row by row.

Features lie pixel by pixel, channels together, in a border of their own. So what a convolution
takes of pixels side by side is one stretch of memory, and tiles are loaded from it as it is:
nothing is rearranged, padded or copied between the steps. What follows a convolution (ReLU, sums
for instance normalisation, depth to space with the skip connection, tanh) is done to a tile while
it is in the cache, and a row is taken on as soon as the next step can use it.

AMX: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18. A tile has
16 rows of 64 bytes; TDPBF16PS adds the product of 16 pixels by 32 inputs and 32 inputs by 16
outputs to 16 pixels by 16 outputs in float32. */

#include <cpuid.h>
#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef uint16_t bf16;

enum { TILE = 16, CHUNK = 32, WIDEST = 1024, MOST_CHUNKS = 5 * 5 * WIDEST / CHUNK, MOST_STEPS = 8 };

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
    /* A convolution: `size` taps along an axis, `tiles` times 16 outputs for `across` pixels side
    by side; how weights are laid out is in `on_amx.py`. A normalisation: its gain and its shift,
    one after the other, as `bias`. */
    const bf16 *weights;
    const float *bias;
    int32_t size, stride, across, tiles;
    float epsilon;
    float *sums;   /* (rows, 2, channels): of values and of their squares */
    float *pixels; /* (3, height, width) */
};

/* The border left and right of a finished row and, if rows above or below the frame are copies of
it, those. */
static void finish_row(const struct map *map, int y, int reflect) {
    size_t pixel = map->channels * sizeof(bf16);
    bf16 *row = map->origin + y * map->row;
    for (int k = 1; k <= map->border; k++) {
        int left = reflect ? k : 0, right = map->width - 1 - left;
        memcpy(row - (int64_t)k * map->channels, row + (int64_t)left * map->channels, pixel);
        memcpy(row + (int64_t)(map->width - 1 + k) * map->channels,
               row + (int64_t)right * map->channels, pixel);
    }
    const bf16 *whole = row - (int64_t)map->border * map->channels;
    size_t length = (map->width + 2 * map->border) * pixel;
    for (int k = 1; k <= map->border; k++) {
        int source = reflect ? k : 0;
        if (y == source) memcpy((bf16 *)whole - (int64_t)(source + k) * map->row, whole, length);
        if (y == map->height - 1 - source)
            memcpy((bf16 *)whole + (int64_t)(source + k) * map->row, whole, length);
    }
}

static inline __m512 widened(const bf16 *values) {
    __m256i codes = _mm256_loadu_si256((const __m256i *)values);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes), 16));
}

static inline void narrow(bf16 *to, __m512 values) {
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(values));
}

/* Pixels in [0, 1], plane by plane, to red, green, blue, 0 in [-1, 1]. */
static void from_pixels(const struct step *step, int y) {
    const struct map *out = step->out;
    const float *plane = step->pixels + (int64_t)y * out->width;
    int64_t size = (int64_t)out->width * out->height;
    const __m512 two = _mm512_set1_ps(2), one = _mm512_set1_ps(1);
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
    for (int x = 0; x < out->width; x += TILE) {
        int count = out->width - x < TILE ? out->width - x : TILE;
        __mmask16 mask = (__mmask16)((1u << count) - 1);
        __m512i codes[3];
        for (int c = 0; c < 3; c++) {
            __m512 values = _mm512_maskz_loadu_ps(mask, plane + c * size + x);
            values = _mm512_fmsub_ps(values, two, one);
            codes[c] = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(values));
        }
        __m512i first = _mm512_or_si512(codes[0], _mm512_slli_epi32(codes[1], 16));
        bf16 *to = out->origin + y * out->row + (int64_t)x * 4;
        _mm512_mask_storeu_epi64(to, mask & 255, _mm512_permutex2var_epi32(first, low, codes[2]));
        _mm512_mask_storeu_epi64(to + 32, mask >> 8,
                                 _mm512_permutex2var_epi32(first, high, codes[2]));
    }
    finish_row(out, y, step->reflect);
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

/* What to multiply a channel by and to add to it: instance normalisation by the sums of all
rows. */
static void moments(const struct step *step, float *gain, float *shift) {
    const struct map *in = step->in;
    double count = (double)in->width * in->height;
    for (int c = 0; c < in->channels; c++) {
        double sum = 0, squares = 0;
        for (int y = 0; y < in->height; y++) {
            sum += step->sums[(int64_t)y * 2 * in->channels + c];
            squares += step->sums[((int64_t)y * 2 + 1) * in->channels + c];
        }
        double mean = sum / count, variance = squares / count - mean * mean;
        gain[c] = step->bias[c] / sqrt((variance > 0 ? variance : 0) + step->epsilon);
        shift[c] = step->bias[in->channels + c] - mean * gain[c];
    }
}

static void normalize_row(const struct step *step, enum kind kind, int y, const float *gain,
                          const float *shift) {
    const struct map *in = step->in, *out = step->out;
    const bf16 *from = in->origin + y * in->row;
    bf16 *to = out->origin + y * out->row;
    for (int x = 0; x < in->width; x++)
        for (int c = 0; c < in->channels; c += TILE, from += TILE, to += TILE) {
            __m512 v = _mm512_fmadd_ps(widened(from), _mm512_loadu_ps(gain + c),
                                       _mm512_loadu_ps(shift + c));
            narrow(to, kind == NORMALIZE_RELU ? _mm512_max_ps(v, _mm512_setzero_ps())
                                              : _mm512_add_ps(v, widened(to)));
        }
    finish_row(out, y, step->reflect);
}

/* How many rows a step goes through. */
static int rows_of(const struct step *step) {
    if (step->kind == FROM_PIXELS) return step->out->height;
    return step->in->height / (step->kind == RELU || step->kind == SUMS ? step->stride : 1);
}

static void take_row(const struct step *step, int y, const float *gain, const float *shift) {
    switch (step->kind) {
        case FROM_PIXELS:
            from_pixels(step, y);
            break;
        case RELU:
            convolve_row(step, RELU, y);
            finish_row(step->out, y, step->reflect);
            break;
        case SUMS:
            memset(step->sums + (int64_t)y * 2 * step->out->channels, 0,
                   2 * step->out->channels * sizeof(float));
            convolve_row(step, SUMS, y);
            break;
        case NORMALIZE_RELU:
        case NORMALIZE_ADD:
            normalize_row(step, step->kind, y, gain, shift);
            break;
        case DOUBLE_ADD_RELU:
            convolve_row(step, DOUBLE_ADD_RELU, y);
            finish_row(step->out, 2 * y, step->reflect);
            finish_row(step->out, 2 * y + 1, step->reflect);
            break;
        case TO_PIXELS:
            convolve_row(step, TO_PIXELS, y);
            break;
    }
}

/* Take a step's rows before `end`, and first what they are made of: of the step before it the rows
that its taps reach, and so on. So what a step leaves is still in the cache when the next one takes
it. */
static void take_until(const struct step *steps, int step, int end, int *done, const float *gain,
                       const float *shift) {
    for (; done[step] < end; done[step]++) {
        if (step > 0) {
            const struct step *taker = &steps[step], *maker = taker - 1;
            int reach = done[step] * taker->stride + taker->size / 2 + 1;
            int needed = maker->kind == DOUBLE_ADD_RELU ? (reach + 1) / 2 : reach,
                all = rows_of(maker);
            take_until(steps, step - 1, needed < all ? needed : all, done, gain, shift);
        }
        take_row(&steps[step], done[step], gain, shift);
    }
}

static int is_normalization(const struct step *step) {
    return step->kind == NORMALIZE_RELU || step->kind == NORMALIZE_ADD;
}

/* A call: `bands` threads, each with its share of the rows of every step. */
struct call {
    const struct step *steps;
    int count;
    atomic_int bands, taken, waiting, turn; /* `bands` is 0 until all threads are there */
};

static void wait_for_others(struct call *call, int bands) {
    int turn = atomic_load(&call->turn);
    if (atomic_fetch_add(&call->waiting, 1) == bands - 1) {
        atomic_store(&call->waiting, 0);
        atomic_store(&call->turn, turn + 1);
        return;
    }
    for (int spins = 0; atomic_load(&call->turn) == turn; spins++)
        if (spins < 2000)
            _mm_pause();
        else
            sched_yield();
}

static void *run_band(void *argument) {
    struct call *call = argument;
    int bands, band = atomic_fetch_add(&call->taken, 1);
    while (!(bands = atomic_load(&call->bands))) sched_yield();
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
    for (int i = 0, together; i < call->count; i += together) {
        const struct step *steps = call->steps + i;
        float gain[WIDEST], shift[WIDEST];
        int done[MOST_STEPS] = {0};
        if (is_normalization(steps)) moments(steps, gain, shift);
        /* Alone, a step at a time for all rows is slower; with others, their rows are needed. */
        for (together = 1; bands == 1 && i + together < call->count && together < MOST_STEPS &&
                           !is_normalization(steps + together);)
            together++;
        int64_t rows = rows_of(&steps[together - 1]);
        done[together - 1] = (int)(rows * band / bands);
        take_until(steps, together - 1, (int)(rows * (band + 1) / bands), done, gain, shift);
        if (bands > 1) wait_for_others(call, bands);
    }
    _tile_release();
    return NULL;
}

/* Take steps one after the other, by up to `threads` threads. */
__attribute__((visibility("default"))) void brushreel_run(const struct step *steps, int count,
                                                          int threads) {
    enum { MOST_THREADS = 256 };
    pthread_t others[MOST_THREADS];
    struct call call = {.steps = steps, .count = count};
    int made = 0;
    while (made < threads - 1 && made < MOST_THREADS &&
           pthread_create(&others[made], NULL, run_band, &call) == 0)
        made++;
    atomic_store(&call.bands, made + 1);
    run_band(&call);
    while (made > 0) pthread_join(others[--made], NULL);
}

/* Whether the CPU has what this needs and the system lets this process use it (Linux:
Documentation/arch/x86/xstate.rst). */
__attribute__((visibility("default"))) int brushreel_can_run(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    const unsigned avx512f_bw_vl = 1u << 16 | 1u << 30 | 1u << 31;
    const unsigned amx_bf16_tile = 1u << 22 | 1u << 24, avx512_bf16 = 1u << 5;
    unsigned a, b, c, d, a1, unused;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) ||
        !__get_cpuid_count(7, 1, &a1, &unused, &unused, &unused))
        return 0;
    return (b & avx512f_bw_vl) == avx512f_bw_vl && (d & amx_bf16_tile) == amx_bf16_tile &&
           (a1 & avx512_bf16) &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
