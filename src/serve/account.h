/* What is counted and told of requests: cells, one event a request, the statistics that clients ask
 * for. The only file of this room that knows the metrics; nothing here changes an answer.
 * thread  the loop's own where a loop or call is passed; never blocks */
#ifndef GARRISON_SERVE_ACCOUNT_H
#define GARRISON_SERVE_ACCOUNT_H

#include "proto/oip_meta.h"
#include "serve/call.h"

#define ACCOUNT_BATCHES_MAX 96u

struct front;
struct front_loop;
struct account_front; /* metrics segment and texts of one front */
struct account;       /* cells and event ring of one loop */

enum account_rejected { ACCOUNT_SLOW, ACCOUNT_PROTOCOL };

/* Maps the metrics segment and opens the watch side; then, for each loop, its part. */
MUST_USE err account_front_open(struct front *front, int cells_fd, int series_fd, struct fault *f);
MUST_USE err account_loop_open(struct front_loop *l, struct fault *f);
void account_front_close(struct front *front); /* the last lines go out */

/* A request's head is here, or all of it that will come: its id and trace, one more in flight. */
void account_begin(struct call *c);

uint64_t account_in_flight(const struct front *front); /* of all its loops; any thread */

/* A request is over: reply handed to the connection at now_ns, or cancelled. Counts it and writes
 * its event. */
void account_call(struct call *c, uint64_t now_ns);

/* Publishes queue and lane of a version on this loop. */
void account_backend(struct front_loop *l, const struct backend *b);

void account_auth(struct front_loop *l, err e);                         /* a decision of the gate */
void account_connection(struct front_loop *l, int change);              /* opened 1, closed -1 */
void account_rejected(struct front_loop *l, enum account_rejected why); /* a connection ended */
void account_run_failed(struct call *c, const char *text);              /* a model's own failure */

/* Fills the counts of one version; batches is room for ACCOUNT_BATCHES_MAX rows that *ret points
 * to. false: nothing is counted for it yet. */
bool account_stats(const struct front *front, const struct snapshot_version *v,
                   struct model_stats *ret, struct batch_stats *batches);

#endif
