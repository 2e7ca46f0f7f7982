/* Defaults, then the file, then the flags, then what is computed and the rules between rows.
 * The one complication: a model's settings begin as the defaults of the same file, so `models` is
 * read after everything else, wherever it stands. */
#include "control/config_load.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "base/scope.h"

#include "control/making.h"
#include "control/config_table.h"
#include "control/config_value.h"
#include "control/nearest.h"
#include "control/yaml_plain.h"

#define ARENA_BYTES (64ull << 20)
#define KEY_BYTES   256u
#define LEVELS      4u /* of the deepest row, models.NAME.slo.latency */

/* A map that is being walked: what stands in it is keys behind the prefix. */
struct level {
    const struct yaml_tree *next;
    char pattern[KEY_BYTES]; /* "models.NAME." as in the table; the whole file: "" */
    char shown[KEY_BYTES];   /* "models.fraud." */
};

struct holder {
    struct config config; /* first: config_free finds the holder by it */
    struct arena arena;
};

static struct config_place place_of(const struct making *m, const struct yaml_tree *n, bool key)
{
    return (struct config_place){m->where, key ? n->key_line : n->line,
                                 key ? n->key_column : n->column};
}

/* Whether some row stands under the map that pattern names. */
static bool is_section(const char *pattern)
{
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    const size_t len = strlen(pattern);
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp(rows[i].key, pattern, len) == 0 && rows[i].key[len] == '.')
            return true;
    }
    return false;
}

static uint32_t row_find(const char *pattern)
{
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(rows[i].key, pattern) == 0)
            return i;
    }
    return UINT32_MAX;
}

/* The known key under prefix that is nearest to key. */
static str nearest_key(const char *prefix, str key)
{
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    const size_t len = strlen(prefix);
    struct nearest n = {.wanted = key};
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp(rows[i].key, prefix, len) != 0)
            continue;
        const str rest = str_of(rows[i].key + len);
        const str candidate = str_cut(rest, 0, str_find(rest, '.'));
        if (!str_eq(candidate, STR("NAME")))
            nearest_offer(&n, candidate);
    }
    return n.best;
}

static void unknown_key(struct making *m, const struct level *in, const struct yaml_tree *n)
{
    const struct config_place at = place_of(m, n, true);
    const str key = str_cut(n->key, 0, 80);
    const str best = nearest_key(in->pattern, key);
    if (best.len)
        config_report_add(m->report, &at, false,
                          "%s%.*s: unknown key; want a known one, the nearest is %.*s", in->shown,
                          STR_ARG(key), STR_ARG(best));
    else
        config_report_add(m->report, &at, false, "%s%.*s: unknown key; want a known one", in->shown,
                          STR_ARG(key));
}

/* Reads a value of the file or of a flag into the row's field and remembers where it stood. */
static err value_take(struct making *m, uint32_t row_id, const char *key, const struct yaml_tree *n,
                      const struct config_taking *how)
{
    uint32_t count;
    const struct config_row *row = &config_rows(&count)[row_id];
    char why[CONFIG_WHY_BYTES];
    const struct yaml_tree *spot;
    const bool of_model = row->scope == CONFIG_OF_MODEL;
    void *base = of_model ? (void *)&m->models[m->model_count].model : (void *)m->config;
    const err code = config_value_set(row, n, how, base, why, &spot);
    const struct config_place at = place_of(m, spot, false);
    if (code == ERR_INPUT)
        config_report_add(m->report, &at, false, "%s: %s", key, why);
    else if (code == OK)
        m->places[row_id] = place_of(m, n, false);
    m->broken[row_id] = code == ERR_INPUT;
    return code == ERR_INPUT ? OK : code;
}

/* Goes through the maps below top. The walk is as deep as the table, never as the file. */
static err walk(struct making *m, const struct yaml_tree *top, const char *pattern,
                const char *shown)
{
    struct level levels[LEVELS];
    uint32_t depth = 1;
    levels[0].next = top->first;
    (void)snprintf(levels[0].pattern, KEY_BYTES, "%s", pattern);
    (void)snprintf(levels[0].shown, KEY_BYTES, "%s", shown);
    while (depth) {
        struct level *in = &levels[depth - 1];
        const struct yaml_tree *n = in->next;
        if (!n) {
            depth--;
            continue;
        }
        in->next = n->next;
        if (n->refused)
            continue;
        char name[2 * KEY_BYTES];
        (void)snprintf(name, sizeof(name), "%s%.*s", in->pattern, STR_ARG(str_cut(n->key, 0, 200)));
        const bool whole = strlen(name) < KEY_BYTES - 1 && strlen(n->key.at) == n->key.len;
        const uint32_t row_id = whole ? row_find(name) : UINT32_MAX;
        char key[2 * KEY_BYTES];
        (void)snprintf(key, sizeof(key), "%s%.*s", in->shown, STR_ARG(str_cut(n->key, 0, 80)));
        if (row_id != UINT32_MAX) {
            const err code = value_take(m, row_id, key, n, &m->of_file);
            if (code)
                return code;
        } else if (!whole || !is_section(name)) {
            unknown_key(m, in, n);
        } else if (strcmp(name, "models") == 0) {
            m->models_tree = n;
        } else if (n->kind == YAML_TREE_MAP) {
            must(depth < LEVELS);
            struct level *below = &levels[depth++];
            below->next = n->first;
            (void)snprintf(below->pattern, KEY_BYTES, "%.250s.", name);
            (void)snprintf(below->shown, KEY_BYTES, "%.250s.", key);
        } else {
            const struct config_place at = place_of(m, n, false);
            config_report_add(m->report, &at, false, "%s: a %s stands here; want a map of keys",
                              key, n->kind == YAML_TREE_LIST ? "list" : "value");
        }
    }
    return OK;
}

static bool name_known(const struct making *m, str name)
{
    for (uint32_t i = 0; i < m->model_count; i++) {
        if (str_eq(m->models[i].model.name, name))
            return true;
    }
    return false;
}

/* One entry of models: begins as the defaults, then its own keys. */
static err model_take(struct making *m, const struct yaml_tree *n)
{
    struct config_place at = place_of(m, n, true);
    const str shown = str_cut(n->key, 0, 80);
    const char *reads_as = n->key_plain ? yaml_plain_reads_as(n->key) : NULL;
    if (!config_model_name(n->key)) {
        config_report_add(m->report, &at, false,
                          "models.%.*s: not a name of a model; want 1..128 of A-Z a-z 0-9 . _ -, "
                          "not . or - first, not stats",
                          STR_ARG(shown));
        return OK;
    }
    if (reads_as) {
        config_report_add(m->report, &at, false,
                          "models.%.*s: %.*s without quotes is %s to other YAML tools; want "
                          "\"%.*s\"",
                          STR_ARG(shown), STR_ARG(shown), reads_as, STR_ARG(shown));
        return OK;
    }
    if (n->refused)
        return OK;
    if (n->kind != YAML_TREE_MAP) {
        at = place_of(m, n, false);
        config_report_add(m->report, &at, false,
                          "models.%.*s: a %s stands here; want a map with path", STR_ARG(shown),
                          n->kind == YAML_TREE_LIST ? "list" : "value");
        return OK;
    }
    making_model_begin(m, n->key, &at);
    char prefix[KEY_BYTES];
    (void)snprintf(prefix, sizeof(prefix), "models.%.*s.", STR_ARG(shown));
    const err code = walk(m, n, "models.NAME.", prefix);
    return code ? code : making_model_end(m);
}

static err models_take(struct making *m, uint32_t flag_models, struct fault *f)
{
    const struct yaml_tree *tree = m->models_tree;
    const uint32_t in_file = tree ? tree->child_count : 0;
    if (tree && tree->kind != YAML_TREE_MAP && !tree->refused) {
        const struct config_place at = place_of(m, tree, false);
        config_report_add(m->report, &at, false, "models: a %s stands here; want a map of names",
                          tree->kind == YAML_TREE_LIST ? "list" : "value");
        tree = NULL;
    }
    if (in_file > CONFIG_MODELS_MAX || flag_models > CONFIG_MODELS_MAX - in_file) {
        const struct config_place at = {m->where, tree ? tree->key_line : 0,
                                        tree ? tree->key_column : 0};
        config_report_add(m->report, &at, false, "models: %" PRIu32 " entries; want 0..%u",
                          in_file + flag_models, CONFIG_MODELS_MAX);
        return OK;
    }
    m->models = arena_new(m->scratch, struct making_model, (uint64_t)in_file + flag_models + 1);
    if (!m->models)
        return making_no_memory(f);
    for (const struct yaml_tree *n = tree && tree->kind == YAML_TREE_MAP ? tree->first : NULL; n;
         n = n->next) {
        const err code = model_take(m, n);
        if (code)
            return making_no_memory(f);
    }
    return OK;
}

/* --model NAME=PATH, or a FILE whose name is the model's. */
static err flag_model(struct making *m, const struct config_flag *flag)
{
    const bool named = strcmp(flag->flag, "--model") == 0;
    const str value = str_of(flag->value);
    const struct config_place at = {named ? "--model" : flag->value, 0, 0};
    str name;
    str path = value;
    if (named) {
        const size_t equals = str_find(value, '=');
        name = str_cut(value, 0, equals);
        path = str_cut(value, equals + 1, value.len);
        if (equals == value.len) {
            config_report_add(m->report, &at, false, "\"%.*s\" has no =; want NAME=PATH",
                              STR_ARG(str_cut(value, 0, 200)));
            return OK;
        }
    } else {
        const char *slash = strrchr(flag->value, '/');
        name = str_of(slash ? slash + 1 : flag->value);
        const str end = STR(".onnx");
        if (name.len > end.len && str_eq(str_cut(name, name.len - end.len, name.len), end))
            name.len -= end.len;
    }
    if (!config_model_name(name)) {
        config_report_add(m->report, &at, false,
                          "\"%.*s\" is not a name of a model; want 1..128 of A-Z a-z 0-9 . _ -, "
                          "not . or - first, such as --model fraud=PATH",
                          STR_ARG(str_cut(name, 0, 130)));
        return OK;
    }
    if (name_known(m, name)) {
        config_report_add(m->report, &at, false,
                          "models.%.*s: the name stands twice; want another, by --model NAME=PATH",
                          STR_ARG(name));
        return OK;
    }
    making_model_begin(m, name, &at);
    const struct yaml_tree n = {.kind = YAML_TREE_TEXT, .text = path};
    const struct config_taking how = {.arena = m->of_file.arena, .shell = true};
    m->where = at.where;
    const err code = value_take(m, row_find("models.NAME.path"), "path", &n, &how);
    return code ? code : making_model_end(m);
}

static bool adds_model(const struct config_flag *flag)
{
    return strcmp(flag->flag, "--model") == 0 || strcmp(flag->flag, "FILE") == 0;
}

/* The flags of one row: all of them together where the row is a list, else the last. */
static err flag_row(struct making *m, uint32_t row_id, const struct config_flags *flags)
{
    uint32_t count;
    const struct config_row *row = &config_rows(&count)[row_id];
    const struct config_taking how = {.arena = m->of_file.arena, .shell = true};
    struct yaml_tree list = {.kind = YAML_TREE_LIST};
    const struct yaml_tree *one = NULL;
    struct yaml_tree **end = &list.first;
    for (uint32_t i = 0; i < flags->count; i++) {
        if (strcmp(flags->at[i].flag, row->flag) != 0)
            continue;
        struct yaml_tree *n = arena_new(m->scratch, struct yaml_tree, 1);
        if (!n)
            return ERR_UNAVAILABLE;
        n->text = str_of(flags->at[i].value);
        one = *end = n;
        end = &n->next;
        list.child_count++;
    }
    if (!one)
        return OK;
    m->where = row->flag;
    return value_take(m, row_id, row->key, row->type == CONFIG_ADDRESSES ? &list : one, &how);
}

static err flags_take(struct making *m, const struct config_flags *flags)
{
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    const char *where = m->where;
    err code = OK;
    for (uint32_t i = 0; i < count && code == OK; i++) {
        if (rows[i].flag[0])
            code = flag_row(m, i, flags);
    }
    for (uint32_t i = 0; i < flags->count && code == OK && m->models; i++) {
        if (adds_model(&flags->at[i]))
            code = flag_model(m, &flags->at[i]);
    }
    m->where = where;
    return code;
}

static void presets_take(struct making *m)
{
    uint32_t count;
    const struct config_row *rows = config_rows(&count);
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].scope == CONFIG_OF_SERVER && !config_row_computed(&rows[i]) &&
            !config_row_absent(&rows[i]))
            config_value_preset(&rows[i], &m->of_file, m->config);
    }
}

static uint32_t flag_model_count(const struct config_flags *flags)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < flags->count; i++)
        n += adds_model(&flags->at[i]);
    return n;
}

/* All steps; root NULL: no file, or one whose form is broken. */
static err make(struct making *m, const struct yaml_tree *root, const struct config_flags *flags,
                struct fault *f)
{
    presets_take(m);
    if (root && walk(m, root, "", "") != OK)
        return making_no_memory(f);
    const err code = models_take(m, flag_model_count(flags), f);
    if (code)
        return code;
    if (flags_take(m, flags) != OK || making_complete(m) != OK)
        return making_no_memory(f);
    making_judge(m);
    return OK;
}

/* The directory of a file's name, with its slash; empty for the present one. */
static str dir_of(const char *name)
{
    const char *slash = strrchr(name, '/');
    return (str){name, slash ? (size_t)(slash - name) + 1 : 0};
}

static err parse(const str *bytes, const char *name, const struct config_flags *flags,
                 struct config **ret, struct config_report *report, struct fault *f)
{
    struct arena scratch;
    const struct yaml_tree *root = NULL;
    struct holder *h = calloc(1, sizeof(*h));
    if (!h)
        return making_no_memory(f);
    arena_init(&h->arena, ARENA_BYTES);
    arena_init(&scratch, ARENA_BYTES);
    struct making m = {
        .config = &h->config,
        .report = report,
        .scratch = &scratch,
        .where = name ? name : "garrison",
        .of_file = {.arena = &h->arena, .dir = name ? dir_of(name) : (str){0}},
        .look = !flags->blind,
        .has_file = bytes != NULL,
    };
    err code = making_begin(&m);
    if (code == OK && bytes)
        code = yaml_tree_read(*bytes, name, &scratch, &root, report, f);
    if (code == OK && (root || !bytes))
        code = make(&m, root, flags, f);
    if (code == OK && report->error_count) {
        config_report_sort(report);
        code = fail(f, ERR_INPUT, "%.250s", report->count ? report->notes[0].text : name);
    }
    arena_free(&scratch);
    if (code) {
        config_free(&h->config);
        return code;
    }
    config_report_sort(report);
    *ret = &h->config;
    return OK;
}

err config_parse(str bytes, const char *name, const struct config_flags *flags, struct config **ret,
                 struct config_report *report, struct fault *f)
{
    return parse(&bytes, name, flags, ret, report, f);
}

/* The bytes of a configuration file, at most CONFIG_FILE_BYTES_MAX. */
static err file_read(const char *path, char **ret_bytes, size_t *ret_len, struct fault *f)
{
    SCOPED(fd_undo)
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(f, errno == ENOENT ? ERR_NOT_FOUND : ERR_INPUT,
                    "%s: %s; want a file that can be read", path, strerror(errno));
    SCOPED(free_undo)
    char *bytes = malloc(CONFIG_FILE_BYTES_MAX + 1);
    if (!bytes)
        return making_no_memory(f);
    size_t len = 0;
    while (len <= CONFIG_FILE_BYTES_MAX) {
        const ssize_t n = read(fd, bytes + len, CONFIG_FILE_BYTES_MAX + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(f, ERR_INPUT, "%s: %s; want a file that can be read", path,
                        strerror(errno));
        if (n == 0)
            break;
        len += (size_t)n;
    }
    if (len > CONFIG_FILE_BYTES_MAX)
        return fail(f, ERR_INPUT, "%s: longer than 1 MiB; want at most 1 MiB", path);
    *ret_bytes = GIVE(bytes);
    *ret_len = len;
    return OK;
}

err config_load(const struct config_flags *flags, struct config **ret, struct config_report *report,
                struct fault *f)
{
    const char *path = flags->path;
    if (!path && flag_model_count(flags))
        return parse(NULL, NULL, flags, ret, report, f);
    if (!path)
        path = CONFIG_PATH_DEFAULT;
    SCOPED(free_undo)
    char *bytes = NULL;
    size_t len = 0;
    const bool standard = strcmp(path, "-") == 0;
    const err code = file_read(standard ? "/dev/stdin" : path, &bytes, &len, f);
    if (code)
        return code;
    const str whole = {bytes, len};
    return parse(&whole, standard ? "<stdin>" : path, flags, ret, report, f);
}

void config_free(struct config *c)
{
    struct holder *h = (struct holder *)c; /* its first member */
    if (!h)
        return;
    arena_free(&h->arena);
    free(h);
}
