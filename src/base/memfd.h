/* Unnamed memory that processes share by inheriting its descriptor: weights, snapshots, lanes.
 * errors  ERR_UNAVAILABLE: the kernel refused, with the reason
 * thread  any; may block on page allocation */
#ifndef GARRISON_BASE_MEMFD_H
#define GARRISON_BASE_MEMFD_H

#include <stdint.h>

#include "base/fault.h"

/* A new memfd of exactly bytes bytes, close-on-exec, sealable, not executable where the kernel
 * knows how. name shows in /proc only. *ret_fd is yours. */
MUST_USE err memfd_new(const char *name, uint64_t bytes, int *ret_fd, struct fault *f);

/* Copies len bytes of at to offset. */
MUST_USE err memfd_write(int fd, uint64_t offset, const void *at, uint64_t len, struct fault *f);

/* Seals content and size for ever (SHRINK GROW WRITE SEAL): what was verified is what is used. */
MUST_USE err memfd_seal(int fd, struct fault *f);

/* Seals the size alone (SHRINK GROW SEAL): shared and writable, but no SIGBUS by truncation. */
MUST_USE err memfd_seal_size(int fd, struct fault *f);

/* Seals the size, and where the kernel can (5.1) writing but by mappings that exist already (SHRINK
 * GROW FUTURE_WRITE SEAL): one writer, and readers who can only map it read-only. */
MUST_USE err memfd_seal_future(int fd, struct fault *f);

/* Checks that fd is a memfd of exactly bytes bytes with at least these seals.
 * errors  ERR_INPUT: another kind, size or seal */
MUST_USE err memfd_check(int fd, uint64_t bytes, bool sealed_content, struct fault *f);

/* Maps bytes of fd: shared and writable, or private and read-only (before Linux 6.7 a shared
 * mapping of a write-sealed memfd is refused). Not dumped in cores. *ret_at is unmapped by
 * memfd_unmap. */
MUST_USE err memfd_map(int fd, uint64_t bytes, bool writable, void **ret_at, struct fault *f);
void memfd_unmap(void *at, uint64_t bytes); /* NULL is a no-op */

#endif
