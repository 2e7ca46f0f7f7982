/* fuzz: engine src/engine/scan.c src/engine/wire.c */
/* A model's bytes, walked: whatever it says is in bounds, and a location is a bare name. */
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/must.h"
#include "engine/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct scan *s)
{
    uint64_t labels = 0;
    for (uint32_t i = 0; i < s->external_count; i++) {
        const struct scan_external *x = &s->externals[i];
        must(x->location.len > 0 && x->location.len <= SCAN_NAME_MAX);
        must(strlen(x->location.at) == x->location.len && strlen(x->name.at) == x->name.len);
        must(!strpbrk(x->location.at, "/\\*") && !strstr(x->location.at, ".."));
        must(x->shape.rank <= SHAPE_RANK_MAX);
    }
    for (uint32_t i = 0; i < s->zipmap_count; i++) {
        const struct scan_zipmap *z = &s->zipmaps[i];
        labels += z->label_count;
        for (uint32_t k = 0; k < z->label_count; k++)
            must(z->labels[k].at[z->labels[k].len] == '\0');
    }
    must(labels <= SCAN_LABELS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena a;
    struct scan s;
    struct fault f = {0};
    arena_init(&a, 1u << 20);
    const err e = scan_model((str){(const char *)data, len}, &a, &s, &f);
    if (e == OK)
        check(&s);
    else
        must((e == ERR_INPUT || e == ERR_TOO_BIG) && f.text[0] != '\0');
    arena_free(&a);
    return 0;
}
