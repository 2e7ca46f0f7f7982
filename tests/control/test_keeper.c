/* The keeper as a process, with fronts that only listen and workers that do as their model says:
 * refused starts, refused models, deaths, quarantine, lanes over deaths, drain. */
#include "keeper_rig.h"

#include "base/build_id.h"
#include "base/message.h"
#include "net/socket.h"

#define QUICK "worker: {sandbox: best-effort}\ndrain: {delay: 0s, grace: 5s}\n"

static int set_up(void **state)
{
    *state = rig_new();
    return 0;
}

static int tear_down(void **state)
{
    rig_free(*state);
    return 0;
}

/* --- refused starts ----------------------------------------------------------------------------
 */

static void keeper__refuses_a_data_dir_that_is_held(void **state)
{
    struct rig *r = *state;
    char want[64];
    rig_start(r, QUICK "server: {data_dir: d}\nmodels: {ok: {path: ok.onnx}}");
    rig_wait(r, "1 of 1 models ready");
    struct rig *second = calloc(1, sizeof *second);
    assert_non_null(second);
    memcpy(second->dir, r->dir, sizeof second->dir);
    rig_start(second, QUICK "server: {data_dir: d}\nmodels: {ok: {path: ok.onnx}}");
    assert_int_equal(rig_end(second), 6);
    (void)snprintf(want, sizeof want, "process %d serves from", r->keeper);
    assert_true(rig_saw(second, want));
    free(second);
    assert_int_equal(kill(r->keeper, SIGTERM), 0);
    assert_int_equal(rig_end(r), 0);
    rig_start(r, QUICK "server: {data_dir: d}\nmodels: {ok: {path: ok.onnx}}");
    rig_wait(r, "1 of 1 models ready"); /* and the lock is free again */
}

static void keeper__refuses_an_address_in_use(void **state)
{
    struct rig *r = *state;
    const struct socket_address a = {.ip = {127, 0, 0, 1}, .family = 4};
    char config[256];
    int fd;
    uint16_t port = 0;
    assert_int_equal(socket_listen(&a, 1, &fd, &port, NULL), OK); /* with SO_REUSEPORT, too */
    (void)snprintf(config, sizeof config,
                   "listeners: {data: {addresses: [\"127.0.0.1:%u\"]}}\n"
                   "server: {data_dir: d}\n",
                   port);
    rig_put(r, "c.yaml", config);
    char exe[128], path[128];
    (void)snprintf(exe, sizeof exe, "%s/garrison", r->dir);
    (void)snprintf(path, sizeof path, "%s/c.yaml", r->dir);
    const pid_t pid = fork();
    if (pid == 0) {
        (void)execl(exe, exe, path, (char *)NULL);
        _exit(126);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 6);
    assert_int_equal(close(fd), 0);
}

static void keeper__refuses_to_start_without_its_worker(void **state)
{
    struct rig *r = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/garrison-worker", r->dir);
    assert_int_equal(unlink(path), 0);
    rig_start(r, QUICK "server: {data_dir: d}\n");
    assert_int_equal(rig_end(r), 4);
    assert_true(rig_saw(r, "garrison-worker is neither in"));
}

/* --- the proof of the sandbox ------------------------------------------------------------------
 */

#define REQUIRED "server: {data_dir: d}\nmodels: {ok: {path: ok.onnx}}"

/* The same words for whoever reads the log, and no model. */
static void refused_for(struct rig *r, const char *script, const char *why)
{
    char want[256];
    rig_put(r, "probes", script);
    rig_start(r, REQUIRED);
    (void)snprintf(want, sizeof want, "model \"ok\" is refused (sandbox): %s", why);
    rig_wait(r, want);
    rig_wait(r, "0 of 1 models ready");
    assert_true(
        rig_logged(r, "\"log.level\":\"error\"", "\"message\":\"the sandbox does not hold\""));
    assert_int_equal(kill(r->keeper, SIGKILL), 0);
    assert_int_equal(rig_end(r), -SIGKILL);
}

static void keeper__refuses_models_where_a_probe_ends_badly(void **state)
{
    struct rig *r = *state;
    refused_for(r, "5 allowed", "probe \"socket\" was allowed, want death by SIGSYS");
    refused_for(r, "0 exit", "probe \"lawful\" was not run: exit status 25");
    refused_for(r, "25 kill", "probe \"userfaultfd\" took its parent along, by signal 9");
    refused_for(r, "26 exit", "the probes' parent ended with wait status 6400");
}

static void keeper__refuses_models_where_a_probe_hangs(void **state)
{
    refused_for(*state, "6 hang", "probe \"connect\" did not end within 15 s");
}

static void keeper__loads_models_where_all_probes_end_well(void **state)
{
    struct rig *r = *state;
    rig_put(r, "probes", "26 well");
    rig_start(r, REQUIRED);
    rig_wait(r, "1 of 1 models ready");
    rig_put(r, "probes", "5 allowed");
    assert_int_equal(kill(r->keeper, SIGKILL), 0);
    assert_int_equal(rig_end(r), -SIGKILL);
    rig_start(r, QUICK REQUIRED);
    rig_wait(r, "the sandbox does not hold here: probe \"socket\" was allowed");
    rig_wait(r, "1 of 1 models ready"); /* best-effort is for debugging */
    assert_true(
        rig_logged(r, "\"log.level\":\"warn\"", "\"message\":\"the sandbox does not hold\""));
}

/* --- models ------------------------------------------------------------------------------------
 */

static void keeper__refuses_odd_models_and_serves_the_others(void **state)
{
    struct rig *r = *state;
    rig_put(r, "evil.onnx", "../secret.bin");
    rig_put(r, "gone.onnx", "gone.bin");
    rig_put(r, "ext.onnx", "ext.bin");
    rig_put(r, "ext.bin", "weights");
    rig_start(r, QUICK "server: {data_dir: d}\nmodels:\n"
                       "  evil: {path: evil.onnx}\n  gone: {path: gone.onnx}\n"
                       "  odd: {path: refuse.onnx}\n  ok: {path: ok.onnx}\n"
                       "  ext: {path: ext.onnx}\n");
    rig_wait(r, "2 of 5 models ready");
    assert_true(rig_saw(r, "model \"evil\" is refused (external_data)"));
    assert_true(rig_saw(r, "model \"gone\" is refused (unreadable)"));
    assert_true(rig_saw(r, "model \"odd\" is refused (odd): it looks odd"));
    r->at = 0; /* the front has its turn when it has it */
    rig_wait(r, "data_front snapshot odd failed worker -1");
}

static void keeper__quarantines_the_fifth_death(void **state)
{
    struct rig *r = *state;
    rig_start(r, QUICK "server: {data_dir: d}\nmodels:\n"
                       "  crash: {path: crash.onnx}\n  ok: {path: ok.onnx}\n");
    rig_wait(r, "model \"crash\" is quarantined after 5 deaths (crash)");
    rig_wait(r, "data_front snapshot crash quarantined worker -1");
    rig_wait(r, "data_front snapshot ok ready");
}

static void keeper__tells_the_last_word_of_a_worker_that_leaves(void **state)
{
    struct rig *r = *state;
    rig_put(r, "leave.onnx", "leave");
    rig_start(r, "worker: {sandbox: best-effort, quarantine: 1/60s}\nserver: {data_dir: d}\n"
                 "models:\n  leave: {path: leave.onnx}\n");
    rig_wait(r,
             "model \"leave\" is quarantined after 1 deaths (crash): it left with exit status 1: "
             "no runtime here; start again to free it");
}

static void keeper__kills_a_load_that_takes_too_long(void **state)
{
    struct rig *r = *state;
    rig_start(r, "worker: {sandbox: best-effort, quarantine: 1/60s}\nserver: {data_dir: d}\n"
                 "models:\n  hang: {path: hang.onnx, load_timeout: 1s}\n");
    rig_wait(r, "model \"hang\" is quarantined after 1 deaths (deadline)");
}

static void keeper__kills_a_worker_whose_beats_stop(void **state)
{
    struct rig *r = *state;
    rig_start(r, "worker: {sandbox: best-effort, quarantine: 1/60s, stall: 2s}\n"
                 "server: {data_dir: d}\nmodels:\n  mute: {path: mute.onnx}\n"
                 "  ok: {path: ok.onnx}\n");
    rig_wait(r, "model \"mute\" is quarantined after 1 deaths (stall)");
    assert_false(rig_saw(r, "\"ok\" is quarantined"));
}

/* --- deaths and lanes --------------------------------------------------------------------------
 */

static void keeper__starts_a_dead_worker_again(void **state)
{
    struct rig *r = *state;
    pid_t workers[4];
    char want[128];
    rig_start(r, QUICK "server: {data_dir: d, loops: 2}\nmodels:\n  ok: {path: ok.onnx}\n");
    rig_wait(r, "lane worker 1 loop 0 generation 1");
    rig_wait(r, "lane worker 1 loop 1 generation 1");
    rig_wait(r, "data_front snapshot ok ready worker 1");
    assert_int_equal(rig_children(r, "--role=worker", workers, 4), 1);
    assert_int_equal(kill(workers[0], SIGKILL), 0);
    rig_wait(r, "lane_drop worker 1 loop 0 generation 1 oom");
    rig_wait(r, "lane_drop worker 1 loop 1 generation 1 oom");
    rig_wait(r, "data_front snapshot ok loading worker -1");
    assert_true(rig_saw(r,
                        "garrison: the worker of model \"ok\" has ended (oom): it died by signal 9 "
                        "(Killed); it is started again in "));
    (void)snprintf(want, sizeof want, "\"process.name\":\"worker\",\"process.pid\":%d,",
                   workers[0]);
    assert_true(rig_logged(r, "\"event.type\":[\"end\"],\"event.outcome\":\"failure\",", want));
    rig_wait(r, "lane worker 2 loop 1 generation 1"); /* lanes before the snapshot */
    rig_wait(r, "data_front snapshot ok ready worker 2");
}

static void kill_worker(const struct rig *r)
{
    pid_t workers[4];
    assert_int_equal(rig_children(r, "--role=worker", workers, 4), 1);
    assert_int_equal(kill(workers[0], SIGKILL), 0);
}

static void keeper__refuses_other_bytes_for_a_dead_worker(void **state)
{
    struct rig *r = *state;
    char from[128], to[128];
    rig_put(r, "ext.onnx", "ext.bin");
    rig_put(r, "ext.bin", "weights");
    rig_start(r, QUICK "server: {data_dir: d}\nmodels:\n  ext: {path: ext.onnx}\n");
    rig_wait(r, "data_front snapshot ext ready worker 1");
    rig_put(r, "new.onnx", "crash");
    (void)snprintf(from, sizeof from, "%s/new.onnx", r->dir);
    (void)snprintf(to, sizeof to, "%s/ext.onnx", r->dir);
    assert_int_equal(rename(from, to), 0); /* the file that was opened is still there for us */
    kill_worker(r);
    rig_wait(r, "data_front snapshot ext ready worker 2");
    rig_put(r, "ext.bin", "Weights"); /* in place */
    kill_worker(r);
    rig_wait(r, "model \"ext\" is refused (changed): \"ext.bin\" has changed since it was loaded");
    rig_wait(r, "data_front snapshot ext failed worker -1");
}

static void keeper__gives_the_other_lanes_to_the_next_front(void **state)
{
    struct rig *r = *state;
    pid_t fronts[2], workers[2], before;
    char want[128];
    rig_start(r, QUICK "server: {data_dir: d, loops: 1}\nmodels:\n  ok: {path: ok.onnx}\n");
    rig_wait(r, "data_front snapshot ok ready worker 1");
    assert_int_equal(rig_children(r, "--role=worker", workers, 2), 1);
    before = workers[0];
    for (unsigned generation = 2; generation < 6; generation++) {
        assert_int_equal(rig_children(r, "--role=data_front", fronts, 2), 1);
        const uint64_t killed = clock_ns();
        assert_int_equal(kill(fronts[0], SIGKILL), 0);
        rig_wait(r, "garrison: data_front has ended: it died by signal 9 (Killed); it is started "
                    "again in ");
        (void)snprintf(want, sizeof want, "\"process.name\":\"data_front\",\"process.pid\":%d,",
                       fronts[0]);
        assert_true(rig_logged(r, "\"event.type\":[\"end\"],\"event.outcome\":\"failure\",", want));
        (void)snprintf(want, sizeof want, "lane worker 1 loop 0 generation %u", generation);
        rig_wait(r, want);
        rig_wait(r, "data_front snapshot ok ready worker 1");
        if (generation == 2) /* the first is started again at once */
            assert_true(clock_ns() - killed < 2 * NS_PER_S);
    }
    assert_int_equal(rig_children(r, "--role=worker", workers, 2), 1);
    assert_int_equal(workers[0], before);
}

static void keeper__takes_all_with_it_when_it_dies(void **state)
{
    struct rig *r = *state;
    pid_t children[8];
    rig_start(r, QUICK "server: {data_dir: d}\nmodels:\n  ok: {path: ok.onnx}\n");
    rig_wait(r, "1 of 1 models ready");
    const unsigned count = rig_children(r, "--role=", children, 8);
    assert_int_equal(count, 3);
    assert_int_equal(kill(r->keeper, SIGKILL), 0);
    const uint64_t deadline = clock_ns() + 5 * NS_PER_S;
    assert_int_equal(rig_end(r), -SIGKILL);
    for (unsigned i = 0; i < count; i++)
        while (kill(children[i], 0) == 0) {
            assert_true(clock_ns() < deadline);
            (void)poll(NULL, 0, 5);
        }
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void keeper__drains_and_leaves_nothing(void **state)
{
    struct rig *r = *state;
    pid_t children[8];
    rig_start(r, "worker: {sandbox: best-effort}\ndrain: {delay: 10m, grace: 1h}\n"
                 "server: {data_dir: d}\nmodels: {ok: {path: ok.onnx}}");
    rig_wait(r, "1 of 1 models ready");
    assert_int_equal(kill(r->keeper, SIGTERM), 0);
    rig_wait(r, "data_front drain delay some");
    assert_int_equal(rig_children(r, "--role=", children, 8), 3); /* all still serve */
    assert_int_equal(kill(r->keeper, SIGTERM), 0);
    rig_wait(r, "data_front drain delay none");
    assert_int_equal(rig_end(r), 0);
    char path[128];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/d/run/admin.sock", r->dir);
    assert_int_equal(stat(path, &st), -1);
}

static void keeper__ends_at_once_at_the_third_signal(void **state)
{
    struct rig *r = *state;
    rig_start(r, "worker: {sandbox: best-effort}\ndrain: {delay: 10m, grace: 1h}\n"
                 "server: {data_dir: d}\nmodels: {ok: {path: ok.onnx}}");
    rig_wait(r, "1 of 1 models ready");
    pid_t front[1];
    assert_int_equal(rig_children(r, "--role=data_front", front, 1), 1);
    assert_int_equal(kill(front[0], SIGSTOP), 0); /* it will not answer the drain */
    assert_int_equal(kill(r->keeper, SIGTERM), 0);
    rig_wait(r, "draining");
    assert_int_equal(kill(r->keeper, SIGTERM), 0);
    rig_wait(r, "draining");
    assert_int_equal(kill(r->keeper, SIGTERM), 0);
    assert_int_equal(rig_end(r), 1);
}

/* --- admin.sock --------------------------------------------------------------------------------
 */

static int say_hello(const struct rig *r)
{
    static const uint8_t build[] = BUILD_ID_BYTES;
    static uint8_t bytes[MESSAGE_PAYLOAD_MAX];
    char path[128];
    int fd = -1;
    struct message_frame frame;
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct message_hello hello = {
        .build = {(const char *)build, sizeof build}, .table = MESSAGE_TABLE, .role = ROLE_SOCKET};
    struct message_welcome welcome;
    (void)snprintf(path, sizeof path, "%s/d/run/admin.sock", r->dir);
    assert_int_equal(socket_connect_unix(path, 10000, &fd, NULL), OK);
    assert_int_equal(message_put_hello(&hello, &b, NULL), OK);
    frame = (struct message_frame){.number = MESSAGE_hello, .id = 1};
    assert_int_equal(message_write(fd, &frame, b.at, b.len, NULL), OK);
    assert_int_equal(message_read(fd, &frame, bytes, NULL), OK);
    assert_int_equal(frame.number, MESSAGE_welcome);
    assert_int_equal(message_get_welcome((str){(char *)bytes, frame.bytes}, &welcome, NULL), OK);
    assert_int_equal(welcome.uid, getuid());
    return fd;
}

static void socket__closes_on_who_breaks_its_rules(void **state)
{
    struct rig *r = *state;
    static uint8_t bytes[MESSAGE_PAYLOAD_MAX];
    struct message_frame frame;
    char path[128];
    int fd = -1;
    rig_start(r, QUICK "server: {data_dir: d}\n");
    rig_wait(r, "0 of 0 models ready");
    (void)snprintf(path, sizeof path, "%s/d/run/admin.sock", r->dir);
    static const struct message_frame lies[] = {
        {.number = MESSAGE_status}, /* before hello */
        {.number = MESSAGE_up},     /* not of this link */
        {.number = MESSAGE_hello},  /* without its fields */
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(socket_connect_unix(path, 10000, &fd, NULL), OK);
        assert_int_equal(message_write(fd, &lies[i], NULL, 0, NULL), OK);
        assert_int_equal(message_read(fd, &frame, bytes, NULL), ERR_UNAVAILABLE);
        assert_int_equal(close(fd), 0);
    }
    fd = say_hello(r); /* and the others are served */
    assert_int_equal(close(fd), 0);
}

static void socket__answers_status(void **state)
{
    struct rig *r = *state;
    static uint8_t bytes[MESSAGE_PAYLOAD_MAX];
    struct message_frame frame = {.number = MESSAGE_status, .id = 7};
    struct message_buffer b = {.at = bytes, .cap = sizeof bytes};
    const struct message_status ask = {.cred = CRED_PEER};
    struct message_reply reply;
    char command[512];
    rig_start(r, QUICK "server: {data_dir: d}\nmodels:\n"
                       "  ok: {path: ok.onnx}\n  odd: {path: refuse.onnx}\n");
    rig_wait(r, "1 of 2 models ready");
    const int fd = say_hello(r);
    assert_int_equal(message_put_status(&ask, &b, NULL), OK);
    assert_int_equal(message_write(fd, &frame, b.at, b.len, NULL), OK);
    assert_int_equal(message_read(fd, &frame, bytes, NULL), OK);
    assert_true(frame.id == 7 && frame.number == MESSAGE_reply);
    assert_int_equal(message_get_reply((str){(char *)bytes, frame.bytes}, &reply, NULL), OK);
    assert_int_equal(reply.row, OK);
    char json[65537];
    (void)snprintf(json, sizeof json, "%.*s", STR_ARG(reply.json));
    rig_put(r, "status.json", json);
    /* the oracle: another reader of JSON, and the digest by another program */
    (void)snprintf(
        command, sizeof command,
        "cd %s && python3 -c \"import json, hashlib; s = json.load(open('status.json')); "
        "m = {x['name']: x for x in s['models']}; "
        "assert m['ok']['state'] == 'ready' and m['odd']['state'] == 'failed', m; "
        "assert m['ok']['digest'] == 'sha256:' + "
        "hashlib.sha256(open('ok.onnx','rb').read()).hexdigest(), m; "
        "assert s['ready'] is True and s['draining'] is False; "
        "assert {x['role'] for x in s['roles']} == "
        "{'keeper','data_front','ops_front','worker'}, s\"",
        r->dir);
    assert_int_equal(system(command), 0);
    frame = (struct message_frame){.number = 0x7fff, .id = 8};
    assert_int_equal(message_write(fd, &frame, NULL, 0, NULL), OK);
    assert_int_equal(message_read(fd, &frame, bytes, NULL), OK);
    assert_int_equal(message_get_reply((str){(char *)bytes, frame.bytes}, &reply, NULL), OK);
    assert_int_equal(reply.row, ERR_UNSUPPORTED);
    assert_int_equal(close(fd), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(keeper__refuses_a_data_dir_that_is_held),
        CASE(keeper__refuses_an_address_in_use),
        CASE(keeper__refuses_to_start_without_its_worker),
        CASE(keeper__refuses_models_where_a_probe_ends_badly),
        CASE(keeper__refuses_models_where_a_probe_hangs),
        CASE(keeper__loads_models_where_all_probes_end_well),
        CASE(keeper__refuses_odd_models_and_serves_the_others),
        CASE(keeper__quarantines_the_fifth_death),
        CASE(keeper__tells_the_last_word_of_a_worker_that_leaves),
        CASE(keeper__kills_a_load_that_takes_too_long),
        CASE(keeper__kills_a_worker_whose_beats_stop),
        CASE(keeper__starts_a_dead_worker_again),
        CASE(keeper__refuses_other_bytes_for_a_dead_worker),
        CASE(keeper__gives_the_other_lanes_to_the_next_front),
        CASE(keeper__takes_all_with_it_when_it_dies),
        CASE(keeper__drains_and_leaves_nothing),
        CASE(keeper__ends_at_once_at_the_third_signal),
        CASE(socket__closes_on_who_breaks_its_rules),
        CASE(socket__answers_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
