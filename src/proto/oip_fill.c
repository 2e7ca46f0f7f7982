/* The second pass over an input: its elements, converted and laid down in binary form. Arrays are
 * walked by counters, one a dim, so nothing recurses. Errors name the place of the element, never
 * its value: values are the customer's and must not reach a log. */
#include "proto/oip.h"

#include <inttypes.h>

#include "base/must.h"
#include "proto/json.h"
#include "proto/num_read.h"
#include "proto/num_whole.h"

/* One input on its way. */
struct fill {
    const char *p, *end;
    str all;        /* of "data" */
    uint64_t count; /* elements of the shape */
    uint8_t *to;    /* the next element goes here */
    uint64_t done;
    enum dtype dtype;
    uint32_t number_max;
    str name;
};

static err wrong(const struct fill *c, const char *what, struct fault *f)
{
    return fail(f, ERR_INPUT, "input \"%.*s\": element %" PRIu64 " %s", STR_ARG(c->name), c->done,
                what);
}

/* "is missing", "is one too many": with both counts, unless they agree and the nesting does not. */
static err wrong_count(const struct fill *c, const char *what, struct fault *f)
{
    const uint64_t seen = json_leaves(c->all);

    if (seen == c->count)
        return fail(f, ERR_INPUT,
                    "input \"%.*s\": element %" PRIu64
                    " %s: \"data\" is flat, or nested exactly as "
                    "the shape",
                    STR_ARG(c->name), c->done, what);
    return fail(f, ERR_INPUT,
                "input \"%.*s\": element %" PRIu64 " %s: \"data\" has %" PRIu64
                " elements, want %" PRIu64,
                STR_ARG(c->name), c->done, what, seen, c->count);
}

static err wrong_type(const struct fill *c, struct fault *f)
{
    const char first = c->p < c->end ? *c->p : 0;

    if (first == '[')
        return wrong(c, "is an array: \"data\" is flat, or nested exactly as the shape", f);
    if (first == ']' || first == ',' || first == 0)
        return wrong_count(c, "is missing", f);
    if (c->dtype == DTYPE_BOOL)
        return wrong(c, "is none of true, false, 0, 1", f);
    return wrong(c, c->dtype == DTYPE_BYTES ? "is no string" : "is no number", f);
}

static inline void put(struct fill *c, const void *value, unsigned bytes)
{
    memcpy(c->to, value, bytes);
    c->to += bytes;
}

/* ---- elements ---- */

static bool take_word(struct fill *c, str word)
{
    if (!str_starts((str){c->p, (size_t)(c->end - c->p)}, word))
        return false;
    c->p += word.len;
    return true;
}

/* NaN or an infinity, bare or in quotes, as bits of the datatype. */
static err put_nonfinite(struct fill *c, struct fault *f)
{
    static const struct {
        str word;
        uint64_t f64;
        uint32_t f32;
        uint16_t f16, bf16;
    } WORDS[] = {
        {STR_LIT("NaN"), 0x7FF8000000000000u, 0x7FC00000u, 0x7E00u, 0x7FC0u},
        {STR_LIT("Infinity"), 0x7FF0000000000000u, 0x7F800000u, 0x7C00u, 0x7F80u},
        {STR_LIT("-Infinity"), 0xFFF0000000000000u, 0xFF800000u, 0xFC00u, 0xFF80u},
    };
    const char *from = c->p;
    const bool quoted = take_word(c, STR("\""));

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (!take_word(c, WORDS[i].word))
            continue;
        if (quoted && !take_word(c, STR("\"")))
            break;
        if (c->dtype == DTYPE_FP64)
            put(c, &WORDS[i].f64, 8);
        else if (c->dtype == DTYPE_FP32)
            put(c, &WORDS[i].f32, 4);
        else
            put(c, c->dtype == DTYPE_FP16 ? &WORDS[i].f16 : &WORDS[i].bf16, 2);
        return OK;
    }
    c->p = from;
    return wrong_type(c, f);
}

static enum num_state put_whole(struct fill *c, const struct num *n)
{
    const unsigned bytes = dtype_bytes(c->dtype);
    const unsigned unused = 64 - 8 * bytes;
    enum num_state state;
    uint64_t value = 0;
    int64_t with_sign = 0;

    if (c->dtype == DTYPE_INT8 || c->dtype == DTYPE_INT16 || c->dtype == DTYPE_INT32 ||
        c->dtype == DTYPE_INT64) {
        state = num_whole_signed(n, INT64_MIN >> unused, INT64_MAX >> unused, &with_sign);
        value = (uint64_t)with_sign;
    } else {
        state = num_whole_unsigned(n, c->dtype == DTYPE_BOOL ? 1 : UINT64_MAX >> unused, &value);
    }
    if (state == NUM_OK)
        put(c, &value, bytes); /* little-endian: the low bytes */
    return state;
}

static inline enum num_state put_number(struct fill *c, const struct num *n)
{
    enum num_state state;
    double f64;
    float f32;
    uint16_t f16;

    switch (c->dtype) {
    case DTYPE_FP32:
        state = num_read_f32(n, &f32);
        if (state == NUM_OK)
            put(c, &f32, sizeof(f32));
        return state;
    case DTYPE_FP64:
        state = num_read_f64(n, &f64);
        if (state == NUM_OK)
            put(c, &f64, sizeof(f64));
        return state;
    case DTYPE_FP16:
    case DTYPE_BF16:
        state = c->dtype == DTYPE_FP16 ? num_read_f16(n, &f16) : num_read_bf16(n, &f16);
        if (state == NUM_OK)
            put(c, &f16, sizeof(f16));
        return state;
    default:
        return put_whole(c, n);
    }
}

static bool is_float(enum dtype d)
{
    return d == DTYPE_FP32 || d == DTYPE_FP64 || d == DTYPE_FP16 || d == DTYPE_BF16;
}

static err number(struct fill *c, struct fault *f)
{
    struct num n;
    const char *stop = num_read_scan(c->p, c->end, &n);

    if (!stop && is_float(c->dtype))
        return put_nonfinite(c, f);
    if (!stop)
        return wrong_type(c, f);
    if (n.text.len > c->number_max)
        return wrong(c, "is a number of too many characters", f);
    const enum num_state state = put_number(c, &n);
    if (state == NUM_RANGE)
        return wrong(c, "is out of the range of its datatype", f);
    if (state == NUM_FRACTION)
        return wrong(c, "is no whole number", f);
    c->p = stop;
    return OK;
}

static err truth(struct fill *c, struct fault *f)
{
    if (take_word(c, STR("true")) || take_word(c, STR("false"))) {
        *c->to++ = c->p[-2] == 'u'; /* tr-u-e, fal-s-e */
        return OK;
    }
    return number(c, f);
}

static err text(struct fill *c, struct fault *f)
{
    bool escaped = false;
    const char *why;

    if (*c->p != '"')
        return wrong_type(c, f);
    const char *from = c->p + 1;
    const char *quote = json_string_end(from, c->end, &escaped, &why);
    if (!quote)
        return wrong(c, "is no string of UTF-8 with right escapes", f);
    const str raw = {from, (size_t)(quote - from)};
    if (raw.len > UINT32_MAX)
        return wrong(c, "is longer than 4 GiB", f);
    uint32_t len = (uint32_t)raw.len;
    if (escaped)
        len = (uint32_t)json_unescape((char *)c->to + 4, raw);
    else
        memcpy(c->to + 4, raw.at, len);
    put(c, &len, sizeof(len));
    c->to += len;
    c->p = quote + 1;
    return OK;
}

/* Takes what it can of n elements in one go, but the last, which no comma follows. */
static uint64_t plain_run(struct fill *c, uint64_t n)
{
    struct num_run run = {c->p, c->end, n - 1, c->number_max};
    uint64_t taken = 0;

    if (c->dtype == DTYPE_FP32)
        taken = num_read_run_f32(&run, c->to);
    else if (c->dtype == DTYPE_FP64)
        taken = num_read_run_f64(&run, c->to);
    c->p = run.at;
    c->to += taken * dtype_bytes(c->dtype);
    c->done += taken;
    return taken;
}

/* n elements with the commas between them. */
static err run(struct fill *c, uint64_t n, struct fault *f)
{
    for (uint64_t i = 0; i < n; i++) {
        err e;

        if (i > 0) {
            c->p = json_blank(c->p, c->end);
            if (c->p == c->end || *c->p != ',')
                return c->p < c->end && *c->p != ']' ? wrong(c, "does not follow a ','", f)
                                                     : wrong_count(c, "is missing", f);
            c->p++;
        }
        c->p = json_blank(c->p, c->end);
        i += plain_run(c, n - i);
        if (c->p == c->end)
            return wrong_type(c, f);
        if (c->dtype == DTYPE_BYTES)
            e = text(c, f);
        else if (c->dtype == DTYPE_BOOL)
            e = truth(c, f);
        else
            e = number(c, f);
        if (e != OK)
            return e;
        c->done++;
    }
    return OK;
}

/* ---- arrays ---- */

static err mark(struct fill *c, char want, struct fault *f)
{
    c->p = json_blank(c->p, c->end);
    if (c->p < c->end && *c->p == want) {
        c->p++;
        return OK;
    }
    if (want == ']' && c->p < c->end && *c->p == ',')
        return wrong_count(c, "is one too many", f);
    return fail(f, ERR_INPUT, "input \"%.*s\": want '%c' at element %" PRIu64, STR_ARG(c->name),
                want, c->done);
}

/* Closes arrays outwards until one has a next entry; *level is then its, or 0 and *ret_end. */
static err ascend(struct fill *c, const struct shape *s, int64_t *index, uint32_t *level,
                  bool *ret_end, struct fault *f)
{
    err e = mark(c, ']', f);

    while (e == OK && *level > 0) {
        const uint32_t outer = *level - 1;
        if (++index[outer] < s->dim[outer])
            return mark(c, ',', f);
        *level = outer;
        e = mark(c, ']', f);
    }
    *ret_end = true;
    return e;
}

/* Nested exactly as the shape, of rank 1 at least. */
static err walk(struct fill *c, const struct shape *s, struct fault *f)
{
    int64_t index[SHAPE_RANK_MAX] = {0};
    uint32_t level = 0;
    bool end = false;

    for (;;) {
        err e = mark(c, '[', f);
        if (e != OK)
            return e;
        if (level + 1 < s->rank && s->dim[level] > 0) {
            index[level++] = 0;
            continue;
        }
        e = run(c, (uint64_t)(level + 1 < s->rank ? 0 : s->dim[level]), f);
        if (e == OK)
            e = ascend(c, s, index, &level, &end, f);
        if (e != OK || end)
            return e;
    }
}

static err fill_json(const struct infer_request *r, uint32_t input, uint8_t *to, uint64_t *ret_len,
                     struct fault *f)
{
    const struct infer_input *in = &r->inputs[input];
    const struct spec *spec = &r->signature->inputs[input];
    const struct shape flat = {.dim = {(int64_t)in->count}, .rank = 1};
    struct fill c = {.p = in->at.at,
                     .end = in->at.at + in->at.len,
                     .all = in->at,
                     .count = in->count,
                     .to = to,
                     .dtype = spec->dtype,
                     .number_max = r->limits.json_number,
                     .name = str_cut(spec->name, 0, 80)};
    const char *inside = json_blank(c.p + 1, c.end);
    const bool nested = in->shape.rank > 1 && inside < c.end && *inside == '[';

    const err e = in->shape.rank == 0 && *c.p != '[' ? run(&c, 1, f)
                                                     : walk(&c, nested ? &in->shape : &flat, f);
    if (e != OK)
        return e;
    if (c.p != c.end)
        return wrong(&c, "is not where \"data\" ends", f);
    *ret_len = (uint64_t)(c.to - to);
    return OK;
}

static err fill_binary(const struct infer_input *in, const struct spec *spec, uint8_t *to,
                       uint64_t *ret_len, struct fault *f)
{
    const struct view view = {spec->dtype, in->shape, (const uint8_t *)in->at.at, in->at.len};
    const err e = view_check(&view, spec->name, f);

    if (e != OK)
        return e;
    if (in->at.len > 0)
        memcpy(to, in->at.at, in->at.len);
    *ret_len = in->at.len;
    return OK;
}

err oip_fill(const struct infer_request *r, uint32_t input, uint8_t *to, uint64_t cap,
             uint64_t *ret_len, struct fault *f)
{
    const struct infer_input *in = &r->inputs[input];
    const struct spec *spec = &r->signature->inputs[input];

    must(in->source != INFER_ABSENT);
    must(cap >= in->bytes);
    if (in->source == INFER_JSON)
        return fill_json(r, input, to, ret_len, f);
    if (in->source == INFER_BINARY)
        return fill_binary(in, spec, to, ret_len, f);
    const uint32_t len = (uint32_t)in->at.len; /* of the one element */
    memcpy(to, &len, sizeof(len));
    if (len > 0)
        memcpy(to + sizeof(len), in->at.at, len);
    *ret_len = sizeof(len) + (uint64_t)len;
    return OK;
}
