/* Questions about a signature. Names are compared one by one: models have few tensors, and a hash
 * would be one more thing to keep right. */
#include "tensor/signature.h"

static int find(const struct spec *specs, uint32_t count, str name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(specs[i].name, name))
            return (int)i;
    }
    return -1;
}

int signature_input(const struct signature *s, str name)
{
    return find(s->inputs, s->input_count, name);
}

int signature_output(const struct signature *s, str name)
{
    return find(s->outputs, s->output_count, name);
}

/* The rows of a request: the common dim 0 of all inputs whose dim 0 is free, or -1. */
static int64_t rows_of(const struct signature *s, const struct shape *shapes)
{
    int64_t rows = -1;
    for (uint32_t i = 0; i < s->input_count; i++) {
        const struct shape *wanted = &s->inputs[i].shape;
        if (wanted->rank == 0 || wanted->dim[0] >= 0 || shapes[i].rank == 0)
            continue;
        if (rows >= 0 && rows != shapes[i].dim[0])
            return -1;
        rows = shapes[i].dim[0];
    }
    return rows;
}

bool signature_output_bytes(const struct signature *s, uint32_t output, const struct shape *shapes,
                            uint64_t *ret_bytes)
{
    const struct spec *spec = &s->outputs[output];
    struct shape shape = spec->shape;
    for (uint32_t i = 0; i < shape.rank; i++) {
        if (shape.dim[i] >= 0)
            continue;
        if (i > 0)
            return false;
        shape.dim[0] = rows_of(s, shapes);
        if (shape.dim[0] < 0)
            return false;
    }
    return shape_bytes(&shape, spec->dtype, INT64_MAX, ret_bytes, NULL) == OK;
}
