/* Made-up inputs, timing, and the comparison of stacked rows with rows alone. */
#include "engine/trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/scope.h"

#define INPUT_BYTES_MAX (64ull << 20)
#define TIME_MAX        (2 * NS_PER_S) /* no further sizes are measured after that */
#define TOLERANCE       1e-5
#define ULP_MAX         2

struct made {
    struct view *views; /* per input */
    uint8_t **bytes;
    uint32_t count;
};

static void made_free(struct made *made)
{
    for (uint32_t i = 0; made->bytes && i < made->count; i++)
        free(made->bytes[i]);
    free(made->bytes);
    free(made->views);
}

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

/* One element, of which rows see the same value whatever is stacked around them. */
static void put_element(enum dtype dtype, uint8_t *to, uint64_t at)
{
    const uint64_t r = mix(at);
    const double unit = (double)(r >> 11) * 0x1p-53 * 2 - 1; /* [-1, 1) */
    const float single = (float)unit;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    const uint16_t brain = (uint16_t)(bits >> 16);
    const uint16_t half = (uint16_t)((r & 0x83ff) | 0x3800); /* +-[0.5, 1) */
    const uint64_t whole = r >> 63;
    switch (dtype) {
    case DTYPE_FP64:
        memcpy(to, &unit, sizeof unit);
        return;
    case DTYPE_FP32:
        memcpy(to, &single, sizeof single);
        return;
    case DTYPE_FP16:
        memcpy(to, &half, sizeof half);
        return;
    case DTYPE_BF16:
        memcpy(to, &brain, sizeof brain);
        return;
    case DTYPE_BYTES:
        memcpy(to, "\1\0\0\0", 4);
        to[4] = (uint8_t)('0' + r % 10);
        return;
    default:
        memset(to, 0, dtype_bytes(dtype)); /* whole numbers lie little-endian */
        to[0] = (uint8_t)whole;
    }
}

static unsigned element_bytes(enum dtype dtype)
{
    return dtype == DTYPE_BYTES ? 5 : dtype_bytes(dtype);
}

static bool make_input(const struct spec *spec, uint64_t rows, struct view *v, uint8_t **ret)
{
    uint64_t count;
    const unsigned size = element_bytes(spec->dtype);
    *v = (struct view){.dtype = spec->dtype, .shape = spec->shape};
    for (uint32_t d = 0; d < v->shape.rank; d++)
        if (v->shape.dim[d] < 0)
            v->shape.dim[d] = d == 0 ? (int64_t)rows : 1;
    if (shape_count(&v->shape, INPUT_BYTES_MAX / size, &count, NULL) != OK)
        return false;
    uint8_t *bytes = aligned_alloc(64, (count * size / 64 + 1) * 64);
    if (!bytes)
        return false;
    for (uint64_t i = 0; i < count; i++)
        put_element(spec->dtype, bytes + i * size, i);
    v->at = bytes;
    v->len = count * size;
    *ret = bytes;
    return true;
}

static bool made_make(const struct signature *sig, uint64_t rows, struct made *made)
{
    *made = (struct made){.count = sig->input_count};
    made->views = calloc((size_t)made->count + 1, sizeof *made->views);
    made->bytes = calloc((size_t)made->count + 1, sizeof *made->bytes);
    bool good = made->views && made->bytes;
    for (uint32_t i = 0; i < made->count && good; i++)
        if (!sig->inputs[i].optional)
            good = make_input(&sig->inputs[i], rows, &made->views[i], &made->bytes[i]);
    return good;
}

static uint64_t all_outputs(const struct signature *sig)
{
    return sig->output_count >= 64 ? UINT64_MAX : (1ull << sig->output_count) - 1;
}

/* Runs once unmeasured, so that what is allocated and settled at first is not counted. */
static err go(struct model *m, struct batch *b, const struct made *made, uint64_t *ret_ns,
              struct fault *f)
{
    const struct signature *sig = model_signature(m);
    const struct view *inputs = made->views;
    err e = batch_go(b, &inputs, 1, all_outputs(sig), f);
    bool settled = false;
    for (uint32_t i = 0; e == ERR_UNSUPPORTED && i < sig->output_count; i++) {
        const uint32_t rank = run_views(batch_run(b))[i].shape.rank;
        if (sig->outputs[i].shape.rank == 0 && rank > 0 && rank <= SHAPE_RANK_MAX) {
            model_settle(m, i, rank);
            settled = true;
        }
    }
    if (e != OK && !settled)
        return e;
    if (f)
        *f = (struct fault){0};
    const uint64_t begun = clock_ns();
    e = batch_go(b, &inputs, 1, all_outputs(sig), f);
    *ret_ns = clock_ns() - begun;
    return e;
}

/* --- comparison --------------------------------------------------------------------------------
 */

static bool close_enough(double a, double b)
{
    const double d = a > b ? a - b : b - a;
    const double size = b < 0 ? -b : b;
    return a == b || (a != a && b != b) || d <= TOLERANCE + TOLERANCE * size;
}

/* Sign and magnitude to a number whose distance counts units in the last place. */
static int half_order(uint16_t bits)
{
    const int size = bits & 0x7fff;
    return bits & 0x8000 ? -size : size;
}

static bool half_close(uint16_t a, uint16_t b, int infinity)
{
    const int x = half_order(a), y = half_order(b);
    const bool a_nan = (a & 0x7fff) > infinity, b_nan = (b & 0x7fff) > infinity;
    if (a_nan || b_nan)
        return a_nan && b_nan;
    return x - y <= ULP_MAX && y - x <= ULP_MAX;
}

static bool element_agrees(enum dtype dtype, const uint8_t *a, const uint8_t *b)
{
    float x, y;
    double p, q;
    uint16_t h, k;
    switch (dtype) {
    case DTYPE_FP32:
        memcpy(&x, a, sizeof x);
        memcpy(&y, b, sizeof y);
        return close_enough((double)x, (double)y);
    case DTYPE_FP64:
        memcpy(&p, a, sizeof p);
        memcpy(&q, b, sizeof q);
        return close_enough(p, q);
    default:
        memcpy(&h, a, sizeof h);
        memcpy(&k, b, sizeof k);
        return half_close(h, k, dtype == DTYPE_FP16 ? 0x7c00 : 0x7f80);
    }
}

bool trial_agrees(enum dtype dtype, const uint8_t *a, const uint8_t *b, uint64_t len)
{
    const unsigned size = dtype_bytes(dtype);
    if (dtype != DTYPE_FP32 && dtype != DTYPE_FP64 && dtype != DTYPE_FP16 && dtype != DTYPE_BF16)
        return len == 0 || memcmp(a, b, len) == 0;
    for (uint64_t at = 0; at + size <= len; at += size)
        if (!element_agrees(dtype, a + at, b + at))
            return false;
    return true;
}

/* --- stacking ----------------------------------------------------------------------------------
 */

/* What the stacked run gave, kept while rows run alone. */
struct kept {
    struct view views[SIGNATURE_OUTPUTS_MAX];
    uint8_t *bytes[SIGNATURE_OUTPUTS_MAX];
};

static void kept_undo(struct kept *k)
{
    for (uint32_t i = 0; i < SIGNATURE_OUTPUTS_MAX; i++)
        free(k->bytes[i]);
}

static err refuse(const struct spec *s, const char *why, struct fault *f)
{
    return fail(f, ERR_INPUT,
                "max_batch_size is stated, but output \"%.*s\" %s; take max_batch_size out",
                STR_ARG(str_cut(s->name, 0, 80)), why);
}

/* Views of row `row` of inputs (or kept outputs) that have `rows` rows. */
static struct view row_of(const struct view *all, uint64_t rows, uint64_t row)
{
    struct view v = *all;
    str rest = {(const char *)all->at, all->len}, record;
    if (!all->at)
        return v;
    v.shape.dim[0] = 1;
    if (v.dtype != DTYPE_BYTES) {
        v.len = all->len / rows;
        v.at = all->at + v.len * row;
        return v;
    }
    uint64_t each = 1;
    for (uint32_t d = 1; d < v.shape.rank; d++)
        each *= (uint64_t)v.shape.dim[d];
    for (uint64_t i = 0; i < row * each && view_record(&rest, &record); i++)
        continue;
    v.at = (const uint8_t *)rest.at;
    for (uint64_t i = 0; i < each && view_record(&rest, &record); i++)
        continue;
    v.len = (uint64_t)((const uint8_t *)rest.at - v.at);
    return v;
}

static err keep_outputs(const struct signature *sig, const struct batch *b, uint64_t rows,
                        struct kept *k, struct fault *f)
{
    for (uint32_t i = 0; i < sig->output_count; i++) {
        k->views[i] = batch_output(b, 0, i);
        struct view *v = &k->views[i];
        if (v->shape.rank == 0 || (uint64_t)v->shape.dim[0] != rows)
            return refuse(&sig->outputs[i], "has another number of rows than the inputs", f);
        k->bytes[i] = malloc(v->len + 1);
        if (!k->bytes[i])
            return fail(f, ERR_UNAVAILABLE, "no memory to compare outputs");
        if (v->len)
            memcpy(k->bytes[i], v->at, v->len);
        v->at = k->bytes[i];
    }
    return OK;
}

/* One row alone against its row of the stacked run. */
static err compare_row(const struct signature *sig, const struct batch *b, const struct kept *k,
                       uint64_t rows, uint64_t row, struct fault *f)
{
    for (uint32_t i = 0; i < sig->output_count; i++) {
        const struct view alone = batch_output(b, 0, i);
        const struct view stacked = row_of(&k->views[i], rows, row);
        if (!shape_eq(&alone.shape, &stacked.shape) || alone.len != stacked.len)
            return refuse(&sig->outputs[i], "has another shape when rows are stacked", f);
        if (!trial_agrees(alone.dtype, stacked.at, alone.at, alone.len))
            return refuse(&sig->outputs[i], "differs when rows are stacked", f);
    }
    return OK;
}

/* stacked is the present result of b. The rows alone must succeed: they are the yardstick. */
static err compare(const struct signature *sig, struct batch *b, const struct made *made,
                   uint64_t rows, struct trial *t, struct fault *f)
{
    SCOPED(kept_undo)
    struct kept k = {0};
    struct fault why = {0};
    SCOPED(free_undo)
    struct view *alone = calloc((size_t)made->count + 1, sizeof *alone);
    const struct view *inputs = alone;
    err e = alone ? keep_outputs(sig, b, rows, &k, f) : fail(f, ERR_UNAVAILABLE, "no memory");
    for (uint64_t row = 0; row < rows && e == OK; row++) {
        for (uint32_t i = 0; i < made->count; i++)
            alone[i] = row_of(&made->views[i], rows, row);
        if (batch_go(b, &inputs, 1, all_outputs(sig), &why) != OK) {
            (void)snprintf(t->note, sizeof t->note, "rows are not stacked, one alone fails: %.180s",
                           why.text);
            return OK;
        }
        e = compare_row(sig, b, &k, rows, row, f);
    }
    t->stacks = e == OK;
    return e;
}

static err probe(struct model *m, struct batch *b, uint32_t rows_max, struct trial *t,
                 struct fault *f)
{
    const struct signature *sig = model_signature(m);
    const uint64_t rows = rows_max < TRIAL_ROWS ? rows_max : TRIAL_ROWS;
    struct made made = {0};
    struct fault why = {0};
    uint64_t ns;
    err e = OK;
    if (!made_make(sig, rows, &made))
        (void)snprintf(t->note, sizeof t->note, "rows are not stacked: no inputs could be made up");
    else if (go(m, b, &made, &ns, &why) != OK)
        e = fail(f, ERR_INPUT,
                 "max_batch_size is stated, but %" PRIu64
                 " rows fail (%.100s); take max_batch_size out",
                 rows, why.text);
    else
        e = compare(sig, b, &made, rows, t, f);
    batch_clear(b);
    made_free(&made);
    return e;
}

static bool measure(struct model *m, struct batch *b, uint64_t rows, uint64_t *ret_ns,
                    struct fault *why)
{
    struct made made = {0};
    const bool good =
        made_make(model_signature(m), rows, &made) && go(m, b, &made, ret_ns, why) == OK;
    batch_clear(b);
    made_free(&made);
    return good;
}

err trial_run(struct model *m, struct batch *b, uint32_t rows_max, struct trial *ret,
              struct fault *f)
{
    struct fault why = {0};
    const uint64_t begun = clock_ns();
    *ret = (struct trial){0};
    ret->ran = measure(m, b, 1, &ret->run_ns[0], &why);
    if (!ret->ran) {
        ret->run_ns[0] = 0;
        if (rows_max > 0)
            (void)snprintf(ret->note, sizeof ret->note,
                           "rows are not stacked, made-up inputs are refused: %.180s", why.text);
        return OK;
    }
    if (rows_max == 0)
        return OK;
    const err e = probe(m, b, rows_max, ret, f);
    for (uint32_t i = 1; e == OK && ret->stacks && i < TRIAL_CLASSES && 1ull << i <= rows_max; i++)
        if (clock_ns() - begun > TIME_MAX || !measure(m, b, 1ull << i, &ret->run_ns[i], &why))
            break;
    return e;
}
