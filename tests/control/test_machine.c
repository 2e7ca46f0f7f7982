/* Limits of cgroups from a made tree, versions 1 and 2. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/machine.h"

static void put(const char *root, const char *path, const char *text)
{
    char name[256];
    (void)snprintf(name, sizeof(name), "%s/%s", root, path);
    for (char *at = name + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(name, 0700);
        *at = '/';
    }
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void limit__refuses_what_is_no_number(void **state)
{
    (void)state;
    assert_true(machine_limit_read(STR("max\n")) == UINT64_MAX);
    assert_true(machine_limit_read(STR("")) == UINT64_MAX);
    assert_true(machine_limit_read(STR("-1\n")) == UINT64_MAX);
    assert_true(machine_limit_read(STR("99999999999999999999\n")) == UINT64_MAX);
    assert_true(machine_limit_read(STR("4096\n")) == 4096);
}

static void cgroup__takes_the_least_on_the_way_up(void **state)
{
    (void)state;
    char root[] = "/tmp/garrison-cgroup-XXXXXX";
    char remove[128];
    assert_non_null(mkdtemp(root));
    assert_true(machine_cgroup_bytes(root, STR("0::/a/b\n")) == UINT64_MAX);
    put(root, "a/b/memory.max", "max\n");
    put(root, "a/memory.max", "1000\n");
    put(root, "memory.max", "2000\n");
    put(root, "memory/x/memory.limit_in_bytes", "700\n");
    assert_true(machine_cgroup_bytes(root, STR("0::/a/b\n")) == 1000);
    assert_true(machine_cgroup_bytes(root, STR("0::/\n")) == 2000);
    assert_true(machine_cgroup_bytes(root, STR("0::/not/there\n")) == 2000); /* the mount's root */
    assert_true(machine_cgroup_bytes(root, STR("4:cpu,memory:/x\n1:name=systemd:/\n")) == 700);
    assert_true(machine_cgroup_bytes(root, STR("4:cpu:/x\n")) == UINT64_MAX);
    assert_true(machine_cgroup_bytes(root, STR("")) == UINT64_MAX);
    (void)snprintf(remove, sizeof(remove), "rm -r %s", root);
    assert_int_equal(system(remove), 0);
}

static void machine__grants_something(void **state)
{
    (void)state;
    assert_true(machine_cpus() >= 1);
    assert_true(machine_memory_bytes() >= 1u << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit__refuses_what_is_no_number),
        cmocka_unit_test(cgroup__takes_the_least_on_the_way_up),
        cmocka_unit_test(machine__grants_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
