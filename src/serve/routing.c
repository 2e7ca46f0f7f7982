/* Snapshots to backends. Versions are the same when name, version and digest are: then queue, run
 * times and lane go on. */
#include "serve/routing.h"

#include <stdlib.h>

#include "serve/front_loop.h"

struct routing *routing_take(struct routing *r)
{
    r->refs++;
    return r;
}

void routing_drop(struct routing *r)
{
    if (!r || --r->refs > 0)
        return;
    for (uint32_t i = 0; i < r->backend_count; i++)
        backend_release(r->backends[i]);
    free(r->backends);
    free(r->first);
    snapshot_drop(r->snapshot);
    free(r);
}

/* The backend of the same version in an older view, or NULL. */
static struct backend *same_of(struct routing *old, const struct snapshot_model *model,
                               const struct snapshot_version *version)
{
    const struct snapshot_model *m = old ? snapshot_model(old->snapshot, model->name) : NULL;
    const struct snapshot_version *v = m ? snapshot_version(m, version->version) : NULL;
    if (!v || memcmp(v->digest, version->digest, sizeof(v->digest)) != 0)
        return NULL;
    return old->backends[old->first[m - old->snapshot->models] + (uint32_t)(v - m->versions)];
}

static err add_backends(struct routing *r, struct routing *old, struct fault *f)
{
    const struct snapshot *s = r->snapshot;
    for (uint32_t m = 0; m < s->model_count; m++) {
        r->first[m] = r->backend_count;
        for (uint32_t v = 0; v < s->models[m].version_count; v++) {
            const struct snapshot_version *version = &s->models[m].versions[v];
            struct backend *b = same_of(old, &s->models[m], version);
            if (b) {
                b->refs++;
            } else {
                const err e = backend_new(r->owner, &s->models[m], version, &b, f);
                if (e != OK)
                    return e;
            }
            r->backends[r->backend_count++] = b;
        }
    }
    return OK;
}

err routing_new(struct front_loop *owner, const struct snapshot *s, struct routing *old,
                struct routing **ret_r, struct fault *f)
{
    uint32_t total = 0;
    for (uint32_t m = 0; m < s->model_count; m++)
        total += s->models[m].version_count;
    struct routing *r = calloc(1, sizeof(*r));
    if (!r) {
        snapshot_drop(s);
        return fail(f, ERR_UNAVAILABLE, "no memory for a snapshot");
    }
    *r = (struct routing){.snapshot = s, .owner = owner, .refs = 1};
    r->backends = calloc(total + 1, sizeof(struct backend *));
    r->first = calloc(s->model_count + 1, sizeof(*r->first));
    const err e = r->backends && r->first ? add_backends(r, old, f)
                                          : fail(f, ERR_UNAVAILABLE, "no memory for a snapshot");
    if (e != OK) {
        routing_drop(r);
        return e;
    }
    *ret_r = r;
    return OK;
}

void routing_apply(struct routing *r)
{
    uint32_t i = 0;
    for (uint32_t m = 0; m < r->snapshot->model_count; m++) {
        for (uint32_t v = 0; v < r->snapshot->models[m].version_count; v++)
            backend_update(r->backends[i++], r, &r->snapshot->models[m].versions[v]);
    }
}

/* The arm at `point` of the line that the weights make; weights that do not reach the end leave the
 * rest to the first arm. */
static uint32_t arm_at(const struct snapshot_model *m, uint64_t point)
{
    uint64_t at = (point ^ m->arms[0].salt) % SNAPSHOT_WEIGHT_ONE;
    for (uint32_t i = 0; i < m->arm_count; i++) {
        if (at < m->arms[i].weight)
            return i;
        at -= m->arms[i].weight;
    }
    return 0;
}

err routing_find(struct routing *r, str model, str version, uint64_t point,
                 struct route_target *ret, struct fault *f)
{
    const str shown = str_cut(model, 0, 128);
    const struct snapshot_model *m = r ? snapshot_model(r->snapshot, model) : NULL;
    if (!m)
        return fail(f, ERR_NOT_FOUND, "Request for unknown model: '%.*s' is not found",
                    STR_ARG(shown));
    uint32_t arm = 0;
    const struct snapshot_version *v;
    if (version.len > 0) {
        v = snapshot_version(m, version);
        if (!v)
            return fail(f, ERR_NOT_FOUND,
                        "Request for unknown model: '%.*s' version '%.*s' is not found",
                        STR_ARG(shown), STR_ARG(str_cut(version, 0, 64)));
    } else {
        if (m->arm_count == 0)
            return fail(f, ERR_UNAVAILABLE, "model '%.*s' has no version in service",
                        STR_ARG(shown));
        arm = m->arm_count > 1 ? arm_at(m, point) : 0;
        v = &m->versions[m->arms[arm].version];
    }
    *ret = (struct route_target){
        .model = m,
        .version = v,
        .backend = r->backends[r->first[m - r->snapshot->models] + (uint32_t)(v - m->versions)],
        .arm = arm,
    };
    return OK;
}
