/* fuzz: control config_load making config_value quantity config_address yaml_tree yaml_plain */
/* Whole configurations from memory. What holds for any bytes: an error leaves no settings and has
 * a finding; settings that are made obey the rules that their readers rely on. */
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"

#include "control/config_load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_ends(str s)
{
    must(s.at == NULL ? s.len == 0 : s.at[s.len] == '\0');
}

static void settings_hold(const struct config *c, const struct config_settings *s)
{
    must(s->instances >= 1 && s->threads >= 1 && s->queue >= 1);
    must(s->lane_bytes >= c->limits.body_bytes + s->lane_reply_bytes);
    must(s->request_timeout_ns <= c->admission.request_timeout_max_ns);
}

static void config_holds(const struct config *c)
{
    must(c->server.loops >= 1 && c->server.loops <= 64);
    must(c->listeners.data.addresses.count >= 1 && c->listeners.ops.addresses.count >= 1);
    for (uint32_t i = 0; i < c->listeners.data.addresses.count; i++)
        must(c->listeners.data.addresses.at[i].loopback);
    must((c->logs.event_ring & (c->logs.event_ring - 1)) == 0);
    text_ends(c->server.name);
    text_ends(c->server.runtime_dir);
    settings_hold(c, &c->defaults);
    for (uint32_t i = 0; i < c->model_count; i++) {
        must(config_model_name(c->models[i].name));
        text_ends(c->models[i].name);
        text_ends(c->models[i].path);
        text_ends(c->models[i].version);
        settings_hold(c, &c->models[i].s);
        for (uint32_t k = 0; k < i; k++)
            must(!str_eq(c->models[k].name, c->models[i].name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct config_flags flags = {.blind = true};
    struct config_report report = {0};
    struct fault f = {0};
    struct config *c = NULL;
    if (size > 65536)
        return 0;
    const err code =
        config_parse((str){(const char *)data, size}, "f.yaml", &flags, &c, &report, &f);
    must((code == OK) == (c != NULL));
    must((code == OK) == (report.error_count == 0));
    must(report.count <= CONFIG_NOTES_MAX);
    if (c)
        config_holds(c);
    config_free(c);
    config_report_free(&report);
    return 0;
}
