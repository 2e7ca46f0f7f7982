/* The decoder against zlib's own encoder. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "proto/inflate.h"

#include <zlib.h>

#define TEXT_BYTES 300000u
#define CODED_MAX  400000u

struct body {
    char bytes[CODED_MAX];
    size_t len;
};

static const struct inflate_limits wide = {.decoded = 1u << 20, .ratio = 100};

/* Appends a stream made by zlib; window 31 is gzip, 15 zlib, -15 raw. */
static void code(struct body *b, const char *text, size_t len, int window)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (z_const Bytef *)(uintptr_t)text;
    z.avail_in = (unsigned)len;
    z.next_out = (Bytef *)b->bytes + b->len;
    z.avail_out = (unsigned)(CODED_MAX - b->len);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->len = CODED_MAX - z.avail_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
}

/* Decodes pieces of in bytes into room bytes at once. */
static err decode(struct inflate *i, str bytes, char *out, size_t in, size_t room, size_t *ret_len)
{
    struct fault f = {0};
    size_t total = 0;
    while (bytes.len > 0) {
        str piece = str_cut(bytes, 0, in);
        bytes = str_cut(bytes, in, bytes.len);
        uint64_t n = room;
        while (n == room) {
            const err e = inflate_next(i, &piece, out + total, room, &n, &f);
            assert_int_equal(f.code, e);
            if (e != OK)
                return e;
            total += n;
        }
        assert_int_equal(piece.len, 0);
    }
    *ret_len = total;
    assert_int_equal(inflate_decoded(i), total);
    return inflate_end(i, &f);
}

static char *text_new(void)
{
    char *text = malloc(TEXT_BYTES);
    uint32_t seed = 7;
    assert_non_null(text);
    for (size_t i = 0; i < TEXT_BYTES; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[i] = (char)('0' + (seed >> 24) % 10);
    }
    return text;
}

struct fixture {
    struct inflate *i;
    struct body *b;
    char *text, *out;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    assert_non_null(x);
    assert_int_equal(inflate_new(&x->i, NULL), OK);
    x->b = calloc(1, sizeof(*x->b));
    x->text = text_new();
    x->out = malloc(2 * CODED_MAX);
    assert_true(x->b && x->out);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    inflate_free(x->i);
    inflate_free(NULL);
    free(x->b);
    free(x->text);
    free(x->out);
    free(x);
    return 0;
}

static str coded(const struct fixture *x)
{
    return (str){x->b->bytes, x->b->len};
}

static void inflate__refuses_bytes_behind_the_end_and_a_cut_stream(void **state)
{
    struct fixture *x = *state;
    size_t len = 0;
    static const int windows[] = {31, 15};
    for (int w = 0; w < 2; w++) {
        const enum coding coding = windows[w] == 31 ? CODING_GZIP : CODING_DEFLATE;
        x->b->len = 0;
        code(x->b, "hello", 5, windows[w]);
        for (size_t cut = 0; cut < x->b->len; cut++) {
            inflate_begin(x->i, coding, &wide);
            assert_int_equal(decode(x->i, str_cut(coded(x), 0, cut), x->out, 3, 100, &len),
                             ERR_INPUT);
        }
        inflate_begin(x->i, coding, &wide);
        assert_int_equal(decode(x->i, coded(x), x->out, 3, 100, &len), OK);
        x->b->bytes[x->b->len++] = '\0';
        inflate_begin(x->i, coding, &wide);
        assert_int_equal(decode(x->i, coded(x), x->out, 1000, 100, &len), ERR_INPUT);
        inflate_begin(x->i, coding, &wide);
        assert_int_equal(decode(x->i, coded(x), x->out, 1, 100, &len), ERR_INPUT);
    }
}

static void inflate__refuses_two_zlib_streams(void **state)
{
    struct fixture *x = *state;
    size_t len = 0;
    code(x->b, "hello", 5, 15);
    code(x->b, "hello", 5, 15);
    inflate_begin(x->i, CODING_DEFLATE, &wide);
    assert_int_equal(decode(x->i, coded(x), x->out, 1000, 100, &len), ERR_INPUT);
}

static void inflate__forgets_the_bytes_of_the_body_before(void **state)
{
    struct fixture *x = *state;
    size_t len = 0;
    code(x->b, x->text, TEXT_BYTES, 31);
    inflate_begin(x->i, CODING_GZIP, &wide);
    assert_int_equal(decode(x->i, coded(x), x->out, 4096, 65536, &len), OK);
    x->b->len = 0;
    memset(x->text, 'a', TEXT_BYTES);
    code(x->b, x->text, TEXT_BYTES, 31);
    inflate_begin(x->i, CODING_GZIP, &wide); /* 1:1000, and 1:2 counted with the one before */
    assert_int_equal(decode(x->i, coded(x), x->out, 4096, 65536, &len), ERR_TOO_BIG);
}

static void inflate__refuses_another_form_and_a_wrong_checksum(void **state)
{
    struct fixture *x = *state;
    size_t len = 0;
    static const int windows[] = {31, 15, -15};
    for (int w = 0; w < 3; w++) {
        x->b->len = 0;
        code(x->b, x->text, 200, windows[w]);
        inflate_begin(x->i, CODING_GZIP, &wide);
        assert_int_equal(decode(x->i, coded(x), x->out, 9, 999, &len),
                         windows[w] == 31 ? OK : ERR_INPUT);
        inflate_begin(x->i, CODING_DEFLATE, &wide);
        assert_int_equal(decode(x->i, coded(x), x->out, 9, 999, &len),
                         windows[w] == 15 ? OK : ERR_INPUT);
    }
    x->b->len = 0;
    code(x->b, x->text, 200, 31);
    x->b->bytes[x->b->len - 6] ^= 1;
    inflate_begin(x->i, CODING_GZIP, &wide);
    assert_int_equal(decode(x->i, coded(x), x->out, 9, 999, &len), ERR_INPUT);
}

static void inflate__refuses_a_bomb_where_it_passes_a_limit(void **state)
{
    struct fixture *x = *state;
    size_t len = 0;
    memset(x->text, 'a', TEXT_BYTES);
    code(x->b, x->text, TEXT_BYTES, 31);
    inflate_begin(x->i, CODING_GZIP, &wide); /* 1:1000 */
    assert_int_equal(decode(x->i, coded(x), x->out, CODED_MAX, CODED_MAX, &len), ERR_TOO_BIG);
    assert_true(inflate_decoded(x->i) <= 2 * INFLATE_FREE_BYTES);
    inflate_begin(x->i, CODING_GZIP, &(struct inflate_limits){TEXT_BYTES - 1, 100000});
    assert_int_equal(decode(x->i, coded(x), x->out, CODED_MAX, CODED_MAX, &len), ERR_TOO_BIG);
    inflate_begin(x->i, CODING_GZIP, &(struct inflate_limits){TEXT_BYTES, 100000});
    assert_int_equal(decode(x->i, coded(x), x->out, CODED_MAX, CODED_MAX, &len), OK);
    /* What every ratio may have: 64 KiB of one letter. */
    x->b->len = 0;
    code(x->b, x->text, INFLATE_FREE_BYTES, 15);
    inflate_begin(x->i, CODING_DEFLATE, &(struct inflate_limits){TEXT_BYTES, 2});
    assert_int_equal(decode(x->i, coded(x), x->out, 7, CODED_MAX, &len), OK);
    x->b->len = 0;
    code(x->b, x->text, INFLATE_FREE_BYTES + 1, 15);
    inflate_begin(x->i, CODING_DEFLATE, &(struct inflate_limits){TEXT_BYTES, 2});
    assert_int_equal(decode(x->i, coded(x), x->out, 7, CODED_MAX, &len), ERR_TOO_BIG);
}

static void inflate__gives_back_what_was_coded_in_any_cut(void **state)
{
    struct fixture *x = *state;
    static const size_t cuts[][2] = {{CODED_MAX, CODED_MAX}, {1, 100000}, {1000, 1}, {4096, 65536}};
    static const int windows[] = {31, 15};
    for (int w = 0; w < 2; w++) {
        x->b->len = 0;
        code(x->b, x->text, TEXT_BYTES, windows[w]);
        for (size_t c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
            size_t len = 0;
            inflate_begin(x->i, windows[w] == 31 ? CODING_GZIP : CODING_DEFLATE, &wide);
            assert_int_equal(decode(x->i, coded(x), x->out, cuts[c][0], cuts[c][1], &len), OK);
            assert_int_equal(len, TEXT_BYTES);
            assert_memory_equal(x->out, x->text, TEXT_BYTES);
        }
    }
}

static void inflate__joins_gzip_members_and_takes_empty_ones(void **state)
{
    struct fixture *x = *state;
    size_t len = 0;
    code(x->b, "", 0, 31);
    code(x->b, "hello ", 6, 31);
    code(x->b, "", 0, 31);
    code(x->b, "world", 5, 31);
    for (size_t in = 1; in <= x->b->len; in++) {
        inflate_begin(x->i, CODING_GZIP, &wide);
        assert_int_equal(decode(x->i, coded(x), x->out, in, 4, &len), OK);
        assert_int_equal(len, 11);
        assert_memory_equal(x->out, "hello world", 11);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(inflate__refuses_bytes_behind_the_end_and_a_cut_stream),
        TEST(inflate__refuses_two_zlib_streams),
        TEST(inflate__forgets_the_bytes_of_the_body_before),
        TEST(inflate__refuses_another_form_and_a_wrong_checksum),
        TEST(inflate__refuses_a_bomb_where_it_passes_a_limit),
        TEST(inflate__gives_back_what_was_coded_in_any_cut),
        TEST(inflate__joins_gzip_members_and_takes_empty_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
