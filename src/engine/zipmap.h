/* Reads what a ZipMap node gives, a sequence of maps from class to probability, as one tensor.
 * thread  constant once made; any
 * source  ai.onnx.ml ZipMap; onnxruntime_c_api.h GetValue */
#ifndef GARRISON_ENGINE_ZIPMAP_H
#define GARRISON_ENGINE_ZIPMAP_H

#include "engine/ort.h"
#include "engine/scan.h"

struct zipmap;

/* Prepares the columns of a node. Copies what it needs; *ret is yours: zipmap_free.
 * errors  ERR_INPUT: no label, or one twice; ERR_UNAVAILABLE: memory */
MUST_USE err zipmap_new(const struct scan_zipmap *node, struct zipmap **ret, struct fault *f);
void zipmap_free(struct zipmap *z); /* NULL is a no-op */

/* Rows of the sequence. errors: ERR_UNSUPPORTED: no sequence */
MUST_USE err zipmap_rows(const struct ort *o, const struct ort_value *sequence, uint64_t *ret_rows,
                         struct fault *f);

/* Writes rows x labels values in the columns' order.
 * errors  ERR_UNSUPPORTED: a map lacks a label, has another, or is not of this kind */
MUST_USE err zipmap_read(const struct zipmap *z, const struct ort *o,
                         const struct ort_value *sequence, uint64_t rows, float *out,
                         struct fault *f);

#endif
