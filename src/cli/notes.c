/* Lines as the report has them; what it had no room for is counted. */
#include "cli/notes.h"

#include <inttypes.h>
#include <stdio.h>

void notes_print(const struct cli *c, const struct config_report *r, bool strict)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const struct config_note *n = &r->notes[i];
        if (n->warning && c->quiet && !strict)
            continue;
        if (c->color_err)
            (void)fprintf(stderr, "\033[%sm%s\033[0m\n", n->warning ? "33" : "31", n->text);
        else
            (void)fprintf(stderr, "%s\n", n->text);
    }
    const uint32_t all = r->error_count + r->warning_count;
    if (all > r->count)
        (void)fprintf(stderr, "garrison: %" PRIu32 " more not shown\n", all - r->count);
}
