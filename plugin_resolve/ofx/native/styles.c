#include "styles.h"

#include <stdlib.h>
#include <string.h>

static const char SUFFIX[] = ".safetensors";

/* The same rule as in core/style.py. */
static bool is_name(const char *text, size_t length) {
    if (!length || length >= BR_NAME_BYTES || *text == '-' || *text == '_') return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") >= length;
}

static void add(const char *file, void *context) {
    br_styles *styles = context;
    size_t length = strlen(file), suffix = sizeof SUFFIX - 1;
    char name[BR_NAME_BYTES] = {0};
    if (length <= suffix || strcmp(file + length - suffix, SUFFIX)) return;
    if (!is_name(file, length - suffix) || styles->count == BR_MOST_STYLES) return;
    memcpy(name, file, length - suffix);
    if (br_style_index(styles, name) < 0) memcpy(styles->names[styles->count++], name, sizeof name);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

void br_list_styles(const char *shipped, br_styles *styles) {
    char own[BR_PATH_BYTES];
    styles->count = 0;
    if (shipped) br_each_file(shipped, add, styles);
    if (br_user_styles(own)) br_each_file(own, add, styles);
    qsort(styles->names, (size_t)styles->count, sizeof *styles->names, by_name);
}

int br_style_index(const br_styles *styles, const char *name) {
    for (int i = 0; i < styles->count; i++)
        if (!strcmp(styles->names[i], name)) return i;
    return -1;
}
