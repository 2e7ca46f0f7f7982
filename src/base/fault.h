/* Why a call failed: one line for the person who reads it, and the pair that metrics count.
 * The caller owns the struct (zeroed), passes it last, and the first cause wins. No heap.
 * thread  owned by one thread */
#ifndef GARRISON_BASE_FAULT_H
#define GARRISON_BASE_FAULT_H

#include "base/err.h"
#include "base/outcome.h"

#define FAULT_TEXT_BYTES 256u

struct fault {
    err code; /* OK: nothing failed yet */
    enum pair pair;
    char text[FAULT_TEXT_BYTES]; /* NUL-terminated, one line, printable */
};

/* Records the first cause and returns code. Text: what was seen and what was wanted, no secret;
 * user text in quotes. Control characters in the result become '?', a text that does not fit is
 * cut. f may be NULL where nobody reads it. */
err fail(struct fault *f, err code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same where the pair says more than the row's default. */
err fail_pair(struct fault *f, enum pair pair, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Neither call returns OK, and compiler and analysers are told so: else they would warn of values
 * that are not set "where a failure was OK". */
static inline err fault_never_ok(err code)
{
    if (code == OK)
        __builtin_unreachable(); /* both refuse it by must() */
    return code;
}
#define fail(...)      fault_never_ok(fail(__VA_ARGS__))
#define fail_pair(...) fault_never_ok(fail_pair(__VA_ARGS__))

#endif
