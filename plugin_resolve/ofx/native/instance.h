/* An instance of the effect on a clip. */
#ifndef BRUSHREEL_INSTANCE_H
#define BRUSHREEL_INSTANCE_H

#include "host.h"
#include "styles.h"

/* `styles` outlives the instance. */
OfxStatus br_create_instance(OfxImageEffectHandle effect, const br_styles *styles);
OfxStatus br_destroy_instance(OfxImageEffectHandle effect);
/* Called after a parameter was changed, by the user or the host. */
OfxStatus br_instance_changed(OfxImageEffectHandle effect, OfxPropertySetHandle in);
/* Called before the host writes its project. */
OfxStatus br_keep_style_name(OfxImageEffectHandle effect);
OfxStatus br_is_identity(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                         OfxPropertySetHandle out);
OfxStatus br_regions_of_interest(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                                 OfxPropertySetHandle out);
OfxStatus br_render(OfxImageEffectHandle effect, OfxPropertySetHandle in);

#endif
