#include "instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "link.h"

typedef struct instance {
    const hs_styles *styles;
    OfxImageClipHandle source, output;
    OfxParamHandle style, strength, keep_colors, transform, quality, style_name;
} instance;

/* Connections and their memory are kept as long as there is an effect that may render. */
static int alive;

static void count_alive(int change) {
    hs_take_lock();
    bool none_left = (alive += change) == 0;
    hs_give_lock();
    if (none_left) hs_forget_links();
}

static OfxPropertySetHandle properties_of(OfxImageEffectHandle effect) {
    OfxPropertySetHandle about = NULL;
    hs_effects->getPropertySet(effect, &about);
    return about;
}

static instance *instance_of(OfxImageEffectHandle effect) {
    void *data = NULL;
    hs_properties->propGetPointer(properties_of(effect), kOfxPropInstanceData, 0, &data);
    return data;
}

static bool find_parameters(OfxImageEffectHandle effect, instance *made) {
    struct {
        const char *name;
        OfxParamHandle *handle;
    } wanted[] = {{HS_STYLE, &made->style},         {HS_STRENGTH, &made->strength},
                  {HS_KEEP_COLORS, &made->keep_colors}, {HS_TRANSFORM, &made->transform},
                  {HS_QUALITY, &made->quality},     {HS_STYLE_NAME, &made->style_name}};
    OfxParamSetHandle set;
    bool found = hs_effects->getParamSet(effect, &set) == kOfxStatOK;
    for (size_t i = 0; found && i < sizeof wanted / sizeof *wanted; i++)
        found = hs_parameters->paramGetHandle(set, wanted[i].name, wanted[i].handle, NULL) ==
                kOfxStatOK;
    return found;
}

static bool find_clips(OfxImageEffectHandle effect, instance *made) {
    return hs_effects->clipGetHandle(effect, kOfxImageEffectSimpleSourceClipName, &made->source,
                                     NULL) == kOfxStatOK &&
           hs_effects->clipGetHandle(effect, kOfxImageEffectOutputClipName, &made->output, NULL) ==
               kOfxStatOK;
}

static int chosen_style(const instance *self) {
    int chosen = 0;
    hs_parameters->paramGetValue(self->style, &chosen);
    return chosen;
}

static const char *kept_name(const instance *self) {
    char *name = NULL;
    if (hs_parameters->paramGetValue(self->style_name, &name) != kOfxStatOK || !name) return "";
    return name;
}

static void keep_name(const instance *self) {
    int chosen = chosen_style(self);
    if (chosen < 0 || chosen >= self->styles->count) return;
    const char *name = self->styles->names[chosen];
    if (strcmp(kept_name(self), name)) hs_parameters->paramSetValue(self->style_name, name);
}

OfxStatus hs_create_instance(OfxImageEffectHandle effect, const hs_styles *styles) {
    instance *made = calloc(1, sizeof *made);
    if (!made) return kOfxStatErrMemory;
    made->styles = styles;
    if (!find_parameters(effect, made) || !find_clips(effect, made)) {
        free(made);
        return kOfxStatErrMissingHostFeature;
    }
    /* The project's style may have another number in today's library. */
    int kept = hs_style_index(styles, kept_name(made));
    if (kept >= 0 && kept != chosen_style(made)) hs_parameters->paramSetValue(made->style, kept);
    /* A project's values are loaded by now: this is a new one, of whose default no notice comes. */
    if (!*kept_name(made)) keep_name(made);
    hs_properties->propSetPointer(properties_of(effect), kOfxPropInstanceData, 0, made);
    count_alive(1);
    return kOfxStatOK;
}

OfxStatus hs_destroy_instance(OfxImageEffectHandle effect) {
    instance *self = instance_of(effect);
    if (!self) return kOfxStatOK;
    free(self);
    count_alive(-1);
    hs_properties->propSetPointer(properties_of(effect), kOfxPropInstanceData, 0, NULL);
    return kOfxStatOK;
}

/* A name that today's library lacks is kept until the user chooses another. */
static bool is_lost(const instance *self, const char *name) {
    return *name && hs_style_index(self->styles, name) < 0;
}

OfxStatus hs_instance_changed(OfxImageEffectHandle effect, OfxPropertySetHandle in) {
    instance *self = instance_of(effect);
    if (!self || strcmp(hs_text(in, kOfxPropName), HS_STYLE)) return kOfxStatReplyDefault;
    keep_name(self);
    return kOfxStatOK;
}

OfxStatus hs_keep_style_name(OfxImageEffectHandle effect) {
    instance *self = instance_of(effect);
    if (!self) return kOfxStatReplyDefault;
    if (!is_lost(self, kept_name(self))) keep_name(self);
    return kOfxStatOK;
}

static double time_of(OfxPropertySetHandle in) {
    double time = 0;
    hs_properties->propGetDouble(in, kOfxPropTime, 0, &time);
    return time;
}

static double strength_at(const instance *self, double time) {
    double strength = 1;
    hs_parameters->paramGetValueAtTime(self->strength, time, &strength);
    return strength < 0 ? 0 : strength > 1 ? 1 : strength;
}

OfxStatus hs_is_identity(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                         OfxPropertySetHandle out) {
    instance *self = instance_of(effect);
    double time = time_of(in);
    if (!self || strength_at(self, time) > 0) return kOfxStatReplyDefault;
    hs_set_text(out, kOfxPropName, kOfxImageEffectSimpleSourceClipName);
    hs_set_real(out, kOfxPropTime, time);
    return kOfxStatOK;
}

/* A painting depends on the whole frame. */
OfxStatus hs_regions_of_interest(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                                 OfxPropertySetHandle out) {
    instance *self = instance_of(effect);
    OfxRectD all;
    if (!self ||
        hs_effects->clipGetRegionOfDefinition(self->source, time_of(in), &all) != kOfxStatOK)
        return kOfxStatReplyDefault;
    double corners[] = {all.x1, all.y1, all.x2, all.y2};
    hs_properties->propSetDoubleN(out, kOfxImageClipRegionOfInterestSource, 4, corners);
    return kOfxStatOK;
}

/* 0 if it is none that the effect has offered. */
static uint32_t depth_of(OfxPropertySetHandle image) {
    static const char *const depths[] = {kOfxBitDepthByte, kOfxBitDepthShort, kOfxBitDepthHalf,
                                         kOfxBitDepthFloat};
    const char *depth = hs_text(image, kOfxImageEffectPropPixelDepth);
    for (uint32_t i = 0; i < 4; i++)
        if (!strcmp(depth, depths[i])) return i + 1;
    return 0;
}

static bool read_picture(OfxPropertySetHandle image, hs_picture *picture) {
    static const size_t sizes[] = {0, 4, 8, 8, 16};
    int bounds[4] = {0}, row_bytes = 0;
    void *data = NULL;
    if (hs_properties->propGetPointer(image, kOfxImagePropData, 0, &data) != kOfxStatOK ||
        hs_properties->propGetIntN(image, kOfxImagePropBounds, 4, bounds) != kOfxStatOK ||
        hs_properties->propGetInt(image, kOfxImagePropRowBytes, 0, &row_bytes) != kOfxStatOK)
        return false;
    *picture = (hs_picture){data, row_bytes, {bounds[0], bounds[1], bounds[2], bounds[3]},
                            sizes[depth_of(image)]};
    return data && picture->pixel_bytes && bounds[0] < bounds[2] && bounds[1] < bounds[3] &&
           !strcmp(hs_text(image, kOfxImageEffectPropComponents), kOfxImageComponentRGBA);
}

/* Null if the name that the project keeps is not in the library. */
static const char *style_of(const instance *self, char message[HS_MESSAGE_BYTES]) {
    const char *kept = kept_name(self);
    int chosen = chosen_style(self);
    if (is_lost(self, kept))
        snprintf(message, HS_MESSAGE_BYTES,
                 "this project's style \"%.64s\" is not installed; choose another", kept);
    else if (chosen < 0 || chosen >= self->styles->count)
        snprintf(message, HS_MESSAGE_BYTES, "no style is installed");
    else
        return self->styles->names[chosen];
    return NULL;
}

static hs_job job_at(const instance *self, double time, OfxPropertySetHandle source) {
    int keep_colors = 0, transform = 0, quality = 0;
    OfxPropertySetHandle clip = NULL;
    hs_parameters->paramGetValueAtTime(self->keep_colors, time, &keep_colors);
    hs_parameters->paramGetValueAtTime(self->transform, time, &transform);
    hs_parameters->paramGetValueAtTime(self->quality, time, &quality);
    hs_effects->clipGetPropertySet(self->source, &clip);
    const char *alpha = hs_text(source, kOfxImageEffectPropPreMultiplication);
    return (hs_job){.depth = depth_of(source),
                    .premultiplied = !strcmp(alpha, kOfxImagePreMultiplied),
                    .keep_colors = keep_colors != 0,
                    .draft = quality != 0,
                    .transform = (uint32_t)transform,
                    .strength = strength_at(self, time),
                    .colourspace = clip ? hs_text(clip, kOfxImageClipPropColourspace) : ""};
}

static int asked_to_abort(void *effect) { return hs_effects->abort(effect); }

static hs_outcome paint(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                        OfxPropertySetHandle source, OfxPropertySetHandle output,
                        char message[HS_MESSAGE_BYTES]) {
    const instance *self = instance_of(effect);
    hs_picture from, to;
    int window[4] = {0};
    hs_abort abort = {asked_to_abort, effect};
    if (!read_picture(source, &from) || !read_picture(output, &to) ||
        depth_of(source) != depth_of(output)) {
        snprintf(message, HS_MESSAGE_BYTES, "the host's pictures are not RGBA of one depth");
        return HS_FAILED;
    }
    hs_job job = job_at(self, time_of(in), source);
    if (!(job.style = style_of(self, message))) return HS_FAILED;
    hs_properties->propGetIntN(in, kOfxImageEffectPropRenderWindow, 4, window);
    OfxRectI rectangle = {window[0], window[1], window[2], window[3]};
    return hs_paint(&job, &from, &to, rectangle, &abort, message);
}

static OfxPropertySetHandle image_of(OfxImageClipHandle clip, double time) {
    OfxPropertySetHandle image = NULL;
    return hs_effects->clipGetImage(clip, time, NULL, &image) == kOfxStatOK ? image : NULL;
}

OfxStatus hs_render(OfxImageEffectHandle effect, OfxPropertySetHandle in) {
    instance *self = instance_of(effect);
    if (!self) return kOfxStatFailed;
    char message[HS_MESSAGE_BYTES] = "the host gives no picture";
    OfxPropertySetHandle output = image_of(self->output, time_of(in));
    OfxPropertySetHandle source = image_of(self->source, time_of(in));
    hs_outcome outcome = HS_FAILED;
    if (source && output) outcome = paint(effect, in, source, output, message);
    if (source) hs_effects->clipReleaseImage(source);
    if (output) hs_effects->clipReleaseImage(output);
    if (outcome == HS_FAILED) hs_show_error(effect, message);
    if (outcome == HS_DONE) hs_clear_error(effect);
    return outcome == HS_DONE ? kOfxStatOK : kOfxStatFailed;
}
