/* Pictures as hosts hold them, and as they travel: rows from the top, without gaps. */
#ifndef BRUSHREEL_PICTURE_H
#define BRUSHREEL_PICTURE_H

#include <stddef.h>

#include "openfx.h"

typedef struct br_picture {
    unsigned char *bottom; /* the leftmost pixel of row bounds.y1 */
    ptrdiff_t row_bytes;   /* to the row above it; may be negative */
    OfxRectI bounds;       /* x2 and y2 are outside */
    size_t pixel_bytes;
} br_picture;

size_t br_picture_bytes(const br_picture *picture);

/* The whole picture into `packed`. */
void br_gather(const br_picture *source, unsigned char *packed);

/* Of a packed picture that covers `covered`, what lies in `window`, into `target`; transparent
 * black where the window goes beyond it. */
void br_scatter(const unsigned char *packed, OfxRectI covered, OfxRectI window,
                const br_picture *target);

#endif
