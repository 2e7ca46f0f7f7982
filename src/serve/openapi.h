/* The OpenAPI document, docs/openapi.json, built into the executable.
 * thread  any; constant */
#ifndef GARRISON_SERVE_OPENAPI_H
#define GARRISON_SERVE_OPENAPI_H

#include "base/str.h"

str openapi_document(void);

#endif
