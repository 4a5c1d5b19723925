#include "describe.h"

#include <stddef.h>

static void set_texts(OfxPropertySetHandle set, const char *property, const char *const *texts) {
    for (int i = 0; texts[i]; i++) br_properties->propSetString(set, property, i, texts[i]);
}

OfxStatus br_describe(OfxImageEffectHandle effect) {
    static const char *const contexts[] = {kOfxImageEffectContextFilter,
                                           kOfxImageEffectContextGeneral, NULL};
    static const char *const depths[] = {kOfxBitDepthFloat, kOfxBitDepthHalf, kOfxBitDepthShort,
                                         kOfxBitDepthByte, NULL};
    OfxPropertySetHandle about;
    OfxStatus status = br_effects->getPropertySet(effect, &about);
    if (status != kOfxStatOK) return status;
    br_set_text(about, kOfxPropLabel, "Brushreel");
    br_set_text(about, kOfxPropPluginDescription,
                "Applies a trained painting style to the clip. Every frame is stylized by itself, "
                "without flicker.");
    br_set_text(about, kOfxImageEffectPluginPropGrouping, "Stylize");
    set_texts(about, kOfxImageEffectPropSupportedContexts, contexts);
    set_texts(about, kOfxImageEffectPropSupportedPixelDepths, depths);
    br_set_number(about, kOfxImageEffectPropSupportsTiles, 0);
    br_set_number(about, kOfxImageEffectPropSupportsMultiResolution, 0);
    br_set_number(about, kOfxImageEffectPropSupportsMultipleClipDepths, 0);
    br_set_number(about, kOfxImageEffectPropSupportsMultipleClipPARs, 0);
    br_set_number(about, kOfxImageEffectPropTemporalClipAccess, 0);
    br_set_number(about, kOfxImageEffectPluginPropSingleInstance, 0);
    br_set_number(about, kOfxImageEffectPluginPropHostFrameThreading, 0);
    br_set_number(about, kOfxImageEffectPluginPropFieldRenderTwiceAlways, 0);
    br_set_text(about, kOfxImageEffectPluginRenderThreadSafety, kOfxImageEffectRenderFullySafe);
    /* Only to learn the name of the source's colour space; hosts before 1.5 refuse. */
    br_set_text(about, kOfxImageEffectPropColourManagementStyle,
                kOfxImageEffectColourManagementFull);
    br_set_text(about, kOfxImageEffectPropColourManagementAvailableConfigs, kOfxNativeConfig);
    return kOfxStatOK;
}

static OfxStatus define_clip(OfxImageEffectHandle effect, const char *name) {
    OfxPropertySetHandle about;
    OfxStatus status = br_effects->clipDefine(effect, name, &about);
    if (status != kOfxStatOK) return status;
    br_set_text(about, kOfxImageEffectPropSupportedComponents, kOfxImageComponentRGBA);
    br_set_number(about, kOfxImageEffectPropSupportsTiles, 0);
    return kOfxStatOK;
}

static OfxPropertySetHandle define(OfxParamSetHandle set, const char *type, const char *name,
                                   const char *label, const char *hint) {
    OfxPropertySetHandle about = NULL;
    if (br_parameters->paramDefine(set, type, name, &about) != kOfxStatOK) return NULL;
    br_set_text(about, kOfxPropLabel, label);
    br_set_text(about, kOfxParamPropHint, hint);
    return about;
}

static void define_choice(OfxParamSetHandle set, const char *name, const char *label,
                          const char *hint, const char *const *options, int chosen) {
    OfxPropertySetHandle about = define(set, kOfxParamTypeChoice, name, label, hint);
    if (!about) return;
    set_texts(about, kOfxParamPropChoiceOption, options);
    br_set_number(about, kOfxParamPropDefault, chosen);
    br_set_number(about, kOfxParamPropAnimates, 0);
}

static void define_style(OfxParamSetHandle set, const br_styles *styles) {
    const char *options[BR_MOST_STYLES + 1] = {"(no style is installed)"};
    int chosen = br_style_index(styles, "wave");
    for (int i = 0; i < styles->count; i++) options[i] = styles->names[i];
    define_choice(set, BR_STYLE, "Style", "The style, from the installed library.", options,
                  chosen < 0 ? 0 : chosen);
    OfxPropertySetHandle about =
        define(set, kOfxParamTypeString, BR_STYLE_NAME, "Style name", "Stored in the project.");
    if (!about) return;
    br_set_text(about, kOfxParamPropDefault, "");
    br_set_number(about, kOfxParamPropSecret, 1);
    br_set_number(about, kOfxParamPropAnimates, 0);
    br_set_number(about, kOfxParamPropEvaluateOnChange, 0);
}

typedef struct range {
    double least, most, shown_least, shown_most, usual;
} range;

static void define_number(OfxParamSetHandle set, const char *name, const char *label,
                          const char *hint, range values) {
    OfxPropertySetHandle about = define(set, kOfxParamTypeDouble, name, label, hint);
    if (!about) return;
    br_set_real(about, kOfxParamPropDefault, values.usual);
    /* Some hosts limit parameters that lack either of the two ranges to ±1. */
    br_set_real(about, kOfxParamPropMin, values.least);
    br_set_real(about, kOfxParamPropMax, values.most);
    br_set_real(about, kOfxParamPropDisplayMin, values.shown_least);
    br_set_real(about, kOfxParamPropDisplayMax, values.shown_most);
    br_set_real(about, kOfxParamPropIncrement, 0.01);
    br_set_number(about, kOfxParamPropDigits, 2);
    br_set_number(about, kOfxParamPropAnimates, 1);
}

static void define_numbers(OfxParamSetHandle set) {
    define_number(set, BR_STRENGTH, "Strength", "0 is the source, 1 the full style.",
                  (range){0, 1, 0, 1, 1});
    define_number(set, BR_STROKE_SIZE, "Stroke size",
                  "As a share of the frame: 1 is the style's own size, at every resolution.",
                  (range){BR_LEAST_STROKE_SIZE, BR_MOST_STROKE_SIZE, 0.5, 2, 1});
    define_number(set, BR_DETAIL, "Detail",
                  "Share of the source's finest detail, such as grain and titles, that comes back.",
                  (range){0, 1, 0, 1, 0.25});
}

static void define_keep_colors(OfxParamSetHandle set) {
    OfxPropertySetHandle about = define(set, kOfxParamTypeBoolean, BR_KEEP_COLORS, "Keep colours",
                                        "Keep the source's colours; stylize only lightness.");
    if (!about) return;
    br_set_number(about, kOfxParamPropDefault, 0);
    br_set_number(about, kOfxParamPropAnimates, 0);
}

static void define_page(OfxParamSetHandle set) {
    static const char *const children[] = {BR_STYLE,     BR_STRENGTH, BR_STROKE_SIZE,
                                           BR_DETAIL,    BR_BARS,     BR_KEEP_COLORS,
                                           BR_TRANSFORM, BR_QUALITY,  NULL};
    OfxPropertySetHandle about = define(set, kOfxParamTypePage, "controls", "Controls", "");
    if (about) set_texts(about, kOfxParamPropPageChild, children);
}

OfxStatus br_describe_in_context(OfxImageEffectHandle effect, const br_styles *styles) {
    /* The same order as in transfer.py. */
    static const char *const transforms[] = {"Display (sRGB, Rec.709)",
                                             "Scene linear",
                                             "Log, as the host names it",
                                             "DaVinci Intermediate",
                                             "ACEScct",
                                             "ARRI LogC3",
                                             "Sony S-Log3",
                                             NULL};
    static const char *const bars[] = {"Keep", "Style", NULL};
    static const char *const qualities[] = {"Full", "Draft", NULL};
    OfxParamSetHandle set;
    OfxStatus status = define_clip(effect, kOfxImageEffectOutputClipName);
    if (status == kOfxStatOK) status = define_clip(effect, kOfxImageEffectSimpleSourceClipName);
    if (status == kOfxStatOK) status = br_effects->getParamSet(effect, &set);
    if (status != kOfxStatOK) return status;
    define_style(set, styles);
    define_numbers(set);
    define_choice(set, BR_BARS, "Bars",
                  "Burnt-in black bars: Keep passes them through untouched, Style takes them for a "
                  "part of the picture.",
                  bars, 0);
    define_keep_colors(set);
    define_choice(set, BR_TRANSFORM, "Input", "Transfer curve of the host's pixels.", transforms,
                  0);
    define_choice(set, BR_QUALITY, "Quality",
                  "Draft is four times faster; its strokes are twice as large.", qualities, 0);
    define_page(set);
    return kOfxStatOK;
}
