/* The names of the styles that are installed, in the order in which hosts offer them. */
#ifndef HOUSESTYLE_STYLES_H
#define HOUSESTYLE_STYLES_H

#include "system.h"

enum { HS_NAME_BYTES = 65, HS_MOST_STYLES = 256 };

typedef struct hs_styles {
    int count;
    char names[HS_MOST_STYLES][HS_NAME_BYTES];
} hs_styles;

/* The styles of `shipped` (a folder, or NULL) and of the user's own library. */
void hs_list_styles(const char *shipped, hs_styles *styles);
/* -1 if there is no such style. */
int hs_style_index(const hs_styles *styles, const char *name);

#endif
