/* `garrison status`: what a server says of itself, as tables for people. Unknown members are passed
 * over, absent ones stay blank, so that servers of other versions can be shown too. */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/scope.h"
#include "proto/json.h"

#include "cli/screen.h"
#include "cli/status_fetch.h"

#define ITEMS_MAX   4096u
#define MEMBERS_MAX 24u
#define ARENA_BYTES (64ull << 20)

/* A flat object: its scalar members, and all of it as it came. */
struct item {
    str key[MEMBERS_MAX];
    str value[MEMBERS_MAX]; /* a text's characters; numbers and bools as written */
    uint32_t count;
    str raw;
};

struct items {
    struct item *at;
    uint32_t count;
};

struct view {
    struct item server;
    struct items models;
    struct items roles;
    struct items listeners;
    struct items warnings;
};

static str member(const struct item *i, const char *key)
{
    for (uint32_t k = 0; k < i->count; k++) {
        if (str_eq(i->key[k], str_of(key)))
            return i->value[k];
    }
    return (str){0};
}

static bool member_true(const struct item *i, const char *key)
{
    return str_eq(member(i, key), STR("true"));
}

static err member_keep(struct json *j, const struct json_token *t, str key, struct item *item,
                       struct arena *arena, struct fault *f)
{
    str value = t->text;
    err code = OK;
    if (t->kind == JSON_OBJECT || t->kind == JSON_ARRAY)
        return json_skip(j, t, f);
    if (t->kind == JSON_STRING)
        code = json_text(t, 65536, arena, &value, f);
    else if (t->kind == JSON_TRUE || t->kind == JSON_FALSE)
        value = t->kind == JSON_TRUE ? STR("true") : STR("false");
    if (code == OK && item->count < MEMBERS_MAX) {
        item->key[item->count] = key;
        item->value[item->count++] = value;
    }
    return code;
}

/* Behind the brace of an object. */
static err item_read(struct json *j, struct item *item, struct arena *arena, struct fault *f)
{
    struct json_token t;
    const char *from = j->at - 1;
    str key;
    for (;;) {
        err code = json_next(j, &t, f);
        if (code)
            return code;
        if (t.kind == JSON_OBJECT_END)
            break;
        code = json_text(&t, 1024, arena, &key, f);
        if (code == OK)
            code = json_next(j, &t, f);
        if (code == OK)
            code = member_keep(j, &t, key, item, arena, f);
        if (code)
            return code;
    }
    item->raw = (str){from, (size_t)(j->at - from)};
    return OK;
}

/* Behind the bracket of a list of objects. */
static err items_read(struct json *j, struct items *items, struct arena *arena, struct fault *f)
{
    struct json_token t;
    items->at = arena_new(arena, struct item, ITEMS_MAX);
    if (!items->at)
        return fail(f, ERR_TOO_BIG, "the status needs more memory than a command grants");
    for (;;) {
        err code = json_next(j, &t, f);
        if (code || t.kind == JSON_ARRAY_END)
            return code;
        if (t.kind != JSON_OBJECT || items->count == ITEMS_MAX)
            return json_fail(j, "no item of a list", f);
        code = item_read(j, &items->at[items->count++], arena, f);
        if (code)
            return code;
    }
}

static struct items *list_of(struct view *v, str key)
{
    if (str_eq(key, STR("models")))
        return &v->models;
    if (str_eq(key, STR("roles")))
        return &v->roles;
    if (str_eq(key, STR("listeners")))
        return &v->listeners;
    return str_eq(key, STR("warnings")) ? &v->warnings : NULL;
}

static err view_read(str body, struct view *v, struct arena *arena, struct fault *f)
{
    const struct json_limits limits = {.depth = 16, .number = 64};
    struct json j = json_over(body, &limits);
    struct json_token t;
    str key;
    err code = json_next(&j, &t, f);
    if (code == OK && t.kind != JSON_OBJECT)
        code = json_fail(&j, "no object", f);
    while (code == OK) {
        code = json_next(&j, &t, f);
        if (code || t.kind == JSON_OBJECT_END)
            break;
        code = json_text(&t, 1024, arena, &key, f);
        if (code == OK)
            code = json_next(&j, &t, f);
        if (code)
            break;
        struct items *list = t.kind == JSON_ARRAY ? list_of(v, key) : NULL;
        code =
            list ? items_read(&j, list, arena, f) : member_keep(&j, &t, key, &v->server, arena, f);
    }
    return code;
}

/* A table of the members that keys names ("name version state"). */
static void table(const struct items *items, const char *keys)
{
    str rest = str_of(keys);
    if (items->count == 0)
        return;
    size_t widths[8] = {0};
    str names[8];
    uint32_t columns = 0;
    while (rest.len && columns < 8) {
        const size_t end = str_find(rest, ' ');
        names[columns] = str_cut(rest, 0, end);
        char key[64];
        (void)snprintf(key, sizeof(key), "%.*s", STR_ARG(names[columns]));
        widths[columns] = screen_width(names[columns]);
        for (uint32_t i = 0; i < items->count; i++) {
            const size_t width = screen_width(member(&items->at[i], key));
            widths[columns] = width > widths[columns] ? width : widths[columns];
        }
        columns++;
        rest = str_cut(rest, end + 1, rest.len);
    }
    (void)fputc('\n', stdout);
    for (uint32_t i = 0; i <= items->count; i++) { /* 0: the head */
        for (uint32_t k = 0; k < columns; k++) {
            char key[64];
            (void)snprintf(key, sizeof(key), "%.*s", STR_ARG(names[k]));
            screen_left(stdout, i ? member(&items->at[i - 1], key) : names[k],
                        k + 1 < columns ? widths[k] + 2 : 0);
        }
        (void)fputc('\n', stdout);
    }
}

static void print_server(const struct cli *c, const struct view *v)
{
    const bool ready = member_true(&v->server, "ready");
    const bool draining = member_true(&v->server, "draining");
    const char *state = draining ? "draining" : ready ? "ready" : "not ready";
    (void)printf("garrison ");
    screen_text(stdout, member(&v->server, "version"));
    (void)printf(", %s%s%s, since ", c->color ? (ready ? "\033[32m" : "\033[33m") : "", state,
                 c->color ? "\033[0m" : "");
    screen_text(stdout, member(&v->server, "started"));
    (void)printf(", sandbox ");
    screen_text(stdout, member(&v->server, "sandbox"));
    (void)fputc('\n', stdout);
}

static const struct item *model_named(const struct view *v, const char *name)
{
    for (uint32_t i = 0; i < v->models.count; i++) {
        if (str_eq(member(&v->models.at[i], "name"), str_of(name)))
            return &v->models.at[i];
    }
    return NULL;
}

static void print_model(const struct item *m)
{
    for (uint32_t k = 0; k < m->count; k++) {
        screen_left(stdout, m->key[k], 14);
        screen_text(stdout, m->value[k]);
        (void)fputc('\n', stdout);
    }
}

static void print_all(const struct cli *c, const struct view *v)
{
    print_server(c, v);
    table(&v->models, "name version state unsigned digest");
    table(&v->roles, "role model state restarts rss_bytes");
    table(&v->listeners, "serves address");
    for (uint32_t i = 0; i < v->warnings.count; i++) {
        (void)printf("%swarning: ", i ? "" : "\n");
        screen_text(stdout, member(&v->warnings.at[i], "code"));
        (void)fputs(": ", stdout);
        screen_text(stdout, member(&v->warnings.at[i], "text"));
        (void)fputc('\n', stdout);
    }
}

static err show(const struct cli *c, const char *name, str body, struct fault *f)
{
    SCOPED(arena_free)
    struct arena arena;
    struct view v = {0};
    const struct item *m = NULL;
    arena_init(&arena, ARENA_BYTES);
    err code = view_read(body, &v, &arena, f);
    if (code)
        return code;
    if (name) {
        m = model_named(&v, name);
        if (!m)
            return fail(f, ERR_NOT_FOUND, "no model \"%.128s\"; want one of `garrison status`",
                        name);
    }
    if (c->json)
        (void)printf("%.*s\n", STR_ARG(m ? m->raw : body));
    else if (m)
        print_model(m);
    else
        print_all(c, &v);
    return OK;
}

static err once(const struct cli *c, const char *name, struct fault *f)
{
    SCOPED(free_undo)
    char *body = NULL;
    size_t len = 0;
    const err code = status_fetch(c, &body, &len, f);
    return code ? code : show(c, name, (str){body, len}, f);
}

static int probe(const struct cli *c, const char *which)
{
    struct fault f = {0};
    const err code = status_probe(c, which, &f);
    if (code)
        return cli_fail(c, which, code, f.text);
    if (!c->quiet)
        (void)printf("%s%s%s\n", c->json ? "{\"" : "", which, c->json ? "\":true}" : "");
    return 0;
}

int command_status(const struct cli *c)
{
    const char *which = cli_value(c, "--probe");
    const char *name = c->arg_count ? c->args[0] : NULL;
    const bool watch = cli_value(c, "--watch") != NULL;
    if (which && (name || watch))
        return cli_fail(c, "status", ERR_INPUT, "--probe with more; want it alone");
    if (which)
        return probe(c, which);
    for (;;) {
        struct fault f = {0};
        if (watch && !c->json && isatty(STDOUT_FILENO))
            (void)fputs("\033[H\033[J", stdout);
        const err code = once(c, name, &f);
        if (code)
            return cli_fail(c, "status", code, f.text);
        if (!watch)
            return 0;
        (void)fflush(stdout);
        const struct timespec second = {.tv_sec = 1};
        (void)nanosleep(&second, NULL);
    }
}
