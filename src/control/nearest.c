/* Optimal string alignment (Damerau 1964, without overlapping swaps) with three rows of the
 * table. */
#include "control/nearest.h"

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t nearest_distance(str a, str b)
{
    uint32_t rows[3][NEAREST_BYTES_MAX + 1];
    if (a.len > NEAREST_BYTES_MAX || b.len > NEAREST_BYTES_MAX)
        return UINT32_MAX;
    for (uint32_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= a.len; i++) {
        uint32_t *now = rows[i % 3];
        const uint32_t *before = rows[(i + 2) % 3];
        const uint32_t *two_before = rows[(i + 1) % 3];
        now[0] = i;
        for (uint32_t j = 1; j <= b.len; j++) {
            const uint32_t differs = a.at[i - 1] != b.at[j - 1];
            uint32_t d = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + differs);
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1])
                d = least(d, two_before[j - 2] + 1);
            now[j] = d;
        }
    }
    return rows[a.len % 3][b.len];
}

void nearest_offer(struct nearest *n, str candidate)
{
    const uint32_t distance = nearest_distance(n->wanted, candidate);
    const uint32_t near = candidate.len > 6 ? (uint32_t)candidate.len / 3 : 2;
    if (distance > near || distance >= candidate.len || (n->best.len && distance >= n->distance))
        return;
    n->best = candidate;
    n->distance = distance;
}
