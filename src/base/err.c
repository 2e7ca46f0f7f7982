/* The table of base/err.def as arrays; a code outside it is a bug and reads as INTERNAL. */
#include "base/err.h"

struct err_row {
    const char *name;
    int http;
    int grpc;
    int exit;
    bool retry;
    const char *meaning;
};

static const struct err_row rows[ERR_COUNT] = {
    [OK] = {"OK", 200, 0, 0, false, "success"},
#define ERR(name, http, grpc, exit, retry, meaning)                                                \
    [ERR_##name] = {#name, http, grpc, exit, retry, meaning},
#include "base/err.def"
#undef ERR
};

static const struct err_row *row_of(err e)
{
    return e < ERR_COUNT ? &rows[e] : &rows[ERR_INTERNAL];
}

const char *err_name(err e)
{
    return row_of(e)->name;
}

int err_http(err e)
{
    return row_of(e)->http;
}

int err_grpc(err e)
{
    return row_of(e)->grpc;
}

int err_exit(err e)
{
    return row_of(e)->exit;
}

bool err_retry(err e)
{
    return row_of(e)->retry;
}

const char *err_meaning(err e)
{
    return row_of(e)->meaning;
}

bool err_of_name(str name, err *ret_e)
{
    for (err e = OK; e < ERR_COUNT; e++) {
        if (str_eq(name, str_of(rows[e].name))) {
            *ret_e = e;
            return true;
        }
    }
    return false;
}
