/* Columns by outputs; widths by head and cells of the reply at hand. */
#include "cli/table.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/scope.h"

#include "cli/csv.h"
#include "cli/screen.h"

#define HEAD_BYTES 256u

static uint64_t output_rows(const struct reply_output *o)
{
    return o->shape.rank ? (uint64_t)o->shape.dim[0] : 1;
}

static uint64_t row_elements(const struct reply_output *o)
{
    const uint64_t rows = output_rows(o);
    return rows ? o->count / rows : 0;
}

static uint64_t reply_rows(const struct reply *r)
{
    uint64_t rows = 0;
    for (uint32_t i = 0; i < r->output_count; i++)
        rows = output_rows(&r->outputs[i]) > rows ? output_rows(&r->outputs[i]) : rows;
    return rows;
}

/* The name of column k of an output: "score", "score[setosa]", "score[2]". */
static str head_of(const struct model *m, const struct reply_output *o, uint64_t k,
                   char text[HEAD_BYTES])
{
    const struct model_tensor *t = NULL;
    for (uint32_t i = 0; i < m->output_count; i++) {
        if (str_eq(m->outputs[i].name, o->name))
            t = &m->outputs[i];
    }
    const uint64_t elements = row_elements(o);
    const str name = str_cut(o->name, 0, 100);
    int len;
    if (elements == 1)
        len = snprintf(text, HEAD_BYTES, "%.*s", STR_ARG(name));
    else if (t && t->labels && t->label_count == elements)
        len = snprintf(text, HEAD_BYTES, "%.*s[%.*s]", STR_ARG(name),
                       STR_ARG(str_cut(t->labels[k], 0, 100)));
    else
        len = snprintf(text, HEAD_BYTES, "%.*s[%" PRIu64 "]", STR_ARG(name), k);
    return (str){text, len > 0 ? (size_t)len : 0};
}

static str cell_of(const struct reply_output *o, uint64_t row, uint64_t k)
{
    return row < output_rows(o) ? o->cells[row * row_elements(o) + k] : (str){0};
}

static uint64_t shown(const struct reply_output *o)
{
    const uint64_t elements = row_elements(o);
    return elements > TABLE_ELEMENTS_MAX ? TABLE_ELEMENTS_MAX : elements;
}

static size_t column_width(const struct model *m, const struct reply_output *o, uint64_t k)
{
    char text[HEAD_BYTES];
    size_t widest = screen_width(head_of(m, o, k, text));
    for (uint64_t row = 0; row < output_rows(o); row++) {
        const size_t width = screen_width(cell_of(o, row, k));
        widest = width > widest ? width : widest;
    }
    return widest;
}

/* One line: row UINT64_MAX is the head. */
static void line_print(FILE *out, const struct model *m, const struct reply *r, uint64_t row,
                       uint64_t number)
{
    const bool head = row == UINT64_MAX;
    char text[HEAD_BYTES];
    if (head)
        (void)fprintf(out, "%6s", "row");
    else
        (void)fprintf(out, "%6" PRIu64, number);
    for (uint32_t i = 0; i < r->output_count; i++) {
        const struct reply_output *o = &r->outputs[i];
        for (uint64_t k = 0; k < shown(o); k++) {
            (void)fputs("  ", out);
            screen_right(out, head ? head_of(m, o, k, text) : cell_of(o, row, k),
                         column_width(m, o, k));
        }
        if (shown(o) < row_elements(o))
            (void)fprintf(out, "  +%" PRIu64, row_elements(o) - shown(o));
    }
}

void table_print(FILE *out, const struct model *m, const struct reply *r, uint64_t first_row,
                 bool color)
{
    if (first_row == 0) {
        (void)fputs(color ? "\033[1m" : "", out);
        line_print(out, m, r, UINT64_MAX, 0);
        (void)fputs(color ? "\033[0m\n" : "\n", out);
    }
    const uint64_t rows = reply_rows(r);
    for (uint64_t row = 0; row < rows; row++) {
        line_print(out, m, r, row, first_row + row + 1);
        (void)fputc('\n', out);
    }
}

static err field(FILE *out, str s, bool first, struct fault *f)
{
    SCOPED(free_undo)
    char *quoted = malloc(2 * s.len + 2);
    if (!quoted)
        return fail(f, ERR_UNAVAILABLE, "no memory for a field of %zu bytes", s.len);
    const size_t len = csv_put(quoted, s);
    if (!first)
        (void)fputc(',', out);
    (void)fwrite(quoted, 1, len, out);
    return OK;
}

err table_csv(FILE *out, const struct model *m, const struct reply *r, uint64_t first_row,
              struct fault *f)
{
    const uint64_t rows = reply_rows(r);
    char text[HEAD_BYTES];
    for (uint64_t line = first_row == 0 ? 0 : 1; line <= rows; line++) {
        bool first = true;
        for (uint32_t i = 0; i < r->output_count; i++) {
            const struct reply_output *o = &r->outputs[i];
            for (uint64_t k = 0; k < row_elements(o); k++) {
                const str s = line ? cell_of(o, line - 1, k) : head_of(m, o, k, text);
                const err code = field(out, s, first, f);
                if (code)
                    return code;
                first = false;
            }
        }
        (void)fputc('\n', out);
    }
    return OK;
}
