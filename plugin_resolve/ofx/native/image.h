/* Images of hosts, and packed images for the server: rows from the top, without gaps. */
#ifndef BRUSHREEL_IMAGE_H
#define BRUSHREEL_IMAGE_H

#include <stddef.h>

#include "openfx.h"

typedef struct br_image {
    unsigned char *bottom; /* the leftmost pixel of row bounds.y1 */
    ptrdiff_t row_bytes;   /* to the row above it; may be negative */
    OfxRectI bounds;       /* x2 and y2 are exclusive */
    size_t pixel_bytes;
} br_image;

size_t br_image_bytes(const br_image *image);

/* Copies the whole image into `packed`. */
void br_gather(const br_image *source, unsigned char *packed);

/* Copies the `window` of a packed image that covers `covered` into `target`; transparent black
 * where the window extends beyond it. */
void br_scatter(const unsigned char *packed, OfxRectI covered, OfxRectI window,
                const br_image *target);

#endif
