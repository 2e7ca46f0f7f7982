/* The routing snapshot as it lives in memory: counting references and finding models. Its bytes are
 * the business of snapshot_wire.c. */
#include "registry/snapshot.h"

#include <stdlib.h>

#include "registry/snapshot_wire.h"

const char *version_state_name(enum version_state s)
{
    static const char *const names[VERSION_STATE_COUNT] = {
        [VERSION_LOADING] = "loading",   [VERSION_READY] = "ready",
        [VERSION_DRAINING] = "draining", [VERSION_FAILED] = "failed",
        [VERSION_UNLOADED] = "unloaded", [VERSION_QUARANTINED] = "quarantined",
    };
    return (unsigned)s < VERSION_STATE_COUNT ? names[s] : "none";
}

bool version_state_over(enum version_state s)
{
    return s == VERSION_FAILED || s == VERSION_UNLOADED || s == VERSION_QUARANTINED;
}

static struct snapshot_held *held_of(const struct snapshot *s)
{
    const char *at = (const char *)s - offsetof(struct snapshot_held, s);
    struct snapshot_held *h;
    memcpy(&h, &at, sizeof h); /* the reference count is ours to change, whatever s promises */
    return h;
}

const struct snapshot *snapshot_take(const struct snapshot *s)
{
    (void)atomic_fetch_add_explicit(&held_of(s)->refs, 1, memory_order_relaxed);
    return s;
}

void snapshot_drop(const struct snapshot *s)
{
    if (!s)
        return;
    struct snapshot_held *h = held_of(s);
    if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1)
        free(h);
}

/* Order of names: by bytes, the shorter first. */
int snapshot_name_order(str a, str b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int d = len ? memcmp(a.at, b.at, len) : 0;
    return d ? d : (a.len > b.len) - (a.len < b.len);
}

const struct snapshot_model *snapshot_model(const struct snapshot *s, str name)
{
    uint32_t low = 0;
    uint32_t high = s->model_count;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        const int d = snapshot_name_order(s->models[mid].name, name);
        if (d == 0)
            return &s->models[mid];
        if (d < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const struct snapshot_version *snapshot_version(const struct snapshot_model *m, str version)
{
    for (uint32_t i = 0; i < m->version_count; i++)
        if (str_eq(m->versions[i].version, version))
            return &m->versions[i];
    return NULL;
}
