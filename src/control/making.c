/* What a configuration computes and what must hold between its rows. A rule names the place of the
 * row that was written, since a default never breaks one by itself. */
#include "control/making.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/scope.h"

#include "control/machine.h"

#define LOOPS_MAX       8u
#define SOCKET_PATH_MAX 107u /* sun_path of unix(7), without its NUL */
#define SOCKET_NAME     "/admin.sock"

err making_no_memory(struct fault *f)
{
    return fail(f, ERR_UNAVAILABLE, "no memory for the configuration");
}

static uint32_t row_of(const char *key)
{
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(rows[i].key, key) == 0)
            return i;
    }
    never("a rule names a row that is not there");
}

/* Where a row stood; where NULL: nowhere. */
static struct config_place place_at(const struct making *m, const char *key)
{
    return m->places[row_of(key)];
}

/* The first of three places that is one. */
static struct config_place first_place(const struct making *m, struct config_place a,
                                       struct config_place b, struct config_place c)
{
    if (a.where)
        return a;
    if (b.where)
        return b;
    return c.where ? c : (struct config_place){m->where, 0, 0};
}

/* a and b joined in the arena, with a NUL behind. */
static err keep(struct making *m, str a, str b, str *ret)
{
    char *copy = arena_alloc(m->of_file.arena, (uint64_t)a.len + b.len + 1);
    if (!copy)
        return ERR_UNAVAILABLE;
    if (a.len)
        memcpy(copy, a.at, a.len);
    if (b.len)
        memcpy(copy + a.len, b.at, b.len);
    *ret = (str){copy, a.len + b.len};
    return OK;
}

err making_begin(struct making *m)
{
    uint32_t count;
    (void)config_rows(&count);
    must(count <= MAKING_ROWS_MAX);
    if (!m->has_file)
        return OK;
    return keep(m, str_of(m->where), (str){0}, &m->config->file);
}

void making_model_begin(struct making *m, str name, const struct config_place *at)
{
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    struct making_model *new = &m->models[m->model_count];
    *new = (struct making_model){.at = *at, .model = {.name = name, .s = m->config->defaults}};
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].scope != CONFIG_OF_MODEL)
            continue;
        m->places[i] = (struct config_place){0};
        m->broken[i] = false;
        if (!config_row_computed(&rows[i]) && !config_row_required(&rows[i]))
            config_value_preset(&rows[i], &m->of_file, &new->model);
    }
}

err making_model_end(struct making *m)
{
    struct making_model *new = &m->models[m->model_count];
    const str name = new->model.name;
    new->path = place_at(m, "models.NAME.path");
    new->labels = place_at(m, "models.NAME.labels");
    new->version = place_at(m, "models.NAME.version");
    new->request_timeout = place_at(m, "models.NAME.request_timeout");
    new->lane = first_place(m, place_at(m, "models.NAME.lane"),
                            place_at(m, "models.NAME.lane_reply"), (struct config_place){0});
    if (new->lane.line == 0)
        new->lane = (struct config_place){0};
    new->path_broken = m->broken[row_of("models.NAME.path")];
    if (!new->path.where && !new->path_broken) {
        config_report_add(m->report, &new->at, false,
                          "models.%.*s.path: missing; want the model's .onnx file", STR_ARG(name));
        new->path_broken = true;
    }
    m->model_count++;
    return keep(m, name, (str){0}, &new->model.name);
}

static err dirs_complete(struct making *m)
{
    struct config_server *s = &m->config->server;
    s->data_dir_temporary = !m->has_file && !place_at(m, "server.data_dir").where;
    if (s->data_dir_temporary) {
        const char *parent = getenv("TMPDIR");
        s->data_dir = (str){0};
        return keep(m, str_of(parent && parent[0] == '/' ? parent : "/tmp"), (str){0},
                    &s->temporary_parent);
    }
    if (s->runtime_dir.len)
        return OK;
    if (str_eq(s->data_dir, STR(CONFIG_DATA_DIR)))
        return keep(m, STR("/run/garrison"), (str){0}, &s->runtime_dir);
    return keep(m, s->data_dir, STR("/run"), &s->runtime_dir);
}

static err replica_complete(struct making *m)
{
    char host[254] = "";
    if (m->config->site.replica.len)
        return OK;
    if (gethostname(host, sizeof(host) - 1) != 0 || !host[0])
        (void)snprintf(host, sizeof(host), "localhost");
    return keep(m, str_of(host), (str){0}, &m->config->site.replica);
}

err making_complete(struct making *m)
{
    struct config *c = m->config;
    if (c->server.loops == 0) {
        const uint32_t half = machine_cpus() / 2;
        c->server.loops = half < 1 ? 1 : half > LOOPS_MAX ? LOOPS_MAX : half;
    }
    if (c->memory.limit_bytes == 0)
        c->memory.limit_bytes = machine_memory_bytes();
    if (dirs_complete(m) != OK || replica_complete(m) != OK)
        return ERR_UNAVAILABLE;
    struct config_model *models =
        arena_new(m->of_file.arena, struct config_model, (uint64_t)m->model_count + 1);
    if (!models)
        return ERR_UNAVAILABLE;
    for (uint32_t i = 0; i < m->model_count; i++)
        models[i] = m->models[i].model;
    c->models = models;
    c->model_count = m->model_count;
    return OK;
}

static void judge_addresses(struct making *m, const struct config_addresses *all, const char *key)
{
    const struct config_place at =
        first_place(m, place_at(m, key), (struct config_place){0}, (struct config_place){0});
    for (uint32_t i = 0; i < all->count; i++) {
        if (!all->at[i].loopback)
            config_report_add(
                m->report, &at, false,
                "%s: %s is beyond loopback; want 127.0.0.1 or [::1] only until access "
                "control is built",
                key, all->at[i].text);
    }
}

static bool same_address(const struct config_address *a, const struct config_address *b)
{
    return a->port != 0 && a->port == b->port && a->family == b->family &&
           memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static void judge_listeners(struct making *m)
{
    const struct config_addresses *data = &m->config->listeners.data.addresses;
    const struct config_addresses *ops = &m->config->listeners.ops.addresses;
    judge_addresses(m, data, "listeners.data.addresses");
    judge_addresses(m, ops, "listeners.ops.addresses");
    for (uint32_t i = 1; i < data->count + ops->count; i++) {
        const bool of_ops = i >= data->count;
        const struct config_address *b = of_ops ? &ops->at[i - data->count] : &data->at[i];
        const char *key = of_ops ? "listeners.ops.addresses" : "listeners.data.addresses";
        for (uint32_t k = 0; k < i; k++) {
            const struct config_address *a =
                k < data->count ? &data->at[k] : &ops->at[k - data->count];
            const struct config_place at =
                first_place(m, place_at(m, key), place_at(m, "listeners.data.addresses"),
                            (struct config_place){0});
            if (same_address(a, b))
                config_report_add(m->report, &at, false, "%s: %s stands twice; want it once", key,
                                  b->text);
        }
    }
    if (m->config->listeners.data.serves != CONFIG_SERVES_DATA) {
        const struct config_place at = place_at(m, "listeners.data.serves");
        config_report_add(m->report, &at, false,
                          "listeners.data.serves: \"ops\" leaves no listener for data; want data");
    }
    if (m->config->listeners.ops.serves != CONFIG_SERVES_OPS) {
        const struct config_place at = place_at(m, "listeners.ops.serves");
        config_report_add(m->report, &at, false,
                          "listeners.ops.serves: \"data\" leaves no listener for ops; want ops");
    }
}

/* A lane must hold the largest request beside the largest reply. */
static void judge_lane(struct making *m, const struct config_settings *s,
                       const struct config_place *own, const char *key)
{
    const uint64_t body = m->config->limits.body_bytes;
    if (s->lane_bytes >= s->lane_reply_bytes && s->lane_bytes - s->lane_reply_bytes >= body)
        return;
    const struct config_place at =
        first_place(m, *own, place_at(m, "defaults.lane"),
                    first_place(m, place_at(m, "limits.body"), place_at(m, "defaults.lane_reply"),
                                (struct config_place){0}));
    config_report_add(m->report, &at, false,
                      "%s: %" PRIu64 "B; want at least limits.body + lane_reply, which is %" PRIu64
                      "B",
                      key, s->lane_bytes, body + s->lane_reply_bytes);
}

static void judge_timeout(struct making *m, uint64_t timeout_ns, const struct config_place *own,
                          const char *key)
{
    const uint64_t max = m->config->admission.request_timeout_max_ns;
    const struct config_place at = first_place(m, *own, place_at(m, "defaults.request_timeout"),
                                               place_at(m, "admission.request_timeout_max"));
    if (timeout_ns > max)
        config_report_add(m->report, &at, false,
                          "%s: %" PRIu64 "ms; want at most admission.request_timeout_max, which is "
                          "%" PRIu64 "ms",
                          key, (uint64_t)(timeout_ns / NS_PER_MS), (uint64_t)(max / NS_PER_MS));
}

/* A file that must be there, regular and readable. */
static void judge_file(struct making *m, const char *key, str path, const struct config_place *at)
{
    struct stat s;
    SCOPED(fd_undo)
    int fd = open(path.at, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &s) != 0)
        config_report_add(m->report, at, false, "%s: \"%.*s\": %s; want a file that can be read",
                          key, STR_ARG(str_cut(path, 0, 200)), strerror(errno));
    else if (!S_ISREG(s.st_mode))
        config_report_add(m->report, at, false, "%s: \"%.*s\" is a %s; want a regular file", key,
                          STR_ARG(str_cut(path, 0, 200)),
                          S_ISDIR(s.st_mode) ? "directory" : "special file");
    else if (s.st_size == 0)
        config_report_add(m->report, at, false, "%s: \"%.*s\" is empty; want a file with content",
                          key, STR_ARG(str_cut(path, 0, 200)));
}

static bool version_good(str v)
{
    for (size_t i = 0; i < v.len; i++) {
        const char c = v.at[i];
        const bool alnum =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (i == 0 || !strchr("._+-", c)))
            return false;
    }
    return v.len > 0;
}

static void judge_model(struct making *m, const struct making_model *of)
{
    const struct config_model *model = &of->model;
    const bool by_flag = of->at.line == 0;
    char key[CONFIG_NAME_BYTES + 32];
    (void)snprintf(key, sizeof(key), "models.%.*s.path", STR_ARG(model->name));
    if (m->look && !of->path_broken)
        judge_file(m, by_flag ? "path" : key, model->path, &of->path);
    (void)snprintf(key, sizeof(key), "models.%.*s.labels", STR_ARG(model->name));
    if (m->look && of->labels.where)
        judge_file(m, key, model->labels_path, &of->labels);
    (void)snprintf(key, sizeof(key), "models.%.*s.version", STR_ARG(model->name));
    if (!version_good(model->version))
        config_report_add(m->report, &of->version, false,
                          "%s: \"%.*s\" is not a version; want 0-9 A-Z a-z . _ + -, a digit or "
                          "letter first",
                          key, STR_ARG(model->version));
    if (by_flag)
        return; /* its settings are the defaults, which are judged */
    (void)snprintf(key, sizeof(key), "models.%.*s.lane", STR_ARG(model->name));
    if (of->lane.where)
        judge_lane(m, &model->s, &of->lane, key);
    (void)snprintf(key, sizeof(key), "models.%.*s.request_timeout", STR_ARG(model->name));
    if (of->request_timeout.where)
        judge_timeout(m, model->s.request_timeout_ns, &of->request_timeout, key);
}

static void judge_server(struct making *m)
{
    const struct config *c = m->config;
    const uint64_t granted = machine_memory_bytes();
    struct config_place at = place_at(m, "memory.limit");
    if (at.where && c->memory.limit_bytes > granted)
        config_report_add(m->report, &at, false,
                          "memory.limit: %" PRIu64 "B; want at most what is there, %" PRIu64 "B",
                          c->memory.limit_bytes, granted);
    at = place_at(m, "logs.event_ring");
    if (c->logs.event_ring & (c->logs.event_ring - 1))
        config_report_add(m->report, &at, false,
                          "logs.event_ring: %" PRIu32 " is no power of two; want one, such as 8192",
                          c->logs.event_ring);
    at = first_place(m, place_at(m, "server.runtime_dir"), place_at(m, "server.data_dir"),
                     (struct config_place){0});
    if (c->server.runtime_dir.len + strlen(SOCKET_NAME) > SOCKET_PATH_MAX)
        config_report_add(m->report, &at, false,
                          "server.runtime_dir: %zu bytes with " SOCKET_NAME
                          "; want at most %u, the longest name of a socket",
                          c->server.runtime_dir.len + strlen(SOCKET_NAME), SOCKET_PATH_MAX);
    at = place_at(m, "worker.runtime");
    if (m->look && at.where)
        judge_file(m, "worker.runtime", c->worker.runtime, &at);
    at = place_at(m, "worker.sandbox");
    if (c->worker.sandbox == CONFIG_SANDBOX_BEST_EFFORT)
        config_report_add(m->report, &at, true,
                          "worker.sandbox: best-effort lets a model run without its sandbox; want "
                          "required");
}

void making_judge(struct making *m)
{
    const struct config_place nowhere = {0};
    judge_listeners(m);
    judge_lane(m, &m->config->defaults, &nowhere, "defaults.lane");
    judge_timeout(m, m->config->defaults.request_timeout_ns, &nowhere, "defaults.request_timeout");
    judge_server(m);
    for (uint32_t i = 0; i < m->model_count; i++)
        judge_model(m, &m->models[i]);
}
