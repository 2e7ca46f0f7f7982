/* Opening a model and reading its signature. The one complication: weights beside the model are
 * given to the runtime as values over the mapped bytes, which it copies while it opens. */
#include "engine/model_parts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/scope.h"
#include "base/utf8.h"
#include "engine/scan.h"

#define TEXT_BYTES_MAX (64ull << 20)

/* --- weights in other files --------------------------------------------------------------------
 */

struct weights {
    const char **names;
    struct ort_value **values;
    uint32_t count;
};

static void weights_free(struct weights *w, const struct ort *o)
{
    for (uint32_t i = 0; w->values && i < w->count; i++)
        if (w->values[i])
            o->ReleaseValue(w->values[i]);
    free(w->names);
    free(w->values);
}

static const struct model_file_bytes *file_of(const struct model_opts *opts, str name)
{
    for (uint32_t i = 0; i < opts->external_count; i++)
        if (str_eq(opts->externals[i].name, name))
            return &opts->externals[i];
    return NULL;
}

/* One initializer over the bytes of its file. */
static err weight_make(const struct model_opts *opts, const struct scan_external *x,
                       struct ort_value **ret, struct fault *f)
{
    const struct ort *o = opts->ort;
    const struct model_file_bytes *file = file_of(opts, x->location);
    const str shown = str_cut(x->name, 0, 80);
    const enum dtype dtype = dtype_of_onnx(x->onnx);
    uint64_t want;
    if (!file)
        return fail(f, ERR_INPUT, "\"%.*s\" wants file \"%.*s\", which is not there",
                    STR_ARG(shown), STR_ARG(str_cut(x->location, 0, 80)));
    if (dtype == DTYPE_NONE || dtype == DTYPE_BYTES)
        return fail(f, ERR_INPUT,
                    "\"%.*s\" has external data of ONNX type %d; save it inside the model",
                    STR_ARG(shown), x->onnx);
    const err e = shape_bytes(&x->shape, dtype, INT64_MAX, &want, f);
    if (e != OK)
        return ERR_INPUT;
    if (x->offset > file->bytes || want > file->bytes - x->offset ||
        (!x->whole && x->bytes != want))
        return fail(
            f, ERR_INPUT,
            "\"%.*s\" wants %" PRIu64 " bytes at %" PRIu64 " of file \"%.*s\", which has %" PRIu64,
            STR_ARG(shown), want, x->offset, STR_ARG(str_cut(x->location, 0, 80)), file->bytes);
    return ort_check(o,
                     o->CreateTensorWithDataAsOrtValue(
                         o->memory, model_unconst((const uint8_t *)file->at + x->offset), want,
                         x->shape.dim, x->shape.rank, x->onnx, ret),
                     ERR_ENGINE, "weights", f);
}

static err weights_make(const struct model_opts *opts, const struct scan *scan, struct weights *w,
                        struct fault *f)
{
    w->count = scan->external_count;
    w->names = calloc((size_t)w->count + 1, sizeof *w->names);
    w->values = calloc((size_t)w->count + 1, sizeof *w->values);
    if (!w->names || !w->values)
        return fail(f, ERR_UNAVAILABLE, "no memory for %" PRIu32 " initializers", w->count);
    for (uint32_t i = 0; i < w->count; i++) {
        const err e = weight_make(opts, &scan->externals[i], &w->values[i], f);
        if (e != OK)
            return e;
        w->names[i] = scan->externals[i].name.at;
    }
    return OK;
}

/* --- the session -------------------------------------------------------------------------------
 */

static err session_make(const struct model_opts *opts, const struct weights *w,
                        struct ort_session **ret, struct fault *f)
{
    const struct ort *o = opts->ort;
    struct ort_session_options *so = NULL;
    err e = ort_check(o, o->CreateSessionOptions(&so), ERR_UNAVAILABLE, "session options", f);
    if (e != OK)
        return e;
    e = ort_check(o, o->DisablePerSessionThreads(so), ERR_UNAVAILABLE, "session options", f);
    if (e == OK && w->count > 0)
        e = ort_check(o,
                      o->AddExternalInitializers(
                          so, w->names, (const struct ort_value *const *)w->values, w->count),
                      ERR_ENGINE, "weights", f);
    if (e == OK)
        e = ort_check(o,
                      o->CreateSessionFromArray(o->env, opts->main.at, opts->main.bytes, so, ret),
                      ERR_ENGINE, "the runtime refuses the model", f);
    o->ReleaseSessionOptions(so);
    return e;
}

/* --- the signature -----------------------------------------------------------------------------
 */

typedef struct ort_status *get_name(const struct ort_session *, size_t, struct ort_allocator *,
                                    char **);
typedef struct ort_status *get_type(const struct ort_session *, size_t, struct ort_type_info **);

static const char *const kinds[] = {"thing",  "tensor",        "sequence", "map",
                                    "opaque", "sparse tensor", "optional"};

static err refuse_kind(const char *io, str name, int kind, struct fault *f)
{
    const bool known = kind >= 0 && (size_t)kind < sizeof kinds / sizeof kinds[0];
    return fail(f, ERR_INPUT,
                "%s \"%.*s\" is a %s; export it as one tensor (skl2onnx: "
                "options={\"zipmap\": False})",
                io, STR_ARG(str_cut(name, 0, 80)), kinds[known ? kind : 0]);
}

static err read_tensor(const struct ort *o, const struct ort_type_info *type, const char *io,
                       struct spec *s, struct fault *f)
{
    const struct ort_tensor_info *info = NULL;
    const str shown = str_cut(s->name, 0, 80);
    int element = 0;
    size_t rank = 0;
    err e = ort_check(o, o->CastTypeInfoToTensorInfo(type, &info), ERR_ENGINE, "signature", f);
    if (e == OK && !info)
        e = refuse_kind(io, s->name, ORT_UNKNOWN, f);
    if (e == OK)
        e = ort_check(o, o->GetTensorElementType(info, &element), ERR_ENGINE, "signature", f);
    if (e == OK)
        e = ort_check(o, o->GetDimensionsCount(info, &rank), ERR_ENGINE, "signature", f);
    if (e != OK)
        return e;
    s->dtype = dtype_of_onnx(element);
    s->shape.rank = (uint32_t)rank;
    if (s->dtype == DTYPE_NONE)
        return fail(f, ERR_INPUT, "%s \"%.*s\" has ONNX type %d; cast it to FP32", io,
                    STR_ARG(shown), element);
    if (rank > SHAPE_RANK_MAX)
        return fail(f, ERR_INPUT, "%s \"%.*s\" has rank %zu, want <= %u", io, STR_ARG(shown), rank,
                    SHAPE_RANK_MAX);
    e = ort_check(o, o->GetDimensions(info, s->shape.dim, rank), ERR_ENGINE, "signature", f);
    for (size_t i = 0; e == OK && i < rank; i++)
        if (s->shape.dim[i] < 0)
            s->shape.dim[i] = -1;
    return e;
}

static const struct scan_zipmap *zipmap_of(const struct scan *scan, str output)
{
    for (uint32_t i = 0; i < scan->zipmap_count; i++)
        if (str_eq(scan->zipmaps[i].output, output))
            return &scan->zipmaps[i];
    return NULL;
}

/* An output made by ZipMap. */
static err read_zipmap(struct model *m, const struct scan_zipmap *node, uint32_t output,
                       struct fault *f)
{
    struct spec *s = &m->outputs[output];
    str *labels = arena_new(&m->texts, str, node->label_count);
    err e = labels ? OK : fail(f, ERR_TOO_BIG, "labels are too many");
    for (uint32_t i = 0; e == OK && i < node->label_count; i++) {
        labels[i] = node->labels[i];
        if (labels[i].len > MODEL_NAME_MAX || !utf8_valid(labels[i]) ||
            memchr(labels[i].at, 0, labels[i].len))
            e = fail(f, ERR_INPUT, "label %" PRIu32 " of \"%.*s\" is no text of <= %u bytes", i,
                     STR_ARG(str_cut(s->name, 0, 80)), MODEL_NAME_MAX);
    }
    if (e == OK)
        e = zipmap_new(node, &m->zipmaps[output], f);
    if (e != OK)
        return e;
    s->dtype = DTYPE_FP32;
    s->shape = (struct shape){.dim = {-1, node->label_count}, .rank = 2};
    s->labels = labels;
    s->label_count = node->label_count;
    return OK;
}

static err read_name(struct model *m, get_name *call, size_t at, str *ret, struct fault *f)
{
    const struct ort *o = m->ort;
    char *name = NULL;
    err e = ort_check(o, call(m->session, at, o->allocator, &name), ERR_ENGINE, "signature", f);
    if (e != OK)
        return e;
    const str seen = str_of(name);
    char *copy = arena_alloc(&m->texts, (uint64_t)seen.len + 1);
    if (!copy)
        e = fail(f, ERR_TOO_BIG, "names are too long");
    else if (seen.len > MODEL_NAME_MAX || !utf8_valid(seen))
        e = fail(f, ERR_INPUT, "name \"%.*s\" is no text of <= %u bytes",
                 STR_ARG(str_cut(seen, 0, 80)), MODEL_NAME_MAX);
    else
        memcpy(copy, name, seen.len + 1);
    ort_ignore(o, o->AllocatorFree(o->allocator, name));
    if (e == OK)
        *ret = (str){copy, seen.len};
    return e;
}

/* Reads `count` inputs (output false) from position 0 of the session into specs. */
static err read_inputs(struct model *m, get_name *name, get_type *type, struct spec *specs,
                       size_t count, struct fault *f)
{
    const struct ort *o = m->ort;
    for (size_t i = 0; i < count; i++) {
        struct ort_type_info *info = NULL;
        int kind = 0;
        err e = read_name(m, name, i, &specs[i].name, f);
        if (e == OK)
            e = ort_check(o, type(m->session, i, &info), ERR_ENGINE, "signature", f);
        if (e == OK)
            e = ort_check(o, o->GetOnnxTypeFromTypeInfo(info, &kind), ERR_ENGINE, "signature", f);
        if (e == OK)
            e = kind == ORT_TENSOR ? read_tensor(o, info, "input", &specs[i], f)
                                   : refuse_kind("input", specs[i].name, kind, f);
        if (info)
            o->ReleaseTypeInfo(info);
        if (e != OK)
            return e;
    }
    return OK;
}

static err read_outputs(struct model *m, const struct scan *scan, size_t count, struct fault *f)
{
    const struct ort *o = m->ort;
    for (size_t i = 0; i < count; i++) {
        struct ort_type_info *info = NULL;
        struct spec *s = &m->outputs[i];
        int kind = 0;
        err e = read_name(m, o->SessionGetOutputName, i, &s->name, f);
        if (e == OK)
            e = ort_check(o, o->SessionGetOutputTypeInfo(m->session, i, &info), ERR_ENGINE,
                          "signature", f);
        if (e == OK)
            e = ort_check(o, o->GetOnnxTypeFromTypeInfo(info, &kind), ERR_ENGINE, "signature", f);
        const struct scan_zipmap *node = e == OK ? zipmap_of(scan, s->name) : NULL;
        if (e == OK && kind == ORT_SEQUENCE && node)
            e = read_zipmap(m, node, (uint32_t)i, f);
        else if (e == OK)
            e = kind == ORT_TENSOR ? read_tensor(o, info, "output", s, f)
                                   : refuse_kind("output", s->name, kind, f);
        if (info)
            o->ReleaseTypeInfo(info);
        if (e != OK)
            return e;
    }
    return OK;
}

static err read_signature(struct model *m, const struct scan *scan, struct fault *f)
{
    const struct ort *o = m->ort;
    size_t inputs = 0, defaults = 0, outputs = 0;
    struct ort_status *s = o->SessionGetInputCount(m->session, &inputs);
    if (!s)
        s = o->SessionGetOverridableInitializerCount(m->session, &defaults);
    if (!s)
        s = o->SessionGetOutputCount(m->session, &outputs);
    err e = ort_check(o, s, ERR_ENGINE, "signature", f);
    if (e != OK)
        return e;
    if (inputs > SIGNATURE_INPUTS_MAX || outputs > SIGNATURE_OUTPUTS_MAX || outputs == 0)
        return fail(f, ERR_INPUT, "%zu inputs and %zu outputs, want <= %u and 1 to %u", inputs,
                    outputs, SIGNATURE_INPUTS_MAX, SIGNATURE_OUTPUTS_MAX);
    if (defaults > SIGNATURE_INPUTS_MAX - inputs)
        defaults = SIGNATURE_INPUTS_MAX - inputs;
    m->inputs = calloc(inputs + defaults + 1, sizeof *m->inputs);
    m->outputs = calloc(outputs, sizeof *m->outputs);
    m->zipmaps = calloc(outputs, sizeof(struct zipmap *));
    if (!m->inputs || !m->outputs || !m->zipmaps)
        return fail(f, ERR_UNAVAILABLE, "no memory for a signature");
    m->sig = (struct signature){.inputs = m->inputs,
                                .input_count = (uint32_t)(inputs + defaults),
                                .outputs = m->outputs,
                                .output_count = (uint32_t)outputs};
    e = read_inputs(m, o->SessionGetInputName, o->SessionGetInputTypeInfo, m->inputs, inputs, f);
    if (e == OK)
        e = read_inputs(m, o->SessionGetOverridableInitializerName,
                        o->SessionGetOverridableInitializerTypeInfo, m->inputs + inputs, defaults,
                        f);
    for (size_t i = 0; i < defaults; i++)
        m->inputs[inputs + i].optional = true;
    return e == OK ? read_outputs(m, scan, outputs, f) : e;
}

err model_open(const struct model_opts *opts, struct model **ret_model, struct fault *f)
{
    struct scan scan = {0};
    struct weights weights = {0};
    struct model *m = calloc(1, sizeof *m);
    if (!m)
        return fail(f, ERR_UNAVAILABLE, "no memory for a model");
    m->ort = opts->ort;
    arena_init(&m->texts, TEXT_BYTES_MAX);
    err e = scan_model((str){opts->main.at, opts->main.bytes}, &m->texts, &scan, f);
    if (e == OK)
        e = weights_make(opts, &scan, &weights, f);
    if (e == OK)
        e = session_make(opts, &weights, &m->session, f);
    weights_free(&weights, opts->ort);
    if (e == OK)
        e = read_signature(m, &scan, f);
    if (e != OK) {
        model_free(m);
        return e;
    }
    *ret_model = m;
    return OK;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; m->zipmaps && i < m->sig.output_count; i++)
        zipmap_free(m->zipmaps[i]);
    if (m->session)
        m->ort->ReleaseSession(m->session);
    free(m->zipmaps);
    free(m->inputs);
    free(m->outputs);
    arena_free(&m->texts);
    free(m);
}

const struct signature *model_signature(const struct model *m)
{
    return &m->sig;
}

static err check_free(const char *io, const struct spec *s, struct fault *f)
{
    if (s->shape.rank > 0 && s->shape.dim[0] == -1)
        return OK;
    return fail(f, ERR_INPUT,
                "max_batch_size is stated, but dim 0 of %s \"%.*s\" is not free; take "
                "max_batch_size out",
                io, STR_ARG(str_cut(s->name, 0, 80)));
}

err model_batch(struct model *m, uint32_t rows_max, struct fault *f)
{
    m->sig.max_batch_size = 0;
    for (uint32_t i = 0; i < m->sig.input_count && rows_max > 0; i++) {
        const err e = m->inputs[i].optional ? OK : check_free("input", &m->inputs[i], f);
        if (e != OK)
            return e;
    }
    for (uint32_t i = 0; i < m->sig.output_count && rows_max > 0; i++) {
        const err e = check_free("output", &m->outputs[i], f);
        if (e != OK)
            return e;
    }
    m->sig.max_batch_size = rows_max;
    return OK;
}

void model_settle(struct model *m, uint32_t output, uint32_t rank)
{
    struct shape *s = &m->outputs[output].shape;
    must(s->rank == 0 && rank <= SHAPE_RANK_MAX);
    s->rank = rank;
    for (uint32_t i = 0; i < rank; i++)
        s->dim[i] = -1;
}
