/* fuzz: proto json.c num_read.c num_big.c */
/* The JSON reader on any text. Where json_skip accepts a value, json_pass must find the same end;
 * numbers must be what glibc makes of them. */
#include <math.h>
#include <stdlib.h>

#include "proto/json.h"
#include "proto/num_read.h"
#include "proto/num_whole.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Every target type of one number; rounding twice may differ from once, but never by direction. */
static void read_number(str text)
{
    struct num n;
    double f64 = 0;
    float f32 = 0;
    uint16_t half = 0;
    uint64_t whole = 0;
    int64_t with_sign = 0;
    char copy[1100];

    check(num_read_scan(text.at, text.at + text.len, &n) == text.at + text.len);
    const enum num_state wide = num_read_f64(&n, &f64);
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    const double want = strtod(copy, NULL);
    const float want32 = strtof(copy, NULL);
    uint64_t bits, want_bits;
    uint32_t bits32, want_bits32;
    memcpy(&bits, &f64, sizeof(bits));
    memcpy(&want_bits, &want, sizeof(bits));
    check(wide == NUM_OK ? bits == want_bits : isinf(want));
    const enum num_state narrow = num_read_f32(&n, &f32);
    memcpy(&bits32, &f32, sizeof(bits32));
    memcpy(&want_bits32, &want32, sizeof(bits32));
    check(narrow == NUM_OK ? bits32 == want_bits32 : isinf(want32));
    (void)!num_read_f16(&n, &half);
    (void)!num_read_bf16(&n, &half);
    if (num_whole_unsigned(&n, UINT64_MAX, &whole) == NUM_OK)
        check(wide == NUM_OK && f64 == (double)whole);
    if (num_whole_signed(&n, INT64_MIN, INT64_MAX, &with_sign) == NUM_OK)
        check(wide == NUM_OK && f64 == (double)with_sign);
}

static void read_text(const struct json_token *t)
{
    struct arena arena;
    str text;

    arena_init(&arena, 1 << 16);
    if (json_text(t, 1 << 14, &arena, &text, NULL) == OK)
        check(text.len <= t->text.len);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const struct json_limits limits = {
        .depth = 1 + (len > 0 ? data[0] % 64u : 0), .number = 1024, .nonfinite = len % 2 == 0};
    struct json j = json_over((str){(const char *)data, len}, &limits);
    struct json_token t;
    struct fault f = {0};
    size_t tokens = 0;

    while (json_next(&j, &t, &f) == OK && t.kind != JSON_END) {
        check(j.at >= j.from && j.at <= j.end && j.depth <= limits.depth && tokens++ <= len);
        if (t.kind == JSON_NUMBER)
            read_number(t.text);
        if (t.kind == JSON_STRING || t.kind == JSON_KEY)
            read_text(&t);
        if (t.kind == JSON_KEY && tokens % 2 == 0) {
            struct json passing = j, skipping = j;
            struct json_token first;
            str extent;
            const err strict = json_next(&skipping, &first, NULL);
            if (strict == OK && json_skip(&skipping, &first, NULL) == OK) {
                check(json_pass(&passing, &extent, NULL) == OK);
                check(passing.at == skipping.at && passing.want == skipping.want);
            }
        }
    }
    return 0;
}
