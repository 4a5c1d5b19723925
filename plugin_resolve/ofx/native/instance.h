/* One effect on one clip. */
#ifndef HOUSESTYLE_INSTANCE_H
#define HOUSESTYLE_INSTANCE_H

#include "host.h"
#include "styles.h"

/* `styles` outlives the instance. */
OfxStatus hs_create_instance(OfxImageEffectHandle effect, const hs_styles *styles);
OfxStatus hs_destroy_instance(OfxImageEffectHandle effect);
/* After a parameter was changed, by whomever. */
OfxStatus hs_instance_changed(OfxImageEffectHandle effect, OfxPropertySetHandle in);
/* Before the host writes its project. */
OfxStatus hs_keep_style_name(OfxImageEffectHandle effect);
OfxStatus hs_is_identity(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                         OfxPropertySetHandle out);
OfxStatus hs_regions_of_interest(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                                 OfxPropertySetHandle out);
OfxStatus hs_render(OfxImageEffectHandle effect, OfxPropertySetHandle in);

#endif
