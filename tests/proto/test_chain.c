/* Chains: order, growing in place, borrowing, reuse. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "proto/chain.h"

static void chain__ignores_writes_once_it_has_failed(void **state)
{
    (void)state;
    struct chain c = {.failed = true};
    chain_put(&c, STR("abc"));
    chain_borrow(&c, "abc", 3);
    assert_null(chain_room(&c, 1));
    assert_int_equal(c.len, 0);
    assert_int_equal(c.piece_count, 0);
    chain_reset(&c);
    assert_false(c.failed);
    chain_free(&c);
}

static void chain__makes_no_piece_of_nothing(void **state)
{
    (void)state;
    struct chain c = {0};
    chain_put(&c, STR(""));
    chain_borrow(&c, NULL, 0);
    assert_non_null(chain_room(&c, 10));
    chain_wrote(&c, 0);
    assert_int_equal(c.piece_count, 0);
    chain_free(&c);
}

static void chain__grows_one_piece_by_small_writes(void **state)
{
    (void)state;
    struct chain c = {0};
    for (int i = 0; i < 1000; i++)
        chain_put(&c, STR("0123456789"));
    assert_int_equal(c.piece_count, 1);
    assert_int_equal(c.len, 10000);
    assert_memory_equal((char *)c.pieces[0].iov_base + 9990, "0123456789", 10);
    chain_free(&c);
}

static void chain__keeps_the_order_of_written_and_borrowed(void **state)
{
    (void)state;
    struct chain c = {0};
    static const char lent[] = "lent";
    for (int i = 0; i < 20; i++) {
        chain_put(&c, STR("ab"));
        chain_borrow(&c, lent, 4);
    }
    assert_int_equal(c.piece_count, 40);
    assert_int_equal(c.len, 120);
    for (uint32_t i = 0; i < 40; i += 2) {
        assert_memory_equal(c.pieces[i].iov_base, "ab", 2);
        assert_ptr_equal(c.pieces[i + 1].iov_base, lent);
    }
    chain_free(&c);
}

static void chain__spreads_long_text_over_blocks_and_is_used_again(void **state)
{
    (void)state;
    struct chain c = {0};
    const size_t len = 5 * CHAIN_BLOCK_BYTES + 17;
    char *text = malloc(len);
    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(i * 31 >> 3);
    for (int round = 0; round < 3; round++) {
        size_t at = 0;
        chain_put(&c, STR("x"));
        chain_put(&c, (str){text, len});
        assert_false(c.failed);
        assert_int_equal(c.len, len + 1);
        for (uint32_t i = 0; i < c.piece_count; i++) {
            const size_t skip = i == 0;
            assert_memory_equal((char *)c.pieces[i].iov_base + skip, text + at,
                                c.pieces[i].iov_len - skip);
            at += c.pieces[i].iov_len - skip;
        }
        assert_int_equal(at, len);
        chain_reset(&c);
        assert_int_equal(c.len, 0);
        assert_int_equal(c.piece_count, 0);
    }
    free(text);
    chain_free(&c);
}

static void chain_over__writes_into_lent_room_first(void **state)
{
    (void)state;
    struct chain c;
    char room[16];
    chain_over(&c, room, sizeof(room));
    for (int round = 0; round < 2; round++) {
        chain_put(&c, STR("0123456789"));
        assert_ptr_equal(c.pieces[0].iov_base, room);
        assert_null(c.blocks);
        chain_put(&c, STR("0123456789"));
        assert_int_equal(c.piece_count, 2);
        assert_int_equal(c.len, 20);
        assert_memory_equal(room, "0123456789012345", 16);
        assert_memory_equal(c.pieces[1].iov_base, "6789", 4);
        chain_reset(&c);
    }
    chain_put(&c, STR("01234567890"));
    assert_ptr_not_equal(chain_room(&c, 6), room + 11); /* not enough is left of it */
    chain_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain__ignores_writes_once_it_has_failed),
        cmocka_unit_test(chain__makes_no_piece_of_nothing),
        cmocka_unit_test(chain__grows_one_piece_by_small_writes),
        cmocka_unit_test(chain__keeps_the_order_of_written_and_borrowed),
        cmocka_unit_test(chain__spreads_long_text_over_blocks_and_is_used_again),
        cmocka_unit_test(chain_over__writes_into_lent_room_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
