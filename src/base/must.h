/* Promises that only a bug can break. They stay on in production: file, line and the promise go to
 * stderr, then the process aborts. Never for input, disk, network, models or peers.
 * thread  any */
#ifndef GARRISON_BASE_MUST_H
#define GARRISON_BASE_MUST_H

#define must(x)    ((x) ? (void)0 : must_broken(__FILE__, __LINE__, #x))
#define never(why) must_broken(__FILE__, __LINE__, "never: " why)

/* Writes one line with write(2), which the worker's filter allows, and aborts. */
__attribute__((noreturn, cold)) void must_broken(const char *file, int line, const char *what);

#endif
