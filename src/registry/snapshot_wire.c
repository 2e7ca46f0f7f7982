/* The snapshot as bytes. Records follow each other in one walk, so there is no offset that could
 * point elsewhere; a head states how many of each there are, which sizes the one allocation of the
 * reader, and the walk must come out at exactly these counts and at the last byte.
 *
 *   head     u64 magic, u64 bytes, u64 generation, u32 models, versions, arms, specs, labels
 *   model    text name, u32 versions, version.., u32 arms, arm..
 *   version  text version, 32 bytes digest, u8 unsigned, u8 state, text reason, u32 worker, u32
 *            cells, u32 instances, u32 queue, u8 batches, u64 request_timeout, slo, lane,
 *            lane_reply, 17 u64 run_ns, i64 deployed, u32 inputs, outputs, max_batch_size, spec..
 *   spec     text name, u8 dtype, u8 optional, u32 rank, i64 dim.., u32 labels, text..
 *   arm      u32 version, u32 weight, u64 salt
 * All little-endian; text is UTF-8 without NUL behind a u32 length. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/scope.h"
#include "base/utf8.h"
#include "registry/snapshot_wire.h"

#define MAGIC          0x31304E5353524147ull /* "GARSSN01" */
#define BYTES_MAX      (64ull << 20)
#define TEXT_BYTES_MAX 4096u
#define LABELS_MAX     65536u
#define MODELS_MAX     65536u

struct counts {
    uint32_t models, versions, arms, specs, labels;
};

/* --- writing -----------------------------------------------------------------------------------
 */

struct out {
    uint8_t *at;
    uint64_t len, cap;
    bool failed;
};

static void put(struct out *o, const void *at, uint64_t len)
{
    if (o->failed || len == 0)
        return;
    if (o->len + len > o->cap) {
        const uint64_t cap = 2 * (o->len + len) + 4096;
        uint8_t *more = realloc(o->at, cap);
        if (!more) {
            o->failed = true;
            return;
        }
        o->at = more;
        o->cap = cap;
    }
    memcpy(o->at + o->len, at, len);
    o->len += len;
}

static void put_le(struct out *o, uint64_t v, unsigned bytes)
{
    uint8_t out[8];
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
    put(o, out, bytes);
}

static void put_text(struct out *o, str s)
{
    put_le(o, s.len, 4);
    put(o, s.at, s.len);
}

static void put_spec(struct out *o, struct counts *n, const struct spec *s)
{
    n->specs++;
    put_text(o, s->name);
    put_le(o, (uint64_t)s->dtype, 1);
    put_le(o, s->optional, 1);
    put_le(o, s->shape.rank, 4);
    for (uint32_t i = 0; i < s->shape.rank; i++)
        put_le(o, (uint64_t)s->shape.dim[i], 8);
    put_le(o, s->label_count, 4);
    for (uint32_t i = 0; i < s->label_count; i++)
        put_text(o, s->labels[i]);
    n->labels += s->label_count;
}

static void put_version(struct out *o, struct counts *n, const struct snapshot_version *v)
{
    n->versions++;
    put_text(o, v->version);
    put(o, v->digest, sizeof v->digest);
    put_le(o, v->is_unsigned, 1);
    put_le(o, (uint64_t)v->state, 1);
    put_text(o, v->reason);
    put_le(o, v->worker, 4);
    put_le(o, v->cells, 4);
    put_le(o, v->instances, 4);
    put_le(o, v->queue, 4);
    put_le(o, v->batches, 1);
    put_le(o, v->request_timeout_ns, 8);
    put_le(o, v->slo_ns, 8);
    put_le(o, v->lane_bytes, 8);
    put_le(o, v->lane_reply_bytes, 8);
    for (unsigned i = 0; i < SNAPSHOT_RUN_CLASSES; i++)
        put_le(o, v->run_ns[i], 8);
    put_le(o, (uint64_t)v->deployed_us, 8);
    put_le(o, v->sig.input_count, 4);
    put_le(o, v->sig.output_count, 4);
    put_le(o, v->sig.max_batch_size, 4);
    for (uint32_t i = 0; i < v->sig.input_count; i++)
        put_spec(o, n, &v->sig.inputs[i]);
    for (uint32_t i = 0; i < v->sig.output_count; i++)
        put_spec(o, n, &v->sig.outputs[i]);
}

static void put_head(struct out *o, uint64_t bytes, uint64_t generation, const struct counts *n)
{
    put_le(o, MAGIC, 8);
    put_le(o, bytes, 8);
    put_le(o, generation, 8);
    put_le(o, n->models, 4);
    put_le(o, n->versions, 4);
    put_le(o, n->arms, 4);
    put_le(o, n->specs, 4);
    put_le(o, n->labels, 4);
}

err snapshot_encode(const struct snapshot *s, void **ret_bytes, uint64_t *ret_len, struct fault *f)
{
    struct out o = {0};
    struct counts n = {.models = s->model_count};
    put_head(&o, 0, s->generation, &n);
    for (uint32_t i = 0; i < s->model_count; i++) {
        const struct snapshot_model *m = &s->models[i];
        put_text(&o, m->name);
        put_le(&o, m->version_count, 4);
        for (uint32_t j = 0; j < m->version_count; j++)
            put_version(&o, &n, &m->versions[j]);
        put_le(&o, m->arm_count, 4);
        for (uint32_t j = 0; j < m->arm_count; j++) {
            put_le(&o, m->arms[j].version, 4);
            put_le(&o, m->arms[j].weight, 4);
            put_le(&o, m->arms[j].salt, 8);
        }
        n.arms += m->arm_count;
    }
    const uint64_t bytes = o.len;
    if (!o.failed && bytes <= BYTES_MAX) {
        o.len = 0; /* the head again, now that the counts are known */
        put_head(&o, bytes, s->generation, &n);
        *ret_bytes = o.at;
        *ret_len = bytes;
        return OK;
    }
    free(o.at);
    if (o.failed)
        return fail(f, ERR_UNAVAILABLE, "no memory for a snapshot");
    return fail(f, ERR_TOO_BIG, "a snapshot of %" PRIu64 " bytes, want <= %llu", bytes, BYTES_MAX);
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* The walk. error is the first rule that broke; after it nothing is read any more. */
struct in {
    str rest;
    const char *error;
    struct counts left;
    struct snapshot_version *version;
    struct snapshot_arm *arm;
    struct spec *spec;
    str *label;
};

static void bad(struct in *in, const char *why)
{
    if (!in->error)
        in->error = why;
}

static const char *cut(struct in *in, uint64_t len)
{
    if (len > in->rest.len)
        bad(in, "it ends early");
    if (in->error)
        return NULL;
    const char *at = in->rest.at;
    in->rest = str_cut(in->rest, len, in->rest.len);
    return at;
}

static uint64_t get_le(struct in *in, unsigned bytes)
{
    const char *at = cut(in, bytes);
    uint64_t v = 0;
    for (unsigned i = 0; at && i < bytes; i++)
        v |= (uint64_t)(uint8_t)at[i] << (8 * i);
    return v;
}

static uint32_t get_u32(struct in *in, uint32_t max, const char *what)
{
    const uint64_t v = get_le(in, 4);
    if (v > max)
        bad(in, what);
    return in->error ? 0 : (uint32_t)v;
}

static bool get_bool(struct in *in)
{
    const uint64_t v = get_le(in, 1);
    if (v > 1)
        bad(in, "a truth value is neither 0 nor 1");
    return v == 1;
}

static str get_text(struct in *in)
{
    const uint32_t len = get_u32(in, TEXT_BYTES_MAX, "a text is too long");
    const str s = {cut(in, len), len};
    if (in->error)
        return STR("");
    if (!utf8_valid(s) || str_find(s, '\0') != s.len)
        bad(in, "a text is not UTF-8 without NUL");
    return s;
}

/* Takes count of the records that the head promised. */
static bool take(struct in *in, uint32_t *left, uint32_t count)
{
    if (count > *left)
        bad(in, "more records than its head says");
    if (in->error)
        return false;
    *left -= count;
    return true;
}

static void get_spec(struct in *in, struct spec *s)
{
    s->name = get_text(in);
    const uint64_t dtype = get_le(in, 1);
    if (dtype == DTYPE_NONE || dtype >= DTYPE_COUNT)
        bad(in, "a datatype outside the table");
    s->dtype = (enum dtype)dtype;
    s->optional = get_bool(in);
    s->shape.rank = get_u32(in, SHAPE_RANK_MAX, "a rank over 8");
    for (uint32_t i = 0; i < s->shape.rank; i++) {
        s->shape.dim[i] = (int64_t)get_le(in, 8);
        if (s->shape.dim[i] < -1)
            bad(in, "a dimension under -1");
    }
    s->label_count = get_u32(in, LABELS_MAX, "too many labels");
    if (s->label_count == 0 || !take(in, &in->left.labels, s->label_count))
        return;
    str *labels = in->label;
    in->label += s->label_count;
    for (uint32_t i = 0; i < s->label_count; i++)
        labels[i] = get_text(in);
    s->labels = labels;
}

static const struct spec *get_specs(struct in *in, uint32_t count)
{
    if (!take(in, &in->left.specs, count))
        return NULL;
    struct spec *specs = in->spec;
    in->spec += count;
    for (uint32_t i = 0; i < count && !in->error; i++)
        get_spec(in, &specs[i]);
    return specs;
}

static void get_version(struct in *in, struct snapshot_version *v)
{
    v->version = get_text(in);
    const char *digest = cut(in, sizeof v->digest);
    if (digest)
        memcpy(v->digest, digest, sizeof v->digest);
    memcpy(v->digest_text, "sha256:", 7);
    num_put_hex(v->digest_text + 7, v->digest, sizeof v->digest);
    v->is_unsigned = get_bool(in);
    const uint64_t state = get_le(in, 1);
    if (state >= VERSION_STATE_COUNT)
        bad(in, "a state outside the table");
    v->state = (enum version_state)state;
    v->reason = get_text(in);
    v->worker = (uint32_t)get_le(in, 4);
    v->cells = (uint32_t)get_le(in, 4);
    v->instances = (uint32_t)get_le(in, 4);
    v->queue = (uint32_t)get_le(in, 4);
    v->batches = get_bool(in);
    v->request_timeout_ns = get_le(in, 8);
    v->slo_ns = get_le(in, 8);
    v->lane_bytes = get_le(in, 8);
    v->lane_reply_bytes = get_le(in, 8);
    for (unsigned i = 0; i < SNAPSHOT_RUN_CLASSES; i++)
        v->run_ns[i] = get_le(in, 8);
    v->deployed_us = (int64_t)get_le(in, 8);
    v->sig.input_count = get_u32(in, SIGNATURE_INPUTS_MAX, "too many inputs");
    v->sig.output_count = get_u32(in, SIGNATURE_OUTPUTS_MAX, "too many outputs");
    v->sig.max_batch_size = (uint32_t)get_le(in, 4);
    v->sig.inputs = get_specs(in, v->sig.input_count);
    v->sig.outputs = get_specs(in, v->sig.output_count);
    if (v->state == VERSION_READY &&
        (v->worker == SNAPSHOT_NO_WORKER || v->instances == 0 || v->sig.output_count == 0))
        bad(in, "a version is ready without a worker or an output");
}

static void get_arms(struct in *in, struct snapshot_model *m)
{
    uint64_t sum = 0;
    m->arm_count = (uint32_t)get_le(in, 4);
    if (m->arm_count == 0 || !take(in, &in->left.arms, m->arm_count))
        return;
    struct snapshot_arm *arms = in->arm;
    in->arm += m->arm_count;
    for (uint32_t i = 0; i < m->arm_count && !in->error; i++) {
        arms[i].version = (uint32_t)get_le(in, 4);
        arms[i].weight = get_u32(in, SNAPSHOT_WEIGHT_ONE, "a weight over 10000");
        arms[i].salt = get_le(in, 8);
        sum += arms[i].weight;
        if (arms[i].version >= m->version_count)
            bad(in, "an arm names no version");
    }
    if (sum != SNAPSHOT_WEIGHT_ONE)
        bad(in, "the weights of a model do not add up to 10000");
    m->arms = arms;
}

static void get_model(struct in *in, struct snapshot_model *m)
{
    m->name = get_text(in);
    if (m->name.len == 0)
        bad(in, "a model without a name");
    m->version_count = (uint32_t)get_le(in, 4);
    if (!take(in, &in->left.versions, m->version_count))
        return;
    struct snapshot_version *versions = in->version;
    in->version += m->version_count;
    for (uint32_t i = 0; i < m->version_count && !in->error; i++) {
        get_version(in, &versions[i]);
        for (uint32_t j = 0; j < i; j++)
            if (str_eq(versions[i].version, versions[j].version))
                bad(in, "a version stands twice in a model");
    }
    m->versions = versions;
    get_arms(in, m);
}

static void get_head(struct in *in, uint64_t len, uint64_t *ret_generation)
{
    if (get_le(in, 8) != MAGIC)
        bad(in, "it does not begin as one");
    if (get_le(in, 8) != len)
        bad(in, "its head states another size");
    *ret_generation = get_le(in, 8);
    in->left.models = get_u32(in, MODELS_MAX, "too many models");
    in->left.versions = (uint32_t)get_le(in, 4);
    in->left.arms = (uint32_t)get_le(in, 4);
    in->left.specs = (uint32_t)get_le(in, 4);
    in->left.labels = (uint32_t)get_le(in, 4);
    /* No honest count is above what the smallest record of its kind leaves room for. */
    if (in->left.models > len / 12 || in->left.versions > len / 247 || in->left.arms > len / 16 ||
        in->left.specs > len / 14 || in->left.labels > len / 4)
        bad(in, "its head counts more records than it has bytes for");
}

/* One block for the whole: head, arrays, and a copy of the bytes behind them. */
static struct snapshot_held *held_new(struct in *in, const void *bytes, uint64_t len)
{
    const struct counts *n = &in->left;
    const uint64_t models = sizeof(struct snapshot_model) * (uint64_t)n->models;
    const uint64_t versions = sizeof(struct snapshot_version) * (uint64_t)n->versions;
    const uint64_t arms = sizeof(struct snapshot_arm) * (uint64_t)n->arms;
    const uint64_t specs = sizeof(struct spec) * (uint64_t)n->specs;
    const uint64_t labels = sizeof(str) * (uint64_t)n->labels;
    const uint64_t arrays =
        sizeof(struct snapshot_held) + models + versions + arms + specs + labels;
    char *at = calloc(1, arrays + len + 1);
    if (!at)
        return NULL;
    struct snapshot_held *h = (void *)at;
    at += sizeof *h;
    h->s.models = (void *)at;
    h->s.model_count = n->models;
    at += models;
    in->version = (void *)at;
    at += versions;
    in->arm = (void *)at;
    at += arms;
    in->spec = (void *)at;
    at += specs;
    in->label = (void *)at;
    at += labels;
    memcpy(at, bytes, len);
    const uint64_t done = len - in->rest.len;
    in->rest = (str){at + done, in->rest.len};
    return h;
}

err snapshot_decode(const void *bytes, uint64_t len, const struct snapshot **ret_s, struct fault *f)
{
    struct in in = {.rest = {bytes, len}};
    uint64_t generation = 0;
    if (len > BYTES_MAX)
        return fail(f, ERR_INPUT, "a snapshot of %" PRIu64 " bytes, want <= %llu", len, BYTES_MAX);
    get_head(&in, len, &generation);
    if (in.error)
        return fail(f, ERR_INPUT, "not a snapshot: %s", in.error);
    SCOPED(free_undo)
    struct snapshot_held *h = held_new(&in, bytes, len);
    if (!h)
        return fail(f, ERR_UNAVAILABLE, "no memory for a snapshot of %" PRIu64 " bytes", len);
    h->s.generation = generation;
    struct snapshot_model *models = (void *)(h + 1);
    for (uint32_t i = 0; i < h->s.model_count && !in.error; i++) {
        get_model(&in, &models[i]);
        if (i > 0 && snapshot_name_order(models[i - 1].name, models[i].name) >= 0)
            bad(&in, "its models are not in the order of their names");
    }
    if (in.left.versions || in.left.arms || in.left.specs || in.left.labels)
        bad(&in, "fewer records than its head says");
    if (in.rest.len > 0)
        bad(&in, "bytes behind its last record");
    if (in.error)
        return fail(f, ERR_INPUT, "not a snapshot: %s", in.error);
    atomic_init(&h->refs, 1);
    *ret_s = &GIVE(h)->s;
    return OK;
}
