/* A frame's way to the render server and back; protocol.py is the other end. */
#ifndef HOUSESTYLE_LINK_H
#define HOUSESTYLE_LINK_H

#include "picture.h"
#include "styles.h"
#include "system.h"

typedef struct hs_job {
    uint32_t depth;     /* 1 byte, 2 short, 3 half, 4 float */
    uint32_t premultiplied;
    uint32_t keep_colors;
    uint32_t draft;
    uint32_t transform; /* index of the effect's choice */
    double strength;
    const char *style;
    const char *colourspace; /* as the host names it, or "" */
} hs_job;

/* Where the server's command and the shipped styles are said: Contents/Resources/server, a line
 * each: the styles' folder, then the command's arguments. */
typedef struct hs_installation {
    char text[HS_PATH_BYTES];
    char *shipped;
    char *command[16];
} hs_installation;

/* False if the effect was not installed by Housestyle's own command. */
bool hs_read_installation(hs_installation *installation);

/* Paints `source` into `window` of `target`; starts the server if need be, again if it dies. */
hs_outcome hs_paint(const hs_job *job, const hs_picture *source, const hs_picture *target,
                    OfxRectI window, const hs_abort *abort, char message[HS_MESSAGE_BYTES]);

/* Gives back every connection and memory that waits for a next frame. */
void hs_forget_links(void);

#endif
