/* Keys in the order that the documentation gives; absent values are left out. A line a request is
 * on the CPU bill of the request: no printf, and no check of the room before each piece, since the
 * room holds the longest line that an event can make. It is measured when it is written. */
#include "watch/access.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/num.h"

#define SITE_MAX  2048u
#define FIXED_MAX 2048u /* keys, numbers, ids, words of tables: about 1,300 bytes */
#define ROOM      16384u

_Static_assert(6 * (EVENT_BYTES_MAX - sizeof(struct event)) + SITE_MAX + FIXED_MAX <= ROOM,
               "a byte of text may take six in JSON");

struct access {
    uint32_t site_len;
    char site[SITE_MAX];
    char room[ROOM];
};

struct line {
    const struct event *e;
    str site, method, route;
    str texts[EVENT_TEXTS];
    bool cut; /* without agent, with a short path */
};

/* Pieces: each writes at `at` and returns where it ends.
 * -------------------------------------------
 */

static inline char *put(char *at, str s)
{
    memcpy(at, s.at, s.len);
    return at + s.len;
}

static inline char *put_number(char *at, str key, uint64_t v)
{
    at = put(at, key);
    return at + num_put_u64(at, v);
}

static char *put_hex(char *at, const void *bytes, unsigned n)
{
    num_put_hex(at, bytes, n);
    return at + (size_t)2 * n;
}

/* Bytes that need care, and what follows them. */
static __attribute__((noinline)) char *put_odd(char *at, str s)
{
    struct text t = text_over(at, 6 * s.len);
    text_json_part(&t, s, s.len);
    return at + t.len;
}

/* The rest of a string of JSON, with the quote behind it. */
static char *put_string(char *at, str value)
{
    const size_t run = text_plain(value);
    at = put(at, str_cut(value, 0, run));
    if (run < value.len)
        at = put_odd(at, str_cut(value, run, value.len));
    *at = '"';
    return at + 1;
}

/* key ends in the first quote of the value. */
static inline char *put_text(char *at, str key, str value)
{
    return value.len > 0 ? put_string(put(at, key), value) : at;
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

static char *put_group(char *at, const uint8_t two[2])
{
    static const char digits[] = "0123456789abcdef";
    const unsigned v = (unsigned)two[0] << 8 | two[1];
    for (unsigned shift = 16; shift > 0; shift -= 4) {
        if (shift == 4 || v >> (shift - 4))
            *at++ = digits[v >> (shift - 4) & 15];
    }
    return at;
}

static char *put_ip6(char *at, const uint8_t ip[16])
{
    unsigned from = 8, to = 8;
    (void)zero_run(ip, &from, &to);
    for (unsigned i = 0; i < 8; i++) {
        if (i == from) {
            at = put(at, STR("::"));
            i = to;
            if (i == 8)
                return at;
        } else if (i > 0) {
            *at++ = ':';
        }
        at = put_group(at, ip + 2 * i);
    }
    return at;
}

/* Dotted quad, or the form of RFC 5952. */
static char *put_ip(char *at, const uint8_t ip[16])
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    if (memcmp(ip, v4, sizeof(v4)) != 0)
        return put_ip6(at, ip);
    at += num_put_u64(at, ip[12]);
    at = put_number(at, STR("."), ip[13]);
    at = put_number(at, STR("."), ip[14]);
    return put_number(at, STR("."), ip[15]);
}

/* The line --------------------------------------------------------------------------------------
 */

static str method_text(const struct event *e)
{
    static const str names[] = {STR_LIT("OTHER"), STR_LIT("GET"), STR_LIT("HEAD"), STR_LIT("POST")};
    return names[e->method < 4 ? e->method : 0];
}

static char *put_message(char *at, const struct line *l)
{
    const unsigned status = l->e->status;
    at = put(at, status >= 500   ? STR("\",\"log.level\":\"error\",\"message\":\"")
                 : status >= 400 ? STR("\",\"log.level\":\"warn\",\"message\":\"")
                                 : STR("\",\"log.level\":\"info\",\"message\":\""));
    at = put(at, l->method);
    *at++ = ' ';
    at = put(at, l->route);
    return put_number(at, STR(" "), status);
}

static char *put_head(char *at, const struct line *l)
{
    const struct event *e = l->e;
    at = put(at, STR("{\"@timestamp\":\""));
    text_time_put(at, e->wall_us);
    at = put_message(at + TEXT_TIME_LEN, l);
    at = put(at, l->site);
    at = put(at, e->status >= 400 ? STR("error\"],\"event.outcome\":\"failure\",\"trace.id\":\"")
                                  : STR("access\"],\"event.outcome\":\"success\",\"trace.id\":\""));
    at = put_hex(at, e->trace_id, sizeof(e->trace_id));
    at = put(at, STR("\",\"span.id\":\""));
    const str span = {at, 2 * sizeof(e->span_id)};
    at = put_hex(at, e->span_id, sizeof(e->span_id));
    at = put(at, STR("\",\"transaction.id\":\""));
    at = put(at, span);
    *at++ = '"';
    return put_text(at, STR(",\"http.request.id\":\""), l->texts[EVENT_REQUEST_ID]);
}

static char *put_http(char *at, const struct line *l)
{
    const struct event *e = l->e;
    at = put_number(at, STR(",\"event.duration\":"), e->duration_ns);
    at = put(put(at, STR(",\"http.request.method\":\"")), l->method);
    at = put(put(at, STR("\",\"garrison.route\":\"")), l->route);
    *at++ = '"';
    at = put_text(at, STR(",\"url.path\":\""),
                  str_cut(l->texts[EVENT_PATH], 0, l->cut ? 128 : SIZE_MAX));
    at = put(at, STR(",\"http.version\":\"1."));
    *at++ = e->minor ? '1' : '0';
    at = put_number(at, STR("\",\"http.request.body.bytes\":"), e->request_bytes);
    at = put_text(at, STR(",\"http.request.mime_type\":\""), l->texts[EVENT_REQUEST_TYPE]);
    at = put_number(at, STR(",\"http.response.status_code\":"), e->status);
    at = put_number(at, STR(",\"http.response.body.bytes\":"), e->response_bytes);
    at = put_text(at, STR(",\"http.response.mime_type\":\""), l->texts[EVENT_REPLY_TYPE]);
    at = put_ip(put(at, STR(",\"client.ip\":\"")), e->client_ip);
    at = put_number(at, STR("\",\"client.port\":"), e->client_port);
    if (memcmp(e->client_ip, e->peer_ip, sizeof(e->peer_ip)) != 0) {
        at = put_ip(put(at, STR(",\"source.ip\":\"")), e->peer_ip);
        *at++ = '"';
    }
    if (!l->cut)
        at = put_text(at, STR(",\"user_agent.original\":\""), l->texts[EVENT_AGENT]);
    return put(at, STR(",\"network.protocol\":\"http\",\"user.id\":\"anonymous\","
                       "\"garrison.auth.method\":\"none\""));
}

static char *put_model(char *at, const struct line *l)
{
    const struct event *e = l->e;
    at = put_text(at, STR(",\"garrison.model.name\":\""), l->texts[EVENT_MODEL]);
    at = put_text(at, STR(",\"garrison.model.version\":\""), l->texts[EVENT_VERSION]);
    at = put(at, STR(",\"garrison.model.digest\":\"sha256:"));
    at = put_hex(at, e->digest, sizeof(e->digest));
    *at++ = '"';
    if (e->is_unsigned)
        at = put(at, STR(",\"garrison.model.unsigned\":true"));
    return put(at, STR(",\"garrison.model.track\":\"stable\""));
}

static char *put_outcome(char *at, const struct line *l)
{
    const enum pair pair = (enum pair)l->e->pair;
    at = put_number(at, STR(",\"garrison.rows\":"), l->e->rows);
    at = put(put(at, STR(",\"garrison.outcome\":\"")), str_of(pair_outcome(pair)));
    at = put(put(at, STR("\",\"garrison.reason\":\"")), str_of(pair_reason(pair)));
    return put(at, STR("\""));
}

static char *put_all(char *at, const struct line *l)
{
    const struct event *e = l->e;
    at = put_http(put_head(at, l), l);
    if (e->has_model)
        at = put_model(at, l);
    if (e->route == ROUTE_infer)
        at = put_outcome(at, l);
    if (e->code != OK) {
        at = put(put(at, STR(",\"error.code\":\"")), str_of(err_name((err)e->code)));
        *at++ = '"';
    }
    if (l->cut)
        at = put(at, STR(",\"garrison.truncated\":true"));
    return put(at, STR("}\n"));
}

err access_new(const struct log_site *site, struct access **ret_a, struct fault *f)
{
    struct access *a = malloc(sizeof(*a));
    if (!a)
        return fail(f, ERR_UNAVAILABLE, "no memory for access lines");
    struct text t = text_over(a->site, sizeof(a->site));
    text_char(&t, '"');
    log_site_put(&t, site);
    text_put(&t, STR(",\"event.dataset\":\"garrison.access\",\"event.kind\":\"event\","
                     "\"event.category\":[\"web\"],\"event.type\":[\""));
    if (t.full) {
        free(a);
        return fail(f, ERR_TOO_BIG, "the site's names are too long for access lines");
    }
    a->site_len = (uint32_t)t.len;
    *ret_a = a;
    return OK;
}

void access_free(struct access *a)
{
    free(a);
}

str access_line(struct access *a, const struct event *e, uint32_t event_bytes)
{
    must(event_bytes <= EVENT_BYTES_MAX);
    struct line l = {
        .e = e,
        .site = {a->site, a->site_len},
        .method = method_text(e),
        .route = str_of(route_row((enum route)e->route)->path),
    };
    event_read_texts(e, event_bytes, l.texts);
    size_t len = (size_t)(put_all(a->room, &l) - a->room);
    if (len > ACCESS_LINE_MAX) {
        l.cut = true;
        len = (size_t)(put_all(a->room, &l) - a->room);
    }
    return (str){a->room, len <= ACCESS_LINE_MAX ? len : 0};
}
