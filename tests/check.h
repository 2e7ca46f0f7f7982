/* The one include of every unit test: cmocka and the four headers it wants before it. */
#ifndef GARRISON_CHECK_H
#define GARRISON_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail /* the name belongs to base/fault.h; a test fails by an assertion or by fail_msg */
#undef fail_msg
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        print_error("ERROR: " __VA_ARGS__);                                                        \
        print_error("\n");                                                                         \
        _fail(__FILE__, __LINE__);                                                                 \
    } while (0)

#endif
