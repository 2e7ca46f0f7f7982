/* Selection by a heap whose root is the worst of the best so far, then sorted in place. The order
 * is kept in memory from malloc: it is as large as the caller asks (4 MB at most), which the arena
 * of a request is not made for, and classification is rare. */
#include "proto/classify.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proto/element.h"
#include "proto/oip.h"

err classify_make(struct classify *ret, const struct view *view, const struct spec *spec,
                  bool batched, uint32_t n, struct fault *f)
{
    struct classify c = {.view = view, .spec = spec, .batched = batched, .rows = 1};
    struct shape row = view->shape;

    if (batched) {
        c.rows = (uint64_t)row.dim[0];
        row.dim[0] = 1;
    }
    const err e = shape_count(&row, UINT32_MAX, &c.columns, f);
    if (e != OK)
        return e;
    c.n = c.columns < n ? (uint32_t)c.columns : n;
    if (c.n > 0 && c.rows > INFER_CLASS_ELEMENTS_MAX / c.n)
        return fail(f, ERR_INPUT,
                    "output \"%.*s\": classification gives at most %u elements, asked for "
                    "%" PRIu64 " x %" PRIu32,
                    STR_ARG(str_cut(spec->name, 0, 80)), INFER_CLASS_ELEMENTS_MAX, c.rows, c.n);
    c.top = calloc(c.n > 0 ? c.n : 1, sizeof(*c.top));
    if (!c.top)
        return fail(f, ERR_UNAVAILABLE, "out of memory for a classification");
    *ret = c;
    return OK;
}

void classify_free(struct classify *c)
{
    free(c->top);
    c->top = NULL;
}

struct shape classify_shape(const struct classify *c)
{
    if (!c->batched)
        return (struct shape){.dim = {c->n}, .rank = 1};
    return (struct shape){.dim = {(int64_t)c->rows, c->n}, .rank = 2};
}

static const uint8_t *element_at(const struct classify *c, uint64_t row, uint32_t column)
{
    return c->view->at + (row * c->columns + column) * dtype_bytes(c->view->dtype);
}

/* Does column a come before column b? */
static bool better(const struct classify *c, uint64_t row, uint32_t a, uint32_t b)
{
    const uint64_t key_a = element_key(c->view->dtype, element_at(c, row, a));
    const uint64_t key_b = element_key(c->view->dtype, element_at(c, row, b));

    return key_a != key_b ? key_a > key_b : a < b;
}

/* Lets the entry at i sink below those that are worse, in a heap of size n with the worst on top.
 */
static void sink(struct classify *c, uint64_t row, uint32_t i, uint32_t n)
{
    const uint32_t moving = c->top[i];

    for (;;) {
        uint64_t child = 2 * (uint64_t)i + 1;
        if (child >= n)
            break;
        if (child + 1 < n && better(c, row, c->top[child], c->top[child + 1]))
            child++;
        if (!better(c, row, moving, c->top[child]))
            break;
        c->top[i] = c->top[child];
        i = (uint32_t)child;
    }
    c->top[i] = moving;
}

void classify_row(struct classify *c, uint64_t row)
{
    for (uint32_t i = 0; i < c->n; i++)
        c->top[i] = i;
    for (uint32_t i = c->n / 2; i-- > 0;)
        sink(c, row, i, c->n);
    for (uint64_t column = c->n; c->n > 0 && column < c->columns; column++) {
        if (better(c, row, (uint32_t)column, c->top[0])) {
            c->top[0] = (uint32_t)column;
            sink(c, row, 0, c->n);
        }
    }
    for (uint32_t left = c->n; left > 1; left--) { /* the worst goes to the end */
        const uint32_t worst = c->top[0];
        c->top[0] = c->top[left - 1];
        c->top[left - 1] = worst;
        sink(c, row, 0, left - 1);
    }
}

void classify_text(const struct classify *c, uint64_t row, uint32_t rank, struct class_text *ret)
{
    const uint32_t column = c->top[rank];
    const struct spec *spec = c->spec;
    bool finite;

    ret->len = element_text(ret->at, c->view->dtype, element_at(c, row, column), &finite);
    ret->at[ret->len++] = ':';
    ret->len += num_write_u64(ret->at + ret->len, column);
    /* Labels name the last dim: where no batch is stated, a row here may hold several such. */
    const uint32_t dims = c->view->shape.rank;
    const bool whole =
        spec->label_count > 0 && dims > 0 && c->view->shape.dim[dims - 1] == spec->label_count;
    const uint32_t label = whole ? column % spec->label_count : column;
    ret->has_label = spec->labels && label < spec->label_count;
    ret->label = ret->has_label ? spec->labels[label] : (str){0};
}
