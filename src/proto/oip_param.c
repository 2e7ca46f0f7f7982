/* Reading parameters by a table. What is not in it is read over, whatever its type, but for names
 * that other servers give a meaning which is not offered here. */
#include "proto/oip_param.h"

#include <inttypes.h>

#include "proto/num_whole.h"

enum kind { WHOLE, WHOLE_FROM_1, TRUTH, SEQUENCE, SEQUENCE_FLAG };

static const struct {
    str name;
    unsigned where;
    enum kind kind;
} PARAMS[OIP_PARAM_COUNT] = {
    [OIP_TIMEOUT] = {STR_LIT("timeout"), OIP_REQUEST, WHOLE},
    [OIP_PRIORITY] = {STR_LIT("priority"), OIP_REQUEST, WHOLE},
    [OIP_BINARY_DATA_OUTPUT] = {STR_LIT("binary_data_output"), OIP_REQUEST, TRUTH},
    [OIP_BINARY_DATA] = {STR_LIT("binary_data"), OIP_OUTPUT, TRUTH},
    [OIP_BINARY_DATA_SIZE] = {STR_LIT("binary_data_size"), OIP_INPUT, WHOLE},
    [OIP_CLASSIFICATION] = {STR_LIT("classification"), OIP_OUTPUT, WHOLE_FROM_1},
    [OIP_SEQUENCE_ID] = {STR_LIT("sequence_id"), OIP_REQUEST | OIP_INPUT | OIP_OUTPUT, SEQUENCE},
    [OIP_SEQUENCE_START] = {STR_LIT("sequence_start"), OIP_REQUEST | OIP_INPUT | OIP_OUTPUT,
                            SEQUENCE_FLAG},
    [OIP_SEQUENCE_END] = {STR_LIT("sequence_end"), OIP_REQUEST | OIP_INPUT | OIP_OUTPUT,
                          SEQUENCE_FLAG},
    [OIP_EMPTY_FINAL] = {STR_LIT("triton_enable_empty_final_response"), OIP_REQUEST, TRUTH},
};

static int find(str name, enum oip_where where)
{
    for (int i = 0; i < OIP_PARAM_COUNT; i++) {
        if (PARAMS[i].where & where && str_eq(PARAMS[i].name, name))
            return i;
    }
    return -1;
}

err oip_param_whole(const struct json_token *t, str name, uint64_t min, uint64_t *ret,
                    struct fault *f)
{
    uint64_t v;

    if (t->kind == JSON_NUMBER && num_whole_unsigned(&t->num, UINT64_MAX, &v) == NUM_OK &&
        v >= min) {
        *ret = v;
        return OK;
    }
    return fail(f, ERR_INPUT, "\"%.*s\" is no whole number >= %" PRIu64 " of 64 bits",
                STR_ARG(name), min);
}

static err wrong_type(str name, const char *want, struct fault *f)
{
    return fail(f, ERR_INPUT, "parameter \"%.*s\" has the wrong type, want %s", STR_ARG(name),
                want);
}

/* A sequence would need state between requests: 0, "" and false say that there is none. */
static err read_sequence(const struct json_token *t, str name, enum kind kind, struct fault *f)
{
    bool none;

    if (kind == SEQUENCE_FLAG && (t->kind == JSON_TRUE || t->kind == JSON_FALSE)) {
        none = t->kind == JSON_FALSE;
    } else if (kind == SEQUENCE && t->kind == JSON_STRING) {
        none = t->text.len == 0;
    } else if (kind == SEQUENCE && t->kind == JSON_NUMBER) {
        none = t->num.digits == 0;
    } else {
        return wrong_type(name, kind == SEQUENCE ? "an integer or a string" : "true or false", f);
    }
    if (!none)
        return fail(f, ERR_UNSUPPORTED, "sequences are not offered, so \"%.*s\" cannot be honoured",
                    STR_ARG(name));
    return OK;
}

static err read_known(const struct json_token *t, int which, struct oip_params *ret,
                      struct fault *f)
{
    const str name = PARAMS[which].name;

    switch (PARAMS[which].kind) {
    case WHOLE:
    case WHOLE_FROM_1:
        ret->given |= 1u << which;
        return oip_param_whole(t, name, PARAMS[which].kind == WHOLE_FROM_1, &ret->value[which], f);
    case TRUTH:
        if (t->kind != JSON_TRUE && t->kind != JSON_FALSE)
            return wrong_type(name, "true or false", f);
        ret->given |= 1u << which;
        ret->value[which] = t->kind == JSON_TRUE;
        return OK;
    case SEQUENCE:
    case SEQUENCE_FLAG:
        return read_sequence(t, name, PARAMS[which].kind, f);
    }
    return OK;
}

/* One member, its name known and its value due. */
static err read_member(struct json *j, str name, enum oip_where where, uint32_t *seen,
                       struct oip_params *ret, struct fault *f)
{
    const int which = find(name, where);
    struct json_token t;

    if (which >= 0) {
        if (*seen >> which & 1)
            return fail(f, ERR_INPUT, "parameter \"%.*s\" is given twice", STR_ARG(name));
        *seen |= 1u << which;
    }
    const err e = json_next(j, &t, f);
    if (e != OK || t.kind == JSON_NULL)
        return e;
    if (which >= 0)
        return read_known(&t, which, ret, f);
    const str shown = str_cut(name, 0, 80);
    if (str_starts(name, STR("shared_memory_")))
        return fail(f, ERR_UNSUPPORTED, "shared memory is not offered, so \"%.*s\" is refused",
                    STR_ARG(shown));
    if (where == OIP_REQUEST && str_starts(name, STR("triton_")))
        return fail(f, ERR_INPUT, "parameter \"%.*s\": names that begin \"triton_\" are reserved",
                    STR_ARG(shown));
    return json_skip(j, &t, f);
}

err oip_param_read(struct json *j, enum oip_where where, const struct infer_limits *limits,
                   struct arena *arena, struct oip_params *ret, struct fault *f)
{
    struct json_token t;
    uint32_t seen = 0, members = 0;
    str name;

    err e = json_next(j, &t, f);
    if (e != OK || t.kind == JSON_NULL)
        return e;
    if (t.kind != JSON_OBJECT)
        return fail(f, ERR_INPUT, "\"parameters\" is no object");
    for (;;) {
        e = json_next(j, &t, f);
        if (e != OK)
            return e;
        if (t.kind == JSON_OBJECT_END)
            return OK;
        if (members++ == limits->parameters)
            return fail(f, ERR_INPUT, "more than %" PRIu32 " parameters in one object",
                        limits->parameters);
        e = json_text(&t, limits->name_length, arena, &name, f);
        if (e == OK)
            e = read_member(j, name, where, &seen, ret, f);
        if (e != OK)
            return e;
    }
}
