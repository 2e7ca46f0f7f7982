/* Maps to columns. The runtime's maps come sorted by key, so a table of sorted labels is made once
 * and each map is read against it in one pass. */
#include "engine/zipmap.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#define ELEMENT_FLOAT  1
#define ELEMENT_INT64  7
#define ELEMENT_STRING 8

struct column {
    str text; /* of strings */
    int64_t number;
    uint32_t at;
};

struct zipmap {
    uint32_t count;
    bool numbers;
    char *texts;             /* the bytes of all labels */
    size_t text_bytes;       /* of them */
    struct column columns[]; /* sorted by key */
};

static int by_text(const void *a, const void *b)
{
    const str x = ((const struct column *)a)->text, y = ((const struct column *)b)->text;
    const size_t less = x.len < y.len ? x.len : y.len;
    const int order = less ? memcmp(x.at, y.at, less) : 0;
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = ((const struct column *)a)->number, y = ((const struct column *)b)->number;
    return (x > y) - (x < y);
}

static err fill(struct zipmap *z, const struct scan_zipmap *node, struct fault *f)
{
    size_t used = 0;
    for (uint32_t i = 0; i < z->count; i++)
        z->text_bytes += node->labels[i].len;
    z->texts = malloc(z->text_bytes + 1);
    if (!z->texts)
        return fail(f, ERR_UNAVAILABLE, "no memory for labels");
    for (uint32_t i = 0; i < z->count; i++) {
        const str label = node->labels[i];
        if (label.len)
            memcpy(z->texts + used, label.at, label.len);
        z->columns[i] = (struct column){.text = {z->texts + used, label.len},
                                        .number = z->numbers ? node->numbers[i] : 0,
                                        .at = i};
        used += label.len;
    }
    int (*order)(const void *, const void *) = z->numbers ? by_number : by_text;
    qsort(z->columns, z->count, sizeof z->columns[0], order);
    for (uint32_t i = 1; i < z->count; i++)
        if (order(&z->columns[i - 1], &z->columns[i]) == 0)
            return fail(f, ERR_INPUT, "ZipMap \"%.*s\" has label \"%.*s\" twice",
                        STR_ARG(str_cut(node->output, 0, 80)),
                        STR_ARG(str_cut(node->labels[z->columns[i].at], 0, 80)));
    return OK;
}

err zipmap_new(const struct scan_zipmap *node, struct zipmap **ret, struct fault *f)
{
    if (node->label_count == 0)
        return fail(f, ERR_INPUT, "ZipMap \"%.*s\" has no labels; want one a class",
                    STR_ARG(str_cut(node->output, 0, 80)));
    struct zipmap *z = calloc(1, sizeof *z + node->label_count * sizeof z->columns[0]);
    if (!z)
        return fail(f, ERR_UNAVAILABLE, "no memory for labels");
    z->count = node->label_count;
    z->numbers = node->numbers != NULL;
    const err e = fill(z, node, f);
    if (e != OK) {
        zipmap_free(z);
        return e;
    }
    *ret = z;
    return OK;
}

void zipmap_free(struct zipmap *z)
{
    if (!z)
        return;
    free(z->texts);
    free(z);
}

err zipmap_rows(const struct ort *o, const struct ort_value *sequence, uint64_t *ret_rows,
                struct fault *f)
{
    int kind = 0;
    size_t rows = 0;
    err e = ort_check(o, o->GetValueType(sequence, &kind), ERR_UNSUPPORTED, "ZipMap", f);
    if (e == OK && kind != ORT_SEQUENCE)
        e = fail(f, ERR_UNSUPPORTED, "ZipMap: a value of kind %d, want a sequence", kind);
    if (e == OK)
        e = ort_check(o, o->GetValueCount(sequence, &rows), ERR_UNSUPPORTED, "ZipMap", f);
    if (e == OK && rows > INT_MAX)
        e = fail(f, ERR_UNSUPPORTED, "ZipMap: %zu rows", rows);
    if (e == OK)
        *ret_rows = rows;
    return e;
}

/* A part of a map holds that many elements of that type. */
static err check_part(const struct zipmap *z, const struct ort *o, const struct ort_value *part,
                      int type, struct fault *f)
{
    struct ort_tensor_info *info = NULL;
    int element = 0;
    size_t rank = 0;
    int64_t dim = -1;
    err e = ort_check(o, o->GetTensorTypeAndShape(part, &info), ERR_UNSUPPORTED, "ZipMap", f);
    if (e != OK)
        return e;
    ort_ignore(o, o->GetTensorElementType(info, &element));
    ort_ignore(o, o->GetDimensionsCount(info, &rank));
    if (rank == 1)
        ort_ignore(o, o->GetDimensions(info, &dim, 1));
    o->ReleaseTensorTypeAndShapeInfo(info);
    if (element != type || dim != (int64_t)z->count)
        return fail(f, ERR_UNSUPPORTED,
                    "ZipMap: %" PRId64 " entries of type %d, want %" PRIu32 " of type %d", dim,
                    element, z->count, type);
    return OK;
}

static err check_numbers(const struct zipmap *z, const struct ort *o, struct ort_value *keys,
                         struct fault *f)
{
    void *at = NULL;
    const err e = ort_check(o, o->GetTensorMutableData(keys, &at), ERR_UNSUPPORTED, "ZipMap", f);
    const int64_t *numbers = at;
    for (uint32_t i = 0; e == OK && i < z->count; i++)
        if (numbers[i] != z->columns[i].number)
            return fail(f, ERR_UNSUPPORTED, "ZipMap: a key %" PRId64 " that is no label",
                        numbers[i]);
    return e;
}

static err check_texts(const struct zipmap *z, const struct ort *o, const struct ort_value *keys,
                       struct fault *f)
{
    size_t bytes = 0;
    err e = ort_check(o, o->GetStringTensorDataLength(keys, &bytes), ERR_UNSUPPORTED, "ZipMap", f);
    if (e != OK)
        return e;
    if (bytes != z->text_bytes)
        return fail(f, ERR_UNSUPPORTED, "ZipMap: keys of %zu bytes, want %zu", bytes,
                    z->text_bytes);
    size_t *offsets = malloc(z->count * sizeof *offsets);
    char *texts = malloc(bytes + 1);
    e = offsets && texts ? OK : fail(f, ERR_UNAVAILABLE, "no memory for keys");
    if (e == OK)
        e = ort_check(o, o->GetStringTensorContent(keys, texts, bytes, offsets, z->count),
                      ERR_UNSUPPORTED, "ZipMap", f);
    for (uint32_t i = 0; e == OK && i < z->count; i++) {
        const size_t end = i + 1 < z->count ? offsets[i + 1] : bytes;
        if (!str_eq(str_cut((str){texts, bytes}, offsets[i], end), z->columns[i].text))
            e = fail(f, ERR_UNSUPPORTED, "ZipMap: a key that is no label");
    }
    free(offsets);
    free(texts);
    return e;
}

/* The first map of a sequence is compared key by key; the maps of one node have the same keys. */
static err read_map(const struct zipmap *z, const struct ort *o, const struct ort_value *map,
                    bool first, float *out, struct fault *f)
{
    struct ort_value *keys = NULL, *values = NULL;
    void *at = NULL;
    err e = OK;
    if (first)
        e = ort_check(o, o->GetValue(map, 0, o->allocator, &keys), ERR_UNSUPPORTED, "ZipMap", f);
    if (e == OK && first)
        e = check_part(z, o, keys, z->numbers ? ELEMENT_INT64 : ELEMENT_STRING, f);
    if (e == OK && first)
        e = z->numbers ? check_numbers(z, o, keys, f) : check_texts(z, o, keys, f);
    if (e == OK)
        e = ort_check(o, o->GetValue(map, 1, o->allocator, &values), ERR_UNSUPPORTED, "ZipMap", f);
    if (e == OK)
        e = check_part(z, o, values, ELEMENT_FLOAT, f);
    if (e == OK)
        e = ort_check(o, o->GetTensorMutableData(values, &at), ERR_UNSUPPORTED, "ZipMap", f);
    for (uint32_t i = 0; e == OK && i < z->count; i++)
        out[z->columns[i].at] = ((const float *)at)[i];
    if (keys)
        o->ReleaseValue(keys);
    if (values)
        o->ReleaseValue(values);
    return e;
}

err zipmap_read(const struct zipmap *z, const struct ort *o, const struct ort_value *sequence,
                uint64_t rows, float *out, struct fault *f)
{
    for (uint64_t i = 0; i < rows; i++) {
        struct ort_value *map = NULL;
        err e = ort_check(o, o->GetValue(sequence, (int)i, o->allocator, &map), ERR_UNSUPPORTED,
                          "ZipMap", f);
        if (e == OK)
            e = read_map(z, o, map, i == 0, out + i * z->count, f);
        if (map)
            o->ReleaseValue(map);
        if (e != OK)
            return e;
    }
    return OK;
}
