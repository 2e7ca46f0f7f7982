/* Free ranges in a sorted array. With n ranges out there are at most n + 1 free ones, so the array
 * never grows; a lane has few requests at once, so it is a handful of entries and one cache line.
 */
#include "engine/extents.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

struct range {
    uint32_t at, units;
};

struct extents {
    uint32_t units, taken_max, taken;
    uint32_t count;
    struct range free[]; /* ascending, never touching; taken_max + 1 */
};

struct extents *extents_new(uint32_t units, uint32_t taken_max)
{
    struct extents *x = malloc(sizeof(*x) + ((size_t)taken_max + 1) * sizeof(x->free[0]));
    if (!x)
        return NULL;
    x->units = units;
    x->taken_max = taken_max;
    x->taken = 0;
    x->count = 1;
    x->free[0] = (struct range){.at = 0, .units = units};
    return x;
}

void extents_free(struct extents *x)
{
    free(x);
}

static void drop(struct extents *x, uint32_t i)
{
    x->count--;
    memmove(&x->free[i], &x->free[i + 1], (x->count - i) * sizeof(x->free[0]));
}

bool extents_take(struct extents *x, uint32_t units, uint32_t *ret_at)
{
    must(units > 0);
    if (x->taken == x->taken_max)
        return false;
    for (uint32_t i = 0; i < x->count; i++) {
        struct range *r = &x->free[i];
        if (r->units < units)
            continue;
        *ret_at = r->at;
        r->at += units;
        r->units -= units;
        if (r->units == 0)
            drop(x, i);
        x->taken++;
        return true;
    }
    return false;
}

/* Position of the first free range behind at. */
static uint32_t behind(const struct extents *x, uint32_t at)
{
    uint32_t low = 0, high = x->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (x->free[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void extents_give(struct extents *x, uint32_t at, uint32_t units)
{
    must(x->taken > 0 && units > 0 && units <= x->units && at <= x->units - units);
    const uint32_t i = behind(x, at);
    struct range *next = i < x->count ? &x->free[i] : NULL;
    struct range *before = i > 0 ? &x->free[i - 1] : NULL;
    must(!before || before->at + before->units <= at);
    must(!next || at + units <= next->at);
    x->taken--;
    const bool joins_before = before && before->at + before->units == at;
    const bool joins_next = next && at + units == next->at;
    if (joins_before && joins_next) {
        before->units += units + next->units;
        drop(x, i);
    } else if (joins_before) {
        before->units += units;
    } else if (joins_next) {
        next->at = at;
        next->units += units;
    } else {
        must(x->count <= x->taken_max);
        memmove(&x->free[i + 1], &x->free[i], (x->count - i) * sizeof(x->free[0]));
        x->free[i] = (struct range){.at = at, .units = units};
        x->count++;
    }
}

uint32_t extents_largest(const struct extents *x)
{
    uint32_t largest = 0;
    for (uint32_t i = 0; i < x->count; i++) {
        if (x->free[i].units > largest)
            largest = x->free[i].units;
    }
    return largest;
}
