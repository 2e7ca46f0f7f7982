/* When to start again what has died: 0.1 s x 2^n, at most 30 s, +-20 %; n returns to 0 after 60 s
 * of health. Pure: the caller brings clock and chance.
 * thread  owned by one thread
 * source  reliability.md section 10 */
#ifndef GARRISON_BASE_BACKOFF_H
#define GARRISON_BASE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_NS  100000000ull
#define BACKOFF_MAX_NS    30000000000ull
#define BACKOFF_HEALTH_NS 60000000000ull

struct backoff {     /* zeroed to begin with */
    uint32_t deaths; /* in a row, without 60 s of health between */
    uint64_t up_ns;  /* since when it is up; 0: it is not */
};

void backoff_up(struct backoff *b, uint64_t now_ns); /* it is ready for work */

/* It died: ns to wait before the next start. chance: any number, evenly spread. */
uint64_t backoff_died(struct backoff *b, uint64_t now_ns, uint32_t chance);

#endif
