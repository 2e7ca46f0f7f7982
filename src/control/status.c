/* The answer to `status`: members of the first wave, as JSON. */
#include <stdio.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/text.h"
#include "control/gauges.h"
#include "control/parts.h"
#include "engine/sandbox.h"

static void key(struct text *t, const char *name)
{
    if (t->len > 0 && t->at[t->len - 1] != '{' && t->at[t->len - 1] != '[')
        text_char(t, ',');
    text_json(t, str_of(name));
    text_char(t, ':');
}

static void put_text(struct text *t, const char *name, str value)
{
    key(t, name);
    text_json(t, value);
}

static void put_bool(struct text *t, const char *name, bool value)
{
    key(t, name);
    text_put(t, value ? STR("true") : STR("false"));
}

static void put_number(struct text *t, const char *name, uint64_t value)
{
    key(t, name);
    text_u64(t, value);
}

static void open_item(struct text *t)
{
    if (t->len > 0 && t->at[t->len - 1] == '}')
        text_char(t, ',');
    text_char(t, '{');
}

static void put_model(struct text *t, const struct model *m)
{
    char hex[8 + 2 * DIGEST_BYTES] = "sha256:";
    struct text digest = text_over(hex, sizeof hex);
    digest.len = 7;
    text_hex(&digest, m->digest, DIGEST_BYTES);
    open_item(t);
    put_text(t, "name", m->cfg->name);
    put_text(t, "version", m->cfg->version);
    if (m->digest_known)
        put_text(t, "digest", text_str(&digest));
    put_bool(t, "unsigned", true);
    put_text(t, "state", str_of(version_state_name(model_state_shown(&m->state))));
    if (m->state.reason[0])
        put_text(t, "reason", str_of(m->state.reason));
    if (m->state.text[0])
        put_text(t, "text", str_of(m->state.text));
    put_bool(t, "batches", m->loaded && m->loaded->batches);
    put_number(t, "restarts", m->restarts);
    if (m->load_ns) {
        key(t, "load_s");
        text_format(t, "%.3f", (double)m->load_ns / 1e9);
    }
    put_number(t, "budget_bytes", m->budget_bytes);
    if (m->child)
        put_number(t, "rss_bytes", child_usage(m->child).anon_bytes);
    text_char(t, '}');
}

/* model: whose worker it is, else empty. */
static void put_role(struct text *t, const char *name, str model, const struct child *c, bool up,
                     uint32_t restarts)
{
    const struct child_usage u = c ? child_usage(c) : (struct child_usage){0};
    open_item(t);
    put_text(t, "role", str_of(name));
    if (model.len)
        put_text(t, "model", model);
    put_text(t, "state", !c ? STR("backoff") : up ? STR("up") : STR("starting"));
    if (c)
        put_number(t, "pid", (uint64_t)child_pid(c));
    put_number(t, "restarts", restarts);
    put_number(t, "rss_bytes", u.anon_bytes + u.file_bytes + u.shmem_bytes);
    key(t, "cpu_s");
    text_format(t, "%.3f", (double)u.cpu_ns / 1e9);
    text_char(t, '}');
}

static void put_keeper(struct text *t, const struct keeper *k)
{
    const struct child_usage u = gauges_self(k->gauges);
    open_item(t);
    put_text(t, "role", STR("keeper"));
    put_text(t, "state", STR("up"));
    put_number(t, "pid", (uint64_t)getpid());
    put_number(t, "restarts", 0);
    put_number(t, "rss_bytes", u.anon_bytes + u.file_bytes + u.shmem_bytes);
    key(t, "cpu_s");
    text_format(t, "%.3f", (double)u.cpu_ns / 1e9);
    text_char(t, '}');
}

static void put_listeners(struct text *t, const struct front *fr, str serves)
{
    for (uint32_t i = 0; i < fr->address_count; i++) {
        open_item(t);
        put_text(t, "name", serves);
        put_text(t, "serves", serves);
        put_text(t, "address", str_of(fr->address[i]));
        put_bool(t, "tls", false);
        text_char(t, '}');
    }
}

static void put_warning(struct text *t, const char *code, const char *text)
{
    open_item(t);
    put_text(t, "code", str_of(code));
    put_text(t, "text", str_of(text));
    text_char(t, '}');
}

static void put_warnings(struct text *t, const struct keeper *k)
{
    if (k->sandbox_why[0])
        put_warning(t, "sandbox", k->sandbox_why);
    for (uint32_t i = 0; i < k->model_count; i++) {
        const struct model *m = &k->models[i];
        char text[CONFIG_NAME_BYTES + FAULT_TEXT_BYTES + 16];
        if (!model_state_over(&m->state))
            continue;
        (void)snprintf(text, sizeof text, "model \"%.*s\": %s", STR_ARG(m->cfg->name),
                       m->state.text);
        put_warning(t, version_state_name(model_state_shown(&m->state)), text);
    }
}

void status_write(const struct keeper *k, struct text *t)
{
    text_char(t, '{');
    put_text(t, "version", STR(GARRISON_VERSION));
    put_text(t, "build", STR(BUILD_ID_HEX));
    key(t, "started");
    text_char(t, '"');
    text_time(t, k->began_us);
    text_char(t, '"');
    put_bool(t, "ready", keeper_ready(k));
    put_bool(t, "draining", k->drain.phase != DRAIN_NOT);
    put_text(t, "sandbox",
             !k->sandbox_ok && k->sandbox_why[0]
                 ? STR("degraded")
                 : str_of(sandbox_level_name((enum sandbox_level)k->sandbox_level)));
    put_text(t, "data_dir", str_of(k->dir.path));
    put_text(t, "socket", str_of(k->dir.socket));
    key(t, "models");
    text_char(t, '[');
    for (uint32_t i = 0; i < k->model_count; i++)
        put_model(t, &k->models[i]);
    text_char(t, ']');
    key(t, "roles");
    text_char(t, '[');
    put_keeper(t, k);
    put_role(t, "data_front", STR(""), k->data.child, k->data.up, k->data.restarts);
    put_role(t, "ops_front", STR(""), k->ops.child, k->ops.up, k->ops.restarts);
    for (uint32_t i = 0; i < k->model_count; i++)
        if (k->models[i].child && !k->models[i].reader)
            put_role(t, "worker", k->models[i].cfg->name, k->models[i].child,
                     k->models[i].state.phase == MODEL_READY, k->models[i].restarts);
    text_char(t, ']');
    key(t, "listeners");
    text_char(t, '[');
    put_listeners(t, &k->data, STR("data"));
    put_listeners(t, &k->ops, STR("ops"));
    text_char(t, ']');
    key(t, "warnings");
    text_char(t, '[');
    put_warnings(t, k);
    text_put(t, STR("]}\n"));
}
