#include "host.h"

#include <stddef.h>

const OfxPropertySuiteV1 *br_properties;
const OfxImageEffectSuiteV1 *br_effects;
const OfxParameterSuiteV1 *br_parameters;

static OfxHost *the_host;
static const OfxMessageSuiteV2 *messages;
static int message_version;

void br_set_host(OfxHost *host) { the_host = host; }

static const void *suite(const char *name, int version) {
    return the_host->fetchSuite(the_host->host, name, version);
}

bool br_fetch_suites(void) {
    if (!the_host) return false;
    br_properties = suite(kOfxPropertySuite, 1);
    br_effects = suite(kOfxImageEffectSuite, 1);
    br_parameters = suite(kOfxParameterSuite, 1);
    for (message_version = 2; message_version > 0; message_version--)
        if ((messages = suite(kOfxMessageSuite, message_version))) break;
    return br_properties && br_effects && br_parameters;
}

void br_set_text(OfxPropertySetHandle set, const char *property, const char *text) {
    br_properties->propSetString(set, property, 0, text);
}

void br_set_number(OfxPropertySetHandle set, const char *property, int number) {
    br_properties->propSetInt(set, property, 0, number);
}

void br_set_real(OfxPropertySetHandle set, const char *property, double number) {
    br_properties->propSetDouble(set, property, 0, number);
}

const char *br_text(OfxPropertySetHandle set, const char *property) {
    char *text = NULL;
    if (br_properties->propGetString(set, property, 0, &text) != kOfxStatOK || !text) return "";
    return text;
}

void br_show_error(OfxImageEffectHandle effect, const char *message) {
    if (message_version == 2)
        messages->setPersistentMessage(effect, kOfxMessageError, "", "%s", message);
    else if (message_version == 1)
        messages->message(effect, kOfxMessageError, "", "%s", message);
}

void br_clear_error(OfxImageEffectHandle effect) {
    if (message_version == 2) messages->clearPersistentMessage(effect);
}
