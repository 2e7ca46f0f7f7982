/* The two 16-bit floats, widened exactly to FP32.
 * thread  any
 * source  IEEE 754-2008 binary16; bfloat16: the upper half of a binary32 */
#ifndef GARRISON_PROTO_HALF_H
#define GARRISON_PROTO_HALF_H

#include <stdint.h>

float half_of_f16(uint16_t bits);  /* subnormals, infinities and NaN included */
float half_of_bf16(uint16_t bits); /* likewise */

#endif
