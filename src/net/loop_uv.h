/* The libuv loop inside a loop, for the other nouns of this room alone.
 * thread  the loop's own */
#ifndef GARRISON_NET_LOOP_UV_H
#define GARRISON_NET_LOOP_UV_H

#include "net/loop.h"

struct uv_loop_s;
struct uv_loop_s *loop_uv(struct loop *l);

#endif
