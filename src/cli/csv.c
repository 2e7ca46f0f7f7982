/* Rows are counted first and taken apart second, so that a row is one array of its size. */
#include "cli/csv.h"

#include <inttypes.h>

struct csv csv_over(str text)
{
    const str mark = STR("\xef\xbb\xbf");
    return (struct csv){str_starts(text, mark) ? str_cut(text, mark.len, text.len) : text, 1};
}

/* The end of the field at the start of s: its length in s, quotes and all. */
static err field_end(str s, uint64_t line, size_t *ret, struct fault *f)
{
    size_t at = 0;
    if (s.len && s.at[0] == '"') {
        for (at = 1;; at += 2) {
            at += str_find(str_cut(s, at, s.len), '"');
            if (at >= s.len)
                return fail(f, ERR_INPUT, "line %" PRIu64 ": a quote is not closed; want \"", line);
            if (at + 1 >= s.len || s.at[at + 1] != '"')
                break;
        }
        at++;
        if (at < s.len && s.at[at] == '\r')
            at++;
        if (at < s.len && s.at[at] != ',' && s.at[at] != '\n')
            return fail(f, ERR_INPUT, "line %" PRIu64 ": text behind a closing quote; want a comma",
                        line);
        *ret = at;
        return OK;
    }
    while (at < s.len && s.at[at] != ',' && s.at[at] != '\n') {
        if (s.at[at] == '"')
            return fail(f, ERR_INPUT,
                        "line %" PRIu64 ": a quote inside a field; want quotes round all of it",
                        line);
        at++;
    }
    *ret = at;
    return OK;
}

/* The content of a field that field_end measured. */
static bool field_text(str field, struct arena *arena, str *ret)
{
    if (field.len && field.at[field.len - 1] == '\r')
        field.len--;
    if (!field.len || field.at[0] != '"') {
        *ret = field;
        return true;
    }
    const str inner = str_cut(field, 1, field.len - 1);
    if (str_find(inner, '"') == inner.len) {
        *ret = inner;
        return true;
    }
    char *copy = arena_alloc(arena, inner.len);
    size_t len = 0;
    if (!copy)
        return false;
    for (size_t i = 0; i < inner.len; i++) {
        copy[len++] = inner.at[i];
        i += inner.at[i] == '"'; /* the second of a pair */
    }
    *ret = (str){copy, len};
    return true;
}

/* Fields and bytes of the row at the start of c. */
static err row_measure(const struct csv *c, uint32_t *ret_count, struct fault *f)
{
    str rest = c->rest;
    uint32_t count = 0;
    for (;;) {
        size_t len;
        const err code = field_end(rest, c->line, &len, f);
        if (code)
            return code;
        if (++count > CSV_COLUMNS_MAX)
            return fail(f, ERR_TOO_BIG, "line %" PRIu64 ": more than %u columns", c->line,
                        CSV_COLUMNS_MAX);
        const bool comma = len < rest.len && rest.at[len] == ',';
        rest = str_cut(rest, len + 1, rest.len);
        if (!comma)
            break;
    }
    *ret_count = count;
    return OK;
}

static void blank_lines(struct csv *c)
{
    while (c->rest.len && (c->rest.at[0] == '\n' || str_starts(c->rest, STR("\r\n")))) {
        c->rest = str_cut(c->rest, c->rest.at[0] == '\n' ? 1 : 2, c->rest.len);
        c->line++;
    }
}

err csv_next(struct csv *c, struct arena *arena, const str **ret_cells, uint32_t *ret_count,
             uint64_t *ret_line, struct fault *f)
{
    uint32_t count;
    blank_lines(c);
    if (c->rest.len == 0) {
        *ret_cells = NULL;
        return OK;
    }
    err code = row_measure(c, &count, f);
    if (code)
        return code;
    str *cells = arena_new(arena, str, count);
    const uint64_t line = c->line;
    for (uint32_t i = 0; i < count; i++) {
        size_t len = 0;
        code = field_end(c->rest, line, &len, f);
        if (code)
            return code;
        const str field = str_cut(c->rest, 0, len);
        if (!cells || !field_text(field, arena, &cells[i]))
            return fail(f, ERR_TOO_BIG, "line %" PRIu64 ": no memory for this row", line);
        for (size_t k = 0; k < field.len; k++)
            c->line += field.at[k] == '\n';
        c->rest = str_cut(c->rest, len + 1, c->rest.len);
    }
    c->line++;
    *ret_cells = cells;
    *ret_count = count;
    *ret_line = line;
    return OK;
}

size_t csv_put(char *out, str field)
{
    size_t len = 0;
    bool quote = false;
    for (size_t i = 0; i < field.len; i++)
        quote |=
            field.at[i] == ',' || field.at[i] == '"' || field.at[i] == '\n' || field.at[i] == '\r';
    if (quote)
        out[len++] = '"';
    for (size_t i = 0; i < field.len; i++) {
        out[len++] = field.at[i];
        if (field.at[i] == '"')
            out[len++] = '"';
    }
    if (quote)
        out[len++] = '"';
    return len;
}
