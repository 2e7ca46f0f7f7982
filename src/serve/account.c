/* Counting and telling: after the last byte of a reply is handed over, the loop adds to its own
 * cells and writes one event, both from what the call holds anyway. */
#include "serve/account.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/clock.h"
#include "base/num.h"
#include "proto/traceparent.h"
#include "serve/front.h"
#include "serve/front_loop.h"
#include "serve/http.h"
#include "watch/cell.h"
#include "base/log.h"
#include "watch/event.h"

#define ID_BYTES_MAX 128u

struct account_front {
    struct segment segment;
    struct log_site site;
};

struct account {
    struct shard shard;
    struct ring *events;
    struct log log;
};

/* Life -------------------------------------------------------------------------------------------
 */

err account_front_open(struct front *front, int cells_fd, int series_fd, struct fault *f)
{
    const struct front_settings *s = front->settings;
    struct account_front *a = calloc(1, sizeof(*a));
    if (!a)
        return fail(f, ERR_UNAVAILABLE, "no memory for metrics");
    a->site = (struct log_site){.version = STR(GARRISON_VERSION),
                                .environment = str_of(s->environment),
                                .node = str_of(s->node_name)};
    err e = segment_map(cells_fd, &a->segment, f);
    if (e == OK && (a->segment.shards < CELL_SHARDS(s->loops) || a->segment.cells < cell_count(0)))
        e = fail(f, ERR_INPUT, "the metrics segment is too small");
    const struct watch_side_opts opts = {.settings = s,
                                         .ops = front->side == ROUTE_ON_OPS,
                                         .loops = front->loop_count,
                                         .cells = cells_fd,
                                         .series = series_fd};
    if (e == OK)
        e = front->watch_calls->open(&opts, &front->watch, f);
    if (e != OK) {
        free(a);
        return e;
    }
    front->account = a;
    return OK;
}

err account_loop_open(struct front_loop *l, struct fault *f)
{
    const struct front *front = l->front;
    struct account *a = calloc(1, sizeof(*a));
    if (!a)
        return fail(f, ERR_UNAVAILABLE, "no memory for a loop's metrics");
    const uint32_t shard =
        front->side == ROUTE_ON_DATA ? l->index : CELL_SHARD_OPS(front->settings->loops);
    a->shard = segment_shard(&front->account->segment, shard);
    a->events = front->watch_calls->ring(front->watch, l->index);
    a->log = (struct log){.site = &front->account->site,
                          .role = role_name(front->role),
                          .level = (enum log_level)front->settings->log_level,
                          .off = !front->settings->log_app,
                          .fd = STDOUT_FILENO};
    l->account = a;
    return OK;
}

void account_front_close(struct front *front)
{
    if (front->account)
        front->watch_calls->stop(front->watch);
}

/* Begin ------------------------------------------------------------------------------------------
 */

static void random_bytes(struct front_loop *l, uint8_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 8) {
        const uint64_t r = front_loop_random(l);
        memcpy(out + i, &r, sizeof(r));
    }
    out[0] |= 1; /* an id of zeroes is none (W3C Trace Context 3.2.2.3) */
}

static bool is_id(str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < 0x21 || value.at[i] > 0x7E)
            return false;
    }
    return value.len >= 1 && value.len <= ID_BYTES_MAX;
}

static void gauge(struct account *a, uint32_t cell, int change)
{
    cell_set(a->shard, cell, cell_get(a->shard, cell) + (uint64_t)(int64_t)change);
}

void account_begin(struct call *c)
{
    str value;
    struct traceparent t;
    uint8_t id[CALL_ID_BYTES / 2];
    gauge(c->owner->account, FIXED_IN_FLIGHT, 1);
    c->begun = true;
    random_bytes(c->owner, c->span_id, sizeof(c->span_id));
    if (c->head && request_field(c->head, STR("traceparent"), &value) &&
        traceparent_read(value, &t)) {
        memcpy(c->trace_id, t.trace_id, sizeof(c->trace_id));
        c->traced = true;
        c->sampled = t.sampled;
    } else {
        random_bytes(c->owner, c->trace_id, sizeof(c->trace_id));
    }
    if (c->head && request_field(c->head, STR("x-request-id"), &value) && is_id(value)) {
        c->request_id = value;
        c->has_id = true;
        return;
    }
    random_bytes(c->owner, id, sizeof(id));
    num_put_hex(c->own_id, id, sizeof(id));
    c->request_id = (str){c->own_id, sizeof(c->own_id)};
}

uint64_t account_in_flight(const struct front *front)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < front->loop_count; i++)
        sum += cell_get(front->loops[i].account->shard, FIXED_IN_FLIGHT);
    return sum;
}

/* Cells ------------------------------------------------------------------------------------------
 */

/* The end of a call: how long it took, and when that was. */
struct ended {
    uint64_t ns;
    int64_t wall_us;
};

static uint32_t method_index(const struct call *c)
{
    if (!c->head)
        return CELL_METHOD_OTHER;
    switch (c->head->method) {
    case METHOD_GET:
        return CELL_GET;
    case METHOD_HEAD:
        return CELL_HEAD;
    case METHOD_POST:
        return CELL_POST;
    default:
        return CELL_METHOD_OTHER;
    }
}

static void count_size(struct shard s, uint32_t first, uint32_t route, uint64_t bytes)
{
    const uint32_t base = first + route * CELL_SIZE_CELLS;
    cell_add(s, base + cell_size_index(bytes), 1);
    cell_add(s, base + CELL_SIZE_BOUNDS + 1, bytes);
}

static void count_http(const struct call *c, struct shard s, uint64_t ns)
{
    const uint32_t route = (uint32_t)c->route;
    const uint32_t by_method = route * CELL_METHODS + method_index(c);
    cell_add(s, FIXED_HTTP_REQUESTS + by_method * CELL_CODES + (uint32_t)c->fault.code, 1);
    hist_add(s, FIXED_HTTP_DURATION + by_method * HIST_CELLS, ns);
    count_size(s, FIXED_REQUEST_SIZE, route, c->sent_len);
    count_size(s, FIXED_RESPONSE_SIZE, route, c->reply_len);
}

/* A request's share of the run it was in: one run of k requests is counted as k shares. */
static void count_batch(const struct call *c, struct shard s, uint32_t base)
{
    const uint32_t cell =
        base + VERSION_BATCHES + cell_batch_class(c->batch_rows) * CELL_BATCH_CELLS;
    const double share = 1.0 / (double)(c->batch_requests ? c->batch_requests : 1);
    cell_add_double(s, base + VERSION_RUNS, share);
    cell_add_double(s, cell, share);
    cell_add_double(s, cell + 1, share * (double)c->stage_ns[STAGE_INPUT]);
    cell_add_double(s, cell + 2, share * (double)c->stage_ns[STAGE_COMPUTE]);
    cell_add_double(s, cell + 3, share * (double)c->stage_ns[STAGE_OUTPUT]);
}

static void count_answer(struct call *c, struct shard s, uint32_t base, const struct ended *end)
{
    const uint64_t ns = end->ns;
    static const enum stage told[] = {STAGE_QUEUE, STAGE_INPUT, STAGE_COMPUTE, STAGE_OUTPUT};
    uint64_t sum = 0;
    for (enum stage i = 0; i < STAGE_REPLY; i++)
        sum += c->stage_ns[i];
    c->stage_ns[STAGE_REPLY] = ns > sum ? ns - sum : 0;
    hist_add(s, base + VERSION_DURATION, ns);
    for (uint32_t i = 0; i < STAGE_COUNT; i++)
        hist_add(s, base + VERSION_STAGES + i * HIST_CELLS, c->stage_ns[i]);
    for (uint32_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        cell_add(s, base + VERSION_STAT_STAGES + i, c->stage_ns[told[i]]);
    if (ns > c->target.version->slo_ns)
        cell_add(s, base + VERSION_SLOW, 1);
    cell_add(s, base + VERSION_ROWS, c->infer.rows);
    cell_add(s, base + VERSION_SUCCESS, 1);
    cell_add(s, base + VERSION_SUCCESS + 1, ns);
    cell_set(s, base + VERSION_LAST_MS, (uint64_t)end->wall_us / 1000);
    count_batch(c, s, base);
}

/* First cell of the call's version, held against the segment: the snapshot is another process's. */
static uint32_t base_of(const struct call *c)
{
    const struct segment *segment = &c->owner->front->account->segment;
    const uint32_t base = c->target.version ? c->target.version->cells : CELL_OTHER;
    return base >= CELL_OTHER && base <= segment->cells - (uint32_t)VERSION_CELLS ? base
                                                                                  : CELL_OTHER;
}

static void count_inference(struct call *c, struct shard s, const struct ended *end)
{
    const uint32_t base = base_of(c);
    const enum pair pair = c->fault.code == OK ? PAIR_OK_NONE : c->fault.pair;
    cell_add(s, base + VERSION_PAIRS + (uint32_t)pair, 1);
    if (pair == PAIR_OK_NONE) {
        count_answer(c, s, base, end);
        return;
    }
    cell_add(s, base + VERSION_FAIL, 1);
    cell_add(s, base + VERSION_FAIL + 1, end->ns);
}

void account_backend(struct front_loop *l, const struct backend *b)
{
    const struct segment *segment = &l->front->account->segment;
    const uint32_t base = b->version->cells;
    if (base < CELL_OTHER || base > segment->cells - (uint32_t)VERSION_CELLS)
        return;
    cell_set(l->account->shard, base + VERSION_QUEUE, b->waiting);
    cell_set(l->account->shard, base + VERSION_IN_FLIGHT, b->hold ? b->hold->in_flight : 0);
}

/* Events -----------------------------------------------------------------------------------------
 */

static void event_fixed(const struct call *c, struct event *e, const struct ended *end)
{
    static const uint8_t methods[CELL_METHODS] = {1, 2, 3, 0};
    const struct conn *conn = http_conn(c->http);
    e->wall_us = end->wall_us;
    e->duration_ns = end->ns;
    memcpy(e->stage_ns, c->stage_ns, sizeof(e->stage_ns));
    e->request_bytes = c->sent_len;
    e->response_bytes = c->reply_len;
    memcpy(e->trace_id, c->trace_id, sizeof(e->trace_id));
    memcpy(e->span_id, c->span_id, sizeof(e->span_id));
    e->status = (uint16_t)c->reply.status;
    e->route = (uint16_t)c->route;
    e->pair = (uint8_t)(c->fault.code == OK ? PAIR_OK_NONE : c->fault.pair);
    e->code = (uint8_t)c->fault.code;
    e->method = methods[method_index(c)];
    e->minor = c->head ? c->head->minor : 1;
    e->arm = c->target.arm;
    e->rows = (uint32_t)c->infer.rows;
    e->batch_rows = c->batch_rows;
    if (conn) {
        const struct address client = conn_client(conn), peer = conn_peer(conn);
        memcpy(e->client_ip, client.ip, sizeof(e->client_ip));
        memcpy(e->peer_ip, peer.ip, sizeof(e->peer_ip));
        e->client_port = client.port;
    }
    if (c->target.version) {
        e->has_model = true;
        e->is_unsigned = c->target.version->is_unsigned;
        memcpy(e->digest, c->target.version->digest, sizeof(e->digest));
    }
}

static uint32_t event_texts(const struct call *c, struct event *e)
{
    str texts[EVENT_TEXTS] = {[EVENT_REQUEST_ID] = c->request_id};
    texts[EVENT_REPLY_TYPE] =
        c->reply.type && c->fault.code == OK ? str_of(c->reply.type) : RESPONSE_JSON;
    if (c->head) {
        texts[EVENT_PATH] = str_cut(c->head->path, 0, EVENT_PATH_MAX);
        if (request_field(c->head, STR("user-agent"), &texts[EVENT_AGENT]))
            texts[EVENT_AGENT] = str_cut(texts[EVENT_AGENT], 0, EVENT_AGENT_MAX);
        if (request_field(c->head, STR("content-type"), &texts[EVENT_REQUEST_TYPE]))
            texts[EVENT_REQUEST_TYPE] = str_cut(texts[EVENT_REQUEST_TYPE], 0, EVENT_TEXT_MAX);
    }
    if (c->target.version) {
        texts[EVENT_MODEL] = c->target.model->name;
        texts[EVENT_VERSION] = c->target.version->version;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < EVENT_TEXTS; i++) {
        e->len[i] = (uint16_t)texts[i].len;
        if (texts[i].len > 0)
            memcpy(e->texts + at, texts[i].at, texts[i].len);
        at += (uint32_t)texts[i].len;
    }
    return at;
}

static void write_event(const struct call *c, const struct ended *end)
{
    struct event *e = ring_room(c->owner->account->events, EVENT_BYTES_MAX);
    if (!e)
        return; /* full: dropped and counted */
    memset(e, 0, sizeof(*e));
    event_fixed(c, e, end);
    const uint32_t texts = event_texts(c, e);
    ring_commit(c->owner->account->events, (uint32_t)sizeof(*e) + texts);
}

void account_call(struct call *c, uint64_t now_ns)
{
    struct account *a = c->owner->account;
    const struct ended end = {.ns = now_ns > c->first_ns ? now_ns - c->first_ns : 0,
                              .wall_us = clock_wall_us()};
    if (c->begun)
        gauge(a, FIXED_IN_FLIGHT, -1);
    c->begun = false;
    count_http(c, a->shard, end.ns);
    if (c->route == ROUTE_infer)
        count_inference(c, a->shard, &end);
    write_event(c, &end);
}

/* Small counters ---------------------------------------------------------------------------------
 */

void account_auth(struct front_loop *l, err e)
{
    const uint32_t result = e == OK              ? CELL_ALLOWED
                            : e == ERR_NO_CALLER ? CELL_UNAUTHENTICATED
                                                 : CELL_DENIED;
    cell_add(l->account->shard, FIXED_AUTH + result, 1);
}

void account_connection(struct front_loop *l, int change)
{
    gauge(l->account, FIXED_CONNECTIONS, change);
}

void account_rejected(struct front_loop *l, enum account_rejected why)
{
    static const uint32_t cells[] = {
        [ACCOUNT_SLOW] = CELL_SLOW, [ACCOUNT_PROTOCOL] = CELL_PROTOCOL};
    cell_add(l->account->shard, FIXED_REJECTED + cells[why], 1);
}

void account_run_failed(struct call *c, const char *text)
{
    struct account *a = c->owner->account;
    const struct log_arg args[] = {{"model", c->target.model->name},
                                   {"version", c->target.version->version},
                                   {"request_id", c->request_id}};
    const struct log_entry entry = {.level = LOG_WARN,
                                    .room = "serve",
                                    .function = __func__,
                                    .message = "a run of a model failed",
                                    .code = ERR_ENGINE,
                                    .text = str_of(text),
                                    .args = args,
                                    .arg_count = sizeof(args) / sizeof(args[0])};
    if (log_app(&a->log, &entry))
        cell_add(a->shard, FIXED_LOG_RECORDS + CELL_LOG_APP * CELL_LEVELS + LOG_WARN, 1);
}

/* Statistics -------------------------------------------------------------------------------------
 */

static struct stat_pair pair_of(const struct segment *s, uint32_t cell)
{
    return (struct stat_pair){segment_sum(s, cell), segment_sum(s, cell + 1)};
}

static uint64_t rounded(double v)
{
    return v > 0 ? (uint64_t)(v + 0.5) : 0;
}

static uint32_t batches_of(const struct segment *s, uint32_t base, struct batch_stats *out)
{
    uint32_t n = 0;
    for (uint32_t class = 0; class < CELL_BATCH_CLASSES && n < ACCOUNT_BATCHES_MAX; class ++) {
        const uint32_t cell = base + VERSION_BATCHES + class * CELL_BATCH_CELLS;
        const uint64_t runs = rounded(segment_sum_double(s, cell));
        if (runs == 0)
            continue;
        out[n++] = (struct batch_stats){
            .batch_size = cell_batch_rows(class),
            .compute_input = {runs, rounded(segment_sum_double(s, cell + 1))},
            .compute_infer = {runs, rounded(segment_sum_double(s, cell + 2))},
            .compute_output = {runs, rounded(segment_sum_double(s, cell + 3))},
        };
    }
    return n;
}

bool account_stats(const struct front *front, const struct snapshot_version *v,
                   struct model_stats *ret, struct batch_stats *batches)
{
    const struct segment *s = &front->account->segment;
    const uint32_t base = v->cells;
    if (base <= CELL_OTHER || base > s->cells - (uint32_t)VERSION_CELLS)
        return false;
    ret->last_inference_ms = 0;
    for (uint32_t i = 0; i < s->shards; i++) {
        const uint64_t ms = cell_get(segment_shard(s, i), base + VERSION_LAST_MS);
        ret->last_inference_ms = ms > ret->last_inference_ms ? ms : ret->last_inference_ms;
    }
    ret->inference_count = segment_sum(s, base + VERSION_ROWS);
    ret->execution_count = rounded(segment_sum_double(s, base + VERSION_RUNS));
    ret->success = pair_of(s, base + VERSION_SUCCESS);
    ret->fail = pair_of(s, base + VERSION_FAIL);
    const uint64_t answers = ret->success.count;
    ret->queue = (struct stat_pair){answers, segment_sum(s, base + VERSION_STAT_STAGES)};
    ret->compute_input =
        (struct stat_pair){answers, segment_sum(s, base + VERSION_STAT_STAGES + 1)};
    ret->compute_infer =
        (struct stat_pair){answers, segment_sum(s, base + VERSION_STAT_STAGES + 2)};
    ret->compute_output =
        (struct stat_pair){answers, segment_sum(s, base + VERSION_STAT_STAGES + 3)};
    ret->batches = batches;
    ret->batch_count = batches_of(s, base, batches);
    return true;
}
