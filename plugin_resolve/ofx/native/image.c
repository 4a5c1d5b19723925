#include "image.h"

#include <string.h>

static OfxRectI common(OfxRectI a, OfxRectI b) {
    OfxRectI both = {a.x1 > b.x1 ? a.x1 : b.x1, a.y1 > b.y1 ? a.y1 : b.y1,
                     a.x2 < b.x2 ? a.x2 : b.x2, a.y2 < b.y2 ? a.y2 : b.y2};
    return both;
}

static size_t packed_row_bytes(OfxRectI bounds, size_t pixel_bytes) {
    return (size_t)(bounds.x2 - bounds.x1) * pixel_bytes;
}

static unsigned char *pixel(const br_image *image, int x, int y) {
    return image->bottom + (y - image->bounds.y1) * image->row_bytes +
           (ptrdiff_t)((size_t)(x - image->bounds.x1) * image->pixel_bytes);
}

size_t br_image_bytes(const br_image *image) {
    return packed_row_bytes(image->bounds, image->pixel_bytes) *
           (size_t)(image->bounds.y2 - image->bounds.y1);
}

void br_gather(const br_image *source, unsigned char *packed) {
    OfxRectI bounds = source->bounds;
    size_t row_bytes = packed_row_bytes(bounds, source->pixel_bytes);
    for (int y = bounds.y2 - 1; y >= bounds.y1; y--, packed += row_bytes)
        memcpy(packed, pixel(source, bounds.x1, y), row_bytes);
}

static void scatter_row(const unsigned char *packed, OfxRectI covered, OfxRectI window, int y,
                        const br_image *target) {
    OfxRectI held = common(covered, window);
    unsigned char *row = pixel(target, window.x1, y);
    size_t bytes = target->pixel_bytes;
    if (y < covered.y1 || y >= covered.y2 || held.x1 >= held.x2) {
        memset(row, 0, packed_row_bytes(window, bytes));
        return;
    }
    packed += (size_t)(covered.y2 - 1 - y) * packed_row_bytes(covered, bytes);
    memset(row, 0, (size_t)(held.x1 - window.x1) * bytes);
    memcpy(pixel(target, held.x1, y), packed + (size_t)(held.x1 - covered.x1) * bytes,
           packed_row_bytes(held, bytes));
    memset(pixel(target, held.x2, y), 0, (size_t)(window.x2 - held.x2) * bytes);
}

void br_scatter(const unsigned char *packed, OfxRectI covered, OfxRectI window,
                const br_image *target) {
    window = common(window, target->bounds);
    if (window.x1 >= window.x2) return;
    for (int y = window.y1; y < window.y2; y++) scatter_row(packed, covered, window, y, target);
}
