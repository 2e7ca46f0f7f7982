/* Reply heads. server.headers: short cuts the digest and sends ids only where the request had one.
 */
#include "serve/reply.h"

#include "base/must.h"
#include "base/num.h"
#include "proto/response.h"
#include "proto/traceparent.h"
#include "serve/front.h"
#include "serve/front_loop.h"

#define FIELDS_MAX   7u
#define DIGEST_SHORT 19u /* "sha256:" and 12 digits */

struct reply_fields {
    struct field at[FIELDS_MAX];
    uint32_t count;
    char trace[TRACEPARENT_BYTES];
    char json_len[20];
    char retry[20];
};

static void add(struct reply_fields *f, str name, str value)
{
    must(f->count < FIELDS_MAX);
    f->at[f->count++] = (struct field){name, value};
}

static void add_version(struct reply_fields *f, const struct call *c, bool brief)
{
    const struct snapshot_version *v = c->target.version;
    if (!v)
        return;
    add(f, STR("x-garrison-model-version"), v->version);
    add(f, STR("x-garrison-model-digest"),
        (str){v->digest_text, brief ? DIGEST_SHORT : sizeof(v->digest_text)});
}

static void gather(struct reply_fields *f, const struct call *c)
{
    const bool brief = c->owner->front->settings->headers_short;
    f->count = 0;
    add_version(f, c, brief);
    if (c->request_id.len > 0 && (!brief || c->has_id))
        add(f, STR("x-request-id"), c->request_id);
    if (!brief || c->traced) {
        struct traceparent t = {.sampled = c->sampled};
        memcpy(t.trace_id, c->trace_id, sizeof(t.trace_id));
        memcpy(t.span_id, c->span_id, sizeof(t.span_id));
        traceparent_write(&t, f->trace);
        add(f, STR("traceparent"), (str){f->trace, sizeof(f->trace)});
    }
    if (c->reply.has_json_len && c->fault.code == OK)
        add(f, STR("Inference-Header-Content-Length"),
            (str){f->json_len, num_put_u64(f->json_len, c->reply.json_len)});
}

/* Between half and one and a half of the prediction, so that refused callers do not come back in
 * step. */
static uint32_t jitter(struct call *c, uint32_t seconds)
{
    const uint64_t percent = 50 + front_loop_random(c->owner) % 101;
    const uint64_t s = ((uint64_t)(seconds ? seconds : 1) * percent + 99) / 100;
    return s < 1 ? 1 : (uint32_t)s;
}

/* What response_error adds, for an error with a body of its own. */
static void add_error(struct reply_fields *f, struct call *c)
{
    add(f, STR("x-garrison-error"), str_of(err_name(c->fault.code)));
    if (err_retry(c->fault.code) && !c->reply.no_retry)
        add(f, STR("Retry-After"), (str){f->retry, num_put_u64(f->retry, jitter(c, 1))});
}

void reply_head(struct call *c, bool last)
{
    struct reply_fields fields;
    gather(&fields, c);
    if (c->own_body)
        add_error(&fields, c);
    struct response r = {
        .status = (int)c->reply.status,
        .type = c->reply.type ? str_of(c->reply.type) : RESPONSE_JSON,
        .length = c->body_chain.len,
        .close = last,
        .head = c->head && c->head->method == METHOD_HEAD,
        .date = front_loop_date(c->owner).at,
        .fields = fields.at,
        .field_count = fields.count,
    };
    if (c->fault.code != OK && !c->own_body) {
        const struct response_reason why = {
            .code = c->fault.code,
            .text = str_of(c->fault.text),
            .allow = c->match.allow,
            .retry_s = err_retry(c->fault.code) ? jitter(c, c->reply.retry_s) : 0,
            .no_retry = c->reply.no_retry,
        };
        c->reply_len = response_error(&c->body_chain, &r, &why);
        return;
    }
    must(response_head_bytes(&r) <= sizeof(c->head_bytes));
    c->head_len = (uint32_t)response_head_write(&r, c->head_bytes);
    c->reply_len = c->body_chain.len;
}
