/* The one include of every unit test: cmocka and the four headers it wants before it. */
#ifndef GARRISON_CHECK_H
#define GARRISON_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef fail /* the name belongs to base/fault.h; a test fails by an assertion */

#endif
