/* HTTP/1.1 on one connection: bytes in, one request at a time, replies in order.
 * thread  the connection's loop; never blocks
 * source  RFC 9112 */
#ifndef GARRISON_SERVE_HTTP_H
#define GARRISON_SERVE_HTTP_H

#include "serve/call.h"

struct http;

/* Begins to serve an accepted connection; closes it when memory is out. */
void http_accept(struct front_loop *l, struct conn *c);

struct conn *http_conn(struct http *h);
struct http *http_next(struct http *h); /* in the loop's list */
struct call *http_call(struct http *h);

/* Writes head and body of the call's reply and goes on with the next request. */
void http_reply(struct http *h);

/* Goes on with bytes that came while a request was under way. */
void http_pump(struct http *h);

/* A call that was away (CALL_AWAY) has come back: false when its connection is gone, and with it
 * the call. */
bool http_back(struct http *h);

/* Ends what is too slow or too long idle. now_ns is the loop's turn. */
void http_sweep(struct http *h, uint64_t now_ns);

void http_abort(struct http *h); /* closes now */

#endif
