/* The first pass over an inference request. The one complication is that members come in any order
 * while sizes depend on others: each object is gathered first and judged when it closes, and the
 * binary part is dealt out when the JSON has ended. */
#include "proto/oip.h"

#include <inttypes.h>

#include "base/must.h"
#include "base/text.h"
#include "proto/json.h"
#include "proto/num_whole.h"
#include "proto/oip_param.h"
#include "proto/oip_raw.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors lie little-endian in memory");

#define NAMES_SHOWN 4u /* of inputs, in an error */

/* What the pass carries along. */
struct pass {
    struct json json;
    struct json_token t; /* the last one read */
    str key;             /* the last one read */
    const struct oip_body *body;
    const struct infer_limits *limits;
    struct arena *arena;
    struct infer_request r;
    struct oip_params params; /* of the request */
    uint32_t *order;          /* the inputs as they were sent, for the binary part */
    uint32_t sent_count;
    uint64_t outputs_seen; /* bit n: output n was asked for */
    uint64_t form_given;   /* bit n: request.outputs[n] says itself which form it wants */
};

/* The members of one object: their names, those seen so far as bits, and which came last. */
struct members {
    const str *names;
    unsigned count, seen, which;
};
#define MEMBERS(names) ((struct members){(names), sizeof(names) / sizeof((names)[0]), 0, 0})

/* What next_member found besides a known member. */
enum { MEMBER_OTHER = 30, MEMBER_END };

/* One entry of "inputs", before it is judged. */
struct sent {
    bool has_name, has_datatype, has_shape, has_data;
    str name, datatype, data;
    struct shape shape;
    struct oip_params params;
};

/* ---- pieces ---- */

static err no_room(struct fault *f)
{
    return fail(f, ERR_TOO_BIG, "the request names more than its memory holds");
}

static inline err next(struct pass *p, struct fault *f)
{
    return json_next(&p->json, &p->t, f);
}

/* The next key of an object: its place in names, MEMBER_OTHER, or MEMBER_END. */
static err next_member(struct pass *p, struct members *m, struct fault *f)
{
    err e = next(p, f);
    if (e != OK)
        return e;
    if (p->t.kind == JSON_OBJECT_END) {
        m->which = MEMBER_END;
        return OK;
    }
    e = json_text(&p->t, p->limits->name_length, p->arena, &p->key, f);
    if (e != OK)
        return e;
    for (unsigned i = 0; i < m->count; i++) {
        if (!str_eq(m->names[i], p->key))
            continue;
        if (m->seen >> i & 1)
            return fail(f, ERR_INPUT, "member \"%.*s\" is given twice", STR_ARG(p->key));
        m->seen |= 1u << i;
        m->which = i;
        return OK;
    }
    m->which = MEMBER_OTHER;
    return OK;
}

static err skip_value(struct pass *p, struct fault *f)
{
    const err e = next(p, f);

    return e != OK ? e : json_skip(&p->json, &p->t, f);
}

/* A string, or null: then *ret stays as it is and *ret_has false. */
static err read_text(struct pass *p, const char *what, uint32_t max, str *ret, bool *ret_has,
                     struct fault *f)
{
    const err e = next(p, f);

    if (e != OK || p->t.kind == JSON_NULL)
        return e;
    if (p->t.kind != JSON_STRING)
        return fail(f, ERR_INPUT, "\"%s\" is no string", what);
    *ret_has = true;
    return json_text(&p->t, max, p->arena, ret, f);
}

static err read_shape(struct pass *p, struct shape *ret, bool *ret_has, struct fault *f)
{
    err e = next(p, f);
    if (e != OK || p->t.kind == JSON_NULL)
        return e;
    if (p->t.kind != JSON_ARRAY)
        return fail(f, ERR_INPUT, "\"shape\" is no array");
    for (ret->rank = 0;; ret->rank++) {
        e = next(p, f);
        if (e != OK)
            return e;
        if (p->t.kind == JSON_ARRAY_END)
            break;
        if (ret->rank == p->limits->rank)
            return fail(f, ERR_INPUT, "a shape has more than %" PRIu32 " dims", p->limits->rank);
        if (p->t.kind != JSON_NUMBER ||
            num_whole_signed(&p->t.num, INT64_MIN, INT64_MAX, &ret->dim[ret->rank]) != NUM_OK)
            return fail(f, ERR_INPUT, "shape[%" PRIu32 "] is no whole number of 64 bits",
                        ret->rank);
    }
    *ret_has = true;
    return OK;
}

/* Any value, its extent alone, or null. */
static err read_data(struct pass *p, str *ret, bool *ret_has, struct fault *f)
{
    const err e = json_pass(&p->json, ret, f);

    *ret_has = e == OK && !str_eq(*ret, STR("null"));
    return e;
}

/* ---- inputs ---- */

/* "data" in JSON: each element takes at least so many bytes, so a shape that promises more than was
 * sent is refused before room is made for it. */
static err judge_data(const struct sent *s, enum dtype dtype, str name, struct infer_input *in,
                      struct fault *f)
{
    const uint64_t least = dtype == DTYPE_BYTES ? 3 : 2;

    if (in->count > s->data.len / least + 1)
        return fail(f, ERR_INPUT,
                    "input \"%.*s\": \"data\" has %" PRIu64 " elements, want %" PRIu64
                    " for its shape",
                    STR_ARG(name), json_leaves(s->data), in->count);
    in->source = INFER_JSON;
    in->at = s->data;
    in->bytes = dtype == DTYPE_BYTES ? s->data.len + 4 * in->count : in->count * dtype_bytes(dtype);
    return OK;
}

/* Binary data: its size, stated or inferred. UINT64_MAX is "the rest", for BYTES alone. */
static err judge_binary(const struct pass *p, const struct sent *s, enum dtype dtype, str name,
                        struct infer_input *in, struct fault *f)
{
    const bool stated = oip_param_given(&s->params, OIP_BINARY_DATA_SIZE);
    const unsigned width = dtype_bytes(dtype);
    uint64_t bytes;

    if (!stated && !p->body->has_header)
        return fail(f, ERR_INPUT, "input \"%.*s\" has neither \"data\" nor \"binary_data_size\"",
                    STR_ARG(name));
    in->source = INFER_BINARY;
    in->bytes = stated ? s->params.value[OIP_BINARY_DATA_SIZE] : UINT64_MAX;
    if (stated && in->bytes == UINT64_MAX) /* taken here: it means "the rest" */
        return fail(f, ERR_INPUT, "input \"%.*s\": \"binary_data_size\" is %" PRIu64, STR_ARG(name),
                    in->bytes);
    if (width == 0)
        return OK;
    if (__builtin_mul_overflow(in->count, width, &bytes) || (stated && in->bytes != bytes))
        return fail(f, ERR_INPUT,
                    "input \"%.*s\": \"binary_data_size\" is %" PRIu64 ", want %" PRIu64
                    " elements of %u bytes",
                    STR_ARG(name), in->bytes, in->count, width);
    in->bytes = bytes;
    return OK;
}

static err no_such_input(const struct signature *sig, str name, struct fault *f)
{
    char list[160];
    struct text t = text_over(list, sizeof(list));

    if (sig->input_count == 0)
        text_put(&t, STR("none"));
    for (uint32_t i = 0; i < sig->input_count && i < NAMES_SHOWN; i++)
        text_format(&t, "%s\"%.*s\"", i ? ", " : "", STR_ARG(str_cut(sig->inputs[i].name, 0, 32)));
    if (sig->input_count > NAMES_SHOWN)
        text_format(&t, " or %" PRIu32 " more", sig->input_count - NAMES_SHOWN);
    return fail(f, ERR_INPUT, "the model has no input \"%.*s\"; want %.*s", STR_ARG(name),
                STR_ARG(text_str(&t)));
}

static err judge_input(struct pass *p, const struct sent *s, struct fault *f)
{
    if (!s->has_name)
        return fail(f, ERR_INPUT, "inputs[%" PRIu32 "] has no \"name\"", p->sent_count);
    const str name = str_cut(s->name, 0, 80);
    const int which = signature_input(p->r.signature, s->name);
    if (which < 0)
        return no_such_input(p->r.signature, name, f);
    const struct spec *spec = &p->r.signature->inputs[which];
    struct infer_input *in = &p->r.inputs[which];
    if (in->source != INFER_ABSENT)
        return fail(f, ERR_INPUT, "input \"%.*s\" is given twice", STR_ARG(name));
    if (!s->has_datatype || !s->has_shape)
        return fail(f, ERR_INPUT, "input \"%.*s\" has no \"%s\"", STR_ARG(name),
                    s->has_datatype ? "shape" : "datatype");
    if (!str_eq(s->datatype, dtype_name(spec->dtype)) || spec->dtype == DTYPE_NONE)
        return fail(f, ERR_INPUT, "input \"%.*s\" has datatype \"%.*s\", want %.*s", STR_ARG(name),
                    STR_ARG(str_cut(s->datatype, 0, 40)), STR_ARG(dtype_name(spec->dtype)));
    err e = shape_fits(&s->shape, &spec->shape, name, f);
    if (e != OK)
        return e;
    if (shape_count(&s->shape, INT64_MAX, &in->count, NULL) != OK)
        return fail(f, ERR_INPUT, "input \"%.*s\": its shape has too many elements", STR_ARG(name));
    if (s->has_data && oip_param_given(&s->params, OIP_BINARY_DATA_SIZE))
        return fail(f, ERR_INPUT, "input \"%.*s\" has both \"data\" and \"binary_data_size\"",
                    STR_ARG(name));
    in->shape = s->shape;
    p->order[p->sent_count++] = (uint32_t)which;
    return s->has_data ? judge_data(s, spec->dtype, name, in, f)
                       : judge_binary(p, s, spec->dtype, name, in, f);
}

/* One entry of "inputs", its '{' read. */
static err read_input(struct pass *p, struct fault *f)
{
    static const str NAMES[] = {STR_LIT("name"), STR_LIT("datatype"), STR_LIT("shape"),
                                STR_LIT("parameters"), STR_LIT("data")};
    struct members m = MEMBERS(NAMES);
    struct sent s = {0};
    const uint32_t name_max = p->limits->name_length;

    for (;;) {
        err e = next_member(p, &m, f);
        if (e != OK)
            return e;
        if (m.which == MEMBER_END)
            return judge_input(p, &s, f);
        if (m.which == 0)
            e = read_text(p, "name", name_max, &s.name, &s.has_name, f);
        else if (m.which == 1)
            e = read_text(p, "datatype", name_max, &s.datatype, &s.has_datatype, f);
        else if (m.which == 2)
            e = read_shape(p, &s.shape, &s.has_shape, f);
        else if (m.which == 3)
            e = oip_param_read(&p->json, OIP_INPUT, p->limits, p->arena, &s.params, f);
        else if (m.which == 4)
            e = read_data(p, &s.data, &s.has_data, f);
        else
            e = skip_value(p, f);
        if (e != OK)
            return e;
    }
}

/* ---- outputs ---- */

static err judge_output(struct pass *p, str name, const struct oip_params *params, struct fault *f)
{
    const str shown = str_cut(name, 0, 80);
    const int which = signature_output(p->r.signature, name);

    if (which < 0)
        return fail(f, ERR_INPUT, "the model has no output \"%.*s\"", STR_ARG(shown));
    if (p->outputs_seen >> which & 1)
        return fail(f, ERR_INPUT, "output \"%.*s\" is asked for twice", STR_ARG(shown));
    struct infer_output out = {.index = (uint32_t)which};
    if (oip_param_given(params, OIP_CLASSIFICATION)) {
        const enum dtype dtype = p->r.signature->outputs[which].dtype;
        const uint64_t n = params->value[OIP_CLASSIFICATION];
        if (dtype == DTYPE_BYTES || dtype == DTYPE_BOOL)
            return fail(f, ERR_INPUT, "output \"%.*s\" is %.*s: classification wants numbers",
                        STR_ARG(shown), STR_ARG(dtype_name(dtype)));
        out.classes = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    }
    if (oip_param_given(params, OIP_BINARY_DATA)) {
        out.binary = params->value[OIP_BINARY_DATA] != 0;
        p->form_given |= (uint64_t)1 << p->r.output_count;
    }
    p->outputs_seen |= (uint64_t)1 << which;
    p->r.outputs[p->r.output_count++] = out;
    return OK;
}

static err read_output(struct pass *p, struct fault *f)
{
    static const str NAMES[] = {STR_LIT("name"), STR_LIT("parameters")};
    struct members m = MEMBERS(NAMES);
    struct oip_params params = {0};
    bool has_name = false;
    str name = {0};

    for (;;) {
        err e = next_member(p, &m, f);
        if (e != OK)
            return e;
        if (m.which == MEMBER_END)
            break;
        if (m.which == 0)
            e = read_text(p, "name", p->limits->name_length, &name, &has_name, f);
        else if (m.which == 1)
            e = oip_param_read(&p->json, OIP_OUTPUT, p->limits, p->arena, &params, f);
        else
            e = skip_value(p, f);
        if (e != OK)
            return e;
    }
    if (!has_name)
        return fail(f, ERR_INPUT, "outputs[%" PRIu32 "] has no \"name\"", p->r.output_count);
    return judge_output(p, name, &params, f);
}

/* ---- the request ---- */

/* An array of objects, each read by `each`. */
static err read_list(struct pass *p, const char *what, uint32_t max,
                     err (*each)(struct pass *, struct fault *), struct fault *f)
{
    err e = next(p, f);
    if (e != OK || p->t.kind == JSON_NULL)
        return e;
    if (p->t.kind != JSON_ARRAY)
        return fail(f, ERR_INPUT, "\"%s\" is no array", what);
    for (uint32_t i = 0;; i++) {
        e = next(p, f);
        if (e != OK || p->t.kind == JSON_ARRAY_END)
            return e;
        if (i == max)
            return fail(f, ERR_INPUT, "more than %" PRIu32 " %s", max, what);
        if (p->t.kind != JSON_OBJECT)
            return fail(f, ERR_INPUT, "%s[%" PRIu32 "] is no object", what, i);
        e = each(p, f);
        if (e != OK)
            return e;
    }
}

static err read_request(struct pass *p, struct fault *f)
{
    static const str NAMES[] = {STR_LIT("id"), STR_LIT("parameters"), STR_LIT("inputs"),
                                STR_LIT("outputs")};
    struct members m = MEMBERS(NAMES);
    bool has_id = false;

    err e = next(p, f);
    if (e != OK)
        return e;
    if (p->t.kind != JSON_OBJECT)
        return fail(f, ERR_INPUT, "the request is no JSON object");
    for (;;) {
        e = next_member(p, &m, f);
        if (e != OK)
            return e;
        if (m.which == MEMBER_END)
            return next(p, f); /* nothing may follow */
        if (m.which == 0)
            e = read_text(p, "id", INFER_ID_BYTES_MAX, &p->r.id, &has_id, f);
        else if (m.which == 1)
            e = oip_param_read(&p->json, OIP_REQUEST, p->limits, p->arena, &p->params, f);
        else if (m.which == 2)
            e = read_list(p, "inputs", p->limits->inputs, read_input, f);
        else if (m.which == 3)
            e = read_list(p, "outputs", p->limits->outputs, read_output, f);
        else
            e = skip_value(p, f);
        if (e != OK)
            return e;
    }
}

/* Cuts the part after the JSON into the binary inputs, in the order they were named. */
static err deal_binary(struct pass *p, str rest, struct fault *f)
{
    for (uint32_t i = 0; i < p->sent_count; i++) {
        struct infer_input *in = &p->r.inputs[p->order[i]];
        const str name = str_cut(p->r.signature->inputs[p->order[i]].name, 0, 80);
        if (in->source != INFER_BINARY)
            continue;
        if (in->bytes == UINT64_MAX && i + 1 < p->sent_count)
            return fail(f, ERR_INPUT,
                        "input \"%.*s\" needs \"binary_data_size\": only the last input may take "
                        "the rest",
                        STR_ARG(name));
        if (in->bytes == UINT64_MAX)
            in->bytes = rest.len;
        if (in->bytes > rest.len)
            return fail(f, ERR_INPUT,
                        "input \"%.*s\" wants %" PRIu64
                        " bytes of binary data, %zu are left in the body",
                        STR_ARG(name), in->bytes, rest.len);
        in->at = str_cut(rest, 0, in->bytes);
        rest = str_cut(rest, in->bytes, rest.len);
    }
    if (rest.len > 0)
        return fail(f, ERR_INPUT, "%zu bytes of binary data are left over", rest.len);
    return OK;
}

/* The rows, and where batches are stated whether all inputs agree on them. */
static err count_rows(struct infer_request *r, struct fault *f)
{
    const struct signature *sig = r->signature;
    bool first = true, equal = true;

    r->rows = 1;
    for (uint32_t i = 0; i < sig->input_count; i++) {
        const struct shape *shape = &r->inputs[i].shape;
        if (r->inputs[i].source == INFER_ABSENT)
            continue;
        const bool counts =
            shape->rank > 0 && (sig->max_batch_size > 0 || sig->inputs[i].shape.dim[0] < 0);
        if (counts && first)
            r->rows = (uint64_t)shape->dim[0];
        equal = equal && counts && (uint64_t)shape->dim[0] == r->rows;
        first = false;
    }
    if (sig->max_batch_size == 0) {
        r->rows = equal ? r->rows : 1;
        return OK;
    }
    if (!equal)
        return fail(f, ERR_INPUT, "the inputs differ in their first dim, the batch");
    if (r->rows > sig->max_batch_size)
        return fail(f, ERR_INPUT, "the batch has %" PRIu64 " rows, the model takes %" PRIu32,
                    r->rows, sig->max_batch_size);
    return OK;
}

/* What was left out: required inputs are an error, outputs are all of them. */
static err complete(struct pass *p, bool raw, struct fault *f)
{
    const struct signature *sig = p->r.signature;
    const bool binary = raw || p->params.value[OIP_BINARY_DATA_OUTPUT] != 0;

    for (uint32_t i = 0; i < sig->input_count; i++) {
        if (p->r.inputs[i].source == INFER_ABSENT && !sig->inputs[i].optional)
            return fail(f, ERR_INPUT, "input \"%.*s\" is missing",
                        STR_ARG(str_cut(sig->inputs[i].name, 0, 80)));
    }
    if (p->r.output_count == 0) {
        for (; p->r.output_count < sig->output_count; p->r.output_count++)
            p->r.outputs[p->r.output_count] = (struct infer_output){.index = p->r.output_count};
    }
    for (uint32_t i = 0; i < p->r.output_count; i++) {
        if (!(p->form_given >> i & 1))
            p->r.outputs[i].binary = binary;
    }
    p->r.timeout_us = p->params.value[OIP_TIMEOUT];
    p->r.priority = p->params.value[OIP_PRIORITY];
    return count_rows(&p->r, f);
}

err oip_index(const struct oip_body *body, const struct signature *sig,
              const struct infer_limits *limits, struct arena *arena, struct infer_request *ret,
              struct fault *f)
{
    const bool raw = body->has_header && body->json_len == 0;
    const uint64_t json_len = body->has_header ? body->json_len : body->bytes.len;
    const struct json_limits json_limits = {limits->json_depth, limits->json_number, true};
    struct pass p = {.body = body, .limits = limits, .arena = arena};
    err e;

    must(sig->output_count <= SIGNATURE_OUTPUTS_MAX && limits->rank <= SHAPE_RANK_MAX);
    if (json_len > body->bytes.len)
        return fail(f, ERR_INPUT,
                    "Inference-Header-Content-Length is %" PRIu64 ", the body has %zu bytes",
                    json_len, body->bytes.len);
    p.r.signature = sig;
    p.r.limits = *limits;
    p.r.inputs = arena_new(arena, struct infer_input, sig->input_count);
    p.r.outputs = arena_new(arena, struct infer_output, sig->output_count);
    p.order = arena_new(arena, uint32_t, sig->input_count);
    if (!p.r.inputs || !p.r.outputs || !p.order)
        return no_room(f);
    if (raw) {
        e = oip_raw_index(body->bytes, &p.r, f);
    } else {
        p.json = json_over(str_cut(body->bytes, 0, json_len), &json_limits);
        e = read_request(&p, f);
        if (e == OK)
            e = deal_binary(&p, str_cut(body->bytes, json_len, body->bytes.len), f);
    }
    if (e == OK)
        e = complete(&p, raw, f);
    if (e == OK)
        *ret = p.r;
    return e;
}
