/* Rendering. The one complication: log-linear cells are finer than the buckets, and a cell that
 * straddles a bound counts above it, so `le` may understate by one cell's width, never overstate.
 */
#include "watch/expose.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "base/text.h"
#include "watch/labels.h"

#define PIECE_BYTES 65536u
#define SPARE_BYTES 4096u /* a line is shorter */
#define BOUNDS_MAX  24u

enum kind { COUNTER, GAUGE, COUNTER_F, GAUGE_F, LAT, STG, LOAD, SIZE, ROWS, SPECIAL };
enum scope { SCOPE_FIXED, SCOPE_VERSION };
enum special { SPECIAL_INFO, SPECIAL_CPU, SPECIAL_MEMORY, SPECIAL_SERIES };

struct family {
    const char *name;
    enum kind kind;
    enum labels labels;
    enum scope scope;
    uint32_t cell;
    const char *help;
};

static const struct family families[] = {
#define METRIC(name, kind, labels, scope, cell, help)                                              \
    {name, kind, LABELS_##labels, SCOPE_##scope, cell, help},
#include "watch/metrics.def"
#undef METRIC
};

/* Bounds as they are written, and in ns. */
struct bound {
    const char *le;
    uint64_t ns;
};
#define US 1000ull
#define MS 1000000ull
#define S  1000000000ull
static const struct bound lat[] = {
    {"5e-05", 50 * US}, {"0.0001", 100 * US},  {"0.00025", 250 * US}, {"0.0005", 500 * US},
    {"0.001", MS},      {"0.0025", 2500 * US}, {"0.005", 5 * MS},     {"0.01", 10 * MS},
    {"0.025", 25 * MS}, {"0.05", 50 * MS},     {"0.075", 75 * MS},    {"0.1", 100 * MS},
    {"0.25", 250 * MS}, {"0.5", 500 * MS},     {"0.75", 750 * MS},    {"1.0", S},
    {"2.5", 2500 * MS}, {"5.0", 5 * S},        {"7.5", 7500 * MS},    {"10.0", 10 * S},
};
static const struct bound stg[] = {
    {"1e-05", 10 * US},    {"2.5e-05", 25 * US}, {"5e-05", 50 * US}, {"0.0001", 100 * US},
    {"0.00025", 250 * US}, {"0.0005", 500 * US}, {"0.001", MS},      {"0.0025", 2500 * US},
    {"0.005", 5 * MS},     {"0.01", 10 * MS},    {"0.025", 25 * MS}, {"0.05", 50 * MS},
    {"0.1", 100 * MS},     {"0.25", 250 * MS},   {"0.5", 500 * MS},  {"1.0", S},
    {"2.5", 2500 * MS},    {"5.0", 5 * S},       {"10.0", 10 * S},
};
static const struct bound load[] = {
    {"0.05", 50 * MS}, {"0.1", 100 * MS},  {"0.25", 250 * MS}, {"0.5", 500 * MS},
    {"1.0", S},        {"2.5", 2500 * MS}, {"5.0", 5 * S},     {"10.0", 10 * S},
    {"30.0", 30 * S},  {"60.0", 60 * S},   {"120.0", 120 * S}, {"300.0", 300 * S},
};
static const char *const size_le[CELL_SIZE_BOUNDS] = {
    "64.0",     "256.0",        "1024.0",       "4096.0",        "16384.0",      "65536.0",
    "262144.0", "1.048576e+06", "4.194304e+06", "1.6777216e+07", "6.7108864e+07"};
static const char *const rows_le[] = {"1.0",  "2.0",   "4.0",   "8.0",   "16.0",  "32.0",
                                      "64.0", "128.0", "256.0", "512.0", "1024.0"};

struct page {
    const struct expose_opts *o;
    char *buffer;
    struct text text;
    uint64_t series;
    err e;
};

/* Numbers ----------------------------------------------------------------------------------------
 */

static void put_double(struct text *t, double v)
{
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof(digits), "%.*g", precision, v);
        if (strtod(digits, NULL) == v)
            break;
    }
    text_put(t, str_of(digits));
}

/* Pieces -----------------------------------------------------------------------------------------
 */

static void flush(struct page *p, bool all)
{
    if (p->e != OK || (!all && p->text.cap - p->text.len >= SPARE_BYTES))
        return;
    if (p->text.full)
        p->e = ERR_INTERNAL; /* a line over SPARE_BYTES: better no page than a short one */
    else if (p->text.len > 0)
        p->e = p->o->put(p->o->arg, text_str(&p->text));
    p->text.len = 0;
}

static void end_line(struct page *p)
{
    text_char(&p->text, '\n');
    flush(p, false);
}

/* The name with its prefix; strip_total for the head lines of OpenMetrics. */
static void put_name(struct page *p, const struct family *f, bool strip_total)
{
    str name = str_of(f->name);
    if (str_starts(name, STR("=")))
        name = str_cut(name, 1, name.len);
    else
        text_put(&p->text, STR("garrison_"));
    const str total = STR("_total");
    if (strip_total && name.len > total.len &&
        str_eq(str_cut(name, name.len - total.len, name.len), total))
        name.len -= total.len;
    text_put(&p->text, name);
}

static const char *type_of(const struct family *f)
{
    switch (f->kind) {
    case COUNTER:
    case COUNTER_F:
        return "counter";
    case LAT:
    case STG:
    case LOAD:
    case SIZE:
    case ROWS:
        return "histogram";
    case SPECIAL:
        return f->scope == SCOPE_FIXED && f->cell == SPECIAL_CPU ? "counter" : "gauge";
    case GAUGE:
    case GAUGE_F:
        break;
    }
    return "gauge";
}

static bool ends_with(str s, str tail)
{
    return s.len > tail.len && str_eq(str_cut(s, s.len - tail.len, s.len), tail);
}

static void put_unit(struct page *p, const struct family *f)
{
    static const str units[] = {STR_LIT("seconds"), STR_LIT("bytes"), STR_LIT("ratio")};
    str name = str_of(f->name);
    if (ends_with(name, STR("_total")))
        name.len -= 6;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!ends_with(name, units[i]))
            continue;
        text_put(&p->text, STR("# UNIT "));
        put_name(p, f, true);
        text_char(&p->text, ' ');
        text_put(&p->text, units[i]);
        end_line(p);
    }
}

static void put_head(struct page *p, const struct family *f)
{
    const bool open = p->o->format == EXPOSE_OPENMETRICS;
    text_put(&p->text, STR("# TYPE "));
    put_name(p, f, open);
    text_char(&p->text, ' ');
    text_put(&p->text, str_of(type_of(f)));
    end_line(p);
    if (open)
        put_unit(p, f);
    text_put(&p->text, STR("# HELP "));
    put_name(p, f, open);
    text_char(&p->text, ' ');
    text_put(&p->text, str_of(f->help));
    end_line(p);
}

/* Samples ----------------------------------------------------------------------------------------
 */

/* name + suffix {labels,le} and a space. */
static void put_sample(struct page *p, const struct family *f, const char *suffix, str labels,
                       const char *le)
{
    p->series++;
    put_name(p, f, false);
    text_put(&p->text, str_of(suffix));
    if (labels.len > 0 || le) {
        text_char(&p->text, '{');
        text_put(&p->text, labels);
        if (le) {
            text_put(&p->text, labels.len > 0 ? STR(",le=\"") : STR("le=\""));
            text_put(&p->text, str_of(le));
            text_char(&p->text, '"');
        }
        text_char(&p->text, '}');
    }
    text_char(&p->text, ' ');
}

static void put_u64(struct page *p, const struct family *f, const char *suffix, str labels,
                    const char *le, uint64_t v)
{
    put_sample(p, f, suffix, labels, le);
    text_u64(&p->text, v);
    end_line(p);
}

static void put_f64(struct page *p, const struct family *f, const char *suffix, str labels,
                    double v)
{
    put_sample(p, f, suffix, labels, NULL);
    put_double(&p->text, v);
    end_line(p);
}

static const struct bound *bounds_of(enum kind kind, uint32_t *ret_count)
{
    if (kind == LAT) {
        *ret_count = sizeof(lat) / sizeof(lat[0]);
        return lat;
    }
    if (kind == STG) {
        *ret_count = sizeof(stg) / sizeof(stg[0]);
        return stg;
    }
    *ret_count = sizeof(load) / sizeof(load[0]);
    return load;
}

/* A histogram of times. _count is the sum of the cells read, so it always equals +Inf. */
static void put_times(struct page *p, const struct family *f, uint32_t cell, str labels)
{
    uint32_t count = 0, at = 0;
    const struct bound *bounds = bounds_of(f->kind, &count);
    const bool empty = segment_sum(p->o->segment, cell + HIST_COUNT) == 0;
    uint64_t sum = 0;
    for (uint32_t b = 0; b < count; b++) {
        while (!empty && at < HIST_BUCKETS && hist_upper_ns(at) <= bounds[b].ns)
            sum += segment_sum(p->o->segment, cell + HIST_FIRST + at++);
        put_u64(p, f, "_bucket", labels, bounds[b].le, sum);
    }
    while (!empty && at < HIST_BUCKETS)
        sum += segment_sum(p->o->segment, cell + HIST_FIRST + at++);
    put_u64(p, f, "_bucket", labels, "+Inf", sum);
    put_f64(p, f, "_sum", labels, (double)segment_sum(p->o->segment, cell + HIST_SUM) / (double)S);
    put_u64(p, f, "_count", labels, NULL, sum);
}

static void put_sizes(struct page *p, const struct family *f, uint32_t cell, str labels)
{
    uint64_t sum = 0;
    for (uint32_t b = 0; b < CELL_SIZE_BOUNDS; b++) {
        sum += segment_sum(p->o->segment, cell + b);
        put_u64(p, f, "_bucket", labels, size_le[b], sum);
    }
    sum += segment_sum(p->o->segment, cell + CELL_SIZE_BOUNDS);
    put_u64(p, f, "_bucket", labels, "+Inf", sum);
    put_u64(p, f, "_sum", labels, NULL, segment_sum(p->o->segment, cell + CELL_SIZE_BOUNDS + 1));
    put_u64(p, f, "_count", labels, NULL, sum);
}

/* Rows a run: shares of runs add up to whole ones, but for those whose requests were cancelled. */
static void put_rows(struct page *p, const struct family *f, uint32_t cell, str labels)
{
    double runs = 0, rows = 0;
    uint32_t class = 0;
    for (uint32_t b = 0; b < sizeof(rows_le) / sizeof(rows_le[0]); b++) {
        while (class < CELL_BATCH_CLASSES && cell_batch_rows(class) <= 1u << b) {
            const double n = segment_sum_double(p->o->segment, cell + class * CELL_BATCH_CELLS);
            runs += n;
            rows += n * cell_batch_rows(class ++);
        }
        put_u64(p, f, "_bucket", labels, rows_le[b], (uint64_t)(runs + 0.5));
    }
    for (; class < CELL_BATCH_CLASSES; class ++) {
        const double n = segment_sum_double(p->o->segment, cell + class * CELL_BATCH_CELLS);
        runs += n;
        rows += n * cell_batch_rows(class);
    }
    put_u64(p, f, "_bucket", labels, "+Inf", (uint64_t)(runs + 0.5));
    put_u64(p, f, "_sum", labels, NULL, (uint64_t)(rows + 0.5));
    put_u64(p, f, "_count", labels, NULL, (uint64_t)(runs + 0.5));
}

/* Status codes that several rows of err.def share are one series: that of the first row. */
static bool code_sum(const struct page *p, uint32_t cell, uint32_t i, uint64_t *ret)
{
    const err code = (err)(i % CELL_CODES);
    uint64_t sum = 0;
    for (err e = 0; e < ERR_COUNT; e++) {
        if (err_http(e) != err_http(code))
            continue;
        if (e < code)
            return false;
        sum += segment_sum(p->o->segment, cell + i - (uint32_t)code + (uint32_t)e);
    }
    *ret = sum;
    return sum > 0;
}

static void put_member(struct page *p, const struct family *f, uint32_t base, uint32_t i,
                       str labels)
{
    const struct segment *s = p->o->segment;
    const uint32_t cell = base + f->cell;
    uint64_t v = 0;
    switch (f->kind) {
    case COUNTER:
    case GAUGE:
        if (f->labels == LABELS_ROUTE_METHOD_CODE) {
            if (code_sum(p, cell, i, &v))
                put_u64(p, f, "", labels, NULL, v);
        } else {
            put_u64(p, f, "", labels, NULL, segment_sum(s, cell + i));
        }
        return;
    case COUNTER_F:
    case GAUGE_F:
        put_f64(p, f, "", labels, segment_sum_double(s, cell + i));
        return;
    case LAT:
    case STG:
    case LOAD:
        if (f->labels != LABELS_ROUTE_METHOD || segment_sum(s, cell + i * HIST_CELLS) > 0)
            put_times(p, f, cell + i * HIST_CELLS, labels);
        return;
    case SIZE:
        put_sizes(p, f, cell + i * CELL_SIZE_CELLS, labels);
        return;
    case ROWS:
        put_rows(p, f, cell, labels);
        return;
    case SPECIAL:
        return;
    }
}

/* Families ---------------------------------------------------------------------------------------
 */

static double all_memory(const struct segment *s)
{
    double anon = 0, file = 0, shmem = 0;
    for (uint32_t r = 0; r < CELL_ROLES; r++) {
        const uint32_t cell = FIXED_ROLE_MEMORY + r * CELL_MEMORY_KINDS;
        const double f = (double)segment_sum(s, cell + CELL_FILE);
        const double m = (double)segment_sum(s, cell + CELL_SHMEM);
        anon += (double)segment_sum(s, cell + CELL_ANON);
        file = f > file ? f : file;
        shmem = m > shmem ? m : shmem;
    }
    return anon + file + shmem;
}

static void put_special(struct page *p, const struct family *f)
{
    char line[512];
    struct text labels = text_over(line, sizeof(line));
    double v = 1;
    if (f->cell == SPECIAL_INFO) {
        text_put(&labels, STR("version="));
        labels_value(&labels, p->o->version);
        text_put(&labels, STR(",build="));
        labels_value(&labels, p->o->build);
    } else if (f->cell == SPECIAL_CPU) {
        v = 0;
        for (uint32_t r = 0; r < CELL_ROLES; r++)
            v += segment_sum_double(p->o->segment, FIXED_ROLE_CPU + r);
    } else if (f->cell == SPECIAL_MEMORY) {
        v = all_memory(p->o->segment);
    } else {
        v = (double)p->series;
    }
    put_f64(p, f, "", text_str(&labels), v);
}

static void put_fixed(struct page *p, const struct family *f)
{
    if (f->kind == SPECIAL) {
        put_special(p, f);
        return;
    }
    for (uint32_t i = 0; i < labels_count(f->labels) && p->e == OK; i++) {
        char line[512];
        struct text labels = text_over(line, sizeof(line));
        labels_put(f->labels, i, &labels);
        put_member(p, f, 0, i, text_str(&labels));
    }
}

static void put_model_info(struct page *p, const struct family *f, const struct series_entry *v,
                           struct text *labels)
{
    text_put(labels, STR(",digest=\""));
    text_hex(labels, v->digest, 6);
    text_put(labels, STR("\",backend=\"onnxruntime\",unsigned="));
    labels_value(labels, v->is_unsigned ? STR("true") : STR("false"));
    put_u64(p, f, "", text_str(labels), NULL, 1);
}

static void put_version(struct page *p, const struct family *f, const struct series_entry *v)
{
    for (uint32_t i = 0; i < labels_count(f->labels) && p->e == OK; i++) {
        char line[1024];
        struct text labels = text_over(line, sizeof(line));
        text_put(&labels, STR("model="));
        labels_value(&labels, str_of(v->model));
        text_put(&labels, STR(",version="));
        labels_value(&labels, str_of(v->version));
        if (f->kind == SPECIAL) {
            put_model_info(p, f, v, &labels);
            return;
        }
        labels_put(f->labels, i, &labels);
        put_member(p, f, v->cells, i, text_str(&labels));
    }
}

/* _OTHER has no facts of a version, only requests. */
static void put_versions(struct page *p, const struct family *f)
{
    static const struct series_entry other = {
        .model = "_OTHER", .version = "_OTHER", .used = true, .cells = CELL_OTHER};
    struct series_entry v;
    if (f->cell == VERSION_PAIRS && f->labels == LABELS_PAIR)
        put_version(p, f, &other);
    for (uint32_t i = 0; i < series_count(p->o->directory) && p->e == OK; i++) {
        if (series_read(p->o->directory, i, &v) && v.cells >= CELL_OTHER &&
            v.cells + (uint32_t)VERSION_CELLS <= p->o->segment->cells)
            put_version(p, f, &v);
    }
}

err expose(const struct expose_opts *opts)
{
    struct page p = {.o = opts, .buffer = malloc(PIECE_BYTES)};
    if (!p.buffer)
        return ERR_UNAVAILABLE;
    p.text = text_over(p.buffer, PIECE_BYTES);
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && p.e == OK; i++) {
        put_head(&p, &families[i]);
        if (families[i].scope == SCOPE_FIXED)
            put_fixed(&p, &families[i]);
        else
            put_versions(&p, &families[i]);
    }
    if (opts->format == EXPOSE_OPENMETRICS)
        text_put(&p.text, STR("# EOF\n"));
    flush(&p, true);
    free(p.buffer);
    return p.e;
}
