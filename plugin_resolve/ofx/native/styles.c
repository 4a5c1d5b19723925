#include "styles.h"

#include <stdlib.h>
#include <string.h>

static const char SUFFIX[] = ".safetensors";

/* core/style.py has the same rule. */
static bool is_name(const char *text, size_t length) {
    if (!length || length >= HS_NAME_BYTES || *text == '-' || *text == '_') return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") >= length;
}

static void add(const char *file, void *context) {
    hs_styles *styles = context;
    size_t length = strlen(file), suffix = sizeof SUFFIX - 1;
    char name[HS_NAME_BYTES] = {0};
    if (length <= suffix || strcmp(file + length - suffix, SUFFIX)) return;
    if (!is_name(file, length - suffix) || styles->count == HS_MOST_STYLES) return;
    memcpy(name, file, length - suffix);
    if (hs_style_index(styles, name) < 0) memcpy(styles->names[styles->count++], name, sizeof name);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

void hs_list_styles(const char *shipped, hs_styles *styles) {
    char own[HS_PATH_BYTES];
    styles->count = 0;
    if (shipped) hs_each_file(shipped, add, styles);
    if (hs_user_styles(own)) hs_each_file(own, add, styles);
    qsort(styles->names, (size_t)styles->count, sizeof *styles->names, by_name);
}

int hs_style_index(const hs_styles *styles, const char *name) {
    for (int i = 0; i < styles->count; i++)
        if (!strcmp(styles->names[i], name)) return i;
    return -1;
}
