/* Writing JSON to the end of a chain. Memory that runs out shows in chain.failed.
 * thread  as the chain; never blocks
 * source  RFC 8259 section 7 */
#ifndef GARRISON_PROTO_JSON_PUT_H
#define GARRISON_PROTO_JSON_PUT_H

#include <stdint.h>

#include "proto/chain.h"

/* A string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void json_put_text(struct chain *c, str s);

/* The same without the quotes, for texts in pieces. */
void json_put_part(struct chain *c, str s);

void json_put_u64(struct chain *c, uint64_t v);
void json_put_i64(struct chain *c, int64_t v);

#endif
