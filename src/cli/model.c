/* Metadata by the pull reader: known members are taken, others passed over. */
#include "cli/model.h"

#include "base/num.h"
#include "proto/json.h"

#define TEXT_MAX 65536u

static const struct json_limits limits = {.depth = 16, .number = 64};

static err no_room(struct fault *f)
{
    return fail(f, ERR_TOO_BIG, "the metadata needs more memory than a command grants");
}

/* The next member of an object: its key, with the value's first token in t. */
static err member(struct json *j, struct arena *arena, str *ret_key, struct json_token *t,
                  bool *ret_end, struct fault *f)
{
    err code = json_next(j, t, f);
    *ret_end = code == OK && t->kind == JSON_OBJECT_END;
    if (code || *ret_end)
        return code;
    code = json_text(t, TEXT_MAX, arena, ret_key, f);
    return code ? code : json_next(j, t, f);
}

static err expect(const struct json *j, const struct json_token *t, enum json_kind kind,
                  const char *what, struct fault *f)
{
    return t->kind == kind ? OK : json_fail(j, what, f);
}

static err shape_read(struct json *j, struct shape *ret, struct fault *f)
{
    struct json_token t;
    for (;;) {
        err code = json_next(j, &t, f);
        if (code || t.kind == JSON_ARRAY_END)
            return code;
        uint64_t dim;
        if (ret->rank == SHAPE_RANK_MAX)
            return json_fail(j, "a shape of more than 8 dims", f);
        if (t.kind == JSON_NUMBER && str_eq(t.text, STR("-1"))) {
            ret->dim[ret->rank++] = -1;
            continue;
        }
        if (t.kind != JSON_NUMBER || num_u64(t.text, INT64_MAX, &dim, NULL) != OK)
            return json_fail(j, "a dim that is neither -1 nor a whole number", f);
        ret->dim[ret->rank++] = (int64_t)dim;
    }
}

static err tensor_read(struct json *j, struct arena *arena, struct model_tensor *ret,
                       struct fault *f)
{
    struct json_token t;
    str key;
    for (;;) {
        bool end;
        err code = member(j, arena, &key, &t, &end, f);
        if (code || end)
            return code;
        if (str_eq(key, STR("name")) && t.kind == JSON_STRING)
            code = json_text(&t, TEXT_MAX, arena, &ret->name, f);
        else if (str_eq(key, STR("datatype")) && t.kind == JSON_STRING)
            ret->dtype = dtype_of_name(t.text);
        else if (str_eq(key, STR("shape")) && t.kind == JSON_ARRAY)
            code = shape_read(j, &ret->shape, f);
        else
            code = json_skip(j, &t, f);
        if (code)
            return code;
    }
}

static err tensors_read(struct json *j, struct arena *arena, const struct model_tensor **ret,
                        uint32_t *ret_count, struct fault *f)
{
    struct json_token t;
    uint32_t count = 0;
    struct model_tensor *all = arena_new(arena, struct model_tensor, MODEL_TENSORS_MAX);
    if (!all)
        return no_room(f);
    for (;;) {
        err code = json_next(j, &t, f);
        if (code)
            return code;
        if (t.kind == JSON_ARRAY_END)
            break;
        code = expect(j, &t, JSON_OBJECT, "no tensor", f);
        if (code == OK && count == MODEL_TENSORS_MAX)
            code = json_fail(j, "more than 1024 tensors", f);
        if (code == OK)
            code = tensor_read(j, arena, &all[count], f);
        if (code)
            return code;
        if (all[count].dtype == DTYPE_NONE || all[count].name.len == 0)
            return json_fail(j, "a tensor without name or known datatype", f);
        count++;
    }
    *ret = all;
    *ret_count = count;
    return OK;
}

/* A JSON array of texts, itself in a text. */
static err labels_read(str text, struct arena *arena, const str **ret, uint32_t *ret_count,
                       struct fault *f)
{
    struct json j = json_over(text, &limits);
    struct json_token t;
    uint32_t count = 0;
    str *all = arena_new(arena, str, MODEL_LABELS_MAX);
    if (!all)
        return no_room(f);
    err code = json_next(&j, &t, f);
    if (code == OK)
        code = expect(&j, &t, JSON_ARRAY, "no list of labels", f);
    while (code == OK) {
        code = json_next(&j, &t, f);
        if (code || t.kind == JSON_ARRAY_END)
            break;
        code = expect(&j, &t, JSON_STRING, "a label that is no text", f);
        if (code == OK && count == MODEL_LABELS_MAX)
            code = json_fail(&j, "more than 1000 labels", f);
        if (code == OK)
            code = json_text(&t, TEXT_MAX, arena, &all[count], f);
        count++;
    }
    if (code)
        return code;
    *ret = all;
    *ret_count = count;
    return OK;
}

struct property {
    str output;
    const str *labels;
    uint32_t count;
    struct property *next;
};

/* Keeps "labels.<output>"; outputs may come later than the properties. */
static err properties_read(struct json *j, struct arena *arena, struct property **ret,
                           struct fault *f)
{
    const str prefix = STR("labels.");
    struct json_token t;
    str key;
    for (;;) {
        bool end;
        str text;
        err code = member(j, arena, &key, &t, &end, f);
        if (code || end)
            return code;
        if (!str_starts(key, prefix) || t.kind != JSON_STRING) {
            code = json_skip(j, &t, f);
            if (code)
                return code;
            continue;
        }
        struct property *p = arena_new(arena, struct property, 1);
        if (!p)
            return no_room(f);
        code = json_text(&t, UINT32_MAX, arena, &text, f);
        if (code == OK)
            code = labels_read(text, arena, &p->labels, &p->count, f);
        if (code)
            return code;
        p->output = str_cut(key, prefix.len, key.len);
        p->next = *ret;
        *ret = p;
    }
}

static err versions_read(struct json *j, struct arena *arena, str *ret, struct fault *f)
{
    struct json_token t;
    for (;;) {
        err code = json_next(j, &t, f);
        if (code || t.kind == JSON_ARRAY_END)
            return code;
        code = expect(j, &t, JSON_STRING, "a version that is no text", f);
        if (code == OK)
            code = json_text(&t, TEXT_MAX, arena, ret, f);
        if (code)
            return code;
    }
}

static err members_read(struct json *j, struct arena *arena, struct model *m,
                        struct property **labels, struct fault *f)
{
    struct json_token t;
    str key;
    for (;;) {
        bool end;
        err code = member(j, arena, &key, &t, &end, f);
        if (code || end)
            return code;
        if (str_eq(key, STR("name")) && t.kind == JSON_STRING)
            code = json_text(&t, TEXT_MAX, arena, &m->name, f);
        else if (str_eq(key, STR("versions")) && t.kind == JSON_ARRAY)
            code = versions_read(j, arena, &m->version, f);
        else if (str_eq(key, STR("inputs")) && t.kind == JSON_ARRAY)
            code = tensors_read(j, arena, &m->inputs, &m->input_count, f);
        else if (str_eq(key, STR("outputs")) && t.kind == JSON_ARRAY)
            code = tensors_read(j, arena, &m->outputs, &m->output_count, f);
        else if (str_eq(key, STR("properties")) && t.kind == JSON_OBJECT)
            code = properties_read(j, arena, labels, f);
        else
            code = json_skip(j, &t, f);
        if (code)
            return code;
    }
}

err model_read(str body, struct arena *arena, struct model *ret, struct fault *f)
{
    struct json j = json_over(body, &limits);
    struct json_token t;
    struct model m = {0};
    struct property *labels = NULL;
    err code = json_next(&j, &t, f);
    if (code == OK)
        code = expect(&j, &t, JSON_OBJECT, "no object", f);
    if (code == OK)
        code = members_read(&j, arena, &m, &labels, f);
    if (code)
        return code;
    struct model_tensor *outputs = arena_new(arena, struct model_tensor, m.output_count);
    if (!outputs)
        return no_room(f);
    for (uint32_t i = 0; i < m.output_count; i++) {
        outputs[i] = m.outputs[i];
        for (const struct property *p = labels; p; p = p->next) {
            if (str_eq(p->output, outputs[i].name)) {
                outputs[i].labels = p->labels;
                outputs[i].label_count = p->count;
            }
        }
    }
    m.outputs = outputs;
    *ret = m;
    return OK;
}
