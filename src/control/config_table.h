/* control/config.def as rows that can be walked, for the reader, the reference page and tests.
 * thread  any; all data is constant */
#ifndef GARRISON_CONTROL_CONFIG_TABLE_H
#define GARRISON_CONTROL_CONFIG_TABLE_H

#include <stdint.h>

#include "base/str.h"

enum config_type {
    CONFIG_BOOL,      /* bool */
    CONFIG_INT,       /* uint32_t */
    CONFIG_SIZE,      /* uint64_t, bytes */
    CONFIG_BYTE_RATE, /* uint64_t, bytes a second */
    CONFIG_DURATION,  /* uint64_t, ns */
    CONFIG_RATE,      /* struct config_rate */
    CONFIG_RATIO,     /* double, 0..1 */
    CONFIG_TEXT,      /* str */
    CONFIG_ENUM,      /* uint32_t, the word's number */
    CONFIG_PATH,      /* str */
    CONFIG_ADDRESSES, /* struct config_addresses */
    CONFIG_ENUMS,     /* uint32_t, a bit a word */
};

/* What a row's offset counts from. Rows of models have the pattern "models.NAME.K" as key. */
enum config_scope { CONFIG_OF_SERVER, CONFIG_OF_MODEL };

struct config_row {
    const char *key;
    enum config_type type;
    enum config_scope scope;
    uint32_t offset; /* in struct config or struct config_model */
    const char *preset;
    const char *bounds;
    const char *set;
    const char *flag; /* of `garrison serve`, or "" */
    const char *help;
};

const struct config_row *config_rows(uint32_t *ret_count);

const char *config_type_name(enum config_type type); /* "size", "list of address" */

bool config_row_computed(const struct config_row *row); /* its default has no spelling */
bool config_row_required(const struct config_row *row);
bool config_row_absent(const struct config_row *row); /* no default */

/* Splits a list of words or of defaults: takes the next item of "a, b" off rest; empty at the end.
 */
str config_word_next(str *rest);

#endif
