/* Numbers to decimal text: integers exactly, floats with the fewest digits that read back the same
 * (of these, the nearest), always with a '.' or an exponent so that typed readers see a float.
 * No locale, no allocation, no NUL at the end.
 * thread  any; never blocks
 * source  R. Giulietti, "The Schubfach way to render doubles" (2020), section 9 */
#ifndef GARRISON_PROTO_NUM_WRITE_H
#define GARRISON_PROTO_NUM_WRITE_H

#include <stdint.h>

#define NUM_WRITE_BYTES 32u /* room that every call below may use */

/* Each writes to out (NUM_WRITE_BYTES of room) and returns how many bytes count. */
unsigned num_write_f64(char *out, double v); /* finite */
unsigned num_write_f32(char *out, float v);  /* finite */
unsigned num_write_u64(char *out, uint64_t v);
unsigned num_write_i64(char *out, int64_t v);

#endif
