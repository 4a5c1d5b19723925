#include "host.h"

#include <stddef.h>

const OfxPropertySuiteV1 *hs_properties;
const OfxImageEffectSuiteV1 *hs_effects;
const OfxParameterSuiteV1 *hs_parameters;

static OfxHost *the_host;
static const OfxMessageSuiteV2 *messages;
static int message_version;

void hs_set_host(OfxHost *host) { the_host = host; }

static const void *suite(const char *name, int version) {
    return the_host->fetchSuite(the_host->host, name, version);
}

bool hs_fetch_suites(void) {
    if (!the_host) return false;
    hs_properties = suite(kOfxPropertySuite, 1);
    hs_effects = suite(kOfxImageEffectSuite, 1);
    hs_parameters = suite(kOfxParameterSuite, 1);
    for (message_version = 2; message_version > 0; message_version--)
        if ((messages = suite(kOfxMessageSuite, message_version))) break;
    return hs_properties && hs_effects && hs_parameters;
}

void hs_set_text(OfxPropertySetHandle set, const char *property, const char *text) {
    hs_properties->propSetString(set, property, 0, text);
}

void hs_set_number(OfxPropertySetHandle set, const char *property, int number) {
    hs_properties->propSetInt(set, property, 0, number);
}

void hs_set_real(OfxPropertySetHandle set, const char *property, double number) {
    hs_properties->propSetDouble(set, property, 0, number);
}

const char *hs_text(OfxPropertySetHandle set, const char *property) {
    char *text = NULL;
    if (hs_properties->propGetString(set, property, 0, &text) != kOfxStatOK || !text) return "";
    return text;
}

void hs_show_error(OfxImageEffectHandle effect, const char *message) {
    if (message_version == 2)
        messages->setPersistentMessage(effect, kOfxMessageError, "", "%s", message);
    else if (message_version == 1)
        messages->message(effect, kOfxMessageError, "", "%s", message);
}

void hs_clear_error(OfxImageEffectHandle effect) {
    if (message_version == 2) messages->clearPersistentMessage(effect);
}
