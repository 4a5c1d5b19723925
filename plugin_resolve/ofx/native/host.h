/* The host: its suites, and their calls without the ceremony. */
#ifndef HOUSESTYLE_HOST_H
#define HOUSESTYLE_HOST_H

#include <stdbool.h>

#include "openfx.h"

extern const OfxPropertySuiteV1 *hs_properties;
extern const OfxImageEffectSuiteV1 *hs_effects;
extern const OfxParameterSuiteV1 *hs_parameters;

void hs_set_host(OfxHost *host);
/* False if the host lacks a suite that the effect can't do without. */
bool hs_fetch_suites(void);

void hs_set_text(OfxPropertySetHandle set, const char *property, const char *text);
void hs_set_number(OfxPropertySetHandle set, const char *property, int number);
void hs_set_real(OfxPropertySetHandle set, const char *property, double number);
/* "" if it isn't there. */
const char *hs_text(OfxPropertySetHandle set, const char *property);

/* Shown at the effect until it renders again, where the host can do that. */
void hs_show_error(OfxImageEffectHandle effect, const char *message);
void hs_clear_error(OfxImageEffectHandle effect);

#endif
