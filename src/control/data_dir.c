/* Making, locking and leaving the data directory. */
#include "control/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/scope.h"

static err join(char out[PATH_MAX], const char *dir, const char *name, struct fault *f)
{
    const int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_MAX)
        return fail(f, ERR_INPUT, "a path under \"%.100s\" is too long", dir);
    return OK;
}

static err make(const char *path, mode_t mode, struct fault *f)
{
    struct stat st;
    if (mkdir(path, mode) == 0)
        return OK;
    const int why = errno;
    if (why == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return OK;
    return fail(f, ERR_UNAVAILABLE,
                "cannot make directory \"%s\": %s; name another with --data-dir", path,
                strerror(why == EEXIST ? ENOTDIR : why));
}

static err held_by_other(int fd, const char *path, struct fault *f)
{
    char text[24] = "";
    uint64_t pid = 0;
    const ssize_t n = pread(fd, text, sizeof text - 1, 0);
    const str line = {text, n > 0 ? str_find((str){text, (size_t)n}, '\n') : 0};
    if (line.len > 0 && num_u64(line, INT32_MAX, &pid, NULL) == OK)
        return fail(f, ERR_CONFLICT, "process %llu serves from \"%s\" already",
                    (unsigned long long)pid, path);
    return fail(f, ERR_CONFLICT, "another process serves from \"%s\" already", path);
}

static err lock(struct data_dir *d, struct fault *f)
{
    char path[PATH_MAX];
    char text[24];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const err e = join(path, d->path, "lock", f);
    if (e != OK)
        return e;
    SCOPED(fd_undo)
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(f, ERR_UNAVAILABLE,
                    "cannot open \"%s\": %s; name another directory with --data-dir", path,
                    strerror(errno));
    if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return held_by_other(fd, d->path, f);
        return fail(f, ERR_UNAVAILABLE, "cannot lock \"%s\": %s", path, strerror(errno));
    }
    const int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return fail(f, ERR_UNAVAILABLE, "cannot write \"%s\": %s", path, strerror(errno));
    d->lock = fd_give(&fd);
    return OK;
}

static err make_temporary(const struct config *cfg, struct data_dir *d, struct fault *f)
{
    const str parent = cfg->server.temporary_parent;
    const int n = snprintf(d->path, sizeof d->path, "%.*s/garrison-XXXXXX", STR_ARG(parent));
    if (n < 0 || n >= (int)sizeof d->path || !mkdtemp(d->path)) {
        d->path[0] = '\0';
        return fail(f, ERR_UNAVAILABLE, "cannot make a directory in \"%.*s\": %s", STR_ARG(parent),
                    strerror(errno));
    }
    d->temporary = true;
    return OK;
}

static err set_up(const struct config *cfg, struct data_dir *d, struct fault *f)
{
    err e;
    if (cfg->server.data_dir_temporary) {
        e = make_temporary(cfg, d, f);
    } else {
        (void)snprintf(d->path, sizeof d->path, "%.*s", STR_ARG(cfg->server.data_dir));
        e = make(d->path, 0700, f);
    }
    if (e == OK)
        e = lock(d, f);
    if (e == OK && cfg->server.runtime_dir.len > 0)
        (void)snprintf(d->runtime, sizeof d->runtime, "%.*s", STR_ARG(cfg->server.runtime_dir));
    else if (e == OK)
        e = join(d->runtime, d->path, "run", f);
    if (e == OK)
        e = make(d->runtime, 0755, f);
    return e == OK ? join(d->socket, d->runtime, "admin.sock", f) : e;
}

err data_dir_open(const struct config *cfg, struct data_dir *ret, struct fault *f)
{
    *ret = (struct data_dir){.lock = -1};
    const err e = set_up(cfg, ret, f);
    if (e != OK)
        data_dir_close(ret);
    return e;
}

void data_dir_close(struct data_dir *d)
{
    char path[PATH_MAX];
    if (d->socket[0] && d->lock >= 0)
        (void)unlink(d->socket);
    if (d->temporary && join(path, d->path, "lock", NULL) == OK) {
        (void)unlink(path);
        if (d->runtime[0])
            (void)rmdir(d->runtime);
        (void)rmdir(d->path);
        d->temporary = false;
    }
    fd_undo(&d->lock);
    d->lock = -1;
}
