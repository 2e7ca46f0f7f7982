/* Datatypes of tensors, a row of tensor/dtype.def each.
 * thread  any; all data is constant */
#ifndef GARRISON_TENSOR_DTYPE_H
#define GARRISON_TENSOR_DTYPE_H

#include <stdint.h>

#include "base/str.h"

enum dtype {
    DTYPE_NONE = 0, /* no type: not found, or not yet known */
#define DTYPE(name, bytes, onnx, number, config) DTYPE_##name,
#include "tensor/dtype.def"
#undef DTYPE
    DTYPE_COUNT
};

str dtype_name(enum dtype d);          /* "FP32"; "NONE" outside the table */
unsigned dtype_bytes(enum dtype d);    /* bytes an element; 0 for BYTES and NONE */
int dtype_config_number(enum dtype d); /* ModelConfig DataType; 0 for NONE */
str dtype_config_name(enum dtype d);   /* "TYPE_FP32"; "TYPE_INVALID" for NONE */
enum dtype dtype_of_name(str name);    /* exact, or DTYPE_NONE */
enum dtype dtype_of_onnx(int onnx);    /* TensorProto.DataType, or DTYPE_NONE */
int dtype_onnx(enum dtype d);          /* the reverse; 0 for NONE */

#endif
