/* Which column goes where, and random rows. A first dimension of -1 counts rows; one other free
 * dimension follows from the number of columns. */
#include "cli/rows.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

#include "cli/cell.h"
#include "control/nearest.h"

#define NAMES_SHOWN 4u
#define NAMES_BYTES 160u

static bool has_batch(const struct model_tensor *t)
{
    return t->shape.rank > 0 && t->shape.dim[0] == -1;
}

/* The product of the fixed dims of a row, and how many of its dims are free. */
static bool row_elements(const struct model_tensor *t, uint64_t *ret_fixed, uint32_t *ret_free)
{
    uint64_t fixed = 1;
    uint32_t open = 0;
    for (uint32_t i = has_batch(t); i < t->shape.rank; i++) {
        const int64_t dim = t->shape.dim[i];
        if (dim < 0)
            open++;
        else if (__builtin_mul_overflow(fixed, (uint64_t)dim, &fixed))
            return false;
    }
    *ret_fixed = fixed;
    *ret_free = open;
    return true;
}

static err columns_fit(const struct model_tensor *t, uint32_t columns, struct fault *f)
{
    uint64_t fixed;
    uint32_t open;
    if (!row_elements(t, &fixed, &open) || open > 1)
        return fail(f, ERR_INPUT, "input \"%.*s\" has several free dimensions; want --json",
                    STR_ARG(str_cut(t->name, 0, 80)));
    if (open == 0 && columns != fixed)
        return fail(f, ERR_INPUT,
                    "%" PRIu32 " column%s for input \"%.*s\"; want %" PRIu64 ", a row of it",
                    columns, columns == 1 ? "" : "s", STR_ARG(str_cut(t->name, 0, 80)), fixed);
    if (open == 1 && (fixed == 0 || columns % fixed != 0))
        return fail(f, ERR_INPUT,
                    "%" PRIu32 " columns for input \"%.*s\"; want a multiple of %" PRIu64, columns,
                    STR_ARG(str_cut(t->name, 0, 80)), fixed);
    return OK;
}

static uint32_t input_named(const struct model *m, str name)
{
    for (uint32_t i = 0; i < m->input_count; i++) {
        if (str_eq(m->inputs[i].name, name))
            return i;
    }
    return UINT32_MAX;
}

/* The first names of inputs, as "a", "b" or 3 more. */
static str names_of(const struct model *m, char list[NAMES_BYTES])
{
    struct text t = text_over(list, NAMES_BYTES);
    for (uint32_t i = 0; i < m->input_count && i < NAMES_SHOWN; i++)
        text_format(&t, "%s\"%.*s\"", i ? ", " : "", STR_ARG(str_cut(m->inputs[i].name, 0, 32)));
    if (m->input_count > NAMES_SHOWN)
        text_format(&t, " or %" PRIu32 " more", m->input_count - NAMES_SHOWN);
    return text_str(&t);
}

err rows_named(const struct model *m, const str *names, uint32_t count, bool *ret_named,
               struct fault *f)
{
    str stranger = {0};
    uint32_t known = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (input_named(m, str_trim(names[i])) != UINT32_MAX)
            known++;
        else
            stranger = str_trim(names[i]);
    }
    if (known && known < count) {
        struct nearest n = {.wanted = stranger};
        char list[NAMES_BYTES];
        for (uint32_t i = 0; i < m->input_count; i++)
            nearest_offer(&n, m->inputs[i].name);
        return fail(f, ERR_INPUT, "column \"%.*s\" is no input; want %.*s%s%.*s",
                    STR_ARG(str_cut(stranger, 0, 40)), STR_ARG(names_of(m, list)),
                    n.best.len ? ", the nearest is " : "", STR_ARG(str_cut(n.best, 0, 40)));
    }
    *ret_named = known > 0;
    return OK;
}

bool rows_values(const struct model *m, const str *cells, uint32_t count)
{
    if (m->input_count != 1 || m->inputs[0].dtype == DTYPE_BYTES)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!cell_fits(m->inputs[0].dtype, cells[i]))
            return false;
    }
    return true;
}

/* Groups the columns by the input that their name says. */
static err order_named(const struct model *m, const str *names, struct rows_plan *p,
                       struct fault *f)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < m->input_count; i++) {
        p->first[i] = at;
        for (uint32_t c = 0; c < p->column_count; c++) {
            if (input_named(m, str_trim(names[c])) == i)
                p->order[at++] = c;
        }
        if (at == p->first[i])
            return fail(f, ERR_INPUT, "no column for input \"%.*s\"; want one in the header",
                        STR_ARG(str_cut(m->inputs[i].name, 0, 80)));
    }
    p->first[m->input_count] = at;
    return OK;
}

err rows_plan(const struct model *m, const str *names, uint32_t column_count, struct arena *arena,
              struct rows_plan *ret, struct fault *f)
{
    char list[NAMES_BYTES];
    struct rows_plan p = {.model = m, .column_count = column_count, .stacked = true};
    p.order = arena_new(arena, uint32_t, column_count);
    p.first = arena_new(arena, uint32_t, (uint64_t)m->input_count + 1);
    if (!p.order || !p.first)
        return fail(f, ERR_TOO_BIG, "no memory for %" PRIu32 " columns", column_count);
    err code = OK;
    if (names) {
        code = order_named(m, names, &p, f);
    } else if (m->input_count != 1) {
        code =
            fail(f, ERR_INPUT, "the header names no input; want columns of %.*s in the first line",
                 STR_ARG(names_of(m, list)));
    } else {
        for (uint32_t c = 0; c < column_count; c++)
            p.order[c] = c;
        p.first[1] = column_count;
    }
    for (uint32_t i = 0; i < m->input_count && code == OK; i++) {
        code = columns_fit(&m->inputs[i], p.first[i + 1] - p.first[i], f);
        p.stacked &= has_batch(&m->inputs[i]);
    }
    if (code == OK)
        *ret = p;
    return code;
}

uint32_t rows_random_columns(const struct model *m)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->input_count; i++) {
        uint64_t fixed;
        uint32_t open;
        if (!row_elements(&m->inputs[i], &fixed, &open) ||
            __builtin_add_overflow(sum, fixed, &sum) || sum > UINT32_MAX)
            return UINT32_MAX;
    }
    return (uint32_t)sum;
}

/* splitmix64 (Steele, Lea, Flood 2014): the same rows for the same command. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

str rows_random(const struct rows_plan *plan, uint32_t column, uint64_t *state, struct arena *arena)
{
    uint32_t input = 0;
    while (plan->first[input + 1] <= column)
        input++;
    char text[32];
    int len = 0;
    const uint64_t r = random_next(state);
    switch (plan->model->inputs[input].dtype) {
    case DTYPE_FP16:
    case DTYPE_BF16:
    case DTYPE_FP32:
    case DTYPE_FP64: /* -1..1 in steps of 1/512, exact in every float */
        len = snprintf(text, sizeof(text), "%.9f", (double)((int64_t)(r % 1025) - 512) / 512.0);
        break;
    case DTYPE_BOOL:
        len = snprintf(text, sizeof(text), "%s", r & 1 ? "true" : "false");
        break;
    case DTYPE_BYTES:
        len = snprintf(text, sizeof(text), "row-%04" PRIx64, r & 0xffff);
        break;
    default:
        len = snprintf(text, sizeof(text), "%" PRIu64, r % 10);
    }
    return arena_str(arena, (str){text, len > 0 ? (size_t)len : 0});
}
