/* bench: engine */
/* The same runs without a server: the model's own cost, which is nobody's front end.
 *
 * usage: bench_inproc RUNTIME MODEL.onnx ROWS RUNS     inputs are zeros; free dims beside the rows
 * are 1 out    one line: runs cpu_ns_per_run wall_ns_per_run */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/model.h"
#include "engine/run.h"

#define INPUTS_MAX 16u

static void *read_file(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        return NULL;
    *ret_len = (size_t)ftell(f);
    void *at = malloc(*ret_len + 1);
    rewind(f);
    if (at && fread(at, 1, *ret_len, f) != *ret_len) {
        free(at);
        at = NULL;
    }
    (void)fclose(f);
    return at;
}

static double cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double wall_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static err make_inputs(const struct signature *sig, int64_t rows, struct view *inputs)
{
    for (uint32_t i = 0; i < sig->input_count && i < INPUTS_MAX; i++) {
        struct view *v = &inputs[i];
        v->dtype = sig->inputs[i].dtype;
        v->shape = sig->inputs[i].shape;
        for (uint32_t d = 0; d < v->shape.rank; d++) {
            if (v->shape.dim[d] < 0)
                v->shape.dim[d] = d == 0 ? rows : 1;
        }
        const err e = shape_bytes(&v->shape, v->dtype, 1ull << 30, &v->len, NULL);
        if (e != OK)
            return e;
        v->at = calloc(1, v->len + 1);
    }
    return OK;
}

int main(int argc, char **argv)
{
    struct fault f = {0};
    const struct ort *ort = NULL;
    struct model *model = NULL;
    struct run *run = NULL;
    struct view inputs[INPUTS_MAX] = {0};
    size_t len = 0;
    if (argc != 5) {
        (void)fprintf(stderr, "usage: bench_inproc RUNTIME MODEL.onnx ROWS RUNS\n");
        return 2;
    }
    const struct ort_opts ort_opts = {.path = argv[1], .threads = 1};
    void *bytes = read_file(argv[2], &len);
    struct model_opts opts = {.main = {.at = bytes, .bytes = len}};
    err e = bytes ? ort_open(&ort_opts, &ort, &f) : fail(&f, ERR_NOT_FOUND, "no %s", argv[2]);
    opts.ort = ort;
    if (e == OK)
        e = model_open(&opts, &model, &f);
    if (e == OK)
        e = run_new(model, &run, &f);
    if (e == OK)
        e = make_inputs(model_signature(model), strtol(argv[3], NULL, 10), inputs);
    const unsigned long runs = strtoul(argv[4], NULL, 10);
    for (unsigned long i = 0; e == OK && i < runs / 10 + 1; i++)
        e = run_go(run, inputs, 1, &f);
    const double cpu = cpu_ns(), wall = wall_ns();
    for (unsigned long i = 0; e == OK && i < runs; i++)
        e = run_go(run, inputs, 1, &f);
    if (e != OK) {
        (void)fprintf(stderr, "bench_inproc: %s\n", f.text);
        return 1;
    }
    (void)printf("%lu %.1f %.1f\n", runs, (cpu_ns() - cpu) / (double)runs,
                 (wall_ns() - wall) / (double)runs);
    return 0;
}
