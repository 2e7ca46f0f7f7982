/* The gate of the first wave: no access section exists yet, so a caller on loopback is anonymous,
 * has the roles caller and viewer, and everybody else has nothing. The Host and Origin checks stop
 * a web page from reaching a loopback port through DNS rebinding. */
#include "serve/gate.h"

#include "net/conn.h"
#include "serve/front.h"
#include "serve/front_loop.h"
#include "serve/http.h"
#include "serve/account.h"

struct permit {
    enum permission permission;
};

enum role_bit { ROLE_CALLER = 1, ROLE_VIEWER = 2 };

/* Which roles hold a permission; a permission without a row is held by none. */
static const unsigned holders[] = {
    [PERMISSION_PUBLIC] = 0, /* nobody needs to hold it */
    [PERMISSION_SELF] = ROLE_CALLER | ROLE_VIEWER,
    [PERMISSION_READ] = ROLE_CALLER | ROLE_VIEWER,
    [PERMISSION_INFER] = ROLE_CALLER,
    [PERMISSION_OBSERVE] = ROLE_VIEWER,
};

static const struct permit permits[] = {
    [PERMISSION_PUBLIC] = {PERMISSION_PUBLIC},   [PERMISSION_SELF] = {PERMISSION_SELF},
    [PERMISSION_READ] = {PERMISSION_READ},       [PERMISSION_INFER] = {PERMISSION_INFER},
    [PERMISSION_OBSERVE] = {PERMISSION_OBSERVE},
};

/* The host part of "host", "host:port" or "[v6]:port". */
static str host_of(str authority)
{
    if (authority.len > 0 && authority.at[0] == '[') {
        const size_t end = str_find(authority, ']');
        return str_cut(authority, 1, end);
    }
    return str_cut(authority, 0, str_find(authority, ':'));
}

/* localhost, 127.0.0.0/8 as a dotted quad, or ::1. */
static bool is_local_name(str host)
{
    if (!str_starts(host, STR("127.")))
        return str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("::1"));
    for (size_t i = 0; i < host.len; i++) {
        if (host.at[i] != '.' && (host.at[i] < '0' || host.at[i] > '9'))
            return false;
    }
    return true;
}

static bool is_local_origin(str origin)
{
    for (size_t i = 0; i + 2 < origin.len; i++) {
        if (memcmp(origin.at + i, "://", 3) == 0)
            return is_local_name(host_of(str_cut(origin, i + 3, origin.len)));
    }
    return false;
}

static err who(struct call *c, unsigned *ret_roles)
{
    const struct address peer = conn_peer(http_conn(c->http));
    const struct address client = conn_client(http_conn(c->http));
    str value;
    if (request_field(c->head, STR("authorization"), &value))
        return fail(&c->fault, ERR_NO_CALLER, "no credential is known to this server yet");
    if (!address_is_loopback(&peer) || !address_is_loopback(&client))
        return fail(&c->fault, ERR_NO_CALLER, "a credential is needed");
    if (c->head->host.len > 0 && !is_local_name(host_of(c->head->host)))
        return fail(&c->fault, ERR_DENIED, "Host \"%.*s\" is not this machine's loopback",
                    STR_ARG(str_cut(c->head->host, 0, 100)));
    if (request_field(c->head, STR("origin"), &value) && !is_local_origin(value))
        return fail(&c->fault, ERR_DENIED, "Origin \"%.*s\" is not this machine's loopback",
                    STR_ARG(str_cut(value, 0, 100)));
    *ret_roles = ROLE_CALLER | ROLE_VIEWER;
    return OK;
}

static err where(struct call *c)
{
    struct front_loop *l = c->owner;
    if (c->match.model.len == 0 || c->route == ROUTE_load || c->route == ROUTE_unload ||
        c->route == ROUTE_model_trace)
        return OK;
    return routing_find(l->routing, c->match.model, c->match.version, front_loop_random(l),
                        &c->target, &c->fault);
}

err gate_pass(struct call *c, const struct permit **ret_permit)
{
    struct front_loop *l = c->owner;
    err e = router_find(c->head, l->front->side, &c->arena, &c->match, &c->fault);
    c->route = c->match.route;
    if (e != OK)
        return e;
    const enum permission need = route_row(c->route)->permission;
    if (l->routing)
        c->routing = routing_take(l->routing);
    if (need != PERMISSION_PUBLIC) {
        unsigned roles = 0;
        e = who(c, &roles);
        if (e == OK && !(holders[need] & roles))
            e = fail(&c->fault, ERR_DENIED, "the caller may not do this");
        account_auth(l, e);
        if (e != OK)
            return e;
    }
    e = where(c);
    if (e != OK)
        return e;
    *ret_permit = &permits[need];
    return OK;
}

void gate_look(struct call *c, bool whole)
{
    struct front_loop *l = c->owner;
    const struct fault kept = c->fault;
    unsigned roles = 0;
    err e = router_find(c->head, l->front->side, &c->arena, &c->match, &c->fault);
    c->route = c->match.route;
    if (e == OK && whole && l->routing) {
        c->routing = routing_take(l->routing);
        e = who(c, &roles);
        if (e == OK && holders[route_row(c->route)->permission] & roles)
            (void)!where(c);
    }
    c->fault = kept;
}
