/* The host: its suites, and short forms of their calls. */
#ifndef BRUSHREEL_HOST_H
#define BRUSHREEL_HOST_H

#include <stdbool.h>

#include "openfx.h"

extern const OfxPropertySuiteV1 *br_properties;
extern const OfxImageEffectSuiteV1 *br_effects;
extern const OfxParameterSuiteV1 *br_parameters;

void br_set_host(OfxHost *host);
/* False if the host lacks a suite that the effect needs. */
bool br_fetch_suites(void);

void br_set_text(OfxPropertySetHandle set, const char *property, const char *text);
void br_set_number(OfxPropertySetHandle set, const char *property, int number);
void br_set_real(OfxPropertySetHandle set, const char *property, double number);
/* "" if it is not set. */
const char *br_text(OfxPropertySetHandle set, const char *property);

/* Shows an error at the effect until it renders again, where the host supports that. */
void br_show_error(OfxImageEffectHandle effect, const char *message);
void br_clear_error(OfxImageEffectHandle effect);

#endif
