/* What a model holds: read by engine/run.c, which runs it. Not an interface. */
#ifndef GARRISON_ENGINE_MODEL_PARTS_H
#define GARRISON_ENGINE_MODEL_PARTS_H

#include "base/arena.h"
#include "engine/model.h"
#include "engine/zipmap.h"

struct model {
    const struct ort *ort;
    struct ort_session *session;
    struct arena texts;
    struct signature sig;
    struct spec *inputs; /* those of sig; name.at ends with a NUL */
    struct spec *outputs;
    struct zipmap **zipmaps; /* by output; NULL where it is a tensor */
};

/* The runtime takes bytes that it only reads as void *. */
static inline void *model_unconst(const void *p)
{
    union {
        const void *in;
        void *out;
    } u = {.in = p};
    return u.out;
}

#endif
