/* Every row of tests/data/h1_desync.tsv through the parser, the path and the route table: whole, in
 * single bytes, cut at random, and with another request behind it. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "base/route.h"
#include "proto/h1.h"
#include "proto/path.h"

#define DATA      "tests/data/h1_desync.tsv"
#define FOLLOWER  "GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define REPLIES   32u
#define ARENA_CAP 65536u

struct replies {
    int status[REPLIES];
    unsigned count;
    bool closed;
};

struct row {
    char id[40], class[40];
    struct replies want;
    char *bytes;
    size_t len;
};

/* What the routes of the data front say to a head whose body is sound. */
static int route_status(const struct request_head *head, struct arena *a)
{
    struct path path;
    struct path_match match;
    struct fault f = {0};
    int status = 404;
    const err e = path_split(head->path, a, &path, &f);
    if (e != OK)
        return err_http(e);
    const str method = head->method == METHOD_HEAD ? STR("GET") : method_name(head->method);
    for (int r = 0; r < ROUTE_COUNT; r++) {
        const struct route_row *row = route_row((enum route)r);
        if (!(row->listeners & ROUTE_ON_DATA) || !path_fits(&path, str_of(row->path), &match))
            continue;
        if (str_eq(method, str_of(row->method)) || str_eq(STR("ANY"), str_of(row->method)))
            return 200;
        status = 405;
    }
    return status;
}

static void reply(struct replies *r, int status)
{
    assert_true(r->count < REPLIES);
    r->status[r->count++] = status;
}

/* Reads on in one piece as a server would; false: the connection is closed. */
static bool feed(struct h1 *h, struct arena *a, str piece, struct replies *r)
{
    struct h1_out out = {0};
    for (;;) {
        switch (h1_next(h, &piece, &out)) {
        case H1_MORE:
            assert_int_equal(piece.len, 0);
            return true;
        case H1_HEAD:
        case H1_BODY:
            break;
        case H1_END:
            reply(r, route_status(out.head, a));
            r->closed = !out.head->keep_alive;
            if (r->closed)
                return false;
            break;
        case H1_REFUSED:
            assert_true(out.code == ERR_INPUT || out.code == ERR_HEADER ||
                        out.code == ERR_TOO_BIG || out.code == ERR_CODING);
            assert_true(strlen(out.text) > 0);
            reply(r, err_http(out.code));
            r->closed = true;
            return false;
        }
    }
}

/* step 0: cuts at random. Each piece is a heap block of its own size, so that ASan sees a byte read
 * behind it, and it is gone before the next one comes. */
static struct replies run(str bytes, size_t step)
{
    struct replies r = {.count = 0};
    struct h1_limits limits = H1_LIMITS_DEFAULT;
    struct h1 h;
    struct arena a;
    uint32_t seed = (uint32_t)bytes.len + 1;
    h1_init(&h, &limits);
    arena_init(&a, ARENA_CAP);
    bool open = true;
    for (size_t at = 0; open && at < bytes.len;) {
        seed = seed * 1664525u + 1013904223u;
        size_t n = step ? step : 1 + (seed >> 24) % 23;
        if (n > bytes.len - at)
            n = bytes.len - at;
        char *piece = malloc(n);
        assert_non_null(piece);
        memcpy(piece, bytes.at + at, n);
        open = feed(&h, &a, (str){piece, n}, &r);
        free(piece);
        at += n;
    }
    if (open && !h1_idle(&h)) {
        reply(&r, 408);
        r.closed = true;
    }
    h1_free(&h);
    arena_free(&a);
    return r;
}

static void check(const struct row *row, const char *how, const struct replies *want,
                  const struct replies *got)
{
    bool same = want->count == got->count && want->closed == got->closed;
    for (unsigned i = 0; same && i < want->count; i++)
        same = want->status[i] == got->status[i];
    if (!same)
        fail_msg("%s %s: want %u replies, first %d last %d, close %d; got %u, first %d last %d, %d",
                 row->id, how, want->count, want->status[0], want->status[want->count - 1],
                 want->closed, got->count, got->status[0],
                 got->count ? got->status[got->count - 1] : 0, got->closed);
}

static void check_row(const struct row *row)
{
    const str bytes = {row->bytes, row->len};
    struct replies got = run(bytes, bytes.len);
    check(row, "whole", &row->want, &got);
    got = run(bytes, 1);
    check(row, "in single bytes", &row->want, &got);
    got = run(bytes, 0);
    check(row, "cut at random", &row->want, &got);
    if (row->want.status[row->want.count - 1] == 408)
        return;
    struct replies want = row->want;
    if (!want.closed)
        reply(&want, 200);
    char *two = malloc(bytes.len + sizeof(FOLLOWER));
    assert_non_null(two);
    memcpy(two, bytes.at, bytes.len);
    memcpy(two + bytes.len, FOLLOWER, sizeof(FOLLOWER));
    const str both = {two, bytes.len + sizeof(FOLLOWER) - 1};
    got = run(both, both.len);
    check(row, "followed by another", &want, &got);
    got = run(both, 1);
    check(row, "followed by another, in single bytes", &want, &got);
    free(two);
}

/* Turns C escapes into bytes, in place; returns the count. */
static size_t unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        from++;
        char hex[3] = {0};
        switch (*from) {
        case 'r':
            *to++ = '\r';
            break;
        case 'n':
            *to++ = '\n';
            break;
        case 't':
            *to++ = '\t';
            break;
        case 'x':
            memcpy(hex, from + 1, 2);
            *to++ = (char)strtoul(hex, NULL, 16);
            from += 2;
            break;
        default:
            *to++ = *from;
        }
    }
    return (size_t)(to - text);
}

static void read_row(char *line, struct row *row)
{
    char *columns[5] = {0};
    char *rest = line;
    line[strcspn(line, "\n")] = '\0';
    for (int i = 0; i < 5; i++) {
        columns[i] = strsep(&rest, "\t");
        assert_non_null(columns[i]);
    }
    assert_null(rest);
    *row = (struct row){.bytes = columns[2]};
    (void)snprintf(row->id, sizeof(row->id), "%s", columns[0]);
    (void)snprintf(row->class, sizeof(row->class), "%s", columns[1]);
    row->len = unescape(row->bytes);
    for (char *s = strtok_r(columns[3], " ", &rest); s; s = strtok_r(NULL, " ", &rest))
        reply(&row->want, (int)strtol(s, NULL, 10));
    assert_true(row->want.count > 0);
    assert_true(strcmp(columns[4], "yes") == 0 || strcmp(columns[4], "no") == 0);
    row->want.closed = strcmp(columns[4], "yes") == 0;
}

/* Runs the rows whose last reply refuses the framing, or all others. */
static unsigned run_rows(bool hostile)
{
    FILE *file = fopen(DATA, "r");
    char *line = NULL;
    size_t cap = 0;
    unsigned rows = 0;
    assert_non_null(file);
    while (getline(&line, &cap, file) > 0) {
        struct row row;
        if (line[0] == '#')
            continue;
        read_row(line, &row);
        const int last = row.want.status[row.want.count - 1];
        const bool refused = row.want.closed && last >= 400;
        if (refused != hostile)
            continue;
        rows++;
        check_row(&row);
    }
    free(line);
    (void)fclose(file);
    return rows;
}

static void desync__refuses_every_hostile_row_and_reads_nothing_behind_it(void **state)
{
    (void)state;
    assert_true(run_rows(true) >= 300);
}

static void desync__answers_every_lawful_row_and_the_next_request(void **state)
{
    (void)state;
    assert_true(run_rows(false) >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(desync__refuses_every_hostile_row_and_reads_nothing_behind_it),
        cmocka_unit_test(desync__answers_every_lawful_row_and_the_next_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
