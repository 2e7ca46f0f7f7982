/* Addresses against the C library's own reader. */
#include "check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "control/config_address.h"

static void address__refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "127.0.0.1",
        ":1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0:1",
        "127.0.0.1.1:1",
        "127.0.0.01:1",
        "256.0.0.1:1",
        "localhost:1",
        "::1:1",
        "[::1]",
        "[::1]1",
        "[::1:1",
        "[]:1",
        "[:]:1",
        "[:::]:1",
        "[1::2::3]:1",
        "[1:2:3:4:5:6:7]:1",
        "[::1%lo]:1",
        "[1:2:3:4:5:6:7:8:9]:1",
        "[1:2:3:4:5:6:7::8]:1",
        "[12345::]:1",
        "[::1.2.3]:1",
        "[1.2.3.4]:1",
        "[g::]:1",
        "127.0.0.1:01",
        " 127.0.0.1:1",
        "[1.2.3.4::]:1",
        "[1:]:1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct config_address a = {.port = 7};
        if (config_address_read(str_of(bad[i]), &a))
            print_message("%s\n", bad[i]);
        assert_false(config_address_read(str_of(bad[i]), &a));
        assert_int_equal(a.port, 7);
    }
}

static void address__reads_as_the_c_library_does(void **state)
{
    (void)state;
    static const char *const ips[] = {
        "127.0.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "127.255.0.9",
        "::",
        "::1",
        "1::",
        "fe80::1",
        "1:2:3:4:5:6:7:8",
        "::ffff:127.0.0.1",
        "64:ff9b::1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4",
        "2001:DB8::a:0",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1::8",
        "0:0:0:0:0:0:0:1",
        "::1:0",
    };
    for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
        const bool six = strchr(ips[i], ':') != NULL;
        uint8_t want[16] = {0};
        char text[80];
        struct config_address a;
        assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, ips[i], want), 1);
        (void)snprintf(text, sizeof(text), six ? "[%s]:8000" : "%s:8000", ips[i]);
        assert_true(config_address_read(str_of(text), &a));
        assert_memory_equal(a.ip, want, 16);
        assert_int_equal(a.family, six ? 6 : 4);
        assert_int_equal(a.port, 8000);
        assert_string_equal(a.text, text);
        const bool loopback =
            six ? memcmp(want, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16) == 0 : want[0] == 127;
        assert_int_equal(a.loopback, loopback);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address__refuses_what_is_none),
        cmocka_unit_test(address__reads_as_the_c_library_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
