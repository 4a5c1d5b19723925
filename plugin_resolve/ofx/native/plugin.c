/* The library's entry points for hosts: one plugin and its actions. */
#include <string.h>

#include "describe.h"
#include "instance.h"
#include "link.h"

#ifdef _WIN32
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

static br_styles styles;

/* Styles are listed when the host starts: hosts ask for the options of a choice only once. */
static OfxStatus load(void) {
    br_installation installation;
    bool installed = br_read_installation(&installation);
    br_list_styles(installed ? installation.shipped : NULL, &styles);
    return br_fetch_suites() ? kOfxStatOK : kOfxStatErrMissingHostFeature;
}

static OfxStatus unload(void) {
    br_forget_links();
    return kOfxStatOK;
}

static OfxStatus act(const char *action, const void *handle, OfxPropertySetHandle in,
                     OfxPropertySetHandle out) {
    OfxImageEffectHandle effect = (OfxImageEffectHandle)handle;
    if (!strcmp(action, kOfxActionLoad)) return load();
    if (!strcmp(action, kOfxActionUnload)) return unload();
    if (!strcmp(action, kOfxActionDescribe)) return br_describe(effect);
    if (!strcmp(action, kOfxImageEffectActionDescribeInContext))
        return br_describe_in_context(effect, &styles);
    if (!strcmp(action, kOfxActionCreateInstance)) return br_create_instance(effect, &styles);
    if (!strcmp(action, kOfxActionDestroyInstance)) return br_destroy_instance(effect);
    if (!strcmp(action, kOfxActionInstanceChanged)) return br_instance_changed(effect, in);
    if (!strcmp(action, kOfxActionSyncPrivateData)) return br_keep_style_name(effect);
    if (!strcmp(action, kOfxImageEffectActionIsIdentity)) return br_is_identity(effect, in, out);
    if (!strcmp(action, kOfxImageEffectActionGetRegionsOfInterest))
        return br_regions_of_interest(effect, in, out);
    if (!strcmp(action, kOfxImageEffectActionRender)) return br_render(effect, in);
    return kOfxStatReplyDefault;
}

static OfxPlugin plugin = {kOfxImageEffectPluginApi,
                           kOfxImageEffectPluginApiVersion,
                           "org.brushreel.paint",
                           1,
                           1,
                           br_set_host,
                           act};

EXPORTED int OfxGetNumberOfPlugins(void) { return 1; }

EXPORTED OfxPlugin *OfxGetPlugin(int nth) { return nth == 0 ? &plugin : NULL; }
