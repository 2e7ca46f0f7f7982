/* Encoding a reply: a JSON part, then the tensors that go out in binary, borrowed where they lie.
 * Texts of a classification that go out in binary are made twice, once for their size, which the
 * JSON part must state, and once for their bytes. */
#include "proto/oip.h"

#include "base/utf8.h"
#include "proto/classify.h"
#include "proto/element.h"
#include "proto/json_put.h"

#define PORTION_BYTES 4096u /* room taken from the chain at once */

/* ---- data in JSON ---- */

static void put_numbers(struct chain *c, const struct view *v, uint64_t count, bool quote)
{
    const unsigned width = dtype_bytes(v->dtype);
    uint64_t i = 0;

    while (i < count) {
        char *room = chain_room(c, PORTION_BYTES);
        if (!room)
            return;
        char *p = room;
        const char *full = room + PORTION_BYTES - NUM_WRITE_BYTES - 3;
        for (; i < count && p <= full; i++) {
            bool finite;
            if (i > 0)
                *p++ = ',';
            const unsigned n = element_text(p, v->dtype, v->at + i * width, &finite);
            if (!finite && quote) {
                memmove(p + 1, p, n);
                p[0] = '"';
                p[n + 1] = '"';
                p += 2;
            }
            p += n;
        }
        chain_wrote(c, (uint32_t)(p - room));
    }
}

static err put_records(struct chain *c, const struct view *v, str name, struct fault *f)
{
    str rest = {(const char *)v->at, v->len}, record;
    bool first = true;

    while (view_record(&rest, &record)) {
        if (!utf8_valid(record))
            return fail_pair(f, PAIR_CLIENT_ERROR_UNWRITABLE,
                             "output \"%.*s\" is not UTF-8 and cannot be written in JSON: ask for "
                             "it with \"binary_data\": true",
                             STR_ARG(str_cut(name, 0, 80)));
        if (!first)
            chain_put(c, STR(","));
        first = false;
        json_put_text(c, record);
    }
    return OK;
}

/* ---- classifications ---- */

enum class_form { CLASS_SIZE, CLASS_JSON, CLASS_BINARY };

/* Goes through all texts in one of three ways; returns the bytes of their binary form. */
static uint64_t put_classes(struct chain *c, struct classify *classes, enum class_form form)
{
    uint64_t bytes = 0;
    struct class_text text;

    for (uint64_t row = 0; row < classes->rows && !c->failed; row++) {
        classify_row(classes, row);
        for (uint32_t i = 0; i < classes->n; i++) {
            classify_text(classes, row, i, &text);
            if (text.has_label)
                text.at[text.len++] = ':';
            const str head = {text.at, text.len};
            const uint32_t len = text.len + (uint32_t)text.label.len;
            bytes += 4 + (uint64_t)len;
            if (form == CLASS_BINARY) {
                chain_put(c, (str){(const char *)&len, sizeof(len)});
                chain_put(c, head);
                chain_put(c, text.label);
            } else if (form == CLASS_JSON) {
                chain_put(c, row > 0 || i > 0 ? STR(",\"") : STR("\""));
                chain_put(c, head);
                json_put_part(c, text.label);
                chain_put(c, STR("\""));
            }
        }
    }
    return bytes;
}

/* ---- outputs ---- */

static void put_head(struct chain *c, str name, enum dtype dtype, const struct shape *shape)
{
    chain_put(c, STR("{\"name\":"));
    json_put_text(c, name);
    chain_put(c, STR(",\"datatype\":\""));
    chain_put(c, dtype_name(dtype));
    chain_put(c, STR("\",\"shape\":["));
    for (uint32_t i = 0; i < shape->rank; i++) {
        if (i > 0)
            chain_put(c, STR(","));
        json_put_i64(c, shape->dim[i]);
    }
    chain_put(c, STR("]"));
}

static void put_size(struct chain *c, uint64_t bytes)
{
    chain_put(c, STR(",\"parameters\":{\"binary_data_size\":"));
    json_put_u64(c, bytes);
    chain_put(c, STR("}}"));
}

static err put_tensor(struct chain *c, const struct reply_ask *ask, uint32_t i, struct fault *f)
{
    const struct infer_output *out = &ask->request->outputs[i];
    const str name = ask->request->signature->outputs[out->index].name;
    const struct view *v = &ask->outputs[i];
    uint64_t count;

    put_head(c, name, v->dtype, &v->shape);
    if (out->binary) {
        put_size(c, v->len);
        return OK;
    }
    err e = shape_count(&v->shape, INT64_MAX, &count, f);
    chain_put(c, STR(",\"data\":["));
    if (e == OK && v->dtype == DTYPE_BYTES)
        e = put_records(c, v, name, f);
    else if (e == OK)
        put_numbers(c, v, count, ask->opts.nonfinite_string);
    chain_put(c, STR("]}"));
    return e;
}

static err open_classes(const struct reply_ask *ask, uint32_t i, struct classify *ret,
                        struct fault *f)
{
    const struct signature *sig = ask->request->signature;
    const struct infer_output *out = &ask->request->outputs[i];
    const struct view *v = &ask->outputs[i];
    const bool batched = sig->max_batch_size > 0 && v->shape.rank > 0;

    return classify_make(ret, v, &sig->outputs[out->index], batched, out->classes, f);
}

static err put_classified(struct chain *c, const struct reply_ask *ask, uint32_t i, struct fault *f)
{
    struct classify classes = {0};
    const err e = open_classes(ask, i, &classes, f);

    if (e != OK)
        return e;
    const struct shape shape = classify_shape(&classes);
    put_head(c, classes.spec->name, DTYPE_BYTES, &shape);
    if (ask->request->outputs[i].binary) {
        put_size(c, put_classes(c, &classes, CLASS_SIZE));
    } else {
        chain_put(c, STR(",\"data\":["));
        (void)put_classes(c, &classes, CLASS_JSON);
        chain_put(c, STR("]}"));
    }
    classify_free(&classes);
    return OK;
}

/* The bytes of output i after the JSON part. */
static err put_binary(struct chain *c, const struct reply_ask *ask, uint32_t i, struct fault *f)
{
    struct classify classes = {0};

    if (ask->request->outputs[i].classes == 0) {
        chain_borrow(c, ask->outputs[i].at, ask->outputs[i].len);
        return OK;
    }
    const err e = open_classes(ask, i, &classes, f);
    if (e == OK)
        (void)put_classes(c, &classes, CLASS_BINARY);
    classify_free(&classes);
    return e;
}

static void put_facts(struct chain *c, const struct reply_ask *ask)
{
    chain_put(c, STR("{\"model_name\":"));
    json_put_text(c, ask->facts.model);
    chain_put(c, STR(",\"model_version\":"));
    json_put_text(c, ask->facts.version);
    if (ask->request->id.len > 0) {
        chain_put(c, STR(",\"id\":"));
        json_put_text(c, ask->request->id);
    }
    chain_put(c, STR(",\"outputs\":["));
}

err oip_reply(struct chain *c, const struct reply_ask *ask, struct reply_form *ret, struct fault *f)
{
    const struct infer_request *r = ask->request;
    const uint64_t before = c->len;
    struct reply_form form = {0};
    err e = OK;

    put_facts(c, ask);
    for (uint32_t i = 0; i < r->output_count && e == OK; i++) {
        if (i > 0)
            chain_put(c, STR(","));
        form.binary = form.binary || r->outputs[i].binary;
        e = r->outputs[i].classes > 0 ? put_classified(c, ask, i, f) : put_tensor(c, ask, i, f);
    }
    chain_put(c, STR("]}"));
    form.json_len = c->len - before;
    for (uint32_t i = 0; i < r->output_count && e == OK; i++) {
        if (r->outputs[i].binary)
            e = put_binary(c, ask, i, f);
    }
    if (e == OK && c->failed)
        e = fail(f, ERR_UNAVAILABLE, "out of memory for the reply");
    if (e == OK)
        *ret = form;
    return e;
}
