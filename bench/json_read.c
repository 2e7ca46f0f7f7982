/* bench: proto */
/* How fast a JSON body of 150,000 floats becomes a tensor: our reader (both passes, and the second
 * alone) against a loop of strtof over the same bytes, the best of many turns each, in turn. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/scope.h"
#include "proto/num_write.h"
#include "proto/oip.h"

#define FLOATS      150000u
#define FLOAT_BYTES (FLOATS * sizeof(uint32_t))
#define TURNS       41

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Writes {"inputs":[{...,"data":[...]}]} and returns its length; *ret_data is the array's first
 * byte. */
static size_t make_body(char *body, size_t *ret_data)
{
    char *p = body;
    uint64_t seed = 42;

    p += sprintf(
        p, "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,%u],\"data\":", FLOATS);
    *ret_data = (size_t)(p - body);
    for (uint32_t i = 0; i < FLOATS; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const float v = (float)((int64_t)seed >> 11) * 0x1p-52f;
        *p++ = i ? ',' : '[';
        p += num_write_f32(p, v);
    }
    memcpy(p, "]}]}", 5);
    return (size_t)(p + 4 - body);
}

static double turn_strtof(const char *data, uint8_t *out)
{
    const double start = now();
    const char *p = data + 1;

    for (uint32_t i = 0; i < FLOATS; i++) {
        char *end;
        const float v = strtof(p, &end);
        memcpy(out + i * sizeof(v), &v, sizeof(v));
        p = end + 1;
    }
    return now() - start;
}

static double turn_ours(str body, const struct signature *sig, uint8_t *out, double *ret_fill)
{
    const struct oip_body bytes = {.bytes = body};
    const struct infer_limits limits = INFER_LIMITS_DEFAULT;
    struct infer_request r = {0};
    struct fault f = {0};
    struct arena arena;
    uint64_t len;

    arena_init(&arena, 1 << 20);
    const double start = now();
    if (oip_index(&bytes, sig, &limits, &arena, &r, &f) != OK)
        exit(1);
    const double middle = now();
    if (oip_fill(&r, 0, out, FLOAT_BYTES, &len, &f) != OK || len != FLOAT_BYTES)
        exit(1);
    const double end = now();
    arena_free(&arena);
    *ret_fill = end - middle;
    return end - start;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

int main(void)
{
    const struct spec input = {
        .name = STR("x"), .dtype = DTYPE_FP32, .shape = {.dim = {-1, FLOATS}, .rank = 2}};
    const struct signature sig = {.inputs = &input, .input_count = 1};
    SCOPED(free_undo)
    char *body = malloc((size_t)FLOATS * 32 + 256);
    SCOPED(free_undo)
    uint32_t *theirs = malloc(FLOAT_BYTES);
    SCOPED(free_undo)
    uint32_t *ours = malloc(FLOAT_BYTES);
    double base = 1e9, both = 1e9, fill = 1e9;
    size_t data = 0;

    if (!body || !theirs || !ours)
        return 1;
    const size_t len = make_body(body, &data);
    for (int i = 0; i < TURNS; i++) {
        double second;
        base = least(base, turn_strtof(body + data, (uint8_t *)theirs));
        both = least(both, turn_ours((str){body, len}, &sig, (uint8_t *)ours, &second));
        fill = least(fill, second);
    }
    if (memcmp(ours, theirs, FLOAT_BYTES) != 0) {
        (void)fprintf(stderr, "json_read: the values differ\n");
        return 1;
    }
    const double mega = (double)(len - data) / 1e6;
    (void)printf("strtof %.0f MB/s\nfill %.0f MB/s, ratio %.2f\nindex and fill %.0f MB/s, ratio "
                 "%.2f\n",
                 mega / base, mega / fill, base / fill, mega / both, base / both);
    return 0;
}
