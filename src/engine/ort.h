/* The inference runtime, opened at run time: its table of functions, its environment with pools of
 * threads that all sessions share, and its log. No header of the runtime is used; engine/ort.def
 * declares what is called.
 * One a process, never closed: its threads and allocators live as long as the worker.
 * errors  every call below and err_of_ort: the runtime's own words in the fault
 * thread  constant once opened; any
 * source  onnxruntime_c_api.h, version 15 of the API */
#ifndef GARRISON_ENGINE_ORT_H
#define GARRISON_ENGINE_ORT_H

#include <stdint.h>

#include "base/fault.h"

#define ORT_VERSION 15u
#define ORT_SONAME  "libonnxruntime.so.1" /* where no path is given */

/* Objects of the runtime, opaque. */
struct ort_status;
struct ort_env;
struct ort_session;
struct ort_session_options;
struct ort_run_options;
struct ort_threading_options;
struct ort_value;
struct ort_type_info;
struct ort_tensor_info;
struct ort_memory_info;
struct ort_allocator;

/* user, severity, category, log id, place in the runtime's code, message */
typedef void ort_log(void *, int, const char *, const char *, const char *, const char *);

/* ONNXType: what an input or output is. */
enum ort_kind { ORT_UNKNOWN, ORT_TENSOR, ORT_SEQUENCE, ORT_MAP, ORT_OPAQUE, ORT_SPARSE, ORT_MAYBE };

struct ort {
#define ORT(slot, name, returns, parameters) returns(*name) parameters;
#include "engine/ort.def"
    struct ort_env *env;
    struct ort_memory_info *memory;  /* of the CPU */
    struct ort_allocator *allocator; /* its default one */
    const char *version;             /* "1.32.0" */
};

struct ort_opts {
    const char *path; /* of the library; NULL or "": ORT_SONAME, as the loader finds it */
    uint32_t threads; /* in a run, >= 1; 1 starts none */
    bool spin;        /* threads that wait for work spin */
};

/* Opens the library, checks its version, makes environment and pools. Its log goes to stderr, a
 * line of at most 256 printable bytes a message, from warnings on, by write.
 * out     ret_ort  lives as long as the process
 * errors  ERR_UNAVAILABLE: no such library, or not of this version */
MUST_USE err ort_open(const struct ort_opts *opts, const struct ort **ret_ort, struct fault *f);

/* Turns a result of the runtime into ours and releases it. what: what was tried, "load".
 * errors  code, with `what: the runtime's message`; OK for NULL */
MUST_USE err ort_check(const struct ort *o, struct ort_status *status, err code, const char *what,
                       struct fault *f);

void ort_ignore(const struct ort *o, struct ort_status *status); /* a result that may be lost */

#endif
