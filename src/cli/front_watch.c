/* Watch threads and pages for a front. */
#include "cli/front_watch.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/log.h"
#include "watch/cell.h"
#include "watch/expose.h"
#include "watch/series.h"
#include "watch/watcher.h"

#define PAGE_FIRST_BYTES (1u << 18)

struct watch_side {
    struct log_site site;
    struct segment segment;
    const struct series_directory *directory;
    struct watcher *watcher;
};

static err side_open(const struct watch_side_opts *opts, struct watch_side **ret, struct fault *f)
{
    const struct front_settings *s = opts->settings;
    struct watch_side *w = calloc(1, sizeof(*w));
    if (!w)
        return fail(f, ERR_UNAVAILABLE, "no memory for the watch side");
    w->site = (struct log_site){.version = STR(GARRISON_VERSION),
                                .environment = str_of(s->environment),
                                .node = str_of(s->node_name)};
    err e = segment_map(opts->cells, &w->segment, f);
    if (e == OK)
        e = series_map(opts->series, &w->directory, f);
    const struct watcher_opts watcher = {
        .site = &w->site,
        .segment = w->segment,
        .shard = opts->ops ? CELL_SHARD_WATCH_OPS(s->loops) : CELL_SHARD_WATCH_DATA(s->loops),
        .rings = opts->loops,
        .event_ring = s->event_ring,
        .access = s->log_access,
        .buffer = s->log_buffer,
        .fd = STDOUT_FILENO,
    };
    if (e == OK)
        e = watcher_start(&watcher, &w->watcher, f);
    if (e != OK) {
        free(w);
        return e;
    }
    *ret = w;
    return OK;
}

static struct ring *side_ring(struct watch_side *w, uint32_t loop)
{
    return watcher_ring(w->watcher, loop);
}

/* One page under way. */
struct page_job {
    struct watch_side *side;
    enum expose_format format;
    void (*done)(void *arg, const struct watch_page *page);
    void *arg;
    struct watch_page page;
    uint64_t cap;
};

static err take_piece(void *arg, str piece)
{
    struct page_job *j = arg;
    if (j->page.len + piece.len > j->cap) {
        const uint64_t cap =
            j->cap * 2 > j->page.len + piece.len ? j->cap * 2 : j->page.len + piece.len;
        char *bytes = realloc(j->page.bytes, cap < PAGE_FIRST_BYTES ? PAGE_FIRST_BYTES : cap);
        if (!bytes)
            return ERR_UNAVAILABLE;
        j->page.bytes = bytes;
        j->cap = cap < PAGE_FIRST_BYTES ? PAGE_FIRST_BYTES : cap;
    }
    memcpy(j->page.bytes + j->page.len, piece.at, piece.len);
    j->page.len += piece.len;
    return OK;
}

static void render(void *arg)
{
    struct page_job *j = arg;
    const struct expose_opts opts = {.segment = &j->side->segment,
                                     .directory = j->side->directory,
                                     .format = j->format,
                                     .version = STR(GARRISON_VERSION),
                                     .build = STR(BUILD_ID_HEX),
                                     .arg = j,
                                     .put = take_piece};
    j->page.type = expose_type(j->format).at;
    if (expose(&opts) != OK) {
        free(j->page.bytes);
        j->page.bytes = NULL;
    }
    j->done(j->arg, &j->page);
    free(j);
}

static err side_page(struct watch_side *w, str accept,
                     void (*done)(void *arg, const struct watch_page *page), void *arg,
                     struct fault *f)
{
    struct page_job *j = calloc(1, sizeof(*j));
    if (!j)
        return fail(f, ERR_UNAVAILABLE, "no memory for a page");
    *j = (struct page_job){.side = w, .format = expose_format_of(accept), .done = done, .arg = arg};
    const err e = watcher_post(w->watcher, render, j, f);
    if (e != OK)
        free(j);
    return e;
}

static void side_stop(struct watch_side *w)
{
    watcher_stop(w->watcher);
    free(w);
}

const struct watch_calls front_watch_calls = {
    .open = side_open, .ring = side_ring, .page = side_page, .stop = side_stop};
