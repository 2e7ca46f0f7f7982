/* Matching by walking the templates of the table. The table is short, and a template that is read
 * at every request cannot disagree with the one in the documentation. */
#include "serve/router.h"

static const char *allow_of(str method)
{
    if (str_eq(method, STR("GET")))
        return "GET, HEAD";
    return str_eq(method, STR("POST")) ? "POST" : "GET, POST";
}

static bool method_fits(const struct request_head *head, str wanted)
{
    if (str_eq(wanted, STR("ANY")))
        return head->method == METHOD_GET || head->method == METHOD_POST;
    return str_eq(head->method_text, wanted) ||
           (head->method == METHOD_HEAD && str_eq(wanted, STR("GET")));
}

err router_find(const struct request_head *head, enum route_listeners listener, struct arena *arena,
                struct router_match *ret, struct fault *f)
{
    struct path path;
    bool elsewhere = false;
    *ret = (struct router_match){.route = ROUTE_NONE};
    const err e = path_split(head->path, arena, &path, f);
    if (e != OK)
        return e;
    for (enum route r = 0; r < ROUTE_COUNT; r++) {
        const struct route_row *row = route_row(r);
        struct path_match match;
        if (!path_fits(&path, str_of(row->path), &match))
            continue;
        if (!(row->listeners & listener)) {
            elsewhere = true;
            continue;
        }
        *ret = (struct router_match){.route = r, .model = match.model, .version = match.version};
        if (method_fits(head, str_of(row->method)))
            return OK;
        ret->allow = allow_of(str_of(row->method));
        return fail(f, ERR_METHOD, "this path takes %s", ret->allow);
    }
    return fail(f, ERR_NOT_FOUND, "no such path here%s%s",
                elsewhere ? "; it is one of listeners." : "",
                !elsewhere                  ? ""
                : listener == ROUTE_ON_DATA ? "ops"
                                            : "data");
}
