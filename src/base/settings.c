/* Settings records in sealed memory. */
#include "base/settings.h"

#include "base/memfd.h"
#include "base/scope.h"

err settings_map(int fd, uint64_t bytes, const void **ret_at, struct fault *f)
{
    void *at = NULL;
    err e = memfd_check(fd, bytes, true, f);
    if (e == OK)
        e = memfd_map(fd, bytes, false, &at, f);
    if (e == OK)
        *ret_at = at;
    return e;
}

err settings_make(const void *record, uint64_t bytes, int *ret_fd, struct fault *f)
{
    SCOPED(fd_undo)
    int fd = -1;
    err e = memfd_new("settings", bytes, &fd, f);
    if (e == OK)
        e = memfd_write(fd, 0, record, bytes, f);
    if (e == OK)
        e = memfd_seal(fd, f);
    if (e == OK)
        *ret_fd = fd_give(&fd);
    return e;
}
