/* fuzz: registry snapshot.c snapshot_wire.c */
/* The decoder of snapshots. What is accepted is walked as a front would, encoded again, and must
 * give the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/must.h"
#include "registry/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct snapshot *s = NULL;
    void *bytes = NULL;
    uint64_t len = 0;
    if (snapshot_decode(data, size, &s, NULL) != OK)
        return 0;
    for (uint32_t i = 0; i < s->model_count; i++) {
        const struct snapshot_model *m = &s->models[i];
        must(snapshot_model(s, m->name) == m);
        for (uint32_t j = 0; j < m->arm_count; j++)
            must(m->arms[j].version < m->version_count);
        for (uint32_t j = 0; j < m->version_count; j++)
            must(snapshot_version(m, m->versions[j].version) == &m->versions[j]);
    }
    must(snapshot_encode(s, &bytes, &len, NULL) == OK);
    must(len == size && memcmp(bytes, data, len) == 0);
    free(bytes);
    snapshot_drop(s);
    return 0;
}
