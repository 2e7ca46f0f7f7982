/* Views to the runtime's values and back. The one complication: strings. In a lane they are records
 * of length and bytes; the runtime wants them one by one, and gives them back as one block. */
#include "engine/run.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/must.h"
#include "engine/model_parts.h"

#define RECORD_HEAD 4u

/* Memory of the run for outputs that the runtime does not hold as we give them. */
struct scratch {
    uint8_t *at;
    uint64_t bytes;
};

struct run {
    const struct model *m;
    struct ort_run_options *options;
    const char **input_names;   /* of those given */
    struct ort_value **inputs;  /* likewise */
    const char **output_names;  /* of the mask */
    struct ort_value **outputs; /* likewise */
    struct view *views;         /* by output of the signature */
    struct scratch *scratch;    /* likewise */
    uint32_t input_count, output_count;
    struct run_times times;
};

err run_new(const struct model *m, struct run **ret_run, struct fault *f)
{
    const size_t inputs = (size_t)m->sig.input_count + 1;
    const size_t outputs = m->sig.output_count;
    struct run *r = calloc(1, sizeof *r);
    if (!r)
        return fail(f, ERR_UNAVAILABLE, "no memory for a run");
    r->m = m;
    r->input_names = calloc(inputs, sizeof *r->input_names);
    r->inputs = calloc(inputs, sizeof *r->inputs);
    r->output_names = calloc(outputs, sizeof *r->output_names);
    r->outputs = calloc(outputs, sizeof *r->outputs);
    r->views = calloc(outputs, sizeof *r->views);
    r->scratch = calloc(outputs, sizeof *r->scratch);
    err e = OK;
    if (!r->input_names || !r->inputs || !r->output_names || !r->outputs || !r->views ||
        !r->scratch)
        e = fail(f, ERR_UNAVAILABLE, "no memory for a run");
    if (e == OK)
        e = ort_check(m->ort, m->ort->CreateRunOptions(&r->options), ERR_UNAVAILABLE, "run options",
                      f);
    if (e != OK) {
        run_free(r);
        return e;
    }
    *ret_run = r;
    return OK;
}

void run_clear(struct run *r)
{
    const struct ort *o = r->m->ort;
    for (uint32_t i = 0; i < r->input_count; i++)
        if (r->inputs[i])
            o->ReleaseValue(r->inputs[i]);
    for (uint32_t i = 0; i < r->output_count; i++)
        if (r->outputs[i])
            o->ReleaseValue(r->outputs[i]);
    r->input_count = 0;
    r->output_count = 0;
}

void run_free(struct run *r)
{
    if (!r)
        return;
    run_clear(r);
    for (uint32_t i = 0; r->scratch && i < r->m->sig.output_count; i++)
        free(r->scratch[i].at);
    if (r->options)
        r->m->ort->ReleaseRunOptions(r->options);
    free(r->input_names);
    free(r->inputs);
    free(r->output_names);
    free(r->outputs);
    free(r->views);
    free(r->scratch);
    free(r);
}

/* --- inputs ------------------------------------------------------------------------------------
 */

static err fill_strings(const struct ort *o, const struct view *v, struct ort_value *value,
                        uint64_t count, str name, struct fault *f)
{
    str rest = {(const char *)v->at, v->len}, record;
    for (uint64_t i = 0; i < count; i++) {
        char *to = NULL;
        if (!view_record(&rest, &record))
            return fail(f, ERR_ENGINE, "input \"%.*s\": record %" PRIu64 " of %" PRIu64 " is cut",
                        STR_ARG(str_cut(name, 0, 80)), i, count);
        const err e =
            ort_check(o, o->GetResizedStringTensorElementBuffer(value, i, record.len, &to),
                      ERR_ENGINE, "input", f);
        if (e != OK)
            return e;
        if (record.len)
            memcpy(to, record.at, record.len);
    }
    return OK;
}

static err make_strings(const struct ort *o, const struct spec *spec, const struct view *v,
                        struct ort_value **ret, struct fault *f)
{
    uint64_t count = 0;
    err e = shape_count(&v->shape, v->len / RECORD_HEAD, &count, f);
    if (e != OK)
        return ERR_ENGINE;
    e = ort_check(o,
                  o->CreateTensorAsOrtValue(o->allocator, v->shape.dim, v->shape.rank,
                                            dtype_onnx(DTYPE_BYTES), ret),
                  ERR_ENGINE, "input", f);
    return e == OK ? fill_strings(o, v, *ret, count, spec->name, f) : e;
}

static err make_input(const struct ort *o, const struct spec *spec, const struct view *v,
                      struct ort_value **ret, struct fault *f)
{
    if (spec->dtype == DTYPE_BYTES)
        return make_strings(o, spec, v, ret, f);
    if ((uintptr_t)v->at % dtype_bytes(spec->dtype) != 0)
        return fail(f, ERR_ENGINE, "input \"%.*s\" is not aligned",
                    STR_ARG(str_cut(spec->name, 0, 80)));
    return ort_check(o,
                     o->CreateTensorWithDataAsOrtValue(o->memory, model_unconst(v->at), v->len,
                                                       v->shape.dim, v->shape.rank,
                                                       dtype_onnx(spec->dtype), ret),
                     ERR_ENGINE, "input", f);
}

static err make_inputs(struct run *r, const struct view *inputs, struct fault *f)
{
    const struct signature *sig = &r->m->sig;
    for (uint32_t i = 0; i < sig->input_count; i++) {
        if (!inputs[i].at)
            continue;
        const uint32_t at = r->input_count++;
        r->inputs[at] = NULL;
        r->input_names[at] = sig->inputs[i].name.at;
        const err e = make_input(r->m->ort, &sig->inputs[i], &inputs[i], &r->inputs[at], f);
        if (e != OK)
            return e;
    }
    return OK;
}

/* --- outputs -----------------------------------------------------------------------------------
 */

static err scratch_room(struct scratch *s, uint64_t bytes, struct fault *f)
{
    if (bytes <= s->bytes && s->at)
        return OK;
    free(s->at);
    s->bytes = 0;
    s->at = malloc(bytes + 1);
    if (!s->at)
        return fail(f, ERR_UNAVAILABLE, "no memory for an output of %" PRIu64 " bytes", bytes);
    s->bytes = bytes;
    return OK;
}

static void put_u32(uint8_t *to, uint64_t v)
{
    for (unsigned i = 0; i < RECORD_HEAD; i++)
        to[i] = (uint8_t)(v >> (8 * i));
}

/* A block of all strings and where each begins, to records. */
static err to_records(const char *text, uint64_t text_bytes, const size_t *offsets, uint64_t count,
                      uint8_t *to, struct fault *f)
{
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t end = i + 1 < count ? offsets[i + 1] : text_bytes;
        if (offsets[i] > end || end > text_bytes || end - offsets[i] > UINT32_MAX)
            return fail(f, ERR_UNSUPPORTED, "an output's strings overlap or exceed 4 GiB");
        const uint64_t len = end - offsets[i];
        put_u32(to, len);
        if (len)
            memcpy(to + RECORD_HEAD, text + offsets[i], len);
        to += RECORD_HEAD + len;
    }
    return OK;
}

static err read_strings(const struct ort *o, const struct ort_value *value, uint64_t count,
                        struct scratch *s, struct view *v, struct fault *f)
{
    size_t text_bytes = 0;
    uint64_t bytes;
    err e = ort_check(o, o->GetStringTensorDataLength(value, &text_bytes), ERR_UNSUPPORTED,
                      "output", f);
    if (e != OK)
        return e;
    if (count > SIZE_MAX / 16 || __builtin_add_overflow(count * RECORD_HEAD, text_bytes, &bytes))
        return fail(f, ERR_UNAVAILABLE, "an output has %" PRIu64 " strings", count);
    size_t *offsets = malloc((count + 1) * sizeof *offsets);
    char *text = malloc(text_bytes + 1);
    e = offsets && text ? scratch_room(s, bytes, f)
                        : fail(f, ERR_UNAVAILABLE, "no memory for an output's strings");
    if (e == OK && count > 0)
        e = ort_check(o, o->GetStringTensorContent(value, text, text_bytes, offsets, count),
                      ERR_UNSUPPORTED, "output", f);
    if (e == OK)
        e = to_records(text, text_bytes, offsets, count, s->at, f);
    free(offsets);
    free(text);
    v->at = s->at;
    v->len = bytes;
    return e;
}

static err read_zipmap(struct run *r, uint32_t output, struct ort_value *value, struct fault *f)
{
    const struct ort *o = r->m->ort;
    struct view *v = &r->views[output];
    struct scratch *s = &r->scratch[output];
    const uint64_t classes = r->m->sig.outputs[output].label_count;
    uint64_t rows = 0;
    err e = zipmap_rows(o, value, &rows, f);
    if (e == OK)
        e = scratch_room(s, rows * classes * sizeof(float), f);
    if (e == OK)
        e = zipmap_read(r->m->zipmaps[output], o, value, rows, (void *)s->at, f);
    *v = (struct view){.dtype = DTYPE_FP32,
                       .shape = {.dim = {(int64_t)rows, (int64_t)classes}, .rank = 2},
                       .at = s->at,
                       .len = rows * classes * sizeof(float)};
    return e;
}

static err read_shape(const struct ort *o, const struct ort_value *value, const struct spec *spec,
                      struct shape *ret, struct fault *f)
{
    struct ort_tensor_info *info = NULL;
    const str shown = str_cut(spec->name, 0, 80);
    int element = 0;
    size_t rank = 0;
    err e = ort_check(o, o->GetTensorTypeAndShape(value, &info), ERR_UNSUPPORTED, "output", f);
    if (e != OK)
        return e;
    struct ort_status *s = o->GetTensorElementType(info, &element);
    if (!s)
        s = o->GetDimensionsCount(info, &rank);
    if (!s && rank <= SHAPE_RANK_MAX)
        s = o->GetDimensions(info, ret->dim, rank);
    e = ort_check(o, s, ERR_UNSUPPORTED, "output", f);
    o->ReleaseTensorTypeAndShapeInfo(info);
    if (e != OK)
        return e;
    ret->rank = (uint32_t)rank;
    if (rank > SHAPE_RANK_MAX || dtype_of_onnx(element) != spec->dtype)
        return fail(f, ERR_UNSUPPORTED, "output \"%.*s\" has ONNX type %d and rank %zu",
                    STR_ARG(shown), element, rank);
    return OK;
}

static err read_output(struct run *r, uint32_t output, struct ort_value *value, struct fault *f)
{
    const struct ort *o = r->m->ort;
    const struct spec *spec = &r->m->sig.outputs[output];
    struct view *v = &r->views[output];
    void *at = NULL;
    if (r->m->zipmaps[output])
        return read_zipmap(r, output, value, f);
    *v = (struct view){.dtype = spec->dtype};
    err e = value ? read_shape(o, value, spec, &v->shape, f)
                  : fail(f, ERR_UNSUPPORTED, "output \"%.*s\" was not made",
                         STR_ARG(str_cut(spec->name, 0, 80)));
    uint64_t count = 0;
    if (e == OK && shape_count(&v->shape, UINT64_MAX, &count, f) != OK)
        e = ERR_UNSUPPORTED;
    if (e == OK && spec->dtype == DTYPE_BYTES)
        return read_strings(o, value, count, &r->scratch[output], v, f);
    if (e == OK && shape_bytes(&v->shape, spec->dtype, UINT64_MAX, &v->len, f) != OK)
        e = ERR_UNSUPPORTED;
    if (e == OK)
        e = ort_check(o, o->GetTensorMutableData(value, &at), ERR_UNSUPPORTED, "output", f);
    v->at = at;
    return e;
}

/* An output that says rank 0 may be of unknown rank: model_settle. */
static err check_shapes(const struct run *r, uint64_t outputs, struct fault *f)
{
    for (uint32_t i = 0; i < r->m->sig.output_count; i++) {
        const struct spec *spec = &r->m->sig.outputs[i];
        if (outputs >> i & 1 && shape_fits(&r->views[i].shape, &spec->shape, spec->name, f) != OK)
            return f ? f->code = ERR_UNSUPPORTED : ERR_UNSUPPORTED;
    }
    return OK;
}

err run_go(struct run *r, const struct view *inputs, uint64_t outputs, struct fault *f)
{
    const struct ort *o = r->m->ort;
    const struct signature *sig = &r->m->sig;
    must(outputs != 0);
    run_clear(r);
    const uint64_t begun = clock_ns();
    r->times = (struct run_times){.end_ns = begun};
    err e = make_inputs(r, inputs, f);
    for (uint32_t i = 0; i < sig->output_count; i++) {
        if (!(outputs >> i & 1))
            continue;
        r->outputs[r->output_count] = NULL;
        r->output_names[r->output_count++] = sig->outputs[i].name.at;
    }
    const uint64_t ready = clock_ns();
    r->times.input_ns = ready - begun;
    if (e != OK)
        return e;
    e = ort_check(o,
                  o->Run(r->m->session, r->options, r->input_names,
                         (const struct ort_value *const *)r->inputs, r->input_count,
                         r->output_names, r->output_count, r->outputs),
                  ERR_ENGINE, "run", f);
    const uint64_t done = clock_ns();
    r->times.compute_ns = done - ready;
    for (uint32_t i = 0, at = 0; i < sig->output_count && e == OK; i++)
        if (outputs >> i & 1)
            e = read_output(r, i, r->outputs[at++], f);
    if (e == OK)
        e = check_shapes(r, outputs, f);
    r->times.end_ns = clock_ns();
    r->times.output_ns = r->times.end_ns - done;
    return e;
}

const struct view *run_views(const struct run *r)
{
    return r->views;
}

struct run_times run_times(const struct run *r)
{
    return r->times;
}

void run_stop(struct run *r)
{
    ort_ignore(r->m->ort, r->m->ort->RunOptionsSetTerminate(r->options));
}

void run_unstop(struct run *r)
{
    ort_ignore(r->m->ort, r->m->ort->RunOptionsUnsetTerminate(r->options));
}
