/* Outputs by the pull reader. Their number of elements follows from `shape`, which must come before
 * `data`: this server writes them so, and another order is refused rather than guessed at. */
#include "cli/reply.h"

#include "base/num.h"
#include "proto/json.h"
#include "proto/num_write.h"

#include "cli/cell.h"

#define TEXT_MAX     (1u << 30)
#define ELEMENTS_MAX (1ull << 32)

struct reading {
    struct json j;
    struct arena *arena;
    str rest; /* binary outputs not taken yet */
};

static err no_room(struct fault *f)
{
    return fail(f, ERR_TOO_BIG,
                "the reply needs more memory than a command grants; want fewer rows");
}

static err shape_read(struct reading *r, struct shape *ret, struct fault *f)
{
    struct json_token t;
    for (;;) {
        const err code = json_next(&r->j, &t, f);
        uint64_t dim;
        if (code || t.kind == JSON_ARRAY_END)
            return code;
        if (ret->rank == SHAPE_RANK_MAX || t.kind != JSON_NUMBER ||
            num_u64(t.text, INT64_MAX, &dim, NULL) != OK)
            return json_fail(&r->j, "no dim of a shape", f);
        ret->dim[ret->rank++] = (int64_t)dim;
    }
}

/* The cells that the output's shape asks for. */
static err cells_make(struct reading *r, struct reply_output *o, str **ret, struct fault *f)
{
    const err code = shape_count(&o->shape, ELEMENTS_MAX, &o->count, f);
    if (code)
        return code;
    *ret = arena_new(r->arena, str, o->count);
    return *ret ? OK : no_room(f);
}

static err data_read(struct reading *r, struct reply_output *o, struct fault *f)
{
    struct json_token t;
    str *cells;
    uint64_t at = 0;
    err code = cells_make(r, o, &cells, f);
    if (code)
        return code;
    for (uint32_t depth = 1; depth;) {
        code = json_next(&r->j, &t, f);
        if (code)
            return code;
        if (t.kind == JSON_ARRAY || t.kind == JSON_ARRAY_END) {
            depth += t.kind == JSON_ARRAY ? 1u : UINT32_MAX;
            continue;
        }
        if (at == o->count || t.kind == JSON_OBJECT)
            return json_fail(&r->j, "more data than the shape has elements", f);
        if (t.kind == JSON_STRING)
            code = json_text(&t, TEXT_MAX, r->arena, &cells[at], f);
        else if (t.kind == JSON_TRUE || t.kind == JSON_FALSE)
            cells[at] = t.kind == JSON_TRUE ? STR("true") : STR("false");
        else
            cells[at] = t.text;
        if (code)
            return code;
        at++;
    }
    if (at != o->count)
        return json_fail(&r->j, "less data than the shape has elements", f);
    o->cells = cells;
    return OK;
}

static err binary_read(struct reading *r, struct reply_output *o, uint64_t size, struct fault *f)
{
    str *cells;
    const err code = cells_make(r, o, &cells, f);
    if (code)
        return code;
    str bytes = str_cut(r->rest, 0, size);
    if (bytes.len != size)
        return fail(f, ERR_INPUT, "the reply ends inside output \"%.*s\"",
                    STR_ARG(str_cut(o->name, 0, 80)));
    r->rest = str_cut(r->rest, size, r->rest.len);
    for (uint64_t i = 0; i < o->count; i++) {
        char text[NUM_WRITE_BYTES];
        str cell;
        if (!cell_take(o->dtype, &bytes, text, &cell))
            return fail(f, ERR_INPUT, "output \"%.*s\" has too few bytes for its shape",
                        STR_ARG(str_cut(o->name, 0, 80)));
        cells[i] = o->dtype == DTYPE_BYTES ? cell : arena_str(r->arena, cell);
        if (!cells[i].at)
            return no_room(f);
    }
    if (bytes.len)
        return fail(f, ERR_INPUT, "output \"%.*s\" has too many bytes for its shape",
                    STR_ARG(str_cut(o->name, 0, 80)));
    o->cells = cells;
    return OK;
}

/* The object `parameters` of an output: only the size of binary data matters. */
static err size_read(struct reading *r, uint64_t *ret, bool *ret_there, struct fault *f)
{
    struct json_token t;
    for (;;) {
        err code = json_next(&r->j, &t, f);
        if (code || t.kind == JSON_OBJECT_END)
            return code;
        const bool wanted = str_eq(t.text, STR("binary_data_size"));
        code = json_next(&r->j, &t, f);
        if (code == OK && wanted) {
            *ret_there = true;
            if (num_u64(t.text, UINT64_MAX, ret, NULL) != OK)
                return json_fail(&r->j, "no binary_data_size", f);
        } else if (code == OK) {
            code = json_skip(&r->j, &t, f);
        }
        if (code)
            return code;
    }
}

static err output_read(struct reading *r, struct reply_output *o, struct fault *f)
{
    struct json_token t;
    str key;
    uint64_t size = 0;
    bool binary = false;
    for (;;) {
        err code = json_next(&r->j, &t, f);
        if (code)
            return code;
        if (t.kind == JSON_OBJECT_END)
            break;
        code = json_text(&t, TEXT_MAX, r->arena, &key, f);
        if (code == OK)
            code = json_next(&r->j, &t, f);
        if (code)
            return code;
        if (str_eq(key, STR("name")) && t.kind == JSON_STRING)
            code = json_text(&t, TEXT_MAX, r->arena, &o->name, f);
        else if (str_eq(key, STR("datatype")) && t.kind == JSON_STRING)
            o->dtype = dtype_of_name(t.text);
        else if (str_eq(key, STR("shape")) && t.kind == JSON_ARRAY)
            code = shape_read(r, &o->shape, f);
        else if (str_eq(key, STR("data")) && t.kind == JSON_ARRAY)
            code = data_read(r, o, f);
        else if (str_eq(key, STR("parameters")) && t.kind == JSON_OBJECT)
            code = size_read(r, &size, &binary, f);
        else
            code = json_skip(&r->j, &t, f);
        if (code)
            return code;
    }
    return binary ? binary_read(r, o, size, f) : OK;
}

static err outputs_read(struct reading *r, struct reply *ret, struct fault *f)
{
    struct json_token t;
    uint32_t count = 0;
    struct reply_output *all = arena_new(r->arena, struct reply_output, REPLY_OUTPUTS_MAX);
    if (!all)
        return no_room(f);
    for (;;) {
        err code = json_next(&r->j, &t, f);
        if (code)
            return code;
        if (t.kind == JSON_ARRAY_END)
            break;
        if (t.kind != JSON_OBJECT || count == REPLY_OUTPUTS_MAX)
            return json_fail(&r->j, "no output", f);
        code = output_read(r, &all[count], f);
        if (code)
            return code;
        if (!all[count].cells)
            return json_fail(&r->j, "an output without data", f);
        count++;
    }
    ret->outputs = all;
    ret->output_count = count;
    return OK;
}

err reply_read(str body, size_t json_len, struct arena *arena, struct reply *ret, struct fault *f)
{
    const struct json_limits limits = {.depth = 16, .number = 4096, .nonfinite = true};
    struct reading r = {.arena = arena, .rest = str_cut(body, json_len, body.len)};
    struct reply made = {0};
    struct json_token t;
    str key;
    r.j = json_over(str_cut(body, 0, json_len), &limits);
    err code = json_next(&r.j, &t, f);
    if (code)
        return code;
    if (t.kind != JSON_OBJECT)
        return json_fail(&r.j, "no object", f);
    for (;;) {
        code = json_next(&r.j, &t, f);
        if (code || t.kind == JSON_OBJECT_END)
            break;
        code = json_text(&t, TEXT_MAX, arena, &key, f);
        if (code == OK)
            code = json_next(&r.j, &t, f);
        if (code)
            break;
        if (str_eq(key, STR("model_name")) && t.kind == JSON_STRING)
            code = json_text(&t, TEXT_MAX, arena, &made.model, f);
        else if (str_eq(key, STR("model_version")) && t.kind == JSON_STRING)
            code = json_text(&t, TEXT_MAX, arena, &made.version, f);
        else if (str_eq(key, STR("outputs")) && t.kind == JSON_ARRAY)
            code = outputs_read(&r, &made, f);
        else
            code = json_skip(&r.j, &t, f);
        if (code)
            break;
    }
    if (code == OK)
        *ret = made;
    return code;
}
