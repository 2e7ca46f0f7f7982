/* Reading models: names and files that are refused, digests against OpenSSL's, seals. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memfd.h"
#include "registry/model_file.h"

static char dir[] = "/tmp/garrison-model-XXXXXX";
static char path[512];

static const char *at(const char *name)
{
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const char *bytes, size_t len)
{
    FILE *f = fopen(at(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[600];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static err read_all(struct model_files *m, uint64_t step, struct fault *f)
{
    bool done = false;
    err e = OK;
    while (e == OK && !done)
        e = model_files_step(m, step, &done, f);
    return e;
}

static void open__refuses_what_is_no_regular_file(void **state)
{
    (void)state;
    struct model_files *m = NULL;
    put("empty.onnx", "", 0);
    assert_int_equal(mkdir(at("dir.onnx"), 0700), 0);
    assert_int_equal(mkfifo(at("pipe.onnx"), 0600), 0);
    assert_int_equal(model_files_open(at("none.onnx"), &m, NULL), ERR_NOT_FOUND);
    assert_int_equal(model_files_open(at("no/dir.onnx"), &m, NULL), ERR_NOT_FOUND);
    assert_int_equal(model_files_open(at("empty.onnx"), &m, NULL), ERR_INPUT);
    assert_int_equal(model_files_open(at("dir.onnx"), &m, NULL), ERR_INPUT);
    assert_int_equal(model_files_open(at("pipe.onnx"), &m, NULL), ERR_INPUT); /* and not hang */
    assert_null(m);
}

static void add__refuses_names_that_are_not_plain(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     ".",    "..",   "../x", "a/b", "/etc/passwd",
                                      "a\\b", "*/_m", "a\nb", "x*"};
    struct model_files *m = NULL;
    char longest[258];
    put("a.onnx", "model", 5);
    assert_int_equal(model_files_open(at("a.onnx"), &m, NULL), OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fault f = {0};
        assert_int_equal(model_files_add(m, str_of(bad[i]), &f), ERR_INPUT);
        assert_true(f.text[0] != '\0');
    }
    assert_int_equal(model_files_add(m, (str){"a\0b", 3}, NULL), ERR_INPUT);
    memset(longest, 'a', sizeof longest);
    assert_int_equal(model_files_add(m, (str){longest, 256}, NULL), ERR_INPUT);
    assert_int_equal(model_files_add(m, (str){longest, 255}, NULL), OK);
    assert_int_equal(model_files_count(m), 2);
    model_files_free(m);
}

static void step__refuses_links_and_missing_external_data(void **state)
{
    (void)state;
    static const char *const bad[] = {"link.bin", "missing.bin", "pipe.bin", "dirlink", "hard.bin"};
    static const err want[] = {ERR_INPUT, ERR_NOT_FOUND, ERR_INPUT, ERR_INPUT, ERR_INPUT};
    put("b.onnx", "model", 5);
    put("real.bin", "data", 4);
    put("elsewhere.bin", "data", 4);
    assert_int_equal(symlink("real.bin", at("link.bin")), 0);
    char from[PATH_MAX];
    (void)snprintf(from, sizeof from, "%s", at("elsewhere.bin"));
    assert_int_equal(link(from, at("hard.bin")), 0);
    assert_int_equal(symlink("/etc", at("dirlink")), 0);
    assert_int_equal(mkfifo(at("pipe.bin"), 0600), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct model_files *m = NULL;
        assert_int_equal(model_files_open(at("b.onnx"), &m, NULL), OK);
        assert_int_equal(model_files_add(m, str_of(bad[i]), NULL), OK);
        assert_int_equal(read_all(m, 1 << 20, NULL), want[i]);
        model_files_free(m);
    }
}

static void step__notices_a_file_that_shrinks_or_grows(void **state)
{
    (void)state;
    struct model_files *m = NULL;
    bool done = false;
    static char big[3 << 20];
    put("c.onnx", big, sizeof big);
    assert_int_equal(model_files_open(at("c.onnx"), &m, NULL), OK);
    assert_int_equal(model_files_step(m, 1, &done, NULL), OK);
    assert_false(done);
    assert_int_equal(truncate(at("c.onnx"), 2 << 20), 0);
    assert_int_equal(read_all(m, 1 << 20, NULL), ERR_CONFLICT);
    model_files_free(m);
    assert_int_equal(model_files_open(at("c.onnx"), &m, NULL), OK);
    assert_int_equal(truncate(at("c.onnx"), sizeof big), 0);
    assert_int_equal(read_all(m, 1 << 20, NULL), ERR_CONFLICT);
    model_files_free(m);
}

static void step__seals_what_it_has_read(void **state)
{
    (void)state;
    struct model_files *m = NULL;
    char back[6] = "";
    put("d.onnx", "model", 5);
    assert_int_equal(model_files_open(at("d.onnx"), &m, NULL), OK);
    assert_int_equal(read_all(m, 1 << 20, NULL), OK);
    const struct model_file *file = model_files_at(m, 0);
    assert_true(file->bytes == 5);
    assert_int_equal(memfd_check(file->fd, 5, true, NULL), OK);
    assert_int_equal(pwrite(file->fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(pread(file->fd, back, 5, 0), 5);
    assert_string_equal(back, "model");
    model_files_free(m);
}

/* A set of two files, read once and released. */
static struct model_files *released(void)
{
    struct model_files *m = NULL;
    static const char big[(2 << 20) + 9];
    (void)unlink(at("f.onnx"));
    (void)unlink(at("f.bin"));
    put("f.onnx", "model", 5);
    put("f.bin", big, sizeof big);
    assert_int_equal(model_files_open(at("f.onnx"), &m, NULL), OK);
    assert_int_equal(model_files_add(m, STR("f.bin"), NULL), OK);
    assert_int_equal(read_all(m, 1 << 20, NULL), OK);
    model_files_release(m);
    assert_int_equal(model_files_at(m, 0)->fd, -1);
    assert_int_equal(model_files_at(m, 1)->fd, -1);
    assert_true(model_files_bytes(m) == 5 + sizeof big);
    return m;
}

static void overwrite(const char *name, off_t where)
{
    const int fd = open(at(name), O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "X", 1, where), 1);
    assert_int_equal(close(fd), 0);
}

static void refused_again(struct model_files *m, const char *who)
{
    char want[128];
    struct fault f = {0};
    assert_int_equal(read_all(m, 1 << 20, &f), ERR_CONFLICT);
    (void)snprintf(want, sizeof want, "%s has changed since it was loaded; start again to load it",
                   who);
    assert_string_equal(f.text, want);
    model_files_free(m);
}

static void release__refuses_other_bytes_at_the_next_reading(void **state)
{
    (void)state;
    struct model_files *m = released();
    overwrite("f.onnx", 4);
    refused_again(m, "the model");
    m = released();
    overwrite("f.bin", (2 << 20) + 8);
    refused_again(m, "\"f.bin\"");
    m = released();
    overwrite("f.bin", (2 << 20) + 9); /* longer */
    refused_again(m, "\"f.bin\"");
    m = released();
    assert_int_equal(truncate(at("f.bin"), 2 << 20), 0);
    refused_again(m, "\"f.bin\"");
}

static void release__lets_the_same_bytes_be_read_again(void **state)
{
    (void)state;
    bool done = false;
    uint8_t digest[DIGEST_BYTES];
    struct model_files *m = released();
    memcpy(digest, model_files_at(m, 1)->digest, DIGEST_BYTES);
    assert_int_equal(model_files_step(m, 1 << 20, &done, NULL), OK);
    assert_int_equal(model_files_step(m, 1 << 20, &done, NULL), OK);
    assert_false(done);
    model_files_release(m); /* in the middle of the second file */
    put("other", "another model", 13);
    char other[512];
    (void)snprintf(other, sizeof other, "%s", at("other"));
    assert_int_equal(rename(other, at("f.onnx")), 0); /* the usual way to put a new model there */
    assert_int_equal(unlink(at("f.bin")), 0);
    assert_int_equal(read_all(m, 1 << 20, NULL), OK);
    assert_int_equal(model_files_count(m), 2);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(
            memfd_check(model_files_at(m, i)->fd, model_files_at(m, i)->bytes, true, NULL), OK);
    assert_memory_equal(digest, model_files_at(m, 1)->digest, DIGEST_BYTES);
    model_files_free(m);
}

/* The oracle: sha256sum of the files, and of their digests put together. */
static void digest__is_that_of_sha256sum(void **state)
{
    (void)state;
    struct model_files *m = NULL;
    static char big[(2 << 20) + 7];
    uint8_t digest[DIGEST_BYTES];
    char hex[2 * DIGEST_BYTES + 1], want[2 * DIGEST_BYTES + 1], command[2000];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 + i / 251);
    put("z.onnx", big, sizeof big);
    put("b.bin", "second", 6);
    put("a.bin", big, 1 << 20);
    for (unsigned files = 1; files <= 3; files += 2) {
        assert_int_equal(model_files_open(at("z.onnx"), &m, NULL), OK);
        assert_int_equal(read_all(m, 3 << 20, NULL), OK);
        if (files == 3) { /* out of order, and one of them twice */
            assert_int_equal(model_files_add(m, STR("b.bin"), NULL), OK);
            assert_int_equal(model_files_add(m, STR("a.bin"), NULL), OK);
            assert_int_equal(model_files_add(m, STR("b.bin"), NULL), OK);
            assert_int_equal(read_all(m, 1, NULL), OK);
            assert_int_equal(model_files_count(m), 3);
        }
        model_files_digest(m, digest);
        for (unsigned i = 0; i < DIGEST_BYTES; i++)
            (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
        (void)snprintf(command, sizeof command,
                       files == 1 ? "cd %s && sha256sum z.onnx"
                                  : "cd %s && sha256sum z.onnx a.bin b.bin | cut -c1-64 | "
                                    "tr -d '\\n' | python3 -c 'import sys; "
                                    "sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' | "
                                    "sha256sum",
                       dir);
        FILE *oracle = popen(command, "r");
        assert_non_null(oracle);
        assert_int_equal(fread(want, 1, 64, oracle), 64);
        want[64] = '\0';
        assert_int_equal(pclose(oracle), 0);
        assert_string_equal(hex, want);
        model_files_free(m);
    }
}

static void open__follows_the_operators_own_link(void **state)
{
    (void)state;
    struct model_files *m = NULL;
    put("e.onnx", "model", 5);
    assert_int_equal(symlink("e.onnx", at("link.onnx")), 0);
    assert_int_equal(model_files_open(at("link.onnx"), &m, NULL), OK);
    assert_int_equal(read_all(m, 1, NULL), OK);
    assert_true(model_files_bytes(m) == 5);
    model_files_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open__refuses_what_is_no_regular_file),
        cmocka_unit_test(add__refuses_names_that_are_not_plain),
        cmocka_unit_test(step__refuses_links_and_missing_external_data),
        cmocka_unit_test(step__notices_a_file_that_shrinks_or_grows),
        cmocka_unit_test(step__seals_what_it_has_read),
        cmocka_unit_test(release__refuses_other_bytes_at_the_next_reading),
        cmocka_unit_test(release__lets_the_same_bytes_be_read_again),
        cmocka_unit_test(digest__is_that_of_sha256sum),
        cmocka_unit_test(open__follows_the_operators_own_link),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
