/* Metadata bodies, member by member; see oip_meta.h. Names come from model files, so every text
 * goes out through the escaping writer. */
#include "proto/oip_meta.h"

#include "proto/json.h"
#include "proto/json_put.h"

/* ---- pieces ---- */

static void put(struct chain *c, const char *text)
{
    chain_put(c, str_of(text));
}

/* A comma but before the first. */
static void comma(struct chain *c, uint32_t i)
{
    if (i > 0)
        put(c, ",");
}

/* ,"key":"value" */
static void member_text(struct chain *c, const char *key, str value)
{
    put(c, ",\"");
    put(c, key);
    put(c, "\":");
    json_put_text(c, value);
}

static void member_u64(struct chain *c, const char *key, uint64_t value)
{
    put(c, ",\"");
    put(c, key);
    put(c, "\":");
    json_put_u64(c, value);
}

static void texts(struct chain *c, const str *names, uint32_t count)
{
    put(c, "[");
    for (uint32_t i = 0; i < count; i++) {
        comma(c, i);
        json_put_text(c, names[i]);
    }
    put(c, "]");
}

/* ---- server ---- */

void oip_meta_server(struct chain *c, str name, str version)
{
    static const str EXTENSIONS[] = {
        STR_LIT("classification"),     STR_LIT("schedule_policy"), STR_LIT("model_configuration"),
        STR_LIT("binary_tensor_data"), STR_LIT("parameters"),      STR_LIT("statistics"),
    };

    put(c, "{\"name\":");
    json_put_text(c, name);
    member_text(c, "version", version);
    put(c, ",\"extensions\":");
    texts(c, EXTENSIONS, sizeof(EXTENSIONS) / sizeof(EXTENSIONS[0]));
    put(c, "}");
}

void oip_meta_live(struct chain *c)
{
    put(c, "{\"live\":true}");
}

void oip_meta_ready(struct chain *c, str why)
{
    put(c, why.len > 0 ? "{\"ready\":false" : "{\"ready\":true");
    if (why.len > 0)
        member_text(c, "error", why);
    put(c, "}");
}

void oip_meta_error(struct chain *c, str line)
{
    put(c, "{\"error\":");
    json_put_text(c, line);
    put(c, "}");
}

void oip_meta_model_ready(struct chain *c, str name, str why)
{
    put(c, "{\"name\":");
    json_put_text(c, name);
    put(c, why.len > 0 ? ",\"ready\":false" : ",\"ready\":true");
    if (why.len > 0)
        member_text(c, "error", why);
    put(c, "}");
}

void oip_meta_models(struct chain *c, const str *names, uint32_t count)
{
    put(c, "{\"models\":");
    texts(c, names, count);
    put(c, "}");
}

/* ---- one model ---- */

/* Dims from `from` on. A stated batch shows as -1 whatever the model's file says. */
static void dims(struct chain *c, const struct shape *s, uint32_t from, bool batched)
{
    put(c, "[");
    for (uint32_t i = from; i < s->rank; i++) {
        comma(c, i - from);
        json_put_i64(c, i == 0 && batched ? -1 : s->dim[i]);
    }
    put(c, "]");
}

static void tensors(struct chain *c, const struct spec *specs, uint32_t count, bool batched)
{
    put(c, "[");
    for (uint32_t i = 0; i < count; i++) {
        comma(c, i);
        put(c, "{\"name\":");
        json_put_text(c, specs[i].name);
        member_text(c, "datatype", dtype_name(specs[i].dtype));
        put(c, ",\"shape\":");
        dims(c, &specs[i].shape, 0, batched);
        put(c, "}");
    }
    put(c, "]");
}

/* ,"labels.<output>":"[\"a\",\"b\"]": a JSON array inside a string, so it is escaped twice. */
static void labels(struct chain *c, const struct spec *spec)
{
    struct chain inner = {0};

    texts(&inner, spec->labels, spec->label_count);
    put(c, ",\"labels.");
    json_put_part(c, spec->name);
    put(c, "\":\"");
    for (uint32_t i = 0; i < inner.piece_count; i++)
        json_put_part(c, (str){inner.pieces[i].iov_base, inner.pieces[i].iov_len});
    put(c, "\"");
    c->failed = c->failed || inner.failed;
    chain_free(&inner);
}

#define LABELS_MAX 1000u /* more are not shown: metadata is read often */

void oip_meta_model(struct chain *c, const struct model_facts *m, const str *versions,
                    uint32_t version_count)
{
    const struct signature *sig = m->signature;
    const bool batched = sig->max_batch_size > 0;

    put(c, "{\"name\":");
    json_put_text(c, m->name);
    put(c, ",\"versions\":");
    texts(c, versions, version_count);
    put(c, ",\"platform\":\"onnxruntime_onnx\",\"inputs\":");
    tensors(c, sig->inputs, sig->input_count, batched);
    put(c, ",\"outputs\":");
    tensors(c, sig->outputs, sig->output_count, batched);
    put(c, ",\"properties\":{\"digest\":");
    json_put_text(c, m->digest);
    if (m->is_unsigned)
        member_text(c, "unsigned", STR("true"));
    for (uint32_t i = 0; i < sig->output_count; i++) {
        if (sig->outputs[i].labels && sig->outputs[i].label_count <= LABELS_MAX)
            labels(c, &sig->outputs[i]);
    }
    put(c, "}}");
}

/* ---- configuration: field names of Triton's ModelConfig ---- */

static void config_tensors(struct chain *c, const struct spec *specs, uint32_t count, bool input,
                           bool batched)
{
    put(c, "[");
    for (uint32_t i = 0; i < count; i++) {
        comma(c, i);
        put(c, "{\"name\":");
        json_put_text(c, specs[i].name);
        member_text(c, "data_type", dtype_config_name(specs[i].dtype));
        if (input)
            member_text(c, "format", STR("FORMAT_NONE"));
        put(c, ",\"dims\":");
        dims(c, &specs[i].shape, batched ? 1 : 0, batched);
        if (input)
            put(c, specs[i].optional ? ",\"optional\":true" : ",\"optional\":false");
        else
            member_text(c, "label_filename", STR(""));
        put(c, "}");
    }
    put(c, "]");
}

void oip_meta_config(struct chain *c, const struct model_facts *m)
{
    const struct signature *sig = m->signature;
    const bool batched = sig->max_batch_size > 0;

    put(c, "{\"name\":");
    json_put_text(c, m->name);
    put(c, ",\"platform\":\"onnxruntime_onnx\",\"backend\":\"onnxruntime\"");
    member_u64(c, "max_batch_size", sig->max_batch_size);
    put(c, ",\"input\":");
    config_tensors(c, sig->inputs, sig->input_count, true, batched);
    put(c, ",\"output\":");
    config_tensors(c, sig->outputs, sig->output_count, false, batched);
    put(c, ",\"instance_group\":[{\"name\":");
    json_put_text(c, m->name);
    member_u64(c, "count", m->instances);
    put(c, ",\"kind\":\"KIND_CPU\"}]");
    if (batched) {
        put(c, ",\"dynamic_batching\":{\"preferred_batch_size\":[]");
        member_u64(c, "max_queue_delay_microseconds", m->delay_us);
        put(c, "}");
    }
    put(c, ",\"model_transaction_policy\":{\"decoupled\":false}");
    put(c, ",\"response_cache\":{\"enable\":false}}");
}

/* ---- statistics ---- */

static void duration(struct chain *c, const char *key, struct stat_pair pair)
{
    put(c, "\"");
    put(c, key);
    put(c, "\":{\"count\":");
    json_put_u64(c, pair.count);
    member_u64(c, "ns", pair.ns);
    put(c, "}");
}

static void batch(struct chain *c, const struct batch_stats *b)
{
    put(c, "{\"batch_size\":");
    json_put_u64(c, b->batch_size);
    put(c, ",");
    duration(c, "compute_input", b->compute_input);
    put(c, ",");
    duration(c, "compute_infer", b->compute_infer);
    put(c, ",");
    duration(c, "compute_output", b->compute_output);
    put(c, "}");
}

void oip_meta_stats_open(struct chain *c)
{
    put(c, "{\"model_stats\":[");
}

void oip_meta_stats(struct chain *c, const struct model_stats *s, bool first)
{
    const struct stat_pair none = {0};
    const struct {
        const char *key;
        struct stat_pair pair;
    } all[] = {
        {"success", s->success},
        {"fail", s->fail},
        {"queue", s->queue},
        {"compute_input", s->compute_input},
        {"compute_infer", s->compute_infer},
        {"compute_output", s->compute_output},
        {"cache_hit", none}, /* there is no cache, but perf_analyzer reads both unasked */
        {"cache_miss", none},
    };

    put(c, first ? "{\"name\":" : ",{\"name\":");
    json_put_text(c, s->name);
    member_text(c, "version", s->version);
    member_u64(c, "last_inference", s->last_inference_ms);
    member_u64(c, "inference_count", s->inference_count);
    member_u64(c, "execution_count", s->execution_count);
    put(c, ",\"inference_stats\":{");
    for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        comma(c, i);
        duration(c, all[i].key, all[i].pair);
    }
    put(c, "},\"batch_stats\":[");
    for (uint32_t i = 0; i < s->batch_count; i++) {
        comma(c, i);
        batch(c, &s->batches[i]);
    }
    put(c, "]}");
}

void oip_meta_stats_close(struct chain *c)
{
    put(c, "]}");
}

/* ---- repository index ---- */

void oip_meta_index(struct chain *c, const struct model_entry *entries, uint32_t count)
{
    put(c, "[");
    for (uint32_t i = 0; i < count; i++) {
        comma(c, i);
        put(c, "{\"name\":");
        json_put_text(c, entries[i].name);
        member_text(c, "version", entries[i].version);
        member_text(c, "state", entries[i].state);
        member_text(c, "reason", entries[i].reason);
        put(c, "}");
    }
    put(c, "]");
}

/* The members of the object, its '{' read. */
static err ask_members(struct json *j, bool *ret_ready, struct fault *f)
{
    struct json_token key, value;
    bool seen = false;

    for (;;) {
        err e = json_next(j, &key, f);
        if (e != OK || key.kind == JSON_OBJECT_END)
            return e;
        const bool ready = !key.escaped && str_eq(key.text, STR("ready"));
        if (ready && seen)
            return fail(f, ERR_INPUT, "member \"ready\" is given twice");
        seen = seen || ready;
        e = json_next(j, &value, f);
        if (e != OK)
            return e;
        if (!ready || value.kind == JSON_NULL)
            e = json_skip(j, &value, f);
        else if (value.kind != JSON_TRUE && value.kind != JSON_FALSE)
            e = fail(f, ERR_INPUT, "\"ready\" is neither true nor false");
        else
            *ret_ready = value.kind == JSON_TRUE;
        if (e != OK)
            return e;
    }
}

err oip_meta_index_ask(str body, bool *ret_ready_only, struct fault *f)
{
    const struct json_limits limits = {.depth = 16, .number = 1024};
    struct json j = json_over(body, &limits);
    struct json_token t;
    bool ready = false;

    if (body.len > 0 && json_blank(body.at, body.at + body.len) != body.at + body.len) {
        err e = json_next(&j, &t, f);
        if (e == OK && t.kind != JSON_OBJECT)
            e = fail(f, ERR_INPUT, "the request is no JSON object");
        if (e == OK)
            e = ask_members(&j, &ready, f);
        if (e == OK)
            e = json_next(&j, &t, f);
        if (e != OK)
            return e;
    }
    *ret_ready_only = ready;
    return OK;
}
