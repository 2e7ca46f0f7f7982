/* The handlers of the ops front that tell of the server: the keeper's status, the document that
 * was built in. */
#include "serve/front.h"
#include "serve/handler.h"
#include "serve/openapi.h"

void serve_openapi(struct call *c, const struct permit *permit)
{
    (void)permit;
    const str document = openapi_document();
    chain_borrow(&c->body_chain, document.at, document.len);
    call_answer(c);
}

void serve_status(struct call *c, const struct permit *permit)
{
    (void)permit;
    front_ask_status(c);
}
