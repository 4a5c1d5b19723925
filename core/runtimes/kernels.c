/* The stylizing network in bfloat16 on CPUs with AMX or AVX-512 with bfloat16: every step of it, row
by row.

Features lie pixel by pixel, channels together, in a border of their own. So what a convolution
takes of pixels side by side is one stretch of memory, and is loaded from it as it is: nothing is
rearranged, padded or copied between the steps. What follows a convolution (ReLU, sums for instance
normalisation, depth to space with the skip connection, tanh) is done to a few pixels while they are
in the cache, and a row is taken on as soon as the next step can use it. */

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../cpu.h"
#include "kernels.h"

enum { WIDEST = 1024, MOST_STEPS = 8 };

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

/* A thread's share of some steps that are taken together. */
struct band {
    const struct step *steps;
    int number, amx;
    int done[MOST_STEPS]; /* rows of each step */
    int made[MOST_STEPS]; /* see avx512_convolve */
    float gain[WIDEST], shift[WIDEST];
};

static void convolve_row(struct band *band, int index, int y) {
    const struct step *step = &band->steps[index];
    if (band->amx)
        amx_convolve(step, y);
    else
        avx512_convolve(step, y, step->kept + band->number * step->kept_size, &band->made[index]);
}

static void take_row(struct band *band, int index, int y) {
    const struct step *step = &band->steps[index];
    switch (step->kind) {
        case FROM_PIXELS:
            from_pixels(step, y);
            break;
        case RELU:
            convolve_row(band, index, y);
            finish_row(step->out, y, step->reflect);
            break;
        case SUMS:
            memset(step->sums + (int64_t)y * 2 * step->out->channels, 0,
                   2 * step->out->channels * sizeof(float));
            convolve_row(band, index, y);
            break;
        case NORMALIZE_RELU:
        case NORMALIZE_ADD:
            normalize_row(step, step->kind, y, band->gain, band->shift);
            break;
        case DOUBLE_ADD_RELU:
            convolve_row(band, index, y);
            finish_row(step->out, 2 * y, step->reflect);
            finish_row(step->out, 2 * y + 1, step->reflect);
            break;
        case TO_PIXELS:
            convolve_row(band, index, y);
            break;
    }
}

/* Take a step's rows before `end`, and first what they are made of: of the step before it the rows
that its taps reach, and so on. So what a step leaves is still in the cache when the next one takes
it. */
static void take_until(struct band *band, int index, int end) {
    for (int *done = &band->done[index]; *done < end; ++*done) {
        if (index > 0) {
            const struct step *taker = &band->steps[index], *maker = taker - 1;
            int reach = *done * taker->stride + taker->size / 2 + 1;
            int needed = maker->kind == DOUBLE_ADD_RELU ? (reach + 1) / 2 : reach,
                all = rows_of(maker);
            take_until(band, index - 1, needed < all ? needed : all);
        }
        take_row(band, index, *done);
    }
}

static int is_normalization(const struct step *step) {
    return step->kind == NORMALIZE_RELU || step->kind == NORMALIZE_ADD;
}

/* A call: `bands` threads, each with its share of the rows of every step. */
struct call {
    const struct step *steps;
    int count, amx;
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
    int bands, number = atomic_fetch_add(&call->taken, 1);
    while (!(bands = atomic_load(&call->bands))) sched_yield();
    if (call->amx) amx_begin();
    for (int i = 0, together; i < call->count; i += together) {
        const struct step *steps = call->steps + i;
        struct band band = {.steps = steps, .number = number, .amx = call->amx};
        if (is_normalization(steps)) moments(steps, band.gain, band.shift);
        /* Alone, a step at a time for all rows is slower; with others, their rows are needed. */
        for (together = 1; bands == 1 && i + together < call->count && together < MOST_STEPS &&
                           !is_normalization(steps + together);)
            together++;
        for (int k = 0; k < together; k++) band.made[k] = INT_MIN;
        int64_t rows = rows_of(&steps[together - 1]);
        band.done[together - 1] = (int)(rows * number / bands);
        take_until(&band, together - 1, (int)(rows * (number + 1) / bands));
        if (bands > 1) wait_for_others(call, bands);
    }
    if (call->amx) amx_end();
    return NULL;
}

/* Take steps one after the other, by up to `threads` threads, with AMX or without. */
__attribute__((visibility("default"))) void brushreel_run(const struct step *steps, int count,
                                                          int threads, int amx) {
    enum { MOST_THREADS = 256 };
    pthread_t others[MOST_THREADS];
    struct call call = {.steps = steps, .count = count, .amx = amx};
    int made = 0;
    while (made < threads - 1 && made < MOST_THREADS &&
           pthread_create(&others[made], NULL, run_band, &call) == 0)
        made++;
    atomic_store(&call.bands, made + 1);
    run_band(&call);
    while (made > 0) pthread_join(others[--made], NULL);
}

/* Increased whenever steps or weights are laid out differently. */
__attribute__((visibility("default"))) int brushreel_layout(void) { return 1; }

/* Whether the CPU has what this needs, and the system saves its registers. */
__attribute__((visibility("default"))) int brushreel_has_avx512(void) {
    return cpu_vectors() == CPU_AVX512_BF16;
}

/* Whether it has AMX, too, and the system lets this process use it (Linux:
Documentation/arch/x86/xstate.rst). */
__attribute__((visibility("default"))) int brushreel_has_amx(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    const unsigned amx_bf16_tile = 1u << 22 | 1u << 24;
    unsigned a, b, c, d;
    return brushreel_has_avx512() && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
           (d & amx_bf16_tile) == amx_bf16_tile &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
