/* Buffers: sizes, the shared limit, reuse, what is kept. */
#include "check.h"

#include <string.h>

#include "serve/pool.h"

static void pool_take__refuses_beyond_the_limit(void **state)
{
    (void)state;
    _Atomic uint64_t out = 0;
    struct pool a, b;
    struct pool_bytes x, y = {0};
    struct fault f = {0};
    pool_init(&a, &out, 3 * 4096);
    pool_init(&b, &out, 3 * 4096); /* another loop, the same limit */
    assert_int_equal(pool_take(&a, 5000, &x, NULL), OK);
    assert_int_equal(x.cap, 8192);
    assert_int_equal(pool_take(&b, 4097, &y, &f), ERR_BUSY);
    assert_null(y.at);
    assert_int_equal(f.pair, PAIR_REJECTED_QUEUE_FULL);
    assert_int_equal(out, 8192); /* a refusal takes nothing */
    assert_int_equal(pool_take(&b, 4096, &y, NULL), OK);
    pool_give(&a, &x);
    pool_give(&b, &y);
    assert_int_equal(out, 0);
    pool_free(&a);
    pool_free(&b);
}

static void pool_take__refuses_sizes_without_a_class(void **state)
{
    (void)state;
    _Atomic uint64_t out = 0;
    struct pool p;
    struct pool_bytes x = {0};
    pool_init(&p, &out, UINT64_MAX);
    assert_int_equal(pool_take(&p, (4ull << 30) + 1, &x, NULL), ERR_TOO_BIG);
    assert_int_equal(pool_take(&p, UINT64_MAX, &x, NULL), ERR_TOO_BIG);
    assert_int_equal(out, 0);
    pool_free(&p);
}

static void pool__gives_the_same_buffer_again(void **state)
{
    (void)state;
    _Atomic uint64_t out = 0;
    struct pool p;
    struct pool_bytes x, y;
    pool_init(&p, &out, 1 << 20);
    assert_int_equal(pool_take(&p, 4096, &x, NULL), OK);
    assert_int_equal(x.cap, 4096);
    memset(x.at, 1, x.cap);
    const uint8_t *at = x.at;
    pool_give(&p, &x);
    assert_null(x.at);
    pool_give(&p, &x); /* nothing: a no-op */
    assert_int_equal(p.idle_bytes, 4096);
    assert_int_equal(pool_take(&p, 1, &y, NULL), OK);
    assert_ptr_equal(y.at, at);
    assert_int_equal(p.idle_bytes, 0);
    pool_give(&p, &y);
    pool_free(&p);
}

static void pool__keeps_no_more_than_its_share(void **state)
{
    (void)state;
    _Atomic uint64_t out = 0;
    struct pool p;
    struct pool_bytes x[5];
    pool_init(&p, &out, 1ull << 30);
    for (int i = 0; i < 5; i++)
        assert_int_equal(pool_take(&p, 4u << 20, &x[i], NULL), OK);
    for (int i = 0; i < 5; i++)
        pool_give(&p, &x[i]);
    assert_int_equal(p.idle_bytes, POOL_KEEP_BYTES);
    assert_int_equal(out, 0);
    pool_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_take__refuses_beyond_the_limit),
        cmocka_unit_test(pool_take__refuses_sizes_without_a_class),
        cmocka_unit_test(pool__gives_the_same_buffer_again),
        cmocka_unit_test(pool__keeps_no_more_than_its_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
