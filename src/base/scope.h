/* Undoing at the end of a scope: SCOPED(free_undo) char *p = malloc(n); and GIVE(p) to keep it.
 * thread  any */
#ifndef GARRISON_BASE_SCOPE_H
#define GARRISON_BASE_SCOPE_H

#include <stdlib.h>
#include <unistd.h>

#define SCOPED(undo) __attribute__((cleanup(undo)))

/* Hands a pointer over: the scope forgets it. */
#define GIVE(p)                                                                                    \
    (__extension__({                                                                               \
        __typeof__(p) give_taken = (p);                                                            \
        (p) = NULL;                                                                                \
        give_taken;                                                                                \
    }))

/* Frees what a malloc'd pointer variable points to; v is the address of that variable. */
static inline void free_undo(void *v)
{
    free(*(void **)v);
}

/* Closes the descriptor in *fd unless it is negative. */
static inline void fd_undo(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* Hands a descriptor over: the scope forgets it. */
static inline int fd_give(int *fd)
{
    const int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
