/* fuzz: proto src/proto/h1.c src/proto/h1_head.c src/proto/h1_line.c src/proto/path.c
 * src/proto/charset.c */
/* Two readings of the same bytes, whole and cut at places that the input chooses, must say the
 * same. Byte 0 chooses the limits, byte 1 seeds the cuts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/must.h"
#include "proto/h1.h"
#include "proto/path.h"
#include "proto/traceparent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What was said, as one running hash (FNV-1a): pieces of a body count by their bytes alone. */
struct record {
    uint64_t hash;
    uint64_t body; /* bytes of the request being read */
};

static void add(struct record *r, const void *at, size_t len)
{
    const uint8_t *bytes = at;
    for (size_t i = 0; i < len; i++)
        r->hash = (r->hash ^ bytes[i]) * 0x100000001B3ull;
}

static void add_str(struct record *r, str s)
{
    add(r, &s.len, sizeof(s.len));
    add(r, s.at, s.len);
}

static void check_plain(str s)
{
    for (size_t i = 0; i < s.len; i++)
        must(s.at[i] == '\t' || (s.at[i] >= 0x20 && s.at[i] <= 0x7E));
}

static void look_at_path(const struct request_head *h)
{
    struct arena a;
    struct path path;
    struct path_match match;
    struct traceparent trace;
    str value;
    arena_init(&a, 65536);
    if (path_split(h->path, &a, &path, NULL) == OK) {
        must(path.count <= PATH_SEGMENTS_MAX);
        for (uint32_t i = 0; i < path.count; i++)
            must(path.segments[i].len > 0 && !str_eq(path.segments[i], STR("..")));
        if (path_fits(&path, STR("/v2/models/{model}[/v]/infer"), &match))
            must(path_is_model(match.model) &&
                 (match.version.len == 0 || path_is_version(match.version)));
        (void)path_fits(&path, STR("/v2/x/{rest}"), &match);
    }
    arena_free(&a);
    if (request_field(h, STR("traceparent"), &value))
        (void)traceparent_read(value, &trace);
}

/* What may be told of a head that is not whole. */
static void look_at_begun(struct record *r, const struct request_head *h)
{
    add(r, &h->method, sizeof(h->method));
    add(r, &h->minor, sizeof(h->minor));
    add_str(r, h->method_text);
    add_str(r, h->target);
    add_str(r, h->path);
    add_str(r, h->query);
    for (uint32_t i = 0; i < h->field_count; i++) {
        check_plain(h->fields[i].value);
        must(h->fields[i].name.len > 0);
        add_str(r, h->fields[i].name);
        add_str(r, h->fields[i].value);
    }
    check_plain(h->target);
    look_at_path(h);
}

static void look_at_head(struct record *r, const struct request_head *h)
{
    look_at_begun(r, h);
    add_str(r, h->host);
    add(r, &h->content_length, sizeof(h->content_length));
    const bool flags[] = {h->chunked, h->has_length, h->keep_alive, h->expect_continue};
    add(r, flags, sizeof(flags));
    must(!(h->chunked && h->has_length));
    must(h->minor == 0 || h->host.len > 0);
    must(h->minor == 1 || (!h->chunked && !h->keep_alive));
}

/* Reads on; false: no more will be said. */
static bool feed(struct h1 *h, str piece, struct record *r)
{
    struct h1_out out = {0};
    for (;;) {
        const enum h1_event event = h1_next(h, &piece, &out);
        if (event == H1_MORE) {
            must(piece.len == 0);
            return true;
        }
        if (event == H1_BODY) {
            must(out.piece.len > 0);
            r->body += out.piece.len;
            add(r, out.piece.at, out.piece.len);
            continue;
        }
        add(r, &event, sizeof(event));
        if (event == H1_HEAD) {
            r->body = 0;
            look_at_head(r, out.head);
        } else if (event == H1_END) {
            must(out.head->chunked || out.head->content_length == r->body);
            must(h1_idle(h));
        } else {
            add(r, &out.code, sizeof(out.code));
            add(r, out.text, strlen(out.text));
            must(h1_next(h, &piece, &out) == H1_REFUSED);
            const struct request_head *begun = h1_begun(h);
            must(begun || !out.head);
            if (begun)
                look_at_begun(r, begun);
            return false;
        }
    }
}

static struct record read_all(str bytes, const struct h1_limits *limits, uint32_t seed)
{
    struct record r = {.hash = 0xCBF29CE484222325ull};
    struct h1 h;
    bool open = true;
    h1_init(&h, limits);
    for (size_t at = 0; open && at < bytes.len;) {
        seed = seed * 1664525u + 1013904223u;
        size_t n = seed == 0 ? bytes.len : 1 + (seed >> 24) % 9;
        if (seed >> 28 == 0 || n > bytes.len - at)
            n = bytes.len - at;
        char *piece = malloc(n);
        must(piece);
        memcpy(piece, bytes.at + at, n);
        open = feed(&h, (str){piece, n}, &r);
        free(piece);
        at += n;
    }
    const bool idle = h1_idle(&h);
    add(&r, &idle, sizeof(idle));
    h1_free(&h);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct h1_limits limits = H1_LIMITS_DEFAULT;
    struct h1 h;
    struct record whole = {.hash = 0xCBF29CE484222325ull};
    if (len < 2)
        return 0;
    if (data[0] & 1u)
        limits = (struct h1_limits){
            .request_line = 24, .header_bytes = 80, .header_count = 3, .body = 16};
    const str bytes = {(const char *)data + 2, len - 2};
    h1_init(&h, &limits);
    (void)(bytes.len > 0 && feed(&h, bytes, &whole));
    const bool idle = h1_idle(&h);
    add(&whole, &idle, sizeof(idle));
    h1_free(&h);
    const struct record cut = read_all(bytes, &limits, data[1]);
    must(cut.hash == whole.hash);
    return 0;
}
