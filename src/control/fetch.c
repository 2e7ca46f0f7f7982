/* libcurl behind one function. Whatever its environment could change (proxies, netrc, redirects,
 * other schemes) is switched off. It is opened at the first call: with the twenty libraries that it
 * brings it would be most of what every role maps and relocates at its start, and no role calls. */
#include "control/fetch.h"

#include <dlfcn.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/scope.h"

#include <curl/curl.h>

#define SONAME     "libcurl.so.4"
#define CONNECT_MS 5000L

struct curl {
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_perform) *easy_perform;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
};

/* What a call holds of libcurl. */
struct held {
    struct curl curl;
    CURL *easy;
    struct curl_slist *headers;
};

struct transfer {
    const struct fetch_call *call;
    struct fetch_reply reply;
    size_t room;
    bool too_big;
    bool no_memory;
    uint64_t begun_ns;
    uint64_t told_ns;
};

static void held_undo(struct held *h)
{
    if (h->easy)
        h->curl.easy_cleanup(h->easy);
    if (h->headers)
        h->curl.slist_free_all(h->headers);
}

/* ret_function points to a pointer to a function. */
static bool find(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);
    memcpy(ret_function, &symbol, sizeof symbol);
    return symbol;
}

/* The library stays open: it may have left handlers with libc. */
static err open_curl(struct curl *c, struct fault *f)
{
    void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return fail(f, ERR_UNAVAILABLE, "cannot open libcurl: %s", dlerror());
    if (!find(library, "curl_easy_init", &c->easy_init) ||
        !find(library, "curl_easy_setopt", &c->easy_setopt) ||
        !find(library, "curl_easy_perform", &c->easy_perform) ||
        !find(library, "curl_easy_getinfo", &c->easy_getinfo) ||
        !find(library, "curl_easy_strerror", &c->easy_strerror) ||
        !find(library, "curl_easy_cleanup", &c->easy_cleanup) ||
        !find(library, "curl_slist_append", &c->slist_append) ||
        !find(library, "curl_slist_free_all", &c->slist_free_all))
        return fail(f, ERR_UNAVAILABLE, "\"" SONAME "\" is not libcurl");
    return OK;
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

static bool options_set(const struct held *h, struct transfer *t)
{
    __typeof__(curl_easy_setopt) *const set = h->curl.easy_setopt;
    CURL *c = h->easy;
    const struct fetch_call *call = t->call;
    const uint64_t ms = call->deadline_ns / NS_PER_MS;
    bool good =
        set(c, CURLOPT_URL, call->url) == CURLE_OK &&
        set(c, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
        set(c, CURLOPT_PROXY, "") == CURLE_OK && set(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        set(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        set(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK &&
        set(c, CURLOPT_HTTPHEADER, h->headers) == CURLE_OK &&
        set(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
        set(c, CURLOPT_TIMEOUT_MS, ms ? (long)ms : 1L) == CURLE_OK &&
        set(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
        set(c, CURLOPT_WRITEDATA, t) == CURLE_OK &&
        set(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
        set(c, CURLOPT_HEADERDATA, t) == CURLE_OK && set(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
        set(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
        set(c, CURLOPT_XFERINFODATA, t) == CURLE_OK;
    if (good && call->socket)
        good = set(c, CURLOPT_UNIX_SOCKET_PATH, call->socket) == CURLE_OK;
    if (good && call->post)
        good = set(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len) == CURLE_OK &&
               set(c, CURLOPT_POSTFIELDS, call->body.len ? call->body.at : "") == CURLE_OK;
    return good;
}

static bool header_add(struct held *h, const char *line)
{
    struct curl_slist *longer = h->curl.slist_append(h->headers, line);
    if (longer)
        h->headers = longer;
    return longer;
}

static bool headers_make(struct held *h, const struct fetch_call *call)
{
    for (uint32_t i = 0; i < call->header_count; i++)
        if (!header_add(h, call->headers[i]))
            return false;
    return header_add(h, "Expect:"); /* no wait before a body */
}

static err outcome(const struct transfer *t, CURLcode code, const char *text, struct fault *f)
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
    return fail(f, ERR_UNAVAILABLE, "%.*s: %s; want a running server", STR_ARG(host), text);
}

err fetch(const struct fetch_call *call, struct fetch_reply *ret, struct fault *f)
{
    SCOPED(held_undo)
    struct held h = {0};
    struct transfer t = {.call = call, .begun_ns = clock_ns()};
    t.told_ns = t.begun_ns;
    t.reply.json_len = SIZE_MAX;
    const err e = open_curl(&h.curl, f);
    if (e != OK)
        return e;
    h.easy = h.curl.easy_init();
    if (!h.easy || !headers_make(&h, call) || !options_set(&h, &t))
        return fail(f, ERR_UNAVAILABLE, "no memory for a call");
    const CURLcode code = h.curl.easy_perform(h.easy);
    long status = 0;
    if (code != CURLE_OK ||
        h.curl.easy_getinfo(h.easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK) {
        free(t.reply.body);
        return outcome(&t, code, h.curl.easy_strerror(code), f);
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
