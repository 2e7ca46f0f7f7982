/* Stacking is concatenation: of rows of numbers and of records of BYTES alike. Cutting back is by
 * bytes a row for numbers, and by walking the records for BYTES. */
#include "engine/batch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/must.h"

#define ALIGN 64u

struct stack {
    uint8_t *at;
    uint64_t cap;
};

struct batch {
    const struct signature *sig;
    struct run *run;
    struct stack *stacks; /* by input */
    struct view *inputs;  /* the stacked ones */
    uint64_t *first;      /* first row of each request; one more: all rows */
    uint32_t first_cap;
    uint32_t count; /* requests of the last run */
};

err batch_new(const struct model *m, struct batch **ret, struct fault *f)
{
    struct batch *b = calloc(1, sizeof *b);
    if (!b)
        return fail(f, ERR_UNAVAILABLE, "no memory for a batch");
    b->sig = model_signature(m);
    b->stacks = calloc((size_t)b->sig->input_count + 1, sizeof *b->stacks);
    b->inputs = calloc((size_t)b->sig->input_count + 1, sizeof *b->inputs);
    err e =
        b->stacks && b->inputs ? OK : fail(f, ERR_UNAVAILABLE, "no memory for a batch's inputs");
    if (e == OK)
        e = run_new(m, &b->run, f);
    if (e != OK) {
        batch_free(b);
        return e;
    }
    *ret = b;
    return OK;
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    run_free(b->run);
    for (uint32_t i = 0; b->stacks && i < b->sig->input_count; i++)
        free(b->stacks[i].at);
    free(b->stacks);
    free(b->inputs);
    free(b->first);
    free(b);
}

uint64_t batch_rows(const struct signature *sig, const struct view *inputs)
{
    int64_t rows = 0;
    if (sig->max_batch_size == 0)
        return 0;
    for (uint32_t i = 0; i < sig->input_count; i++) {
        if (sig->inputs[i].optional && !inputs[i].at)
            continue;
        if (sig->inputs[i].optional || inputs[i].shape.rank == 0 ||
            (rows != 0 && inputs[i].shape.dim[0] != rows) || inputs[i].shape.dim[0] < 1)
            return 0;
        rows = inputs[i].shape.dim[0];
    }
    return (uint64_t)rows;
}

bool batch_fits(const struct signature *sig, const struct view *a, const struct view *b)
{
    for (uint32_t i = 0; i < sig->input_count; i++) {
        if (!a[i].at || !b[i].at) {
            if (a[i].at || b[i].at)
                return false;
            continue;
        }
        if (a[i].shape.rank != b[i].shape.rank)
            return false;
        for (uint32_t d = 1; d < a[i].shape.rank; d++)
            if (a[i].shape.dim[d] != b[i].shape.dim[d])
                return false;
    }
    return true;
}

static err stack_room(struct stack *s, uint64_t bytes, struct fault *f)
{
    if (bytes <= s->cap && s->at)
        return OK;
    free(s->at);
    s->cap = 0;
    s->at = bytes < SIZE_MAX - ALIGN ? aligned_alloc(ALIGN, (bytes / ALIGN + 1) * ALIGN) : NULL;
    if (!s->at)
        return fail(f, ERR_UNAVAILABLE, "no memory for a batch of %" PRIu64 " bytes", bytes);
    s->cap = bytes;
    return OK;
}

static err stack_input(struct batch *b, uint32_t input, const struct view *const *inputs,
                       uint32_t count, struct fault *f)
{
    struct view *v = &b->inputs[input];
    uint64_t bytes = 0, at = 0;
    for (uint32_t i = 0; i < count; i++)
        if (__builtin_add_overflow(bytes, inputs[i][input].len, &bytes))
            return fail(f, ERR_UNAVAILABLE, "a batch of too many bytes");
    *v = inputs[0][input];
    if (!v->at)
        return OK;
    const err e = stack_room(&b->stacks[input], bytes, f);
    if (e != OK)
        return e;
    for (uint32_t i = 0; i < count; i++) {
        const struct view *from = &inputs[i][input];
        if (from->len)
            memcpy(b->stacks[input].at + at, from->at, from->len);
        at += from->len;
    }
    v->at = b->stacks[input].at;
    v->len = bytes;
    v->shape.dim[0] = (int64_t)b->first[count];
    return OK;
}

static err note_rows(struct batch *b, const struct view *const *inputs, uint32_t count,
                     struct fault *f)
{
    if (count + 1 > b->first_cap) {
        uint64_t *more = realloc(b->first, ((size_t)count + 1) * sizeof *more);
        if (!more)
            return fail(f, ERR_UNAVAILABLE, "no memory for a batch");
        b->first = more;
        b->first_cap = count + 1;
    }
    b->first[0] = 0;
    for (uint32_t i = 0; i < count; i++)
        b->first[i + 1] = b->first[i] + batch_rows(b->sig, inputs[i]);
    b->count = count;
    return OK;
}

/* Records of BYTES that a row has need not be checked: the runtime's shape and strings agree. */
static err check_rows(const struct batch *b, uint64_t outputs, struct fault *f)
{
    const struct view *views = run_views(b->run);
    const uint64_t rows = b->first[b->count];
    for (uint32_t i = 0; i < b->sig->output_count; i++)
        if (outputs >> i & 1 &&
            (views[i].shape.rank == 0 || (uint64_t)views[i].shape.dim[0] != rows))
            return fail(f, ERR_UNSUPPORTED,
                        "output \"%.*s\" has %" PRId64 " rows, want %" PRIu64 " as the inputs",
                        STR_ARG(str_cut(b->sig->outputs[i].name, 0, 80)),
                        views[i].shape.rank ? views[i].shape.dim[0] : 0, rows);
    return OK;
}

err batch_go(struct batch *b, const struct view *const *inputs, uint32_t count, uint64_t outputs,
             struct fault *f)
{
    must(count >= 1);
    err e = note_rows(b, inputs, count, f);
    if (e == OK && count == 1)
        return run_go(b->run, inputs[0], outputs, f);
    for (uint32_t i = 0; i < b->sig->input_count && e == OK; i++)
        e = stack_input(b, i, inputs, count, f);
    if (e == OK)
        e = run_go(b->run, b->inputs, outputs, f);
    return e == OK ? check_rows(b, outputs, f) : e;
}

/* Bytes of the first `records` records. */
static uint64_t records_bytes(const struct view *v, uint64_t records)
{
    str rest = {(const char *)v->at, v->len}, record;
    for (uint64_t i = 0; i < records && view_record(&rest, &record); i++)
        continue;
    return v->len - rest.len;
}

struct view batch_output(const struct batch *b, uint32_t at, uint32_t output)
{
    struct view v = run_views(b->run)[output];
    if (b->count == 1)
        return v;
    const uint64_t rows = b->first[b->count];
    const uint64_t from = b->first[at], to = b->first[at + 1];
    uint64_t begin, end;
    if (v.dtype == DTYPE_BYTES) {
        uint64_t each = 1; /* records a row; their product is known to fit */
        for (uint32_t d = 1; d < v.shape.rank; d++)
            each *= (uint64_t)v.shape.dim[d];
        begin = records_bytes(&v, from * each);
        end = records_bytes(&v, to * each);
    } else {
        begin = v.len / rows * from;
        end = v.len / rows * to;
    }
    v.at += begin;
    v.len = end - begin;
    v.shape.dim[0] = (int64_t)(to - from);
    return v;
}

void batch_clear(struct batch *b)
{
    run_clear(b->run);
}

struct run *batch_run(struct batch *b)
{
    return b->run;
}
