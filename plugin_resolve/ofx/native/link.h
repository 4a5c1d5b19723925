/* The connection to the render server; protocol.py is the other end. */
#ifndef BRUSHREEL_LINK_H
#define BRUSHREEL_LINK_H

#include "image.h"
#include "styles.h"
#include "system.h"

typedef struct br_job {
    uint32_t depth; /* 1 byte, 2 short, 3 half, 4 float */
    uint32_t premultiplied;
    uint32_t keep_colors;
    uint32_t draft;
    uint32_t keep_bars;
    uint32_t transform; /* index in the effect's menu */
    double strength;
    double stroke_size;
    double detail;
    double full_width, full_height; /* of the whole clip as shown, whatever the render scale */
    const char *style;
    const char *colourspace; /* the host's name of it, or "" */
} br_job;

/* The text of Contents/Resources/server: the folder of the shipped styles, then the arguments of
 * the server's command, a line each. */
typedef struct br_installation {
    char text[BR_PATH_BYTES];
    char *shipped;
    char *command[16];
} br_installation;

/* False if the effect was not installed by Brushreel's own command. */
bool br_read_installation(br_installation *installation);

/* Stylizes `source` into `window` of `target`; starts the server if it is not running. */
br_outcome br_stylize(const br_job *job, const br_image *source, const br_image *target,
                      OfxRectI window, const br_abort *abort, char message[BR_MESSAGE_BYTES]);

/* Closes all idle connections and frees their memory. */
void br_forget_links(void);

#endif
