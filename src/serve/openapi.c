/* docs/openapi.json by the assembler's .incbin; the build names its path. */
#include "serve/openapi.h"

__asm__(".section .rodata\n"
        ".global openapi_begin\n"
        ".global openapi_end\n"
        "openapi_begin:\n"
        ".incbin \"" OPENAPI_PATH "\"\n"
        "openapi_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char openapi_begin[];
extern const char openapi_end[];

str openapi_document(void)
{
    return (str){openapi_begin, (size_t)(openapi_end - openapi_begin)};
}
