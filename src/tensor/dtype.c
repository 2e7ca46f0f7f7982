/* The table of tensor/dtype.def; every question is one row. */
#include "tensor/dtype.h"

struct dtype_row {
    str name;
    unsigned bytes;
    int onnx;
    int number;
    str config;
};

static const struct dtype_row rows[DTYPE_COUNT] = {
    [DTYPE_NONE] = {STR_LIT("NONE"), 0, 0, 0, STR_LIT("TYPE_INVALID")},
#define DTYPE(name, bytes, onnx, number, config)                                                   \
    [DTYPE_##name] = {STR_LIT(#name), bytes, onnx, number, STR_LIT(config)},
#include "tensor/dtype.def"
#undef DTYPE
};

static const struct dtype_row *row_of(enum dtype d)
{
    return d < DTYPE_COUNT ? &rows[d] : &rows[DTYPE_NONE];
}

str dtype_name(enum dtype d)
{
    return row_of(d)->name;
}

unsigned dtype_bytes(enum dtype d)
{
    return row_of(d)->bytes;
}

int dtype_config_number(enum dtype d)
{
    return row_of(d)->number;
}

str dtype_config_name(enum dtype d)
{
    return row_of(d)->config;
}

int dtype_onnx(enum dtype d)
{
    return row_of(d)->onnx;
}

enum dtype dtype_of_name(str name)
{
    for (enum dtype d = 1; d < DTYPE_COUNT; d++) {
        if (str_eq(rows[d].name, name))
            return d;
    }
    return DTYPE_NONE;
}

enum dtype dtype_of_onnx(int onnx)
{
    for (enum dtype d = 1; d < DTYPE_COUNT; d++) {
        if (rows[d].onnx == onnx)
            return d;
    }
    return DTYPE_NONE;
}
