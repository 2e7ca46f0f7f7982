/* Lanes of a worker and who holds them. */
#include "control/lanes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/memfd.h"
#include "base/must.h"
#include "base/scope.h"

enum use { LANE_FREE, LANE_USED, LANE_DIRTY };

struct part {
    int fd;
    enum use use;
    uint32_t generation; /* of the front that has or had it */
};

struct lanes {
    uint32_t loops;
    uint64_t bytes;
    int wake;
    struct part part[LANES_LOOPS_MAX][LANES_PARTS];
};

err lanes_new(uint32_t loops, uint64_t bytes, struct lanes **ret, struct fault *f)
{
    must(loops <= LANES_LOOPS_MAX);
    struct lanes *l = calloc(1, sizeof *l);
    if (!l)
        return fail(f, ERR_UNAVAILABLE, "no memory for lanes");
    l->loops = loops;
    l->bytes = bytes;
    for (uint32_t i = 0; i < LANES_LOOPS_MAX; i++)
        l->part[i][0].fd = l->part[i][1].fd = -1;
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    err e = l->wake >= 0 ? OK
                         : fail(f, ERR_UNAVAILABLE, "no eventfd for a worker: %s", strerror(errno));
    for (uint32_t i = 0; i < 2 * loops && e == OK; i++) {
        struct part *p = &l->part[i / 2][i % 2];
        e = memfd_new("lane", bytes, &p->fd, f);
        if (e == OK)
            e = memfd_seal_size(p->fd, f);
    }
    if (e != OK) {
        lanes_free(l);
        return e;
    }
    *ret = l;
    return OK;
}

void lanes_free(struct lanes *l)
{
    if (!l)
        return;
    fd_undo(&l->wake);
    for (uint32_t i = 0; i < LANES_LOOPS_MAX; i++)
        for (uint32_t j = 0; j < LANES_PARTS; j++)
            fd_undo(&l->part[i][j].fd);
    free(l);
}

int lanes_memfd(const struct lanes *l, uint32_t loop, uint32_t part)
{
    must(loop < l->loops && part < LANES_PARTS);
    return l->part[loop][part].fd;
}

int lanes_wake(const struct lanes *l)
{
    return l->wake;
}

uint64_t lanes_bytes(const struct lanes *l)
{
    return l->bytes;
}

static struct part *part_of(struct lanes *l, uint32_t loop, uint32_t generation)
{
    must(loop < l->loops);
    return &l->part[loop][generation % LANES_PARTS];
}

bool lanes_offer(struct lanes *l, uint32_t loop, uint32_t generation)
{
    struct part *p = part_of(l, loop, generation);
    if (p->use != LANE_FREE)
        return false;
    p->use = LANE_USED;
    p->generation = generation;
    return true;
}

bool lanes_lost(struct lanes *l, uint32_t loop, uint32_t generation)
{
    struct part *p = part_of(l, loop, generation);
    if (p->use != LANE_USED || p->generation != generation)
        return false;
    p->use = LANE_DIRTY;
    return true;
}

bool lanes_used(const struct lanes *l, uint32_t loop, uint32_t generation)
{
    const struct part *p = &l->part[loop][generation % LANES_PARTS];
    return p->use == LANE_USED && p->generation == generation;
}

err lanes_clean(struct lanes *l, uint32_t loop, uint32_t generation, struct fault *f)
{
    if (loop >= l->loops)
        return fail(f, ERR_INPUT, "lane_clean names loop %" PRIu32 ", want < %" PRIu32, loop,
                    l->loops);
    struct part *p = part_of(l, loop, generation);
    if (p->use != LANE_DIRTY || p->generation != generation)
        return fail(f, ERR_INPUT, "lane_clean for a lane that was not dropped");
    p->use = LANE_FREE;
    return OK;
}
