/* GET /metrics: asks the watch side for the page and answers when it comes. The page is made on
 * another thread, so the loop goes on serving. */
#include <stdlib.h>

#include "serve/account.h"
#include "serve/front.h"
#include "serve/front_loop.h"
#include "serve/handler.h"
#include "serve/http.h"

struct scrape {
    struct call *call;
    struct front_loop *loop;
    struct watch_page page;
};

/* On the loop again. */
static void page_ready(void *arg)
{
    struct scrape *s = arg;
    struct call *c = s->call;
    if (http_back(c->http)) {
        c->state = CALL_BODY;
        c->reply.type = s->page.type;
        if (s->page.bytes)
            chain_put(&c->body_chain, (str){s->page.bytes, s->page.len});
        else
            c->body_chain.failed = true;
        call_answer(c);
    }
    free(s->page.bytes);
    free(s);
}

/* On the watch side's thread. */
static void page_made(void *arg, const struct watch_page *page)
{
    struct scrape *s = arg;
    s->page = *page;
    if (loop_post(s->loop->loop, page_ready, s, NULL) != OK)
        abort(); /* without memory for a job nobody could be answered */
}

void serve_metrics(struct call *c, const struct permit *permit)
{
    (void)permit;
    const struct front *front = c->owner->front;
    str accept = {NULL, 0};
    struct scrape *s = calloc(1, sizeof(*s));
    if (!s) {
        call_fail_pair(c, PAIR_REJECTED_NOT_READY, "out of memory");
        return;
    }
    (void)request_field(c->head, STR("accept"), &accept);
    *s = (struct scrape){.call = c, .loop = c->owner};
    c->state = CALL_AWAY;
    if (front->watch_calls->page(front->watch, accept, page_made, s, &c->fault) != OK) {
        free(s);
        c->state = CALL_BODY;
        call_fail(c);
    }
}
