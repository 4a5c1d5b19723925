/* What the effect tells hosts of itself: contexts, clips, parameters. */
#ifndef HOUSESTYLE_DESCRIBE_H
#define HOUSESTYLE_DESCRIBE_H

#include "host.h"
#include "styles.h"

#define HS_STYLE "style"
#define HS_STRENGTH "strength"
#define HS_KEEP_COLORS "keepColors"
#define HS_TRANSFORM "inputTransform"
#define HS_QUALITY "quality"
/* The chosen style's name, out of sight: the number of a choice changes with the library. */
#define HS_STYLE_NAME "styleName"

OfxStatus hs_describe(OfxImageEffectHandle effect);
OfxStatus hs_describe_in_context(OfxImageEffectHandle effect, const hs_styles *styles);

#endif
