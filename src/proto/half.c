/* Widening by moving bits; a subnormal binary16 is a normal binary32 and is scaled as a number. */
#include "proto/half.h"

#include <string.h>

static float of_bits(uint32_t bits)
{
    float v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

float half_of_f16(uint16_t bits)
{
    const uint32_t sign = (uint32_t)(bits >> 15) << 31;
    const uint32_t exponent = bits >> 10 & 31u;
    const uint32_t fraction = bits & 1023u;

    if (exponent == 31)
        return of_bits(sign | 0x7F800000u | fraction << 13);
    if (exponent == 0)
        return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
    return of_bits(sign | (exponent + 112u) << 23 | fraction << 13);
}

float half_of_bf16(uint16_t bits)
{
    return of_bits((uint32_t)bits << 16);
}
