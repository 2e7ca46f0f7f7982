/* Opening the runtime. The one complication: it sends telemetry unless told otherwise by an
 * environment variable, so that is checked here as well as in main. */
#include "engine/ort.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"

#define LOG_WARNING 2
#define LOG_BYTES   256u

typedef void ort_fn(void);

struct api_base {
    ort_fn *const *(*get_api)(uint32_t version);
    const char *(*version)(void);
};

/* One line, one write: lines of several threads do not mix. */
static void log_line(void *user, int severity, const char *category, const char *id,
                     const char *place, const char *message)
{
    char line[LOG_BYTES + 16];
    size_t n = 0;
    const char *head = severity >= LOG_WARNING + 1 ? "runtime error: " : "runtime: ";
    (void)user, (void)category, (void)id, (void)place;
    for (const char *c = head; *c; c++)
        line[n++] = *c;
    for (const char *c = message ? message : ""; *c && n < LOG_BYTES; c++)
        line[n++] = *c >= ' ' && *c <= '~' ? *c : '?';
    line[n++] = '\n';
    const ssize_t ignored = write(STDERR_FILENO, line, n);
    (void)ignored;
}

void ort_ignore(const struct ort *o, struct ort_status *status)
{
    if (status)
        o->ReleaseStatus(status);
}

err ort_check(const struct ort *o, struct ort_status *status, err code, const char *what,
              struct fault *f)
{
    if (!status)
        return OK;
    const err e = fail(f, code, "%s: %s", what, o->GetErrorMessage(status));
    o->ReleaseStatus(status);
    return e;
}

static err find_api(const char *path, ort_fn *const **ret_table, const char **ret_version,
                    struct fault *f)
{
    union {
        void *symbol;
        const struct api_base *(*call)(void);
    } u;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return fail(f, ERR_UNAVAILABLE,
                    "runtime: %s; want the library beside garrison-worker, or worker.runtime",
                    dlerror());
    u.symbol = dlsym(library, "OrtGetApiBase");
    if (!u.symbol)
        return fail(f, ERR_UNAVAILABLE, "runtime: \"%s\" is not ONNX Runtime", path);
    const struct api_base *base = u.call();
    const char *version = base->version();
    ort_fn *const *table = base->get_api(ORT_VERSION);
    if (!table)
        return fail(f, ERR_UNAVAILABLE, "runtime: version %s has no API %u, want 1.15 or later",
                    version, ORT_VERSION);
    *ret_table = table;
    *ret_version = version;
    return OK;
}

static void fill(struct ort *o, ort_fn *const *table)
{
#define ORT(slot, name, returns, parameters) o->name = (returns(*) parameters)table[slot];
#include "engine/ort.def"
}

static err make_env(struct ort *o, const struct ort_opts *opts, struct fault *f)
{
    struct ort_threading_options *t = NULL;
    err e =
        ort_check(o, o->CreateThreadingOptions(&t), ERR_UNAVAILABLE, "runtime: thread options", f);
    if (e != OK)
        return e;
    struct ort_status *s = o->SetGlobalIntraOpNumThreads(t, (int)opts->threads);
    if (!s)
        s = o->SetGlobalInterOpNumThreads(t, 1);
    if (!s)
        s = o->SetGlobalSpinControl(t, opts->spin);
    if (!s)
        s = o->CreateEnvWithCustomLoggerAndGlobalThreadPools(log_line, NULL, LOG_WARNING, "worker",
                                                             t, &o->env);
    e = ort_check(o, s, ERR_UNAVAILABLE, "runtime: environment", f);
    o->ReleaseThreadingOptions(t);
    return e;
}

err ort_open(const struct ort_opts *opts, const struct ort **ret_ort, struct fault *f)
{
    const char *quiet = getenv("ORT_DISABLE_TELEMETRY");
    const char *path = opts->path && opts->path[0] ? opts->path : ORT_SONAME;
    ort_fn *const *table = NULL;
    must(opts->threads >= 1);
    if (!quiet || strcmp(quiet, "1") != 0)
        return fail(f, ERR_UNAVAILABLE, "runtime: ORT_DISABLE_TELEMETRY is not 1");
    struct ort *o = calloc(1, sizeof *o);
    if (!o)
        return fail(f, ERR_UNAVAILABLE, "no memory for the runtime's table");
    err e = find_api(path, &table, &o->version, f);
    if (e == OK) {
        fill(o, table);
        e = make_env(o, opts, f);
    }
    if (e == OK)
        e = ort_check(o, o->CreateCpuMemoryInfo(1, 0, &o->memory), ERR_UNAVAILABLE,
                      "runtime: memory", f);
    if (e == OK)
        e = ort_check(o, o->GetAllocatorWithDefaultOptions(&o->allocator), ERR_UNAVAILABLE,
                      "runtime: allocator", f);
    if (e != OK) {
        free(o);
        return e;
    }
    *ret_ort = o;
    return OK;
}
