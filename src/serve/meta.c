/* The handlers that tell: server, health, models, configuration, statistics, repository index. All
 * of them answer at once from the routing snapshot and the cells. */
#include "base/build_id.h"
#include "proto/oip_meta.h"
#include "serve/account.h"
#include "serve/front.h"
#include "serve/front_loop.h"
#include "serve/handler.h"

/* Server ----------------------------------------------------------------------------------------
 */

void serve_server_live(struct call *c, const struct permit *permit)
{
    (void)permit;
    oip_meta_live(&c->body_chain);
    call_answer(c);
}

/* 503 with the body that stands in the chain. */
static void not_ready(struct call *c, const char *why)
{
    const bool draining = atomic_load(&c->owner->front->draining);
    (void)fail_pair(&c->fault, draining ? PAIR_REJECTED_DRAINING : PAIR_REJECTED_NOT_READY, "%s",
                    why);
    call_fail_body(c);
}

static void answer_ready(struct call *c)
{
    const struct front *front = c->owner->front;
    const char *why = atomic_load(&front->draining) ? "draining" : "no model is ready yet";
    if (front_ready(front, c->owner->routing)) {
        oip_meta_ready(&c->body_chain, STR(""));
        call_answer(c);
        return;
    }
    oip_meta_ready(&c->body_chain, str_of(why));
    not_ready(c, why);
}

void serve_server_ready(struct call *c, const struct permit *permit)
{
    (void)permit;
    answer_ready(c);
}

void serve_server_meta(struct call *c, const struct permit *permit)
{
    (void)permit;
    oip_meta_server(&c->body_chain, str_of(c->owner->front->settings->server_name),
                    STR(GARRISON_VERSION));
    call_answer(c);
}

void serve_models_list(struct call *c, const struct permit *permit)
{
    (void)permit;
    const struct snapshot *s = c->routing ? c->routing->snapshot : NULL;
    const uint32_t count = s ? s->model_count : 0;
    str *names = arena_new(&c->arena, str, count);
    if (count > 0 && !names) {
        call_fail_pair(c, PAIR_CLIENT_ERROR_TOO_BIG, "the request's arena is spent");
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        names[i] = s->models[i].name;
    oip_meta_models(&c->body_chain, names, count);
    call_answer(c);
}

/* One model -------------------------------------------------------------------------------------
 */

void serve_model_ready(struct call *c, const struct permit *permit)
{
    (void)permit;
    const struct snapshot_version *v = c->target.version;
    const bool ready = v->state == VERSION_READY && c->target.backend->hold;
    if (!ready)
        (void)!call_not_ready(c, v);
    oip_meta_model_ready(&c->body_chain, c->target.model->name, str_of(c->fault.text));
    if (ready)
        call_answer(c);
    else
        call_fail_body(c);
}

/* What metadata and configuration say; a version that was never loaded has no signature. */
static bool facts_of(struct call *c, struct model_facts *ret)
{
    const struct snapshot_version *v = c->target.version;
    if (v->sig.input_count == 0 && v->sig.output_count == 0) {
        (void)!call_not_ready(c, v);
        call_fail(c);
        return false;
    }
    *ret = (struct model_facts){
        .name = c->target.model->name,
        .version = v->version,
        .signature = &v->sig,
        .digest = {v->digest_text, sizeof(v->digest_text)},
        .is_unsigned = v->is_unsigned,
        .instances = v->instances,
    };
    return true;
}

void serve_model_meta(struct call *c, const struct permit *permit)
{
    (void)permit;
    const struct snapshot_model *m = c->target.model;
    struct model_facts facts;
    str *versions = arena_new(&c->arena, str, m->version_count);
    if (!versions) {
        call_fail_pair(c, PAIR_CLIENT_ERROR_TOO_BIG, "the request's arena is spent");
        return;
    }
    for (uint32_t i = 0; i < m->version_count; i++)
        versions[i] = m->versions[i].version;
    if (!facts_of(c, &facts))
        return;
    oip_meta_model(&c->body_chain, &facts, versions, m->version_count);
    call_answer(c);
}

void serve_model_config(struct call *c, const struct permit *permit)
{
    (void)permit;
    struct model_facts facts;
    if (!facts_of(c, &facts))
        return;
    oip_meta_config(&c->body_chain, &facts);
    call_answer(c);
}

/* Statistics ------------------------------------------------------------------------------------
 */

static void add_stats(struct call *c, const struct snapshot_model *m,
                      const struct snapshot_version *v, bool *first)
{
    struct batch_stats batches[ACCOUNT_BATCHES_MAX];
    struct model_stats stats = {.name = m->name, .version = v->version, .batches = batches};
    if (!account_stats(c->owner->front, v, &stats, batches))
        return;
    oip_meta_stats(&c->body_chain, &stats, *first);
    *first = false;
}

void serve_model_stats(struct call *c, const struct permit *permit)
{
    (void)permit;
    bool first = true;
    const struct snapshot_model *m = c->target.model;
    oip_meta_stats_open(&c->body_chain);
    for (uint32_t i = 0; i < m->version_count; i++) {
        if (c->match.version.len == 0 || &m->versions[i] == c->target.version)
            add_stats(c, m, &m->versions[i], &first);
    }
    oip_meta_stats_close(&c->body_chain);
    call_answer(c);
}

void serve_stats_all(struct call *c, const struct permit *permit)
{
    (void)permit;
    bool first = true;
    const struct snapshot *s = c->routing ? c->routing->snapshot : NULL;
    oip_meta_stats_open(&c->body_chain);
    for (uint32_t m = 0; s && m < s->model_count; m++) {
        for (uint32_t v = 0; v < s->models[m].version_count; v++)
            add_stats(c, &s->models[m], &s->models[m].versions[v], &first);
    }
    oip_meta_stats_close(&c->body_chain);
    call_answer(c);
}

/* Repository ------------------------------------------------------------------------------------
 */

static str index_state(const struct snapshot_version *v)
{
    static const str words[VERSION_STATE_COUNT] = {
        [VERSION_LOADING] = STR_LIT("LOADING"),      [VERSION_READY] = STR_LIT("READY"),
        [VERSION_DRAINING] = STR_LIT("UNLOADING"),   [VERSION_FAILED] = STR_LIT("UNAVAILABLE"),
        [VERSION_UNLOADED] = STR_LIT("UNAVAILABLE"), [VERSION_QUARANTINED] = STR_LIT("UNAVAILABLE"),
    };
    return words[v->state];
}

static struct model_entry *entries_of(struct call *c, bool ready_only, uint32_t *ret_count)
{
    const struct snapshot *s = c->routing ? c->routing->snapshot : NULL;
    uint32_t total = 0;
    for (uint32_t m = 0; s && m < s->model_count; m++)
        total += s->models[m].version_count;
    struct model_entry *entries = arena_new(&c->arena, struct model_entry, total + 1);
    uint32_t n = 0;
    for (uint32_t m = 0; entries && s && m < s->model_count; m++) {
        for (uint32_t i = 0; i < s->models[m].version_count; i++) {
            const struct snapshot_version *v = &s->models[m].versions[i];
            if (!ready_only || v->state == VERSION_READY)
                entries[n++] =
                    (struct model_entry){s->models[m].name, v->version, index_state(v), v->reason};
        }
    }
    *ret_count = n;
    return entries;
}

void serve_index(struct call *c, const struct permit *permit)
{
    (void)permit;
    bool ready_only = false;
    uint32_t count = 0;
    const str body = {(const char *)c->body.at, c->body_len};
    if (oip_meta_index_ask(body, &ready_only, &c->fault) != OK) {
        call_fail(c);
        return;
    }
    const struct model_entry *entries = entries_of(c, ready_only, &count);
    if (!entries) {
        call_fail_pair(c, PAIR_CLIENT_ERROR_TOO_BIG, "the request's arena is spent");
        return;
    }
    oip_meta_index(&c->body_chain, entries, count);
    call_answer(c);
}

/* Extensions that are not offered ----------------------------------------------------------------
 */

static void not_offered(struct call *c, const char *verb)
{
    (void)fail(&c->fault, ERR_UNSUPPORTED, "failed to %s '%.*s', not offered", verb,
               STR_ARG(c->match.model));
    call_fail(c);
}

void serve_load(struct call *c, const struct permit *permit)
{
    (void)permit;
    not_offered(c, "load");
}

void serve_unload(struct call *c, const struct permit *permit)
{
    (void)permit;
    not_offered(c, "unload");
}

#define UNSUPPORTED(id, what)                                                                      \
    void serve_##id(struct call *c, const struct permit *permit)                                   \
    {                                                                                              \
        (void)permit;                                                                              \
        call_fail_pair(c, PAIR_CLIENT_ERROR_UNSUPPORTED, what " not offered");                     \
    }
UNSUPPORTED(logging, "log settings are")
UNSUPPORTED(trace, "trace settings are")
UNSUPPORTED(model_trace, "trace settings are")
UNSUPPORTED(system_memory, "shared memory is")
UNSUPPORTED(cuda_memory, "shared memory is")

/* Probes -----------------------------------------------------------------------------------------
 */

void serve_livez(struct call *c, const struct permit *permit)
{
    serve_server_live(c, permit);
}

void serve_readyz(struct call *c, const struct permit *permit)
{
    (void)permit;
    answer_ready(c);
}

void serve_startupz(struct call *c, const struct permit *permit)
{
    (void)permit;
    if (!front_started(c->owner->routing)) {
        chain_put(&c->body_chain,
                  STR("{\"started\":false,\"error\":\"models are still loading\"}"));
        not_ready(c, "models are still loading");
        return;
    }
    chain_put(&c->body_chain, STR("{\"started\":true}"));
    call_answer(c);
}
