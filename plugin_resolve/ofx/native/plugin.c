/* What hosts find in the library: one plugin and its actions. */
#include <string.h>

#include "describe.h"
#include "instance.h"
#include "link.h"

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

static hs_styles styles;

/* The library as it is when the host starts: hosts ask for a choice's options only once. */
static OfxStatus load(void) {
    hs_installation installation;
    bool installed = hs_read_installation(&installation);
    hs_list_styles(installed ? installation.shipped : NULL, &styles);
    return hs_fetch_suites() ? kOfxStatOK : kOfxStatErrMissingHostFeature;
}

static OfxStatus unload(void) {
    hs_forget_links();
    return kOfxStatOK;
}

static OfxStatus act(const char *action, const void *handle, OfxPropertySetHandle in,
                     OfxPropertySetHandle out) {
    OfxImageEffectHandle effect = (OfxImageEffectHandle)handle;
    if (!strcmp(action, kOfxActionLoad)) return load();
    if (!strcmp(action, kOfxActionUnload)) return unload();
    if (!strcmp(action, kOfxActionDescribe)) return hs_describe(effect);
    if (!strcmp(action, kOfxImageEffectActionDescribeInContext))
        return hs_describe_in_context(effect, &styles);
    if (!strcmp(action, kOfxActionCreateInstance)) return hs_create_instance(effect, &styles);
    if (!strcmp(action, kOfxActionDestroyInstance)) return hs_destroy_instance(effect);
    if (!strcmp(action, kOfxActionInstanceChanged)) return hs_instance_changed(effect, in);
    if (!strcmp(action, kOfxActionSyncPrivateData)) return hs_keep_style_name(effect);
    if (!strcmp(action, kOfxImageEffectActionIsIdentity)) return hs_is_identity(effect, in, out);
    if (!strcmp(action, kOfxImageEffectActionGetRegionsOfInterest))
        return hs_regions_of_interest(effect, in, out);
    if (!strcmp(action, kOfxImageEffectActionRender)) return hs_render(effect, in);
    return kOfxStatReplyDefault;
}

static OfxPlugin plugin = {kOfxImageEffectPluginApi, kOfxImageEffectPluginApiVersion,
                           "org.housestyle.paint",   1, 0,
                           hs_set_host,              act};

EXPORTED int OfxGetNumberOfPlugins(void) { return 1; }

EXPORTED OfxPlugin *OfxGetPlugin(int nth) { return nth == 0 ? &plugin : NULL; }
