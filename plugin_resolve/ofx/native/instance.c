#include "instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "link.h"

#define MOST_REGION_SIDE 1e6

typedef struct instance {
    const br_styles *styles;
    OfxImageClipHandle source, output;
    OfxParamHandle style, strength, stroke_size, detail, bars, keep_colors, transform, quality,
        style_name;
} instance;

/* The number of instances; connections and their memory are kept while there are any. */
static int alive;

static void count_alive(int change) {
    br_take_lock();
    bool none_left = (alive += change) == 0;
    br_give_lock();
    if (none_left) br_forget_links();
}

static OfxPropertySetHandle properties_of(OfxImageEffectHandle effect) {
    OfxPropertySetHandle about = NULL;
    br_effects->getPropertySet(effect, &about);
    return about;
}

static instance *instance_of(OfxImageEffectHandle effect) {
    void *data = NULL;
    br_properties->propGetPointer(properties_of(effect), kOfxPropInstanceData, 0, &data);
    return data;
}

static bool find_parameters(OfxImageEffectHandle effect, instance *made) {
    struct {
        const char *name;
        OfxParamHandle *handle;
    } wanted[] = {{BR_STYLE, &made->style},
                  {BR_STRENGTH, &made->strength},
                  {BR_STROKE_SIZE, &made->stroke_size},
                  {BR_DETAIL, &made->detail},
                  {BR_BARS, &made->bars},
                  {BR_KEEP_COLORS, &made->keep_colors},
                  {BR_TRANSFORM, &made->transform},
                  {BR_QUALITY, &made->quality},
                  {BR_STYLE_NAME, &made->style_name}};
    OfxParamSetHandle set;
    bool found = br_effects->getParamSet(effect, &set) == kOfxStatOK;
    for (size_t i = 0; found && i < sizeof wanted / sizeof *wanted; i++)
        found = br_parameters->paramGetHandle(set, wanted[i].name, wanted[i].handle, NULL) ==
                kOfxStatOK;
    return found;
}

static bool find_clips(OfxImageEffectHandle effect, instance *made) {
    return br_effects->clipGetHandle(effect, kOfxImageEffectSimpleSourceClipName, &made->source,
                                     NULL) == kOfxStatOK &&
           br_effects->clipGetHandle(effect, kOfxImageEffectOutputClipName, &made->output, NULL) ==
               kOfxStatOK;
}

static int chosen_style(const instance *self) {
    int chosen = 0;
    br_parameters->paramGetValue(self->style, &chosen);
    return chosen;
}

static const char *kept_name(const instance *self) {
    char *name = NULL;
    if (br_parameters->paramGetValue(self->style_name, &name) != kOfxStatOK || !name) return "";
    return name;
}

static void keep_name(const instance *self) {
    int chosen = chosen_style(self);
    if (chosen < 0 || chosen >= self->styles->count) return;
    const char *name = self->styles->names[chosen];
    if (strcmp(kept_name(self), name)) br_parameters->paramSetValue(self->style_name, name);
}

OfxStatus br_create_instance(OfxImageEffectHandle effect, const br_styles *styles) {
    instance *made = calloc(1, sizeof *made);
    if (!made) return kOfxStatErrMemory;
    made->styles = styles;
    if (!find_parameters(effect, made) || !find_clips(effect, made)) {
        free(made);
        return kOfxStatErrMissingHostFeature;
    }
    /* The project's style may have another index in the current library. */
    int kept = br_style_index(styles, kept_name(made));
    if (kept >= 0 && kept != chosen_style(made)) br_parameters->paramSetValue(made->style, kept);
    /* A project's values are loaded by now: a new effect's default is not announced. */
    if (!*kept_name(made)) keep_name(made);
    br_properties->propSetPointer(properties_of(effect), kOfxPropInstanceData, 0, made);
    count_alive(1);
    return kOfxStatOK;
}

OfxStatus br_destroy_instance(OfxImageEffectHandle effect) {
    instance *self = instance_of(effect);
    if (!self) return kOfxStatOK;
    free(self);
    count_alive(-1);
    br_properties->propSetPointer(properties_of(effect), kOfxPropInstanceData, 0, NULL);
    return kOfxStatOK;
}

/* A name that the current library lacks is kept until the user chooses another. */
static bool is_lost(const instance *self, const char *name) {
    return *name && br_style_index(self->styles, name) < 0;
}

OfxStatus br_instance_changed(OfxImageEffectHandle effect, OfxPropertySetHandle in) {
    instance *self = instance_of(effect);
    if (!self || strcmp(br_text(in, kOfxPropName), BR_STYLE)) return kOfxStatReplyDefault;
    keep_name(self);
    return kOfxStatOK;
}

OfxStatus br_keep_style_name(OfxImageEffectHandle effect) {
    instance *self = instance_of(effect);
    if (!self) return kOfxStatReplyDefault;
    if (!is_lost(self, kept_name(self))) keep_name(self);
    return kOfxStatOK;
}

static double time_of(OfxPropertySetHandle in) {
    double time = 0;
    br_properties->propGetDouble(in, kOfxPropTime, 0, &time);
    return time;
}

static double within(OfxParamHandle parameter, double time, double least, double most) {
    double value = most;
    br_parameters->paramGetValueAtTime(parameter, time, &value);
    return value < least ? least : value > most ? most : value;
}

static double strength_at(const instance *self, double time) {
    return within(self->strength, time, 0, 1);
}

OfxStatus br_is_identity(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                         OfxPropertySetHandle out) {
    instance *self = instance_of(effect);
    double time = time_of(in);
    if (!self || strength_at(self, time) > 0) return kOfxStatReplyDefault;
    br_set_text(out, kOfxPropName, kOfxImageEffectSimpleSourceClipName);
    br_set_real(out, kOfxPropTime, time);
    return kOfxStatOK;
}

/* A stylized pixel depends on the whole frame. */
OfxStatus br_regions_of_interest(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                                 OfxPropertySetHandle out) {
    instance *self = instance_of(effect);
    OfxRectD all;
    if (!self ||
        br_effects->clipGetRegionOfDefinition(self->source, time_of(in), &all) != kOfxStatOK)
        return kOfxStatReplyDefault;
    double corners[] = {all.x1, all.y1, all.x2, all.y2};
    br_properties->propSetDoubleN(out, kOfxImageClipRegionOfInterestSource, 4, corners);
    return kOfxStatOK;
}

/* 0 if the effect does not support it. */
static uint32_t depth_of(OfxPropertySetHandle image) {
    static const char *const depths[] = {kOfxBitDepthByte, kOfxBitDepthShort, kOfxBitDepthHalf,
                                         kOfxBitDepthFloat};
    const char *depth = br_text(image, kOfxImageEffectPropPixelDepth);
    for (uint32_t i = 0; i < 4; i++)
        if (!strcmp(depth, depths[i])) return i + 1;
    return 0;
}

static bool read_image(OfxPropertySetHandle image, br_image *pixels) {
    static const size_t sizes[] = {0, 4, 8, 8, 16};
    int bounds[4] = {0}, row_bytes = 0;
    void *data = NULL;
    if (br_properties->propGetPointer(image, kOfxImagePropData, 0, &data) != kOfxStatOK ||
        br_properties->propGetIntN(image, kOfxImagePropBounds, 4, bounds) != kOfxStatOK ||
        br_properties->propGetInt(image, kOfxImagePropRowBytes, 0, &row_bytes) != kOfxStatOK)
        return false;
    *pixels = (br_image){
        data, row_bytes, {bounds[0], bounds[1], bounds[2], bounds[3]}, sizes[depth_of(image)]};
    return data && pixels->pixel_bytes && bounds[0] < bounds[2] && bounds[1] < bounds[3] &&
           !strcmp(br_text(image, kOfxImageEffectPropComponents), kOfxImageComponentRGBA);
}

/* NULL if the project's style is not in the library. */
static const char *style_of(const instance *self, char message[BR_MESSAGE_BYTES]) {
    const char *kept = kept_name(self);
    int chosen = chosen_style(self);
    if (is_lost(self, kept))
        snprintf(message, BR_MESSAGE_BYTES,
                 "this project's style \"%.64s\" is not installed; choose another", kept);
    else if (chosen < 0 || chosen >= self->styles->count)
        snprintf(message, BR_MESSAGE_BYTES, "no style is installed");
    else
        return self->styles->names[chosen];
    return NULL;
}

static br_job job_at(const instance *self, double time, OfxPropertySetHandle source) {
    int bars = 0, keep_colors = 0, transform = 0, quality = 0;
    OfxPropertySetHandle clip = NULL;
    br_parameters->paramGetValueAtTime(self->bars, time, &bars);
    br_parameters->paramGetValueAtTime(self->keep_colors, time, &keep_colors);
    br_parameters->paramGetValueAtTime(self->transform, time, &transform);
    br_parameters->paramGetValueAtTime(self->quality, time, &quality);
    br_effects->clipGetPropertySet(self->source, &clip);
    const char *alpha = br_text(source, kOfxImageEffectPropPreMultiplication);
    return (br_job){
        .depth = depth_of(source),
        .premultiplied = !strcmp(alpha, kOfxImagePreMultiplied),
        .keep_colors = keep_colors != 0,
        .draft = quality != 0,
        .keep_bars = bars == 0,
        .transform = (uint32_t)transform,
        .strength = strength_at(self, time),
        .stroke_size = within(self->stroke_size, time, BR_LEAST_STROKE_SIZE, BR_MOST_STROKE_SIZE),
        .detail = within(self->detail, time, 0, 1),
        .colourspace = clip ? br_text(clip, kOfxImageClipPropColourspace) : ""};
}

static double positive(double number) { return number > 0 ? number : 1; }

/* True if an image of this size, shown with square pixels, can be all of the region: its sides are
 * rounded to whole pixels. */
static bool is_of_shape(double width, double height, double region_width, double region_height) {
    double difference = width * region_height - height * region_width;
    return region_width >= 1 && region_height >= 1 && region_width <= MOST_REGION_SIDE &&
           region_height <= MOST_REGION_SIDE && difference <= 2 * (region_width + region_height) &&
           -difference <= 2 * (region_width + region_height);
}

/* Strokes have a share of the whole clip as shown, so that a proxy looks like the final: its
 * region of definition, which does not depend on the render scale. */
static void set_full_size(const instance *self, OfxPropertySetHandle in,
                          OfxPropertySetHandle source, OfxRectI bounds, br_job *job) {
    double scale[2] = {1, 1}, aspect = 1;
    OfxRectD all = {0, 0, 0, 0};
    br_properties->propGetDoubleN(in, kOfxImageEffectPropRenderScale, 2, scale);
    br_properties->propGetDouble(source, kOfxImagePropPixelAspectRatio, 0, &aspect);
    double width = (bounds.x2 - bounds.x1) * positive(aspect), height = bounds.y2 - bounds.y1;
    br_effects->clipGetRegionOfDefinition(self->source, time_of(in), &all);
    job->full_width = all.x2 - all.x1;
    job->full_height = all.y2 - all.y1;
    if (is_of_shape(width, height, job->full_width, job->full_height)) return;
    job->full_width = width / positive(scale[0]);
    job->full_height = height / positive(scale[1]);
}

static int asked_to_abort(void *effect) { return br_effects->abort(effect); }

static br_outcome stylize(OfxImageEffectHandle effect, OfxPropertySetHandle in,
                          OfxPropertySetHandle source, OfxPropertySetHandle output,
                          char message[BR_MESSAGE_BYTES]) {
    const instance *self = instance_of(effect);
    br_image from, to;
    int window[4] = {0};
    br_abort abort = {asked_to_abort, effect};
    if (!read_image(source, &from) || !read_image(output, &to) ||
        depth_of(source) != depth_of(output)) {
        snprintf(message, BR_MESSAGE_BYTES, "the host's images are not RGBA of one depth");
        return BR_FAILED;
    }
    br_job job = job_at(self, time_of(in), source);
    if (!(job.style = style_of(self, message))) return BR_FAILED;
    set_full_size(self, in, source, from.bounds, &job);
    br_properties->propGetIntN(in, kOfxImageEffectPropRenderWindow, 4, window);
    OfxRectI rectangle = {window[0], window[1], window[2], window[3]};
    return br_stylize(&job, &from, &to, rectangle, &abort, message);
}

static OfxPropertySetHandle image_of(OfxImageClipHandle clip, double time) {
    OfxPropertySetHandle image = NULL;
    return br_effects->clipGetImage(clip, time, NULL, &image) == kOfxStatOK ? image : NULL;
}

OfxStatus br_render(OfxImageEffectHandle effect, OfxPropertySetHandle in) {
    instance *self = instance_of(effect);
    if (!self) return kOfxStatFailed;
    char message[BR_MESSAGE_BYTES] = "the host provides no image";
    OfxPropertySetHandle output = image_of(self->output, time_of(in));
    OfxPropertySetHandle source = image_of(self->source, time_of(in));
    br_outcome outcome = BR_FAILED;
    if (source && output) outcome = stylize(effect, in, source, output, message);
    if (source) br_effects->clipReleaseImage(source);
    if (output) br_effects->clipReleaseImage(output);
    if (outcome == BR_FAILED) br_show_error(effect, message);
    if (outcome == BR_DONE) br_clear_error(effect);
    return outcome == BR_DONE ? kOfxStatOK : kOfxStatFailed;
}
