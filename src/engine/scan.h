/* What a model's bytes say before the runtime sees them: the files it wants beside itself, and the
 * class names of its ZipMap nodes. A streaming walk of the protobuf, with a stack of its own; the
 * bytes are hostile and nothing is allocated by a size that they declare.
 *
 * External data is lawful in plain initializers of the main graph alone, and a location is the bare
 * name of a file: anything else is refused, since the runtime would follow it.
 * thread  pure; any
 * source  onnx.proto (ModelProto, GraphProto, TensorProto.external_data); ai.onnx.ml ZipMap */
#ifndef GARRISON_ENGINE_SCAN_H
#define GARRISON_ENGINE_SCAN_H

#include "base/arena.h"
#include "base/fault.h"
#include "tensor/shape.h"

#define SCAN_FILES_MAX  256u
#define SCAN_NAME_MAX   255u   /* bytes of a file's name */
#define SCAN_LABELS_MAX 65536u /* of all ZipMap nodes together */
#define SCAN_DEPTH_MAX  64u    /* messages inside each other: 16 graphs */

/* An initializer whose bytes lie in another file. */
struct scan_external {
    str name;        /* NUL-terminated */
    str location;    /* NUL-terminated */
    uint64_t offset; /* from the file's start */
    uint64_t bytes;
    bool whole; /* no length is stated: up to the file's end */
    int onnx;   /* TensorProto.DataType */
    struct shape shape;
};

/* A ZipMap node of the main graph. */
struct scan_zipmap {
    str output;
    const str *labels;      /* by column */
    const int64_t *numbers; /* NULL where the keys are strings; else labels are their decimals */
    uint32_t label_count;
};

struct scan {
    const struct scan_external *externals;
    uint32_t external_count;
    const struct scan_zipmap *zipmaps;
    uint32_t zipmap_count;
};

/* Walks a whole model (ModelProto).
 * in      a         holds what the result points to; its cap bounds the walk's memory
 * out     ret       strings are copies in the arena; untouched on error
 * errors  ERR_INPUT: not lawful protobuf, nested too deep, or a breach of the rules above;
 *         ERR_TOO_BIG: more than the limits above or the arena's cap */
MUST_USE err scan_model(str bytes, struct arena *a, struct scan *ret, struct fault *f);

#endif
