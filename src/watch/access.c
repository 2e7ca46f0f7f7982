/* Keys in the order that the documentation gives; absent values are left out. No printf: a line a
 * request is on the CPU bill of the request. */
#include "watch/access.h"

struct line {
    struct text text;
    const struct event *e;
    uint32_t bytes;
    bool cut; /* without agent, with a short path */
};

static void put_text(struct text *t, str key, str value)
{
    if (value.len == 0)
        return;
    text_put(t, key);
    text_json(t, value);
}

/* A word of our own tables, which needs no escape. */
static void put_word(struct text *t, str key, str value)
{
    text_put(t, key);
    text_char(t, '"');
    text_put(t, value);
    text_char(t, '"');
}

static void put_number(struct text *t, str key, uint64_t v)
{
    text_put(t, key);
    text_u64(t, v);
}

/* The longest run of two or more groups of zero, the first of equals; false: none (RFC 5952 4.2).
 */
static bool zero_run(const uint8_t ip[16], unsigned *ret_from, unsigned *ret_to)
{
    unsigned from = 0, best = 1;
    for (unsigned i = 0; i < 8; i++) {
        if (ip[2 * i] | ip[2 * i + 1])
            from = i + 1;
        if (i + 1 - from <= best)
            continue;
        best = i + 1 - from;
        *ret_from = from;
        *ret_to = i + 1;
    }
    return best > 1;
}

static void put_group(struct text *t, const uint8_t two[2])
{
    static const char digits[] = "0123456789abcdef";
    const unsigned v = (unsigned)two[0] << 8 | two[1];
    for (unsigned shift = 16; shift > 0; shift -= 4) {
        if (shift == 4 || v >> (shift - 4))
            text_char(t, digits[v >> (shift - 4) & 15]);
    }
}

static void put_ip6(struct text *t, const uint8_t ip[16])
{
    unsigned from = 8, to = 8;
    (void)zero_run(ip, &from, &to);
    for (unsigned i = 0; i < 8; i++) {
        if (i == from) {
            text_put(t, STR("::"));
            i = to;
            if (i == 8)
                return;
        } else if (i > 0) {
            text_char(t, ':');
        }
        put_group(t, ip + 2 * i);
    }
}

/* Dotted quad, or the form of RFC 5952. */
static void put_ip(struct text *t, str key, const uint8_t ip[16])
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    text_put(t, key);
    text_char(t, '"');
    if (memcmp(ip, v4, sizeof(v4)) == 0) {
        for (unsigned i = 12; i < 16; i++) {
            if (i > 12)
                text_char(t, '.');
            text_u64(t, ip[i]);
        }
    } else {
        put_ip6(t, ip);
    }
    text_char(t, '"');
}

static str method_text(const struct event *e)
{
    static const str names[] = {STR_LIT("OTHER"), STR_LIT("GET"), STR_LIT("HEAD"), STR_LIT("POST")};
    return names[e->method < 4 ? e->method : 0];
}

static void put_message(struct line *l)
{
    const struct event *e = l->e;
    text_put(&l->text, STR("\",\"message\":\""));
    text_put(&l->text, method_text(e));
    text_char(&l->text, ' ');
    text_put(&l->text, str_of(route_row((enum route)e->route)->path));
    text_char(&l->text, ' ');
    text_u64(&l->text, e->status);
    text_char(&l->text, '"');
}

static void put_head(struct line *l, const struct log_site *site)
{
    const struct event *e = l->e;
    text_put(&l->text, STR("{\"@timestamp\":\""));
    log_time(&l->text, e->wall_us);
    text_put(&l->text, STR("\",\"log.level\":\""));
    text_put(&l->text, e->status >= 500   ? STR("error")
                       : e->status >= 400 ? STR("warn")
                                          : STR("info"));
    put_message(l);
    log_site_put(&l->text, site);
    text_put(&l->text, STR(",\"event.dataset\":\"garrison.access\",\"event.kind\":\"event\","
                           "\"event.category\":[\"web\"],\"event.type\":[\""));
    text_put(&l->text, e->status >= 400 ? STR("error") : STR("access"));
    text_put(&l->text, STR("\"],\"event.outcome\":\""));
    text_put(&l->text, e->status >= 400 ? STR("failure") : STR("success"));
    text_put(&l->text, STR("\",\"trace.id\":\""));
    text_hex(&l->text, e->trace_id, sizeof(e->trace_id));
    text_put(&l->text, STR("\",\"span.id\":\""));
    text_hex(&l->text, e->span_id, sizeof(e->span_id));
    text_put(&l->text, STR("\",\"transaction.id\":\""));
    text_hex(&l->text, e->span_id, sizeof(e->span_id));
    text_char(&l->text, '"');
    put_text(&l->text, STR(",\"http.request.id\":"), event_text(e, l->bytes, EVENT_REQUEST_ID));
}

static void put_http(struct line *l)
{
    const struct event *e = l->e;
    struct text *t = &l->text;
    const str path = event_text(e, l->bytes, EVENT_PATH);
    put_number(t, STR(",\"event.duration\":"), e->duration_ns);
    put_word(t, STR(",\"http.request.method\":"), method_text(e));
    put_word(t, STR(",\"garrison.route\":"), str_of(route_row((enum route)e->route)->path));
    put_text(t, STR(",\"url.path\":"), l->cut ? str_cut(path, 0, 128) : path);
    text_put(t, e->minor ? STR(",\"http.version\":\"1.1\"") : STR(",\"http.version\":\"1.0\""));
    put_number(t, STR(",\"http.request.body.bytes\":"), e->request_bytes);
    put_text(t, STR(",\"http.request.mime_type\":"), event_text(e, l->bytes, EVENT_REQUEST_TYPE));
    put_number(t, STR(",\"http.response.status_code\":"), e->status);
    put_number(t, STR(",\"http.response.body.bytes\":"), e->response_bytes);
    put_text(t, STR(",\"http.response.mime_type\":"), event_text(e, l->bytes, EVENT_REPLY_TYPE));
    put_ip(t, STR(",\"client.ip\":"), e->client_ip);
    put_number(t, STR(",\"client.port\":"), e->client_port);
    if (memcmp(e->client_ip, e->peer_ip, sizeof(e->peer_ip)) != 0)
        put_ip(t, STR(",\"source.ip\":"), e->peer_ip);
    if (!l->cut)
        put_text(t, STR(",\"user_agent.original\":"), event_text(e, l->bytes, EVENT_AGENT));
    text_put(t, STR(",\"network.protocol\":\"http\",\"user.id\":\"anonymous\","
                    "\"garrison.auth.method\":\"none\""));
}

static void put_model(struct line *l)
{
    const struct event *e = l->e;
    struct text *t = &l->text;
    if (e->has_model) {
        put_text(t, STR(",\"garrison.model.name\":"), event_text(e, l->bytes, EVENT_MODEL));
        put_text(t, STR(",\"garrison.model.version\":"), event_text(e, l->bytes, EVENT_VERSION));
        text_put(t, STR(",\"garrison.model.digest\":\"sha256:"));
        text_hex(t, e->digest, sizeof(e->digest));
        text_put(t, e->is_unsigned ? STR("\",\"garrison.model.unsigned\":true,"
                                         "\"garrison.model.track\":\"stable\"")
                                   : STR("\",\"garrison.model.track\":\"stable\""));
    }
    if (e->route != ROUTE_infer)
        return;
    put_number(t, STR(",\"garrison.rows\":"), e->rows);
    put_word(t, STR(",\"garrison.outcome\":"), str_of(pair_outcome((enum pair)e->pair)));
    put_word(t, STR(",\"garrison.reason\":"), str_of(pair_reason((enum pair)e->pair)));
}

static void put_all(struct line *l, const struct log_site *site)
{
    put_head(l, site);
    put_http(l);
    put_model(l);
    if (l->e->code != OK)
        put_word(&l->text, STR(",\"error.code\":"), str_of(err_name((err)l->e->code)));
    if (l->cut)
        text_put(&l->text, STR(",\"garrison.truncated\":true"));
    text_put(&l->text, STR("}\n"));
}

uint32_t access_line(const struct log_site *site, const struct event *e, uint32_t event_bytes,
                     char *out)
{
    struct line l = {.text = text_over(out, ACCESS_LINE_MAX), .e = e, .bytes = event_bytes};
    put_all(&l, site);
    if (l.text.full) {
        l = (struct line){
            .text = text_over(out, ACCESS_LINE_MAX), .e = e, .bytes = event_bytes, .cut = true};
        put_all(&l, site);
    }
    return l.text.full ? 0 : (uint32_t)l.text.len;
}
