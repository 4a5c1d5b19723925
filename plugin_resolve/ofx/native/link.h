/* A frame's way to the render server and back; protocol.py is the other end. */
#ifndef BRUSHREEL_LINK_H
#define BRUSHREEL_LINK_H

#include "picture.h"
#include "styles.h"
#include "system.h"

typedef struct br_job {
    uint32_t depth; /* 1 byte, 2 short, 3 half, 4 float */
    uint32_t premultiplied;
    uint32_t keep_colors;
    uint32_t draft;
    uint32_t transform; /* index of the effect's choice */
    double strength;
    const char *style;
    const char *colourspace; /* as the host names it, or "" */
} br_job;

/* Where the server's command and the shipped styles are said: Contents/Resources/server, a line
 * each: the styles' folder, then the command's arguments. */
typedef struct br_installation {
    char text[BR_PATH_BYTES];
    char *shipped;
    char *command[16];
} br_installation;

/* False if the effect was not installed by Brushreel's own command. */
bool br_read_installation(br_installation *installation);

/* Paints `source` into `window` of `target`; starts the server if need be, again if it dies. */
br_outcome br_paint(const br_job *job, const br_picture *source, const br_picture *target,
                    OfxRectI window, const br_abort *abort, char message[BR_MESSAGE_BYTES]);

/* Gives back every connection and memory that waits for a next frame. */
void br_forget_links(void);

#endif
