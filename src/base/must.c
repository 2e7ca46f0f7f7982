/* The end of a process whose own promise is broken. stdio is avoided: the worker may not fstat. */
#include "base/must.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

void must_broken(const char *file, int line, const char *what)
{
    char digits[12];
    char *at = digits + sizeof(digits) - 1;
    *at = '\0';
    unsigned left = line < 0 ? 0 : (unsigned)line;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    say("garrison: bug at ");
    say(file);
    say(":");
    say(at);
    say(": broken promise: ");
    say(what);
    say("\n");
    abort();
}
