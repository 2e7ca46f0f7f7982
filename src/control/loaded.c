/* Gathering a signature from messages. Strings are copied into an arena, arrays grow by doubling;
 * both are bounded by the limits of a signature. */
#include "control/loaded.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

#define SANDBOX_LEVELS 3u

struct whole {
    struct loaded l;
    struct arena texts;
    struct spec inputs[SIGNATURE_INPUTS_MAX];
    struct spec outputs[SIGNATURE_OUTPUTS_MAX];
    str *labels[SIGNATURE_OUTPUTS_MAX];
    uint32_t label_cap[SIGNATURE_OUTPUTS_MAX];
    uint32_t label_count;
};

static struct whole *whole_of(struct loaded *l)
{
    return (struct whole *)(void *)l; /* its first member */
}

err loaded_new(struct loaded **ret, struct fault *f)
{
    struct whole *w = calloc(1, sizeof *w);
    if (!w)
        return fail(f, ERR_UNAVAILABLE, "no memory for a signature");
    arena_init(&w->texts, 32u << 20);
    w->l.sig.inputs = w->inputs;
    w->l.sig.outputs = w->outputs;
    *ret = &w->l;
    return OK;
}

void loaded_free(struct loaded *l)
{
    if (!l)
        return;
    struct whole *w = whole_of(l);
    for (uint32_t i = 0; i < SIGNATURE_OUTPUTS_MAX; i++)
        free(w->labels[i]);
    arena_free(&w->texts);
    free(w);
}

static err copy(struct whole *w, str from, str *ret, struct fault *f)
{
    *ret = arena_str(&w->texts, from);
    return ret->at || from.len == 0 ? OK : fail(f, ERR_UNAVAILABLE, "no memory for a signature");
}

static err take_tensor(struct whole *w, const struct message_tensor *t, struct fault *f)
{
    struct signature *sig = &w->l.sig;
    const int64_t dims[SHAPE_RANK_MAX] = {t->dim0, t->dim1, t->dim2, t->dim3,
                                          t->dim4, t->dim5, t->dim6, t->dim7};
    struct spec *s;
    if (t->io > 1 || t->optional > 1 || t->rank > SHAPE_RANK_MAX || t->type == DTYPE_NONE ||
        t->type >= DTYPE_COUNT)
        return fail(f, ERR_INPUT, "a tensor of the signature breaks its rules");
    if (t->io == 0 && sig->input_count < SIGNATURE_INPUTS_MAX)
        s = &w->inputs[sig->input_count++];
    else if (t->io == 1 && sig->output_count < SIGNATURE_OUTPUTS_MAX)
        s = &w->outputs[sig->output_count++];
    else
        return fail(f, ERR_INPUT, "more than %u inputs or %u outputs", SIGNATURE_INPUTS_MAX,
                    SIGNATURE_OUTPUTS_MAX);
    s->dtype = (enum dtype)t->type;
    s->optional = t->optional == 1;
    s->shape.rank = t->rank;
    for (uint32_t i = 0; i < t->rank; i++) {
        if (dims[i] < -1)
            return fail(f, ERR_INPUT, "a dimension of the signature is %" PRId64, dims[i]);
        s->shape.dim[i] = dims[i];
    }
    return copy(w, t->name, &s->name, f);
}

static err take_label(struct whole *w, const struct message_label *m, struct fault *f)
{
    const uint32_t o = m->output;
    if (o >= w->l.sig.output_count || ++w->label_count > MESSAGE_LABELS_MAX)
        return fail(f, ERR_INPUT, "a label of output %" PRIu32 ", or more than %u labels", o,
                    MESSAGE_LABELS_MAX);
    struct spec *s = &w->outputs[o];
    if (s->label_count == w->label_cap[o]) {
        const uint32_t cap = w->label_cap[o] ? 2 * w->label_cap[o] : 16;
        str *more = realloc(w->labels[o], cap * sizeof *more);
        if (!more)
            return fail(f, ERR_UNAVAILABLE, "no memory for labels");
        w->labels[o] = more;
        w->label_cap[o] = cap;
        s->labels = more;
    }
    const err e = copy(w, m->text, &w->labels[o][s->label_count], f);
    s->label_count += e == OK;
    return e;
}

static err take_run(struct whole *w, const struct message_run *r, struct fault *f)
{
    if (r->exponent >= SNAPSHOT_RUN_CLASSES)
        return fail(f, ERR_INPUT, "a run time of 2^%u rows", r->exponent);
    w->l.run_ns[r->exponent] = r->ns;
    return OK;
}

static err check(const struct loaded *l, struct fault *f)
{
    if (l->sig.output_count == 0)
        return fail(f, ERR_INPUT, "the model has no output");
    return OK;
}

err loaded_take(struct loaded *l, const struct message_worker_loaded *m, bool last, struct fault *f)
{
    struct whole *w = whole_of(l);
    struct message_list tensors = m->tensors;
    struct message_list labels = m->labels;
    struct message_list runs = m->runs;
    struct message_tensor tensor;
    struct message_label label;
    struct message_run run;
    err e = OK;
    if (m->batches > 1 || m->sandbox >= SANDBOX_LEVELS)
        return fail(f, ERR_INPUT, "worker_loaded breaks its rules");
    while (e == OK && message_next_tensor(&tensors, &tensor))
        e = take_tensor(w, &tensor, f);
    while (e == OK && message_next_label(&labels, &label))
        e = take_label(w, &label, f);
    while (e == OK && message_next_run(&runs, &run))
        e = take_run(w, &run, f);
    if (e != OK || !last)
        return e;
    l->batches = m->batches == 1;
    l->sandbox = m->sandbox;
    l->ram_bytes = m->ram_bytes;
    l->load_ms = m->load_ms;
    (void)snprintf(l->note, sizeof l->note, "%.*s", STR_ARG(m->note));
    return check(l, f);
}
