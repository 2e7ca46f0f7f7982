/* The models of tests/models/make.py for tests in C: made once a build directory (about 10 s), with
 * the Python of the demo. Where that is not there, models_dir returns NULL and the test says so. */
#ifndef GARRISON_TESTS_MODELS_H
#define GARRISON_TESTS_MODELS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tensor/view.h"

#define MODELS_PYTHON  ".cache/venv/demo/bin/python"
#define MODELS_RUNTIME ".cache/runtime/libonnxruntime.so"

static inline const char *models_dir(void)
{
    static char dir[4096];
    char command[16384];
    const char *build = getenv("GARRISON_BUILD");
    (void)snprintf(dir, sizeof dir, "%s/models", build ? build : "build");
    (void)snprintf(command, sizeof command, "%s/chain_3000.onnx", dir);
    if (access(command, R_OK) == 0)
        return dir;
    (void)snprintf(
        command, sizeof command,
        "test -x " MODELS_PYTHON " && t=$(mktemp -d '%s.XXXXXX') && "
        "ORT_DISABLE_TELEMETRY=1 " MODELS_PYTHON
        " tests/models/make.py \"$t\" 2>/dev/null && { mv -T \"$t\" '%s' || rm -r \"$t\"; }",
        dir, dir);
    if (system(command) != 0) {
        (void)fprintf(stderr, "SKIP: no " MODELS_PYTHON "; run `make setup` first\n");
        return NULL;
    }
    return dir;
}

/* A whole file, or NULL. */
static inline uint8_t *models_read(const char *dir, const char *name, const char *suffix,
                                   uint64_t *ret_len)
{
    char path[8192];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s%s", dir, name, suffix);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return NULL;
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    if (!bytes || read(fd, bytes, (size_t)st.st_size) != st.st_size)
        abort();
    (void)close(fd);
    *ret_len = (uint64_t)st.st_size;
    return bytes;
}

/* One tensor of a .tensors file, its bytes 64-byte-aligned: models_free. */
struct models_tensor {
    bool output;
    char text[64];
    str name; /* over text: the array must not move */
    struct view view;
};

/* Reads all of them; the count. */
static inline uint32_t models_tensors(const char *dir, const char *name, struct models_tensor *out,
                                      uint32_t max)
{
    uint64_t len = 0, at = 0;
    uint32_t count = 0;
    uint8_t *bytes = models_read(dir, name, ".tensors", &len);
    while (bytes && at < len && count < max) {
        struct models_tensor *t = &out[count++];
        uint32_t head[4];
        uint64_t size;
        *t = (struct models_tensor){0};
        memcpy(head, bytes + at, sizeof head);
        t->output = head[0] == 1;
        if (head[1] > sizeof t->text)
            abort();
        memcpy(t->text, bytes + at + 16, head[1]);
        t->name = (str){t->text, head[1]};
        t->view.dtype = dtype_of_onnx((int)head[2]);
        t->view.shape.rank = head[3];
        at += 16 + head[1];
        memcpy(t->view.shape.dim, bytes + at, head[3] * sizeof(int64_t));
        at += head[3] * sizeof(int64_t);
        memcpy(&size, bytes + at, sizeof size);
        at += sizeof size;
        uint8_t *copy = aligned_alloc(64, (size / 64 + 1) * 64);
        if (!copy)
            abort();
        memcpy(copy, bytes + at, size);
        t->view.at = copy;
        t->view.len = size;
        at += size;
    }
    free(bytes);
    return count;
}

static inline void models_free(struct models_tensor *all, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        union {
            const uint8_t *in;
            void *out;
        } u = {.in = all[i].view.at};
        free(u.out);
    }
}

#endif
