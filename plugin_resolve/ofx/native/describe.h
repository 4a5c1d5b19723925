/* The effect's description for hosts: contexts, clips, parameters. */
#ifndef BRUSHREEL_DESCRIBE_H
#define BRUSHREEL_DESCRIBE_H

#include "host.h"
#include "styles.h"

#define BR_STYLE "style"
#define BR_STRENGTH "strength"
#define BR_STROKE_SIZE "strokeSize"
#define BR_DETAIL "detail"
#define BR_LEAST_STROKE_SIZE 0.25
#define BR_MOST_STROKE_SIZE 4.0
#define BR_BARS "bars"
#define BR_KEEP_COLORS "keepColors"
#define BR_TRANSFORM "inputTransform"
#define BR_QUALITY "quality"
/* The chosen style's name, hidden: the index of a choice changes with the library. */
#define BR_STYLE_NAME "styleName"

OfxStatus br_describe(OfxImageEffectHandle effect);
OfxStatus br_describe_in_context(OfxImageEffectHandle effect, const br_styles *styles);

#endif
