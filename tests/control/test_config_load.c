/* Whole configurations: what is refused and where, then what is taken. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/config_load.h"
#include "control/config_table.h"

/* Parses text as file "g.yaml" without looking at models; joins the findings by line ends. */
static err parse(const char *text, struct config **ret, char *notes, size_t cap)
{
    const struct config_flags flags = {.blind = true};
    struct config_report report = {0};
    struct fault f = {0};
    const err code = config_parse(str_of(text), "g.yaml", &flags, ret, &report, &f);
    notes[0] = '\0';
    for (uint32_t i = 0; i < report.count; i++) {
        const size_t used = strlen(notes);
        (void)snprintf(notes + used, cap - used, "%s\n", report.notes[i].text);
    }
    assert_int_equal(code != OK, report.error_count != 0);
    config_report_free(&report);
    return code;
}

struct refusal {
    const char *text;
    const char *notes;
};

static void refuse_all(const struct refusal *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct config *c = NULL;
        char notes[8192];
        assert_int_equal(parse(all[i].text, &c, notes, sizeof(notes)), ERR_INPUT);
        assert_null(c);
        assert_string_equal(notes, all[i].notes);
    }
}

static void config__refuses_what_the_reference_shows(void **state)
{
    (void)state;
    const struct refusal all[] = {
        {"listeners:\n  data: {adresses: [0.0.0.0:8000]}\nlimits:\n  body: 64MB\n",
         "g.yaml:2:10: error: listeners.data.adresses: unknown key; want a known one, the nearest "
         "is addresses\n"
         "g.yaml:4:9: error: limits.body: \"64MB\" is not a size; want digits and B, KiB, MiB, GiB "
         "or TiB, 1KiB..2GiB, such as 64MiB\n"},
    };
    refuse_all(all, 1);
}

static void config__refuses_decorated_yaml(void **state)
{
    (void)state;
    const struct refusal all[] = {
        {"server: {name: &a x}\n",
         "g.yaml:1:16: error: an anchor (&) stands here; want the value alone\n"},
        {"server: {name: !!str x}\n",
         "g.yaml:1:16: error: a tag (!) stands here; want the value alone\n"},
        {"server: !x {name: x}\n",
         "g.yaml:1:9: error: a tag (!) stands here; want the value alone\n"},
        {"server: {name: *a}\n",
         "g.yaml:1:16: error: an alias (*) stands here; want the value, or quotes round a text\n"},
        {"server: {<<: {name: x}}\n",
         "g.yaml:1:10: error: a merge key (<<) stands here; want the keys themselves\n"},
        {"server:\n  name: |\n    x\n",
         "g.yaml:2:9: error: a block scalar (| or >) stands here; want the text on one line\n"},
        {"server:\n  name: >\n    x\n",
         "g.yaml:2:9: error: a block scalar (| or >) stands here; want the text on one line\n"},
        {"server: {name: x, name: y}\n",
         "g.yaml:1:19: error: \"name\" stands twice in this map; want once\n"},
        {"server: {name: }\n",
         "g.yaml:1:16: error: an empty value stands here; leave the key out for the default\n"},
        {"drain:\n",
         "g.yaml:1:7: error: an empty value stands here; leave the key out for the default\n"},
        {"server: {name: ~}\n", "g.yaml:1:16: error: null stands here; leave the key out for the "
                                "default, or quote it as a text\n"},
        {"server: {loops: Null}\n", "g.yaml:1:17: error: null stands here; leave the key out for "
                                    "the default, or quote it as a text\n"},
        {"%YAML 1.1\n---\nserver: {name: x}\n",
         "g.yaml:1:1: error: a directive (%) stands here; want none\n"},
        {"server: {name: x}\n---\nserver: {name: x}\n",
         "g.yaml:2:1: error: a second document begins; want one\n"},
        {"{[a]: b}\n", "g.yaml:1:2: error: a map or list stands as a key; want a name\n"},
        {"- a\n", "g.yaml:1:1: error: no map stands here; want keys and values, such as "
                  "server: ..\n"},
        {"text\n", "g.yaml:1:1: error: no map stands here; want keys and values, such as "
                   "server: ..\n"},
        {"server: {\xff: x}\n", "g.yaml:1:10: error: a byte that is not UTF-8; want UTF-8 YAML\n"},
        {"server: {name: \"\x01\"}\n",
         "g.yaml:1:17: error: not YAML, control characters are not allowed; want UTF-8 YAML\n"},
    };
    refuse_all(all, sizeof(all) / sizeof(all[0]));
}

static void config__refuses_text_that_other_tools_change(void **state)
{
    (void)state;
    static const char *const words[] = {
        "1.10", "on",    "off", "yes", "No", "TRUE", "y",    "22:00", "1:30:00",    "0x1f", "017",
        "1e3",  "1_000", ".5",  "5.",  "-1", "+12",  ".inf", ".NaN",  "2026-09-12", "=",    "0b1",
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        char text[128];
        char notes[1024];
        struct config *c = NULL;
        (void)snprintf(text, sizeof(text), "server: {name: %s}\n", words[i]);
        assert_int_equal(parse(text, &c, notes, sizeof(notes)), ERR_INPUT);
        assert_non_null(strstr(notes, "g.yaml:1:16: error: server.name: "));
        assert_non_null(strstr(notes, "without quotes"));
        (void)snprintf(text, sizeof(text), "server: {name: \"%s\"}\n", words[i]);
        assert_int_equal(parse(text, &c, notes, sizeof(notes)), OK);
        assert_string_equal(c->server.name.at, words[i]);
        config_free(c);
    }
    static const char *const texts[] = {"1.2.3", "a1", "10.0.0.1", "1.4.0-rc", "nope", "v2", "1-2"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char text[128];
        char notes[1024];
        struct config *c = NULL;
        (void)snprintf(text, sizeof(text), "server: {name: %s}\n", texts[i]);
        assert_int_equal(parse(text, &c, notes, sizeof(notes)), OK);
        assert_string_equal(c->server.name.at, texts[i]);
        config_free(c);
    }
}

static void config__counts_columns_in_characters(void **state)
{
    (void)state;
    const struct refusal all[] = {
        {"server: {name: \"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\", loops: x}\n",
         "g.yaml:1:30: error: server.loops: \"x\" is not a whole number; want decimal digits, "
         "1..64, such as 1\n"},
        {"# \xe2\x82\xac\n\nserver:\n  \xc3\xa4: 1\n",
         "g.yaml:4:3: error: server.\xc3\xa4: unknown key; want a known one\n"},
        {"server: {name: \"\xe2\x82\xac\", \xff}",
         "g.yaml:1:21: error: a byte that is not UTF-8; want UTF-8 YAML\n"},
    };
    refuse_all(all, sizeof(all) / sizeof(all[0]));
}

static void config__refuses_unknown_keys_and_names_the_nearest(void **state)
{
    (void)state;
    const struct refusal all[] = {
        {"modles: {}\n",
         "g.yaml:1:1: error: modles: unknown key; want a known one, the nearest is models\n"},
        {"models: {a: {path: x, instnaces: 1}}\n",
         "g.yaml:1:23: error: models.a.instnaces: unknown key; want a known one, the nearest is "
         "instances\n"},
        {"defaults: {slo: {latncy: 1s}}\n",
         "g.yaml:1:18: error: defaults.slo.latncy: unknown key; want a known one, the nearest is "
         "latency\n"},
        {"zzzzz: 1\n", "g.yaml:1:1: error: zzzzz: unknown key; want a known one\n"},
        {"listeners: {grpc: {addresses: [127.0.0.1:1]}}\n",
         "g.yaml:1:13: error: listeners.grpc: unknown key; want a known one\n"},
        {"server: 1\n", "g.yaml:1:9: error: server: a value stands here; want a map of keys\n"},
        {"models: [a]\n", "g.yaml:1:9: error: models: a list stands here; want a map of names\n"},
        {"models: {a: x}\n", "g.yaml:1:13: error: models.a: a value stands here; want a map with "
                             "path\n"},
        {"models: {a: {}}\n",
         "g.yaml:1:10: error: models.a.path: missing; want the model's .onnx file\n"},
        {"models: {on: {path: x}}\n",
         "g.yaml:1:10: error: models.on: on without quotes is a bool to other YAML tools; want "
         "\"on\"\n"},
        {"models: {stats: {path: x}}\n",
         "g.yaml:1:10: error: models.stats: not a name of a model; want 1..128 of A-Z a-z 0-9 . _ "
         "-, not . or - first, not stats\n"},
    };
    refuse_all(all, sizeof(all) / sizeof(all[0]));
}

static void config__refuses_rows_that_contradict(void **state)
{
    (void)state;
    const struct refusal all[] = {
        {"listeners: {data: {addresses: [0.0.0.0:8000]}}\n",
         "g.yaml:1:31: error: listeners.data.addresses: 0.0.0.0:8000 is beyond loopback; want "
         "127.0.0.1 or [::1] only until access control is built\n"},
        {"listeners: {ops: {addresses: [\"127.0.0.1:8000\"]}}\n",
         "g.yaml:1:30: error: listeners.ops.addresses: 127.0.0.1:8000 stands twice; want it "
         "once\n"},
        {"listeners: {ops: {serves: data}}\n", "g.yaml:1:27: error: listeners.ops.serves: \"data\" "
                                               "leaves no listener for ops; want ops\n"},
        {"limits: {body: 96MiB}\n",
         "g.yaml:1:16: error: defaults.lane: 100663296B; want at least limits.body + lane_reply, "
         "which is 101711872B\n"},
        {"models: {a: {path: x, lane: 1MiB}}\n",
         "g.yaml:1:29: error: models.a.lane: 1048576B; want at least limits.body + lane_reply, "
         "which is 68157440B\n"},
        {"models: {a: {path: x, request_timeout: 6m}}\n",
         "g.yaml:1:40: error: models.a.request_timeout: 360000ms; want at most "
         "admission.request_timeout_max, which is 300000ms\n"},
        {"admission: {request_timeout_max: 10s}\n",
         "g.yaml:1:34: error: defaults.request_timeout: 30000ms; want at most "
         "admission.request_timeout_max, which is 10000ms\n"},
        {"logs: {event_ring: 1000}\n",
         "g.yaml:1:20: error: logs.event_ring: 1000 is no power of two; want one, such as 8192\n"},
        {"models: {a: {path: x, version: \"-1\"}}\n",
         "g.yaml:1:32: error: models.a.version: \"-1\" is not a version; want 0-9 A-Z a-z . _ + -, "
         "a digit or letter first\n"},
    };
    refuse_all(all, sizeof(all) / sizeof(all[0]));
}

static void config__refuses_paths_that_climb_or_want_a_shell(void **state)
{
    (void)state;
    static const char *const paths[] = {"../x", "/a/../b", "a/..", "~/x", "$HOME/x", "\"\""};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char text[128];
        char notes[1024];
        struct config *c = NULL;
        (void)snprintf(text, sizeof(text), "models: {a: {path: %s}}\n", paths[i]);
        assert_int_equal(parse(text, &c, notes, sizeof(notes)), ERR_INPUT);
        assert_non_null(strstr(notes, "g.yaml:1:20: error: models.a.path: "));
    }
}

static void config__refuses_depth_nodes_and_reports_at_most_50(void **state)
{
    (void)state;
    char notes[65536];
    struct config *c = NULL;
    char deep[200] = "a: ";
    for (int i = 0; i < 16; i++)
        (void)strcat(deep, "[");
    assert_int_equal(parse(deep, &c, notes, sizeof(notes)), ERR_INPUT);
    assert_string_equal(notes, "g.yaml:1:19: error: more than 16 levels; want fewer\n");

    char *many = malloc(200000);
    assert_non_null(many);
    size_t used = (size_t)sprintf(many, "a: [");
    for (int i = 0; i < 20001; i++)
        used += (size_t)sprintf(many + used, "x, ");
    (void)sprintf(many + used, "]\n");
    assert_int_equal(parse(many, &c, notes, sizeof(notes)), ERR_INPUT);
    assert_non_null(strstr(notes, "more than 20000 nodes"));

    used = 0;
    for (int i = 0; i < 60; i++)
        used += (size_t)sprintf(many + used, "zzzz%d: 1\n", i);
    assert_int_equal(parse(many, &c, notes, sizeof(notes)), ERR_INPUT);
    uint32_t lines = 0;
    for (const char *at = notes; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 50);
    free(many);
}

static void config__takes_an_empty_file_as_all_defaults(void **state)
{
    (void)state;
    char notes[256];
    struct config *c = NULL;
    assert_int_equal(parse("# nothing\n", &c, notes, sizeof(notes)), OK);
    assert_string_equal(c->server.name.at, "garrison");
    assert_in_range(c->server.loops, 1, 8);
    assert_string_equal(c->server.data_dir.at, "/var/lib/garrison");
    assert_string_equal(c->server.runtime_dir.at, "/run/garrison");
    assert_false(c->server.data_dir_temporary);
    assert_int_equal(c->site.environment.len, 0);
    assert_true(c->site.replica.len > 0);
    assert_int_equal(c->listeners.data.addresses.count, 2);
    assert_string_equal(c->listeners.data.addresses.at[1].text, "127.0.0.1:8001");
    assert_int_equal(c->listeners.ops.addresses.at[0].port, 8002);
    assert_int_equal(c->limits.body_bytes, 64u << 20);
    assert_int_equal(c->limits.idle_time_ns, 75000000000ull);
    assert_int_equal(c->limits.body_rate_bytes_per_s, 1024);
    assert_true(c->admission.body_share == 0.25);
    assert_int_equal(c->worker.quarantine.count, 5);
    assert_int_equal(c->worker.quarantine.period_ns, 60000000000ull);
    assert_int_equal(c->defaults.slo_latency_ns, 250000000ull);
    assert_int_equal(c->defaults.memory_bytes, 0);
    assert_true(c->defaults.batching);
    assert_int_equal(c->logs.level, CONFIG_LOG_INFO);
    assert_int_equal(c->logs.stdout_set, 3);
    assert_int_equal(config_stop_ns(c), 60000000000ull);
    assert_true(c->memory.limit_bytes > 0);
    config_free(c);
}

static void config__takes_the_newcomers_file(void **state)
{
    (void)state;
    static const char text[] = "models:\n"
                               "  fraud:\n"
                               "    path: fraud.onnx       # beside this file\n"
                               "    max_batch_size: 32     # only where rows stand alone\n"
                               "    queue: 7\n"
                               "  churn:\n"
                               "    path: /m/churn.onnx\n"
                               "    slo: {latency: 1ms}\n"
                               "defaults: {queue: 9, instances: 2}\n"
                               "drain:\n"
                               "  delay: 0s                # no load balancer in front\n";
    const struct config_flags flags = {.blind = true};
    struct config_report report = {0};
    struct fault f = {0};
    struct config *c = NULL;
    assert_int_equal(config_parse(STR(text), "/etc/g/g.yaml", &flags, &c, &report, &f), OK);
    assert_int_equal(c->model_count, 2);
    assert_string_equal(c->models[0].name.at, "fraud");
    assert_string_equal(c->models[0].path.at, "/etc/g/fraud.onnx");
    assert_int_equal(c->models[0].max_batch_size, 32);
    assert_string_equal(c->models[0].version.at, "1");
    assert_int_equal(c->models[0].s.queue, 7);
    assert_int_equal(c->models[0].s.instances, 2); /* defaults stand behind models, and count */
    assert_string_equal(c->models[1].path.at, "/m/churn.onnx");
    assert_int_equal(c->models[1].s.queue, 9);
    assert_int_equal(c->models[1].s.slo_latency_ns, 1000000);
    assert_int_equal(c->drain.delay_ns, 0);
    assert_string_equal(c->file.at, "/etc/g/g.yaml");
    config_free(c);
    config_report_free(&report);
}

static void config__lets_flags_replace_and_add(void **state)
{
    (void)state;
    const struct config_flag at[] = {
        {"--listen", "127.0.0.1:0"}, {"--listen", "[::1]:9000"}, {"--log-level", "debug"},
        {"--data-dir", "d"},         {"--model", "b=../b.onnx"}, {"FILE", "./x/c.onnx"},
    };
    const struct config_flags flags = {.at = at, .count = 6, .blind = true};
    struct config_report report = {0};
    struct fault f = {0};
    struct config *c = NULL;
    static const char text[] = "models: {a: {path: a.onnx}}\nlogs: {level: error}\n";
    assert_int_equal(config_parse(STR(text), "g.yaml", &flags, &c, &report, &f), OK);
    assert_int_equal(c->listeners.data.addresses.count, 2);
    assert_string_equal(c->listeners.data.addresses.at[1].text, "[::1]:9000");
    assert_int_equal(c->logs.level, CONFIG_LOG_DEBUG);
    assert_string_equal(c->server.data_dir.at, "d");
    assert_string_equal(c->server.runtime_dir.at, "d/run");
    assert_int_equal(c->model_count, 3);
    assert_string_equal(c->models[1].name.at, "b");
    assert_string_equal(c->models[1].path.at, "../b.onnx");
    assert_string_equal(c->models[2].name.at, "c");
    config_free(c);
    config_report_free(&report);
}

static void flags__refuse_by_their_own_name(void **state)
{
    (void)state;
    const struct {
        struct config_flag flag;
        const char *note;
    } all[] = {
        {{"--listen", "0.0.0.0:1"},
         "--listen: error: listeners.data.addresses: 0.0.0.0:1 is beyond loopback; want 127.0.0.1 "
         "or [::1] only until access control is built"},
        {{"--listen", "localhost:1"},
         "--listen: error: listeners.data.addresses: \"localhost:1\" is not an IP literal with a "
         "port; want one such as 127.0.0.1:8000 or [::1]:8000"},
        {{"--log-level", "loud"},
         "--log-level: error: logs.level: \"loud\" is not one of its words; want one of debug, "
         "info, warn, error"},
        {{"--model", "a.onnx"}, "--model: error: \"a.onnx\" has no =; want NAME=PATH"},
        {{"--model", "a=x"},
         "--model: error: models.a: the name stands twice; want another, by --model NAME=PATH"},
        {{"FILE", "/tmp/-x.onnx"},
         "/tmp/-x.onnx: error: \"-x\" is not a name of a model; want 1..128 of A-Z a-z 0-9 . _ -, "
         "not . or - first, such as --model fraud=PATH"},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const struct config_flags flags = {.at = &all[i].flag, .count = 1, .blind = true};
        struct config_report report = {0};
        struct fault f = {0};
        struct config *c = NULL;
        static const char text[] = "models: {a: {path: a.onnx}}\n";
        assert_int_equal(config_parse(STR(text), "g.yaml", &flags, &c, &report, &f), ERR_INPUT);
        assert_int_equal(report.count, 1);
        assert_string_equal(report.notes[0].text, all[i].note);
        config_report_free(&report);
    }
}

static void load__refuses_missing_files_of_models(void **state)
{
    (void)state;
    char dir[] = "/tmp/garrison-config-XXXXXX";
    char path[128];
    char model[128];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/g.yaml", dir);
    (void)snprintf(model, sizeof(model), "%s/a.onnx", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "models: {a: {path: a.onnx}, d: {path: .}}\n");
    (void)fclose(file);

    const struct config_flags flags = {.path = path};
    struct config_report report = {0};
    struct fault f = {0};
    struct config *c = NULL;
    assert_int_equal(config_load(&flags, &c, &report, &f), ERR_INPUT);
    assert_int_equal(report.count, 2);
    assert_non_null(strstr(report.notes[0].text, "g.yaml:1:20: error: models.a.path: "));
    assert_non_null(strstr(report.notes[0].text, "No such file"));
    assert_non_null(strstr(report.notes[1].text, "is a directory; want a regular file"));
    config_report_free(&report);

    /* without --config, a model alone: no file is read, data_dir is temporary */
    file = fopen(model, "w");
    assert_non_null(file);
    (void)fputs("x", file);
    (void)fclose(file);
    const struct config_flag at[] = {{"FILE", model}};
    const struct config_flags bare = {.at = at, .count = 1};
    assert_int_equal(config_load(&bare, &c, &report, &(struct fault){0}), OK);
    assert_true(c->server.data_dir_temporary);
    assert_int_equal(c->server.data_dir.len, 0);
    assert_true(c->server.temporary_parent.len > 0);
    assert_string_equal(c->models[0].name.at, "a");
    config_free(c);

    const struct config_flags absent = {.path = "/nonexistent/g.yaml"};
    f = (struct fault){0};
    assert_int_equal(config_load(&absent, &c, &report, &f), ERR_NOT_FOUND);
    config_report_free(&report);
    (void)unlink(model);
    (void)unlink(path);
    (void)rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config__refuses_what_the_reference_shows),
        cmocka_unit_test(config__refuses_decorated_yaml),
        cmocka_unit_test(config__refuses_text_that_other_tools_change),
        cmocka_unit_test(config__counts_columns_in_characters),
        cmocka_unit_test(config__refuses_unknown_keys_and_names_the_nearest),
        cmocka_unit_test(config__refuses_rows_that_contradict),
        cmocka_unit_test(config__refuses_paths_that_climb_or_want_a_shell),
        cmocka_unit_test(config__refuses_depth_nodes_and_reports_at_most_50),
        cmocka_unit_test(config__takes_an_empty_file_as_all_defaults),
        cmocka_unit_test(config__takes_the_newcomers_file),
        cmocka_unit_test(config__lets_flags_replace_and_add),
        cmocka_unit_test(flags__refuse_by_their_own_name),
        cmocka_unit_test(load__refuses_missing_files_of_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
