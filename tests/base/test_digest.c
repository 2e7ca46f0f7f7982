/* SHA-256 against the examples of FIPS 180-4 as NIST publishes them. */
#include <string.h>

#include "check.h"
#include "base/digest.h"
#include "base/num.h"

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void check(const uint8_t digest[DIGEST_BYTES], const char *want)
{
    char hex[2 * DIGEST_BYTES + 1] = {0};
    num_put_hex(hex, digest, DIGEST_BYTES);
    assert_string_equal(hex, want);
}

static void digest_of__gives_the_published_values(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_BYTES];
    digest_of("", 0, digest);
    check(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_of("abc", 3, digest);
    check(digest, ABC);
    digest_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
    check(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void digest_add__joins_pieces_and_starts_anew(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_BYTES];
    char thousand[1000];
    struct digest *d = NULL;
    memset(thousand, 'a', sizeof(thousand));
    assert_int_equal(digest_new(&d, NULL), OK);
    for (int i = 0; i < 1000; i++)
        digest_add(d, thousand, sizeof(thousand));
    digest_end(d, digest);
    check(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    digest_add(d, "a", 1);
    digest_add(d, "", 0);
    digest_add(d, "bc", 2);
    digest_end(d, digest);
    check(digest, ABC);
    digest_free(d);
    digest_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digest_of__gives_the_published_values),
        cmocka_unit_test(digest_add__joins_pieces_and_starts_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
