/* The raw request of the binary tensor data extension: a body that is one tensor, without JSON.
 * thread  any; never blocks */
#ifndef GARRISON_PROTO_OIP_RAW_H
#define GARRISON_PROTO_OIP_RAW_H

#include "proto/oip.h"

/* Makes the one required input out of the whole body: batch 1, at most one other free dim, solved
 * from the length. r has its signature and inputs; outputs are the caller's.
 * errors  ERR_INPUT: the model does not allow it, or the length does not fit */
MUST_USE err oip_raw_index(str body, struct infer_request *r, struct fault *f);

#endif
