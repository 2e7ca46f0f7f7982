/* Exponential backoff with jitter. */
#include "base/backoff.h"

void backoff_up(struct backoff *b, uint64_t now_ns)
{
    b->up_ns = now_ns ? now_ns : 1;
}

uint64_t backoff_died(struct backoff *b, uint64_t now_ns, uint32_t chance)
{
    if (b->up_ns && now_ns - b->up_ns >= BACKOFF_HEALTH_NS)
        b->deaths = 0;
    b->up_ns = 0;
    uint64_t wait = b->deaths < 16 ? BACKOFF_FIRST_NS << b->deaths : BACKOFF_MAX_NS;
    if (wait > BACKOFF_MAX_NS)
        wait = BACKOFF_MAX_NS;
    b->deaths++;
    /* 80 % and up to 40 % more, in steps of a thousandth; the bound holds after the jitter too. */
    wait = wait / 1000 * (800 + chance % 401);
    return wait < BACKOFF_MAX_NS ? wait : BACKOFF_MAX_NS;
}
