/* fuzz: proto oip_raw.c oip_fill.c oip_reply.c classify.c element.c */
/* Tensors in binary alone: the first bytes choose datatype, shape and what is asked for, the rest
 * is the raw request. What is taken comes back in JSON or as a classification, and the JSON of
 * numbers read again gives the same bytes (NaN apart). */
#include <math.h>
#include <stdlib.h>

#include "proto/oip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static char *flatten(const struct chain *c)
{
    char *all = malloc(c->len > 0 ? c->len : 1);
    size_t at = 0;

    check(all != NULL);
    for (uint32_t i = 0; i < c->piece_count; i++) {
        memcpy(all + at, c->pieces[i].iov_base, c->pieces[i].iov_len);
        at += c->pieces[i].iov_len;
    }
    return all;
}

/* The reply's "outputs" become a request's "inputs"; its tensor must be the one that was sent. */
static void send_back(const struct signature *sig, const char *reply, size_t reply_len,
                      const uint8_t *sent, uint64_t sent_len)
{
    const struct infer_limits limits = INFER_LIMITS_DEFAULT;
    const char *outputs = memmem(reply, reply_len, "\"outputs\"", 9);
    struct infer_request r = {0};
    struct arena arena;
    uint64_t len = 0;

    check(outputs != NULL);
    const size_t tail = reply_len - (size_t)(outputs - reply);
    char *body = malloc(tail + 1);
    check(body != NULL);
    body[0] = '{';
    memcpy(body + 1, outputs, tail);
    memcpy(body + 2, "inputs\" ", 8); /* "outputs" is one byte longer */
    arena_init(&arena, 1 << 20);
    const struct oip_body bytes = {.bytes = {body, tail + 1}};
    check(oip_index(&bytes, sig, &limits, &arena, &r, NULL) == OK);
    uint8_t *room = malloc(r.inputs[0].bytes > 0 ? r.inputs[0].bytes : 1);
    check(room != NULL);
    check(oip_fill(&r, 0, room, r.inputs[0].bytes, &len, NULL) == OK);
    check(len == sent_len && (len == 0 || memcmp(room, sent, len) == 0));
    free(room);
    free(body);
    arena_free(&arena);
}

/* NaN has many bit patterns and one word. */
static bool has_nan(enum dtype dtype, const uint8_t *at, uint64_t len)
{
    const unsigned width = dtype_bytes(dtype);

    for (uint64_t i = 0; width > 0 && i + width <= len; i += width) {
        uint64_t v = 0;
        memcpy(&v, at + i, width);
        if ((dtype == DTYPE_FP64 && (v & INT64_MAX) > UINT64_C(2047) << 52) ||
            (dtype == DTYPE_FP32 && (v & INT32_MAX) > UINT64_C(255) << 23) ||
            (dtype == DTYPE_FP16 && (v & 0x7FFF) > 31u << 10) ||
            (dtype == DTYPE_BF16 && (v & 0x7FFF) > 255u << 7))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct infer_limits limits = INFER_LIMITS_DEFAULT;
    struct infer_request r = {0};
    struct arena arena;

    if (len < 3)
        return 0;
    const enum dtype dtype = (enum dtype)(1 + data[0] % (DTYPE_COUNT - 1));
    struct spec spec = {.name = STR("x"),
                        .dtype = dtype,
                        .shape = {.dim = {-1, 1 + data[1] % 4}, .rank = 1 + data[1] / 4 % 2}};
    if (dtype == DTYPE_BYTES)
        spec.shape = (struct shape){.dim = {1}, .rank = 1};
    const struct signature sig = {&spec, 1, &spec, 1, 0};
    const struct oip_body body = {{(const char *)data + 3, len - 3}, true, 0};
    arena_init(&arena, 1 << 20);
    if (oip_index(&body, &sig, &limits, &arena, &r, NULL) == OK) {
        const struct infer_input *in = &r.inputs[0];
        uint8_t *room = malloc(in->bytes > 0 ? in->bytes : 1);
        struct view view = {dtype, in->shape, room, 0};
        struct chain c = {0};
        struct reply_form form;
        check(room != NULL);
        if (oip_fill(&r, 0, room, in->bytes, &view.len, NULL) == OK) {
            r.outputs[0].binary = data[2] & 1;
            if (dtype != DTYPE_BYTES && dtype != DTYPE_BOOL)
                r.outputs[0].classes = data[2] / 2 % 8;
            const struct reply_ask ask = {&r, &view, {STR("m"), STR("1")}, {data[2] >> 7}};
            const bool wrote = oip_reply(&c, &ask, &form, NULL) == OK;
            check(wrote || dtype == DTYPE_BYTES);
            if (wrote && !r.outputs[0].binary && r.outputs[0].classes == 0 &&
                !has_nan(dtype, room, view.len)) {
                char *reply = flatten(&c);
                send_back(&sig, reply, c.len, room, view.len);
                free(reply);
            }
        }
        chain_free(&c);
        free(room);
    }
    arena_free(&arena);
    return 0;
}
