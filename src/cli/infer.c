/* `garrison infer`: rows of a file, or random ones, to a model and its predictions to the screen.
 * Rows go in requests of at most --rows, so that a file of any length fits the server's limits. */
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/scope.h"

#include "cli/client.h"
#include "cli/csv.h"
#include "cli/rows.h"
#include "cli/table.h"
#include "control/config.h"
#include "control/quantity.h"

#define ROWS_DEFAULT   100u
#define ROWS_MAX       1000000u
#define FILE_BYTES_MAX (1ull << 30)
#define ARENA_BYTES    (4ull << 30)
#define HEADERS_MAX    3u

enum form { FORM_TABLE, FORM_JSON, FORM_CSV };

struct asking {
    const struct cli *c;
    char what[CONFIG_NAME_BYTES + 16]; /* "infer fraud" */
    char server[CLIENT_URL_BYTES];
    char model_url[CLIENT_URL_BYTES + 256];
    uint64_t deadline_ns;
    uint32_t rows_max;
    uint64_t random; /* rows of --random, else 0 */
    bool binary;
    enum form form;
    struct model model;
    struct arena kept;  /* of the metadata and the plan */
    struct arena chunk; /* of one request and its reply */
    struct client_progress progress;
    uint64_t answered; /* rows */
};

/* Where rows come from. */
struct source {
    bool random;
    uint64_t left; /* of random rows */
    uint64_t state;
    struct csv csv;
    const str *first; /* a first line that is a row, not a header */
    uint64_t first_line;
};

/* NAME or NAME@VERSION into the URL of the model; both must be able to exist. */
static err target(struct asking *a, str arg, struct fault *f)
{
    const size_t at = str_find(arg, '@');
    const str name = str_cut(arg, 0, at);
    const str version = str_cut(arg, at + 1, arg.len);
    bool good = config_model_name(name) && (at == arg.len || version.len > 0) && version.len <= 64;
    for (size_t i = 0; i < version.len; i++) {
        const char ch = version.at[i];
        good &= (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') ||
                (i > 0 && strchr("._+-", ch));
    }
    if (!good)
        return fail(f, ERR_INPUT, "\"%.*s\" is no model; want NAME or NAME@VERSION",
                    STR_ARG(str_cut(arg, 0, 140)));
    (void)snprintf(a->what, sizeof(a->what), "infer %.*s", STR_ARG(name));
    (void)snprintf(a->model_url, sizeof(a->model_url), "%s/v2/models/%.*s%s%.*s", a->server,
                   STR_ARG(name), version.len ? "/versions/" : "", STR_ARG(version));
    return OK;
}

static err flags_read(struct asking *a, struct fault *f)
{
    const char *csv = cli_value(a->c, "--csv");
    const char *json = cli_value(a->c, "--json");
    const char *random = cli_value(a->c, "--random");
    const char *rows = cli_value(a->c, "--rows");
    const char *deadline = cli_value(a->c, "--deadline");
    const char *output = cli_value(a->c, "--output");
    uint64_t rows_max = ROWS_DEFAULT;
    if ((csv != NULL) + (json != NULL) + (random != NULL) != 1)
        return fail(f, ERR_INPUT, "%d of --csv, --json and --random; want one of them",
                    (csv != NULL) + (json != NULL) + (random != NULL));
    if (random && (num_u64(str_of(random), UINT32_MAX, &a->random, NULL) != OK || a->random == 0))
        return fail(f, ERR_INPUT, "--random \"%.80s\"; want a number of rows from 1", random);
    if (rows && (num_u64(str_of(rows), ROWS_MAX, &rows_max, NULL) != OK || rows_max == 0))
        return fail(f, ERR_INPUT, "--rows \"%.80s\"; want 1..%u", rows, ROWS_MAX);
    a->deadline_ns = CLIENT_DEADLINE_NS;
    if (deadline && (!quantity_duration(str_of(deadline), &a->deadline_ns) ||
                     a->deadline_ns < NS_PER_MS || a->deadline_ns > 3600 * NS_PER_S))
        return fail(f, ERR_INPUT, "--deadline \"%.80s\"; want 1ms..1h, such as 500ms", deadline);
    a->rows_max = (uint32_t)rows_max;
    a->binary = cli_value(a->c, "--binary") != NULL;
    a->form = !output || strcmp(output, "table") == 0 ? FORM_TABLE
              : strcmp(output, "json") == 0           ? FORM_JSON
                                                      : FORM_CSV;
    if (a->binary && (json || a->form == FORM_JSON))
        return fail(f, ERR_INPUT, "--binary with %s; want --csv or --random, and table or csv",
                    json ? "--json" : "--output json");
    return OK;
}

/* The whole of a file, or of standard input for "-"; *ret_bytes is yours. */
static err file_read(const char *path, char **ret_bytes, size_t *ret_len, struct fault *f)
{
    const bool standard = strcmp(path, "-") == 0;
    SCOPED(fd_undo)
    int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(f, ERR_INPUT, "\"%.150s\": %s; want a file that can be read", path,
                    strerror(errno));
    SCOPED(free_undo)
    char *bytes = NULL;
    size_t len = 0;
    size_t room = 0;
    for (;;) {
        if (len == room) {
            room = room ? 2 * room : 65536;
            char *grown = room > FILE_BYTES_MAX ? NULL : realloc(bytes, room);
            if (!grown)
                return fail(f, ERR_TOO_BIG, "\"%.150s\": over 512 MiB, or no memory for it", path);
            bytes = grown;
        }
        const ssize_t n = read(fd, bytes + len, room - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(f, ERR_INPUT, "\"%.150s\": %s; want a file that can be read", path,
                        strerror(errno));
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *ret_bytes = GIVE(bytes);
    *ret_len = len;
    return OK;
}

/* A GET, or a POST of body; a status other than 200 is an error with the server's text. */
static err call(struct asking *a, const char *url, const str *body, uint64_t json_len,
                struct fetch_reply *ret, struct fault *f)
{
    char deadline[64];
    char length[64];
    const char *headers[HEADERS_MAX] = {deadline};
    (void)snprintf(deadline, sizeof(deadline), "x-request-timeout-ms: %" PRIu64,
                   (uint64_t)(a->deadline_ns / NS_PER_MS));
    struct fetch_call how = {
        .url = url,
        .headers = headers,
        .header_count = 1,
        .deadline_ns = a->deadline_ns,
        .reply_bytes_max = CLIENT_REPLY_MAX,
        .progress = client_progress_tell,
        .progress_to = &a->progress,
    };
    if (body) {
        how.post = true;
        how.body = *body;
        headers[how.header_count++] = json_len < body->len
                                          ? "Content-Type: application/octet-stream"
                                          : "Content-Type: application/json";
        (void)snprintf(length, sizeof(length), "Inference-Header-Content-Length: %" PRIu64,
                       json_len);
        if (a->binary)
            headers[how.header_count++] = length;
    }
    const err code = fetch(&how, ret, f);
    if (code)
        return code;
    return ret->status == 200 ? OK : client_error(ret, f);
}

static int refuse(struct asking *a, err code, const struct fault *f)
{
    client_progress_end(&a->progress);
    (void)fflush(stdout);
    return cli_fail(a->c, a->what, code, f->text);
}

/* Prints a reply and counts its rows. */
static err print(struct asking *a, const struct fetch_reply *r, uint64_t rows, struct fault *f)
{
    struct reply reply;
    err code = OK;
    client_progress_end(&a->progress);
    if (a->form == FORM_JSON) {
        (void)fwrite(r->body, 1, r->len, stdout);
        (void)fputc('\n', stdout);
    } else {
        code = reply_read((str){r->body, r->len}, r->json_len, &a->chunk, &reply, f);
        if (code == OK && a->form == FORM_TABLE)
            table_print(stdout, &a->model, &reply, a->answered, a->c->color);
        else if (code == OK)
            code = table_csv(stdout, &a->model, &reply, a->answered, f);
    }
    a->answered += rows;
    a->progress.rows = a->answered;
    return code;
}

/* Sends one body and prints its reply. */
static err send_body(struct asking *a, str body, uint64_t json_len, uint64_t rows, struct fault *f)
{
    char url[sizeof(a->model_url) + 8];
    SCOPED(fetch_reply_free)
    struct fetch_reply reply = {0};
    (void)snprintf(url, sizeof(url), "%s/infer", a->model_url);
    const err code = call(a, url, &body, json_len, &reply, f);
    return code ? code : print(a, &reply, rows, f);
}

static err next_row(struct asking *a, struct source *s, const struct rows_plan *plan,
                    const str **ret_cells, uint64_t *ret_line, struct fault *f)
{
    *ret_cells = NULL;
    if (s->random) {
        if (s->left == 0)
            return OK;
        str *cells = arena_new(&a->chunk, str, plan->column_count);
        if (!cells)
            return fail(f, ERR_TOO_BIG, "no memory for a random row");
        for (uint32_t c = 0; c < plan->column_count; c++)
            cells[c] = rows_random(plan, c, &s->state, &a->chunk);
        s->left--;
        *ret_cells = cells;
        return OK;
    }
    if (s->first) {
        *ret_cells = s->first;
        *ret_line = s->first_line;
        s->first = NULL;
        return OK;
    }
    uint32_t count = 0;
    const err code = csv_next(&s->csv, &a->chunk, ret_cells, &count, ret_line, f);
    if (code == OK && *ret_cells && count != plan->column_count)
        return fail(f, ERR_INPUT, "line %" PRIu64 " has %" PRIu32 " columns; want %" PRIu32,
                    *ret_line, count, plan->column_count);
    return code;
}

/* The next rows as one request. *ret_rows 0: there were none. */
static err chunk_send(struct asking *a, struct source *s, const struct rows_plan *plan,
                      uint32_t *ret_rows, struct fault *f)
{
    const uint32_t most = plan->stacked ? a->rows_max : 1;
    const str **cells = arena_new(&a->chunk, const str *, most);
    uint64_t *lines = arena_new(&a->chunk, uint64_t, most);
    uint32_t rows = 0;
    err code = cells && lines ? OK : fail(f, ERR_TOO_BIG, "no memory for %" PRIu32 " rows", most);
    while (code == OK && rows < most) {
        code = next_row(a, s, plan, &cells[rows], &lines[rows], f);
        if (code || !cells[rows])
            break;
        rows++;
    }
    *ret_rows = rows;
    if (code || rows == 0)
        return code;
    SCOPED(chain_free)
    struct chain body = {0};
    uint64_t json_len;
    const struct rows_batch batch = {
        .cells = cells, .lines = lines, .rows = rows, .binary = a->binary};
    code = rows_body(plan, &batch, &body, &json_len, f);
    if (code)
        return code;
    char *flat = arena_alloc(&a->chunk, body.len);
    size_t len = 0;
    if (!flat)
        return fail(f, ERR_TOO_BIG, "no memory for a request; want fewer --rows");
    for (uint32_t i = 0; i < body.piece_count; i++) {
        memcpy(flat + len, body.pieces[i].iov_base, body.pieces[i].iov_len);
        len += body.pieces[i].iov_len;
    }
    return send_body(a, (str){flat, len}, json_len, rows, f);
}

static err all_send(struct asking *a, struct source *s, const struct rows_plan *plan,
                    struct fault *f)
{
    uint32_t rows = 1;
    err code = OK;
    while (code == OK && rows) {
        arena_reset(&a->chunk);
        code = chunk_send(a, s, plan, &rows, f);
    }
    if (code == OK && a->answered == 0)
        return fail(f, ERR_INPUT, "no row; want at least one");
    return code;
}

static err csv_send(struct asking *a, const char *path, struct fault *f)
{
    SCOPED(free_undo)
    char *bytes = NULL;
    size_t len = 0;
    uint32_t count = 0;
    uint64_t line = 0;
    const str *first = NULL;
    struct rows_plan plan;
    err code = file_read(path, &bytes, &len, f);
    if (code)
        return code;
    struct source s = {.csv = csv_over((str){bytes, len})};
    code = csv_next(&s.csv, &a->kept, &first, &count, &line, f);
    if (code)
        return code;
    if (!first)
        return fail(f, ERR_INPUT, "\"%.150s\" is empty; want a header and rows", path);
    bool named = false;
    code = rows_named(&a->model, first, count, &named, f);
    if (code == OK && !named && rows_values(&a->model, first, count)) {
        s.first = first;
        s.first_line = line;
    }
    if (code == OK)
        code = rows_plan(&a->model, named ? first : NULL, count, &a->kept, &plan, f);
    return code ? code : all_send(a, &s, &plan, f);
}

static bool takes_texts(const struct model *m)
{
    bool texts = false;
    for (uint32_t i = 0; i < m->input_count; i++)
        texts |= m->inputs[i].dtype == DTYPE_BYTES;
    return texts;
}

static err random_send(struct asking *a, struct fault *f)
{
    struct rows_plan plan;
    struct source s = {.random = true, .left = a->random};
    const uint32_t columns = rows_random_columns(&a->model);
    str *names = columns < CSV_COLUMNS_MAX ? arena_new(&a->kept, str, columns) : NULL;
    if (!names)
        return fail(f, ERR_TOO_BIG, "a row of this model is too long; want --json");
    uint32_t at = 0;
    for (uint32_t i = 0; i < a->model.input_count; i++) {
        uint64_t elements = 1;
        const struct shape *shape = &a->model.inputs[i].shape;
        for (uint32_t d = 0; d < shape->rank; d++) {
            if (shape->dim[d] >= 0)
                elements *= (uint64_t)shape->dim[d];
        }
        for (uint64_t k = 0; k < elements; k++)
            names[at++] = a->model.inputs[i].name;
    }
    struct fault why = {0};
    err code = rows_plan(&a->model, names, columns, &a->kept, &plan, &why);
    if (code == OK)
        code = all_send(a, &s, &plan, &why);
    if (code == ERR_ENGINE && takes_texts(&a->model)) /* the engine's own words would not help */
        return fail(f, code,
                    "%.140s; --random fills strings with words such as \"row-01af\", want --csv or "
                    "--json where the model takes others",
                    why.text);
    return code ? fail(f, code, "%s", why.text) : OK;
}

static err json_send(struct asking *a, const char *path, struct fault *f)
{
    SCOPED(free_undo)
    char *bytes = NULL;
    size_t len = 0;
    const err code = file_read(path, &bytes, &len, f);
    return code ? code : send_body(a, (str){bytes, len}, len, 0, f);
}

static err ask(struct asking *a, struct fault *f)
{
    SCOPED(fetch_reply_free)
    struct fetch_reply meta = {0};
    const char *csv = cli_value(a->c, "--csv");
    const char *json = cli_value(a->c, "--json");
    err code = call(a, a->model_url, NULL, 0, &meta, f);
    if (code == OK)
        code = model_read((str){meta.body, meta.len}, &a->kept, &a->model, f);
    if (code)
        return code;
    if (csv)
        return csv_send(a, csv, f);
    return json ? json_send(a, json, f) : random_send(a, f);
}

int command_infer(const struct cli *c)
{
    struct asking a = {.c = c, .what = "infer"};
    struct fault f = {0};
    a.progress = (struct client_progress){.c = c, .what = a.what, .begun_ns = clock_ns()};
    err code = flags_read(&a, &f);
    if (code == OK)
        code = client_server(c, CLIENT_DATA_URL, a.server, &f);
    if (code == OK)
        code = target(&a, str_of(c->args[0]), &f);
    if (code)
        return refuse(&a, code, &f);
    arena_init(&a.kept, ARENA_BYTES);
    arena_init(&a.chunk, ARENA_BYTES);
    code = ask(&a, &f);
    client_progress_end(&a.progress);
    arena_free(&a.kept);
    arena_free(&a.chunk);
    return code ? refuse(&a, code, &f) : 0;
}
