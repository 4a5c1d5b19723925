/* The names of the installed styles, in the order in which hosts show them. */
#ifndef BRUSHREEL_STYLES_H
#define BRUSHREEL_STYLES_H

#include "system.h"

enum { BR_NAME_BYTES = 65, BR_MOST_STYLES = 256 };

typedef struct br_styles {
    int count;
    char names[BR_MOST_STYLES][BR_NAME_BYTES];
} br_styles;

/* Lists the styles of `shipped` (a folder, or NULL) and of the user's library. */
void br_list_styles(const char *shipped, br_styles *styles);
/* -1 if there is no such style. */
int br_style_index(const br_styles *styles, const char *name);

#endif
