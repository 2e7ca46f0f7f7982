/* Findings of a reading of the configuration, kept in one array of fixed size. */
#include "control/config_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

/* Makes one printable line of what stands in text: user text may hold anything. */
static void line_clean(char *text)
{
    str rest = str_of(text);
    char *at = text;
    while (rest.len) {
        unsigned len = utf8_len(rest);
        if (len == 0) { /* the rest of a cut sequence, or bytes that are not UTF-8 */
            *at = rest.len < 4 && at > text ? '\0' : '?';
            len = 1;
        } else if (len == 1 && ((unsigned char)*at < 0x20 || *at == 0x7f)) {
            *at = '?';
        }
        at += len;
        rest = str_cut(rest, len, rest.len);
    }
}

void config_report_add(struct config_report *r, const struct config_place *at, bool warning,
                       const char *format, ...)
{
    if (warning)
        r->warning_count++;
    else
        r->error_count++;
    if (!r->notes)
        r->notes = calloc(CONFIG_NOTES_MAX, sizeof(*r->notes));
    if (!r->notes || r->count == CONFIG_NOTES_MAX)
        return;

    struct config_note *n = &r->notes[r->count++];
    *n = (struct config_note){.warning = warning, .line = at->line, .column = at->column};
    const char *kind = warning ? "warning" : "error";
    int used = 0;
    if (at->line)
        used = snprintf(n->text, sizeof(n->text), "%.200s:%" PRIu32 ":%" PRIu32 ": %s: ", at->where,
                        at->line, at->column, kind);
    else
        used = snprintf(n->text, sizeof(n->text), "%.200s: %s: ", at->where, kind);
    if (used > 0 && (size_t)used < sizeof(n->text)) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(n->text + used, sizeof(n->text) - (size_t)used, format, args);
        va_end(args);
    }
    line_clean(n->text);
}

static int note_order(const void *a, const void *b)
{
    const struct config_note *x = a;
    const struct config_note *y = b;
    if (x->line != y->line)
        return x->line - 1u < y->line - 1u ? -1 : 1; /* line 0 wraps round to the end */
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return strcmp(x->text, y->text);
}

void config_report_sort(struct config_report *r)
{
    if (r->count > 1)
        qsort(r->notes, r->count, sizeof(*r->notes), note_order);
}

void config_report_free(struct config_report *r)
{
    free(r->notes);
    *r = (struct config_report){0};
}
