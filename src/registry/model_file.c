/* Reading models into sealed memory, piece by piece. */
#include "registry/model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memfd.h"
#include "base/must.h"
#include "base/scope.h"

#define PIECE_BYTES (1u << 20)

struct model_files {
    int dir;
    int from[MODEL_FILES_MAX]; /* the files, once open; -1 */
    uint64_t got;              /* bytes of the file being read */
    uint32_t done;             /* files read and sealed */
    uint32_t known;            /* files read at least once: their size and digest hold */
    uint32_t count;
    struct digest *digest;
    uint8_t *piece;
    struct model_file file[MODEL_FILES_MAX];
};

/* Opens a regular file; O_NONBLOCK so that a pipe cannot hold us up before fstat tells. */
static err open_regular(int dir, const char *name, int flags, int *ret_fd, uint64_t *ret_bytes,
                        struct fault *f)
{
    struct stat st;
    SCOPED(fd_undo)
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
    if (fd < 0 && errno == ENOENT)
        return fail(f, ERR_NOT_FOUND, "there is no file \"%s\"", name);
    if (fd < 0 && errno == ELOOP)
        return fail(f, ERR_INPUT, "\"%s\" is a link, want a regular file", name);
    if (fd < 0)
        return fail(f, ERR_INPUT, "cannot read \"%s\": %s", name, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return fail(f, ERR_INPUT, "\"%s\" is no regular file", name);
    if ((flags & O_NOFOLLOW) && st.st_nlink > 1) /* may be another's file under a harmless name */
        return fail(f, ERR_INPUT, "\"%s\" has %ju hard links, want a file of its own; copy it",
                    name, (uintmax_t)st.st_nlink);
    if (st.st_size <= 0 || (uint64_t)st.st_size > MODEL_FILE_BYTES_MAX)
        return fail(f, ERR_INPUT, "\"%s\" has %" PRId64 " bytes, want 1..%llu", name,
                    (int64_t)st.st_size, MODEL_FILE_BYTES_MAX);
    *ret_bytes = (uint64_t)st.st_size;
    *ret_fd = fd_give(&fd);
    return OK;
}

static err open_directory(const char *path, int *ret_dir, const char **ret_name, struct fault *f)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof dir)
        return fail(f, ERR_INPUT, "a path of %zu bytes is too long", strlen(path));
    memcpy(dir, path, len);
    dir[len] = '\0';
    const char *name = !slash ? "." : len == 0 ? "/" : dir;
    const int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(f, ERR_NOT_FOUND, "cannot open the directory of \"%s\": %s", path,
                    strerror(errno));
    *ret_dir = fd;
    *ret_name = slash ? slash + 1 : path;
    return OK;
}

static err changed(const struct model_file *file, struct fault *f)
{
    return fail(f, ERR_CONFLICT, "%s%s%s has changed since it was loaded; start again to load it",
                file->name[0] ? "\"" : "the model", file->name, file->name[0] ? "\"" : "");
}

/* Opens the next file unless it is, and makes its memory. */
static err begin(struct model_files *m, const char *name, int flags, struct fault *f)
{
    struct model_file *to = &m->file[m->done];
    err e = OK;
    if (m->from[m->done] < 0)
        e = open_regular(m->dir, name, flags, &m->from[m->done], &to->bytes, f);
    if (e == OK && !m->piece && !(m->piece = malloc(PIECE_BYTES)))
        e = fail(f, ERR_UNAVAILABLE, "no memory to read a model");
    if (e == OK)
        e = memfd_new("model", to->bytes, &to->fd, f);
    m->got = 0;
    return e;
}

err model_files_open(const char *path, struct model_files **ret, struct fault *f)
{
    const char *name = NULL;
    struct model_files *m = calloc(1, sizeof *m);
    if (!m)
        return fail(f, ERR_UNAVAILABLE, "no memory to read a model");
    m->dir = -1;
    for (uint32_t i = 0; i < MODEL_FILES_MAX; i++)
        m->from[i] = m->file[i].fd = -1;
    err e = open_directory(path, &m->dir, &name, f);
    if (e == OK)
        e = digest_new(&m->digest, f);
    m->count = 1;
    if (e == OK)
        e = begin(m, name, 0, f);
    if (e != OK) {
        model_files_free(m);
        return e;
    }
    *ret = m;
    return OK;
}

void model_files_free(struct model_files *m)
{
    if (!m)
        return;
    model_files_release(m);
    for (uint32_t i = 0; i < MODEL_FILES_MAX; i++)
        fd_undo(&m->from[i]);
    fd_undo(&m->dir);
    digest_free(m->digest);
    free(m);
}

void model_files_release(struct model_files *m)
{
    uint8_t ignored[DIGEST_BYTES];
    for (uint32_t i = 0; i < MODEL_FILES_MAX; i++) {
        fd_undo(&m->file[i].fd);
        m->file[i].fd = -1;
    }
    free(m->piece);
    m->piece = NULL;
    m->done = 0;
    m->got = 0;
    if (m->digest)
        digest_end(m->digest, ignored); /* of what was read in part */
}

static bool is_plain(str name)
{
    if (name.len == 0 || name.len > MODEL_FILE_NAME_MAX || str_eq(name, STR(".")) ||
        str_eq(name, STR("..")))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char c = (unsigned char)name.at[i];
        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\' || c == '*')
            return false;
    }
    return true;
}

err model_files_add(struct model_files *m, str name, struct fault *f)
{
    if (!is_plain(name))
        return fail(f, ERR_INPUT,
                    "external data \"%.*s\" is no plain file name beside the model; put the file "
                    "there and save the model with its bare name",
                    (int)(name.len < 100 ? name.len : 100), name.at);
    for (uint32_t i = 1; i < m->count; i++)
        if (str_eq(name, str_of(m->file[i].name)))
            return OK;
    if (m->count == MODEL_FILES_MAX)
        return fail(f, ERR_INPUT, "more than %u files of external data", MODEL_FILES_MAX - 1);
    struct model_file *file = &m->file[m->count];
    memcpy(file->name, name.at, name.len);
    file->name[name.len] = '\0';
    m->count++;
    return OK;
}

/* The file is read: one more byte would mean that it grew. */
static err finish(struct model_files *m, struct fault *f)
{
    uint8_t more;
    uint8_t digest[DIGEST_BYTES];
    struct model_file *to = &m->file[m->done];
    const bool again = m->done < m->known;
    digest_end(m->digest, digest);
    if (pread(m->from[m->done], &more, 1, (off_t)to->bytes) != 0)
        return again ? changed(to, f)
                     : fail(f, ERR_CONFLICT, "a file of the model changed while it was read");
    if (again && memcmp(digest, to->digest, DIGEST_BYTES) != 0)
        return changed(to, f);
    memcpy(to->digest, digest, DIGEST_BYTES);
    m->done++;
    if (!again)
        m->known = m->done;
    return memfd_seal(to->fd, f);
}

static err read_piece(struct model_files *m, struct fault *f)
{
    struct model_file *to = &m->file[m->done];
    const uint64_t left = to->bytes - m->got;
    const ssize_t n =
        pread(m->from[m->done], m->piece, left < PIECE_BYTES ? left : PIECE_BYTES, (off_t)m->got);
    if (n < 0 && errno == EINTR)
        return OK;
    if (n < 0)
        return fail(f, ERR_UNAVAILABLE, "the disk gave no model: %s", strerror(errno));
    if (n == 0 && m->done < m->known)
        return changed(to, f);
    if (n == 0)
        return fail(f, ERR_CONFLICT, "a file of the model became shorter while it was read");
    err e = memfd_write(to->fd, m->got, m->piece, (uint64_t)n, f);
    digest_add(m->digest, m->piece, (uint64_t)n);
    m->got += (uint64_t)n;
    if (e == OK && m->got == to->bytes)
        e = finish(m, f);
    return e;
}

err model_files_step(struct model_files *m, uint64_t max, bool *ret_done, struct fault *f)
{
    err e = OK;
    for (uint64_t read = 0; e == OK && m->done < m->count && read < max; read += PIECE_BYTES) {
        if (m->file[m->done].fd < 0)
            e = begin(m, m->file[m->done].name, O_NOFOLLOW, f);
        if (e == OK)
            e = read_piece(m, f);
    }
    if (e == OK)
        *ret_done = m->done == m->count;
    return e;
}

uint32_t model_files_count(const struct model_files *m)
{
    return m->count;
}

const struct model_file *model_files_at(const struct model_files *m, uint32_t i)
{
    must(i < m->count);
    return &m->file[i];
}

uint64_t model_files_bytes(const struct model_files *m)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->count; i++)
        sum += m->file[i].bytes;
    return sum;
}

static int by_name(const void *a, const void *b)
{
    const struct model_file *const *x = a;
    const struct model_file *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

void model_files_digest(const struct model_files *m, uint8_t ret[DIGEST_BYTES])
{
    const struct model_file *order[MODEL_FILES_MAX];
    uint8_t all[MODEL_FILES_MAX * DIGEST_BYTES];
    must(m->done == m->count);
    if (m->count == 1) {
        memcpy(ret, m->file[0].digest, DIGEST_BYTES);
        return;
    }
    for (uint32_t i = 0; i < m->count; i++)
        order[i] = &m->file[i]; /* the model has the empty name: it comes first */
    qsort(order, m->count, sizeof order[0], by_name);
    for (uint32_t i = 0; i < m->count; i++)
        memcpy(all + i * DIGEST_BYTES, order[i]->digest, DIGEST_BYTES);
    digest_of(all, (uint64_t)m->count * DIGEST_BYTES, ret);
}
