/* Messages of the worker. The one complication: lists that do not fit one message go on in the
 * next; tensors come before labels, since the keeper holds labels against the outputs it knows. */
#include "engine/talk.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/build_id.h"
#include "base/clock.h"
#include "base/utf8.h"

#define LIST_BYTES (48u << 10) /* of rows in one message */
#define LIST_ROWS  1000u
#define HEAD_BYTES 4096u /* of all other fields of a message */

struct talk {
    int fd;
    enum role role;
    pthread_mutex_t lock;
    uint8_t in[MESSAGE_PAYLOAD_MAX];
    uint8_t out[MESSAGE_PAYLOAD_MAX]; /* under the lock, as rows */
    uint8_t rows[LIST_BYTES];
};

err talk_new(int fd, enum role role, struct talk **ret_talk, struct fault *f)
{
    struct talk *t = calloc(1, sizeof *t);
    if (!t)
        return fail(f, ERR_UNAVAILABLE, "no memory for messages");
    t->fd = fd;
    t->role = role;
    (void)pthread_mutex_init(&t->lock, NULL);
    *ret_talk = t;
    return OK;
}

static struct message_buffer out_of(struct talk *t)
{
    return (struct message_buffer){.at = t->out, .cap = sizeof t->out};
}

/* Texts of the wire are UTF-8; a fault's text may be cut within a character. */
static str clean_text(const char *text, char out[FAULT_TEXT_BYTES])
{
    const size_t len = strnlen(text, FAULT_TEXT_BYTES - 1);
    memcpy(out, text, len);
    if (!utf8_valid((str){out, len}))
        for (size_t i = 0; i < len; i++)
            if ((uint8_t)out[i] > '~')
                out[i] = '?';
    return (str){out, len};
}

static err send(struct talk *t, uint16_t number, uint64_t id, uint8_t flags,
                const struct message_buffer *b, struct fault *f)
{
    const unsigned all = id ? flags | MESSAGE_ANSWER : flags;
    const struct message_frame frame = {.number = number, .id = id, .flags = (uint8_t)all};
    return message_write(t->fd, &frame, b ? b->at : t->out, b ? b->len : 0, f);
}

err talk_hello(struct talk *t, struct fault *f)
{
    static const uint8_t build[] = BUILD_ID_BYTES;
    struct message_buffer b = out_of(t);
    const struct message_hello m = {.build = {(const char *)build, sizeof build},
                                    .table = MESSAGE_TABLE,
                                    .role = (uint8_t)t->role};
    const err e = message_put_hello(&m, &b, f);
    return e == OK ? send(t, MESSAGE_hello, 0, 0, &b, f) : e;
}

err talk_next(struct talk *t, struct message_frame *ret_frame, str *ret_payload, struct fault *f)
{
    struct message_frame frame;
    err e = message_read(t->fd, &frame, t->in, f);
    if (e == OK)
        e = message_allowed(&frame, ROLE_KEEPER, t->role, f);
    if (e != OK)
        return e;
    *ret_frame = frame;
    *ret_payload = (str){(const char *)t->in, frame.bytes};
    return OK;
}

err talk_up(struct talk *t, struct fault *f)
{
    (void)pthread_mutex_lock(&t->lock);
    const err e = send(t, MESSAGE_up, 0, 0, NULL, f);
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

static uint64_t ns_of(struct timeval v)
{
    return (uint64_t)v.tv_sec * NS_PER_S + (uint64_t)v.tv_usec * NS_PER_US;
}

/* The worker cannot read /proc any more: all that it knows of its memory is the peak. */
static uint64_t peak_bytes(uint64_t *ret_cpu_ns)
{
    struct rusage u = {0};
    (void)getrusage(RUSAGE_SELF, &u);
    *ret_cpu_ns = ns_of(u.ru_utime) + ns_of(u.ru_stime);
    return (uint64_t)u.ru_maxrss * 1024;
}

err talk_beat(struct talk *t, uint32_t fds, struct fault *f)
{
    struct message_beat m = {.loops = 1, .fds = fds, .fds_max = fds};
    m.anon_bytes = peak_bytes(&m.cpu_ns);
    (void)pthread_mutex_lock(&t->lock);
    struct message_buffer b = out_of(t);
    err e = message_put_beat(&m, &b, f);
    if (e == OK)
        e = send(t, MESSAGE_beat, 0, 0, &b, f);
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

err talk_clean(struct talk *t, uint8_t loop, uint32_t generation, struct fault *f)
{
    const struct message_lane_clean m = {.loop = loop, .generation = generation};
    (void)pthread_mutex_lock(&t->lock);
    struct message_buffer b = out_of(t);
    err e = message_put_lane_clean(&m, &b, f);
    if (e == OK)
        e = send(t, MESSAGE_lane_clean, 0, 0, &b, f);
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

err talk_refused(struct talk *t, uint64_t id, const char *reason, const char *text, struct fault *f)
{
    char clean[FAULT_TEXT_BYTES];
    const struct message_worker_refused m = {.reason = str_of(reason),
                                             .text = clean_text(text, clean)};
    (void)pthread_mutex_lock(&t->lock);
    struct message_buffer b = out_of(t);
    err e = message_put_worker_refused(&m, &b, f);
    if (e == OK)
        e = send(t, MESSAGE_worker_refused, id, 0, &b, f);
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

/* --- worker_loaded -----------------------------------------------------------------------------
 */

struct page {
    struct talk *t;
    uint64_t id;
    struct message_worker_loaded m;
    struct message_buffer rows;
};

static err page_send(struct page *p, bool last, struct fault *f)
{
    struct message_buffer b = out_of(p->t);
    err e = message_put_worker_loaded(&p->m, &b, f);
    if (e == OK)
        e = send(p->t, MESSAGE_worker_loaded, p->id, last ? 0 : (uint8_t)MESSAGE_MORE, &b, f);
    p->m.tensors = p->m.labels = p->m.runs = (struct message_list){0};
    p->rows.len = 0;
    p->rows.count = 0;
    return e;
}

static bool page_full(const struct page *p)
{
    return p->rows.count == LIST_ROWS || p->rows.cap - p->rows.len < HEAD_BYTES;
}

static err put_tensor(struct page *p, const struct spec *s, uint8_t io, struct fault *f)
{
    int64_t d[SHAPE_RANK_MAX] = {0};
    memcpy(d, s->shape.dim, s->shape.rank * sizeof d[0]);
    const struct message_tensor row = {.io = io,
                                       .type = (uint8_t)s->dtype,
                                       .rank = (uint8_t)s->shape.rank,
                                       .optional = s->optional,
                                       .dim0 = d[0],
                                       .dim1 = d[1],
                                       .dim2 = d[2],
                                       .dim3 = d[3],
                                       .dim4 = d[4],
                                       .dim5 = d[5],
                                       .dim6 = d[6],
                                       .dim7 = d[7],
                                       .name = s->name};
    err e = message_add_tensor(&p->rows, &row, f);
    p->m.tensors = message_list_of(&p->rows);
    return e == OK && page_full(p) ? page_send(p, false, f) : e;
}

static err put_tensors(struct page *p, const struct signature *sig, struct fault *f)
{
    err e = OK;
    for (uint32_t i = 0; i < sig->input_count && e == OK; i++)
        e = put_tensor(p, &sig->inputs[i], 0, f);
    for (uint32_t i = 0; i < sig->output_count && e == OK; i++)
        e = put_tensor(p, &sig->outputs[i], 1, f);
    return e == OK && p->rows.count ? page_send(p, false, f) : e;
}

static err put_labels(struct page *p, const struct signature *sig, struct fault *f)
{
    err e = OK;
    for (uint32_t o = 0; o < sig->output_count; o++) {
        const struct spec *s = &sig->outputs[o];
        for (uint32_t i = 0; i < s->label_count && e == OK; i++) {
            const struct message_label row = {.output = (uint16_t)o, .text = s->labels[i]};
            e = message_add_label(&p->rows, &row, f);
            p->m.labels = message_list_of(&p->rows);
            if (e == OK && page_full(p))
                e = page_send(p, false, f);
        }
    }
    return e == OK && p->rows.count ? page_send(p, false, f) : e;
}

static err put_runs(struct page *p, const struct trial *trial, struct fault *f)
{
    err e = OK;
    for (uint32_t i = 0; i < TRIAL_CLASSES && e == OK; i++) {
        const struct message_run row = {.exponent = (uint8_t)i, .ns = trial->run_ns[i]};
        if (row.ns != 0)
            e = message_add_run(&p->rows, &row, f);
    }
    p->m.runs = message_list_of(&p->rows);
    return e == OK ? page_send(p, true, f) : e;
}

err talk_loaded(struct talk *t, uint64_t id, const struct talk_loaded *l, struct fault *f)
{
    uint64_t cpu_ns;
    char note[FAULT_TEXT_BYTES];
    struct page p = {.t = t, .id = id, .rows = {.at = t->rows, .cap = sizeof t->rows}};
    p.m.batches = l->trial->stacks;
    p.m.sandbox = (uint8_t)l->sandbox->level;
    p.m.ram_bytes = peak_bytes(&cpu_ns);
    p.m.load_ms = (uint32_t)(l->load_ns / NS_PER_MS);
    p.m.note = clean_text(l->trial->note, note);
    (void)pthread_mutex_lock(&t->lock);
    err e = put_tensors(&p, l->sig, f);
    if (e == OK)
        e = put_labels(&p, l->sig, f);
    if (e == OK)
        e = put_runs(&p, l->trial, f);
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}

/* --- worker_scanned ----------------------------------------------------------------------------
 */

static bool named_before(const struct scan *s, uint32_t at)
{
    for (uint32_t i = 0; i < at; i++)
        if (str_eq(s->externals[i].location, s->externals[at].location))
            return true;
    return false;
}

err talk_scanned(struct talk *t, uint64_t id, const struct scan *s, struct fault *f)
{
    struct message_buffer rows = {.at = t->rows, .cap = sizeof t->rows};
    err e = OK;
    (void)pthread_mutex_lock(&t->lock);
    for (uint32_t i = 0; i < s->external_count && e == OK; i++) {
        const struct message_file file = {.name = s->externals[i].location};
        if (named_before(s, i))
            continue;
        e = rows.count < SCAN_FILES_MAX
                ? message_add_file(&rows, &file, f)
                : fail(f, ERR_TOO_BIG, "external data in more than %u files", SCAN_FILES_MAX);
    }
    const struct message_worker_scanned m = {.files = message_list_of(&rows)};
    struct message_buffer b = out_of(t);
    if (e == OK)
        e = message_put_worker_scanned(&m, &b, f);
    if (e == OK)
        e = send(t, MESSAGE_worker_scanned, id, 0, &b, f);
    (void)pthread_mutex_unlock(&t->lock);
    return e;
}
