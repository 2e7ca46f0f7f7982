/* fuzz: proto oip_index.c oip_param.c oip_raw.c oip_fill.c oip_reply.c */
/* A whole request: first byte the model, second the length of the JSON part, then the body. What is
 * taken is filled into room of exactly the promised size, passes the check of every tensor, and is
 * sent back as a reply whose JSON the strict reader must take. */
#include <stdlib.h>

#include "proto/json.h"
#include "proto/oip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const str LABELS[] = {STR_LIT("cat"), STR_LIT("\"d\xFFog"), STR_LIT("")};

static const struct spec SPECS[] = {
    {.name = STR_LIT("a"),
     .dtype = DTYPE_FP32,
     .shape = {.dim = {-1, 2}, .rank = 2},
     .labels = LABELS,
     .label_count = 3},
    {.name = STR_LIT("s"),
     .dtype = DTYPE_BYTES,
     .shape = {.dim = {-1}, .rank = 1},
     .optional = true},
    {.name = STR_LIT("i"),
     .dtype = DTYPE_INT8,
     .shape = {.dim = {-1, -1, 3}, .rank = 3},
     .optional = true},
    {.name = STR_LIT("h"),
     .dtype = DTYPE_FP16,
     .shape = {.dim = {-1}, .rank = 1},
     .optional = true,
     .labels = LABELS,
     .label_count = 3},
    {.name = STR_LIT("b"),
     .dtype = DTYPE_BOOL,
     .shape = {.dim = {-1, 2}, .rank = 2},
     .optional = true},
    {.name = STR_LIT("u"),
     .dtype = DTYPE_UINT64,
     .shape = {.dim = {-1}, .rank = 1},
     .optional = true},
    {.name = STR_LIT("d"), .dtype = DTYPE_FP64, .shape = {.rank = 0}, .optional = true},
};
#define SPEC_COUNT (sizeof(SPECS) / sizeof(SPECS[0]))

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The bytes of a chain in one block, the caller's. */
static char *flatten(const struct chain *c)
{
    char *all = malloc(c->len > 0 ? c->len : 1);
    size_t at = 0;

    check(all != NULL);
    for (uint32_t i = 0; i < c->piece_count; i++) {
        memcpy(all + at, c->pieces[i].iov_base, c->pieces[i].iov_len);
        at += c->pieces[i].iov_len;
    }
    check(at == c->len);
    return all;
}

static void check_reply(const struct infer_request *r, const struct view *views, bool nonfinite)
{
    struct chain c = {0};
    struct reply_form form = {0};
    struct fault f = {0};
    struct view outputs[SPEC_COUNT];
    const struct json_limits limits = {.depth = 64, .number = 64, .nonfinite = !nonfinite};

    for (uint32_t i = 0; i < r->output_count; i++)
        outputs[i] = views[r->outputs[i].index];
    const struct reply_ask ask = {r, outputs, {STR("m"), STR("1")}, {nonfinite}};
    const err e = oip_reply(&c, &ask, &form, &f);
    if (e == OK) {
        char *all = flatten(&c);
        struct json j = json_over((str){all, form.json_len}, &limits);
        struct json_token t;
        do
            check(json_next(&j, &t, NULL) == OK);
        while (t.kind != JSON_END);
        check(form.binary || form.json_len == c.len);
        free(all);
    } else {
        check(f.pair == PAIR_CLIENT_ERROR_UNWRITABLE);
    }
    chain_free(&c);
}

/* An input that was left out comes back as an empty tensor. */
static struct view absent(const struct spec *spec)
{
    struct view v = {spec->dtype, spec->shape, (const uint8_t *)"\0\0\0\0\0\0\0", 0};

    for (uint32_t i = 0; i < v.shape.rank; i++)
        v.shape.dim[i] = v.shape.dim[i] < 0 ? 0 : v.shape.dim[i];
    v.len = v.shape.rank == 0 ? dtype_bytes(spec->dtype) : 0;
    return v;
}

static void use(const struct infer_request *r, bool nonfinite)
{
    struct view views[SPEC_COUNT];
    uint8_t *rooms[SPEC_COUNT] = {0};
    struct fault f = {0};
    err e = OK;

    for (uint32_t i = 0; i < r->signature->input_count && e == OK; i++) {
        const struct infer_input *in = &r->inputs[i];
        views[i] = absent(&SPECS[i]);
        if (in->source == INFER_ABSENT)
            continue;
        check(in->bytes <= 1 << 24);
        rooms[i] = malloc(in->bytes > 0 ? in->bytes : 1);
        check(rooms[i] != NULL);
        views[i].shape = in->shape;
        views[i].at = rooms[i];
        e = oip_fill(r, i, rooms[i], in->bytes, &views[i].len, &f);
        if (e == OK) {
            check(views[i].len <= in->bytes);
            check(view_check(&views[i], SPECS[i].name, NULL) == OK);
        }
    }
    if (e == OK)
        check_reply(r, views, nonfinite);
    else
        check(e == ERR_INPUT && f.text[0] != 0);
    for (uint32_t i = 0; i < SPEC_COUNT; i++)
        free(rooms[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct infer_limits limits = INFER_LIMITS_DEFAULT;
    struct infer_request r = {0};
    struct fault f = {0};
    struct arena arena;

    if (len < 2)
        return 0;
    const uint32_t count = data[0] & 8 ? 1 : SPEC_COUNT;
    const struct signature sig = {SPECS, count, SPECS, count, data[0] & 1 ? 4 : 0};
    const size_t json_len = data[0] & 2 ? (size_t)data[1] * 4 : len - 2 - data[1];
    const struct oip_body body = {{(const char *)data + 2, len - 2}, (data[0] & 4) != 0, json_len};
    arena_init(&arena, 1 << 20);
    const err e = oip_index(&body, &sig, &limits, &arena, &r, &f);
    if (e == OK)
        use(&r, (data[0] & 16) != 0);
    else
        check((e == ERR_INPUT || e == ERR_UNSUPPORTED || e == ERR_TOO_BIG) && f.text[0] != 0);
    arena_free(&arena);
    return 0;
}
