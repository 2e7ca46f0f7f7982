/* The walk. The one complication: a message says what it is only by the fields of its parents, and
 * a node's operator may come after its attributes, so what a node or a tensor says is gathered and
 * judged where it ends. */
#include "engine/scan.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/num.h"
#include "engine/wire.h"

#define EXTERNAL     1u /* TensorProto.data_location */
#define FIRST_OUTPUT 2u
#define GROW_FIRST   16u
#define INT64_DIGITS 24u

enum what { MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR, SPARSE, FUNCTION, TRAINING, WHAT_COUNT };

/* Which field of which message is a message that is walked. */
static const struct {
    uint8_t parent, child;
    uint16_t number;
} steps[] = {
    {MODEL, GRAPH, 7},         {MODEL, FUNCTION, 25},  {MODEL, TRAINING, 20},
    {TRAINING, GRAPH, 1},      {TRAINING, GRAPH, 2},   {GRAPH, NODE, 1},
    {GRAPH, TENSOR, 5},        {GRAPH, SPARSE, 15},    {SPARSE, TENSOR, 1},
    {SPARSE, TENSOR, 2},       {NODE, ATTRIBUTE, 5},   {FUNCTION, NODE, 7},
    {FUNCTION, ATTRIBUTE, 11}, {ATTRIBUTE, TENSOR, 5}, {ATTRIBUTE, GRAPH, 6},
    {ATTRIBUTE, TENSOR, 10},   {ATTRIBUTE, GRAPH, 11}, {ATTRIBUTE, SPARSE, 22},
    {ATTRIBUTE, SPARSE, 23},
};

struct frame {
    enum what what;
    bool main; /* in or at the main graph, outside every attribute */
    str rest;
};

/* What the present tensor said; tensors hold no tensors. */
struct tensor {
    struct scan_external it;
    bool external;
    bool outside; /* not a plain initializer of the main graph */
    uint32_t locations;
};

/* What the present node of the main graph said. */
struct node {
    str output, op, domain;
    str strings, numbers; /* the attributes' own bytes */
};

struct walk {
    struct arena *arena;
    struct fault *f;
    struct scan_external *externals;
    uint32_t external_count, external_cap;
    struct scan_zipmap *zipmaps;
    uint32_t zipmap_count, zipmap_cap;
    uint32_t label_count;
    struct tensor tensor;
    struct node node;
    uint32_t depth;
    struct frame stack[SCAN_DEPTH_MAX];
};

static err no_memory(struct walk *w)
{
    return fail(w->f, ERR_TOO_BIG, "names and labels take more than %" PRIu64 " bytes",
                w->arena->cap);
}

/* An array in the arena with room for one more, doubled where it is full. */
static void *grown(struct walk *w, void *old, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return old;
    const uint32_t more = *cap ? 2 * *cap : GROW_FIRST;
    void *new = arena_array(w->arena, more, size);
    if (!new)
        return NULL;
    if (count)
        memcpy(new, old, count * size);
    *cap = more;
    return new;
}

/* A copy with a NUL behind. */
static err keep(struct walk *w, str from, str *ret)
{
    char *copy = arena_alloc(w->arena, (uint64_t)from.len + 1);
    if (!copy)
        return no_memory(w);
    if (from.len)
        memcpy(copy, from.at, from.len);
    *ret = (str){copy, from.len};
    return OK;
}

/* --- tensors -----------------------------------------------------------------------------------
 */

static err check_location(struct walk *w, str location)
{
    bool bad = location.len == 0 || location.len > SCAN_NAME_MAX;
    for (size_t i = 0; i < location.len && !bad; i++) {
        const char c = location.at[i];
        bad = c == '/' || c == '\\' || c == '*' || (uint8_t)c < ' ' || c == 0x7f ||
              (c == '.' && i + 1 < location.len && location.at[i + 1] == '.');
    }
    bad = bad || str_eq(location, STR("."));
    if (bad)
        return fail(w->f, ERR_INPUT,
                    "external data at \"%.*s\"; want the bare name of a file beside it",
                    STR_ARG(str_cut(location, 0, 80)));
    return OK;
}

/* One key and value of external_data. */
static err take_entry(struct walk *w, str rest)
{
    struct tensor *t = &w->tensor;
    struct wire_field field;
    str key = {0}, value = {0};
    while (rest.len > 0) {
        const err e = wire_next(&rest, &field, w->f);
        if (e != OK)
            return e;
        if (field.type == WIRE_BYTES && field.number == 1)
            key = field.bytes;
        else if (field.type == WIRE_BYTES && field.number == 2)
            value = field.bytes;
    }
    if (str_eq(key, STR("location"))) {
        t->it.location = value;
        t->locations++;
        return check_location(w, value);
    }
    if (str_eq(key, STR("offset")))
        return num_u64(value, INT64_MAX, &t->it.offset, w->f) == OK ? OK : ERR_INPUT;
    if (str_eq(key, STR("length"))) {
        t->it.whole = false;
        return num_u64(value, INT64_MAX, &t->it.bytes, w->f) == OK ? OK : ERR_INPUT;
    }
    return OK;
}

static void take_dim(struct walk *w, uint64_t dim)
{
    struct shape *s = &w->tensor.it.shape;
    if (s->rank < SHAPE_RANK_MAX)
        s->dim[s->rank] = (int64_t)dim;
    s->rank += s->rank <= SHAPE_RANK_MAX; /* one more than lawful: refused if it is external */
}

static err take_tensor(struct walk *w, const struct wire_field *field)
{
    struct tensor *t = &w->tensor;
    str packed = field->bytes;
    uint64_t dim;
    if (field->number == 1 && field->type == WIRE_VARINT)
        take_dim(w, field->value);
    else if (field->number == 1 && field->type == WIRE_BYTES)
        while (packed.len > 0) {
            if (!wire_varint(&packed, &dim))
                return fail(w->f, ERR_INPUT, "the dims of a tensor are cut short");
            take_dim(w, dim);
        }
    else if (field->number == 2 && field->type == WIRE_VARINT)
        t->it.onnx = (int)(field->value & 0xffff);
    else if (field->number == 8 && field->type == WIRE_BYTES)
        t->it.name = field->bytes;
    else if (field->number == 13 && field->type == WIRE_BYTES)
        return take_entry(w, field->bytes);
    else if (field->number == 14 && field->type == WIRE_VARINT)
        t->external = field->value == EXTERNAL;
    return OK;
}

static err end_tensor(struct walk *w)
{
    struct tensor *t = &w->tensor;
    const str shown = str_cut(t->it.name, 0, 80);
    if (!t->external && t->locations == 0)
        return OK;
    if (t->outside)
        return fail(w->f, ERR_INPUT,
                    "tensor \"%.*s\" has external data and is no plain initializer of the "
                    "main graph; save it with its data inside",
                    STR_ARG(shown));
    if (!t->external)
        return OK;
    if (t->locations != 1 || t->it.name.len == 0 || t->it.name.len > 4096 ||
        memchr(t->it.name.at, 0, t->it.name.len) || t->it.shape.rank > SHAPE_RANK_MAX)
        return fail(w->f, ERR_INPUT,
                    "external data of \"%.*s\": %" PRIu32 " locations, rank %" PRIu32
                    "; want one, and rank <= %u",
                    STR_ARG(shown), t->locations, t->it.shape.rank, SHAPE_RANK_MAX);
    struct scan_external *all =
        grown(w, w->externals, w->external_count, &w->external_cap, sizeof *all);
    if (!all)
        return no_memory(w);
    w->externals = all;
    err e = keep(w, t->it.name, &t->it.name);
    if (e == OK)
        e = keep(w, t->it.location, &t->it.location);
    if (e == OK)
        all[w->external_count++] = t->it;
    return e;
}

/* --- nodes -------------------------------------------------------------------------------------
 */

/* The attribute's name, of one that lies in a node of the main graph. */
static err take_attribute(struct walk *w, str bytes)
{
    struct wire_field field;
    str rest = bytes, name = {0};
    while (rest.len > 0) {
        const err e = wire_next(&rest, &field, w->f);
        if (e != OK)
            return e;
        if (field.number == 1 && field.type == WIRE_BYTES)
            name = field.bytes;
    }
    if (str_eq(name, STR("classlabels_strings")))
        w->node.strings = bytes;
    else if (str_eq(name, STR("classlabels_int64s")))
        w->node.numbers = bytes;
    return OK;
}

static err take_node(struct walk *w, const struct wire_field *field)
{
    if (field->type != WIRE_BYTES)
        return OK;
    if (field->number == FIRST_OUTPUT && !w->node.output.at)
        w->node.output = field->bytes;
    else if (field->number == 4)
        w->node.op = field->bytes;
    else if (field->number == 5)
        return take_attribute(w, field->bytes);
    return OK;
}

struct labels {
    str *at;
    int64_t *numbers;
    uint32_t count, cap, number_cap;
};

static err add_label(struct walk *w, struct labels *l, str text, const int64_t *number)
{
    if (++w->label_count > SCAN_LABELS_MAX)
        return fail(w->f, ERR_TOO_BIG, "ZipMap has more than %u labels", SCAN_LABELS_MAX);
    l->at = grown(w, l->at, l->count, &l->cap, sizeof *l->at);
    if (number)
        l->numbers = grown(w, l->numbers, l->count, &l->number_cap, sizeof *l->numbers);
    if (!l->at || (number && !l->numbers))
        return no_memory(w);
    if (number)
        l->numbers[l->count] = *number;
    return keep(w, text, &l->at[l->count++]);
}

static err add_number(struct walk *w, struct labels *l, uint64_t value)
{
    char text[INT64_DIGITS];
    const int64_t number = (int64_t)value;
    const int len = snprintf(text, sizeof text, "%" PRId64, number);
    return add_label(w, l, (str){text, (size_t)len}, &number);
}

/* Strings (field 9) or whole numbers (field 8, packed or not) of an attribute. */
static err read_labels(struct walk *w, str rest, bool numbers, struct labels *l)
{
    struct wire_field field;
    uint64_t value;
    while (rest.len > 0) {
        err e = wire_next(&rest, &field, w->f);
        if (e == OK && !numbers && field.number == 9 && field.type == WIRE_BYTES)
            e = add_label(w, l, field.bytes, NULL);
        else if (e == OK && numbers && field.number == 8 && field.type == WIRE_VARINT)
            e = add_number(w, l, field.value);
        while (e == OK && numbers && field.number == 8 && field.type == WIRE_BYTES &&
               field.bytes.len > 0)
            e = wire_varint(&field.bytes, &value)
                    ? add_number(w, l, value)
                    : fail(w->f, ERR_INPUT, "the labels of ZipMap are cut short");
        if (e != OK)
            return e;
    }
    return OK;
}

static err end_node(struct walk *w)
{
    const struct node *n = &w->node;
    struct labels l = {0};
    if (!str_eq(n->op, STR("ZipMap")))
        return OK;
    const bool numbers = n->strings.len == 0;
    err e = read_labels(w, numbers ? n->numbers : n->strings, numbers, &l);
    if (e != OK)
        return e;
    struct scan_zipmap *all = grown(w, w->zipmaps, w->zipmap_count, &w->zipmap_cap, sizeof *all);
    if (!all)
        return no_memory(w);
    w->zipmaps = all;
    struct scan_zipmap *z = &all[w->zipmap_count];
    *z = (struct scan_zipmap){.labels = l.at, .label_count = l.count, .numbers = l.numbers};
    e = keep(w, n->output, &z->output);
    w->zipmap_count += e == OK;
    return e;
}

/* --- the walk ----------------------------------------------------------------------------------
 */

static bool child_of(enum what parent, uint32_t number, enum what *ret)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (steps[i].parent == parent && steps[i].number == number) {
            *ret = (enum what)steps[i].child;
            return true;
        }
    return false;
}

static err enter(struct walk *w, enum what what, str bytes)
{
    const struct frame *top = w->depth ? &w->stack[w->depth - 1] : NULL;
    if (w->depth == SCAN_DEPTH_MAX)
        return fail(w->f, ERR_INPUT, "messages nest deeper than %u; want 16 graphs or fewer",
                    SCAN_DEPTH_MAX);
    const bool inside = !top || (top->main && (what == GRAPH || what == NODE || what == TENSOR) &&
                                 top->what != ATTRIBUTE);
    if (what == TENSOR)
        w->tensor =
            (struct tensor){.outside = !(inside && top && top->what == GRAPH), .it.whole = true};
    if (what == NODE && inside)
        w->node = (struct node){0};
    w->stack[w->depth++] = (struct frame){.what = what, .main = inside, .rest = bytes};
    return OK;
}

static err leave(struct walk *w)
{
    const struct frame *top = &w->stack[--w->depth];
    if (top->what == TENSOR)
        return end_tensor(w);
    return top->what == NODE && top->main ? end_node(w) : OK;
}

static err step(struct walk *w)
{
    struct frame *top = &w->stack[w->depth - 1];
    struct wire_field field;
    enum what child;
    if (top->rest.len == 0)
        return leave(w);
    err e = wire_next(&top->rest, &field, w->f);
    if (e == OK && top->what == TENSOR)
        e = take_tensor(w, &field);
    else if (e == OK && top->what == NODE && top->main)
        e = take_node(w, &field);
    if (e == OK && child_of(top->what, field.number, &child)) {
        if (field.type != WIRE_BYTES)
            return fail(w->f, ERR_INPUT, "field %" PRIu32 " is no message; want an ONNX file",
                        field.number);
        e = enter(w, child, field.bytes);
    }
    return e;
}

err scan_model(str bytes, struct arena *a, struct scan *ret, struct fault *f)
{
    struct walk w = {.arena = a, .f = f};
    err e = bytes.len ? enter(&w, MODEL, bytes)
                      : fail(f, ERR_INPUT, "the file is empty; want an ONNX model");
    while (e == OK && w.depth > 0)
        e = step(&w);
    if (e != OK)
        return e;
    *ret = (struct scan){.externals = w.externals,
                         .external_count = w.external_count,
                         .zipmaps = w.zipmaps,
                         .zipmap_count = w.zipmap_count};
    return OK;
}
