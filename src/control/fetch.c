/* libcurl behind one function. Whatever its environment could change (proxies, netrc, redirects,
 * other schemes) is switched off. */
#include "control/fetch.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/scope.h"

#include <curl/curl.h>

#define CONNECT_MS 5000L

struct transfer {
    const struct fetch_call *call;
    struct fetch_reply reply;
    size_t room;
    bool too_big;
    bool no_memory;
    uint64_t begun_ns;
    uint64_t told_ns;
};

static void easy_undo(CURL **c)
{
    curl_easy_cleanup(*c);
}

static void slist_undo(struct curl_slist **l)
{
    curl_slist_free_all(*l);
}

static size_t on_body(char *at, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    const size_t len = size * count;
    if (len > t->call->reply_bytes_max || t->reply.len > t->call->reply_bytes_max - len) {
        t->too_big = true;
        return 0;
    }
    if (t->reply.len + len + 1 > t->room) {
        const size_t room = 2 * (t->reply.len + len + 1);
        char *grown = realloc(t->reply.body, room);
        if (!grown) {
            t->no_memory = true;
            return 0;
        }
        t->reply.body = grown;
        t->room = room;
    }
    memcpy(t->reply.body + t->reply.len, at, len);
    t->reply.len += len;
    t->reply.body[t->reply.len] = '\0';
    return len;
}

static size_t on_header(char *at, size_t size, size_t count, void *user)
{
    struct transfer *t = user;
    str line = {at, size * count};
    while (line.len && (line.at[line.len - 1] == '\n' || line.at[line.len - 1] == '\r'))
        line.len--;
    const size_t colon = str_find(line, ':');
    const str name = str_cut(line, 0, colon);
    const str value = str_trim(str_cut(line, colon + 1, line.len));
    uint64_t number;
    if (str_eq_nocase(name, STR("x-garrison-error")) && value.len < FETCH_ROW_BYTES) {
        memcpy(t->reply.row, value.at, value.len);
        t->reply.row[value.len] = '\0';
    } else if (str_eq_nocase(name, STR("inference-header-content-length")) &&
               num_u64(value, SIZE_MAX, &number, NULL) == OK) {
        t->reply.json_len = (size_t)number;
    }
    return size * count;
}

static int on_progress(void *user, curl_off_t take, curl_off_t taken, curl_off_t send,
                       curl_off_t sent)
{
    struct transfer *t = user;
    const uint64_t now = clock_ns();
    if (t->call->progress && now - t->told_ns >= NS_PER_S) {
        t->told_ns = now;
        t->call->progress(t->call->progress_to, now - t->begun_ns, (uint64_t)sent, (uint64_t)send,
                          (uint64_t)taken, (uint64_t)take);
    }
    return 0;
}

static bool options_set(CURL *c, struct transfer *t, struct curl_slist *headers)
{
    const struct fetch_call *call = t->call;
    const uint64_t ms = call->deadline_ns / NS_PER_MS;
    bool good = curl_easy_setopt(c, CURLOPT_URL, call->url) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ms ? (long)ms : 1L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_HEADERDATA, t) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_XFERINFODATA, t) == CURLE_OK;
    if (good && call->socket)
        good = curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, call->socket) == CURLE_OK;
    if (good && call->post)
        good = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len) ==
                   CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_POSTFIELDS, call->body.len ? call->body.at : "") ==
                   CURLE_OK;
    return good;
}

static bool headers_make(const struct fetch_call *call, struct curl_slist **ret)
{
    for (uint32_t i = 0; i < call->header_count; i++) {
        struct curl_slist *longer = curl_slist_append(*ret, call->headers[i]);
        if (!longer)
            return false;
        *ret = longer;
    }
    struct curl_slist *longer = curl_slist_append(*ret, "Expect:"); /* no wait before a body */
    if (!longer)
        return false;
    *ret = longer;
    return true;
}

static err outcome(const struct transfer *t, CURLcode code, struct fault *f)
{
    const char *url = t->call->url;
    const str host = str_cut(str_of(url), 0, 120);
    if (t->too_big)
        return fail(f, ERR_TOO_BIG, "the reply is longer than %llu bytes; want fewer rows",
                    (unsigned long long)t->call->reply_bytes_max);
    if (t->no_memory || code == CURLE_OUT_OF_MEMORY)
        return fail(f, ERR_UNAVAILABLE, "no memory for the reply of %.*s", STR_ARG(host));
    if (code == CURLE_OPERATION_TIMEDOUT)
        return fail(f, ERR_LATE, "no reply of %.*s in time", STR_ARG(host));
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return fail(f, ERR_INPUT, "\"%.*s\" is not a URL; want http://127.0.0.1:PORT",
                    STR_ARG(host));
    return fail(f, ERR_UNAVAILABLE, "%.*s: %s; want a running server", STR_ARG(host),
                curl_easy_strerror(code));
}

err fetch(const struct fetch_call *call, struct fetch_reply *ret, struct fault *f)
{
    SCOPED(easy_undo)
    CURL *c = curl_easy_init();
    SCOPED(slist_undo)
    struct curl_slist *headers = NULL;
    struct transfer t = {.call = call, .begun_ns = clock_ns()};
    t.told_ns = t.begun_ns;
    t.reply.json_len = SIZE_MAX;
    if (!c || !headers_make(call, &headers) || !options_set(c, &t, headers))
        return fail(f, ERR_UNAVAILABLE, "no memory for a call");
    const CURLcode code = curl_easy_perform(c);
    long status = 0;
    if (code != CURLE_OK || curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK) {
        free(t.reply.body);
        return outcome(&t, code, f);
    }
    if (!t.reply.body)
        t.reply.body = calloc(1, 1);
    if (!t.reply.body)
        return fail(f, ERR_UNAVAILABLE, "no memory for a reply");
    if (t.reply.json_len > t.reply.len)
        t.reply.json_len = t.reply.len;
    t.reply.status = (int)status;
    *ret = t.reply;
    return OK;
}

void fetch_reply_free(struct fetch_reply *r)
{
    free(r->body);
    *r = (struct fetch_reply){0};
}
