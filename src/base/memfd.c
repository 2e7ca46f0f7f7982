/* memfd_create and its seals. MFD_NOEXEC_SEAL (Linux 6.3) is asked for first and left out where the
 * kernel refuses the flag. */
#include "base/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#define SEALS_SIZE (F_SEAL_SHRINK | F_SEAL_GROW)

err memfd_new(const char *name, uint64_t bytes, int *ret_fd, struct fault *f)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    SCOPED(fd_undo)
    int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, flags);
    if (fd < 0)
        return fail(f, ERR_UNAVAILABLE, "no shared memory: memfd_create: %s", strerror(errno));
    if (bytes > INT64_MAX || ftruncate(fd, (off_t)bytes) != 0)
        return fail(f, ERR_UNAVAILABLE, "no shared memory of %" PRIu64 " bytes: %s", bytes,
                    strerror(errno));
    *ret_fd = fd_give(&fd);
    return OK;
}

err memfd_write(int fd, uint64_t offset, const void *at, uint64_t len, struct fault *f)
{
    const char *from = at;
    while (len > 0) {
        const ssize_t n = pwrite(fd, from, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(f, ERR_UNAVAILABLE, "no room for shared memory: %s", strerror(errno));
        from += n;
        offset += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return OK;
}

static err add_seals(int fd, int seals, struct fault *f)
{
    if (fcntl(fd, F_ADD_SEALS, seals) != 0)
        return fail(f, ERR_UNAVAILABLE, "cannot seal shared memory: %s", strerror(errno));
    return OK;
}

err memfd_seal(int fd, struct fault *f)
{
    return add_seals(fd, SEALS_SIZE | F_SEAL_WRITE | F_SEAL_SEAL, f);
}

err memfd_seal_size(int fd, struct fault *f)
{
    return add_seals(fd, SEALS_SIZE | F_SEAL_SEAL, f);
}

err memfd_seal_future(int fd, struct fault *f)
{
    const int seals = SEALS_SIZE | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    if (fcntl(fd, F_ADD_SEALS, seals) == 0)
        return OK;
    return memfd_seal_size(fd, f);
}

err memfd_check(int fd, uint64_t bytes, bool sealed_content, struct fault *f)
{
    struct stat st;
    const int want = SEALS_SIZE | (sealed_content ? F_SEAL_WRITE : 0);
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & want) != want)
        return fail(f, ERR_INPUT, "descriptor %d is not a sealed memfd", fd);
    if (fstat(fd, &st) != 0 || st.st_size < 0 || (uint64_t)st.st_size != bytes)
        return fail(f, ERR_INPUT, "memfd has another size, want %" PRIu64 " bytes", bytes);
    return OK;
}

err memfd_map(int fd, uint64_t bytes, bool writable, void **ret_at, struct fault *f)
{
    const int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *at = mmap(NULL, bytes, prot, writable ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return fail(f, ERR_UNAVAILABLE, "cannot map %" PRIu64 " bytes: %s", bytes, strerror(errno));
    (void)madvise(at, bytes, MADV_DONTDUMP);
    *ret_at = at;
    return OK;
}

void memfd_unmap(void *at, uint64_t bytes)
{
    if (at)
        (void)munmap(at, bytes);
}
