/* Limits of the machine. In a container the path of /proc/self/cgroup may not exist below
 * /sys/fs/cgroup (no cgroup namespace): then the mount's own root holds the limits. */
#include "control/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/sysinfo.h>

#include "base/num.h"
#include "base/scope.h"

#define FILE_BYTES 4096u
#define PATH_BYTES 4352u

/* The whole of a small file, or the empty slice. */
static str file_read(const char *path, char *buffer, size_t cap)
{
    SCOPED(fd_undo)
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return (str){0};
    const ssize_t n = read(fd, buffer, cap);
    return (str){buffer, n > 0 ? (size_t)n : 0};
}

uint64_t machine_limit_read(str text)
{
    uint64_t limit;
    while (text.len && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == ' '))
        text.len--;
    return num_u64(text, UINT64_MAX, &limit, NULL) == OK ? limit : UINT64_MAX;
}

/* The least limit from the cgroup at path up to the root of the mount. */
static uint64_t climb(const char *root, const char *mount, str path, const char *file)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char name[PATH_BYTES];
        char buffer[64];
        const int n = snprintf(name, sizeof(name), "%s%s%.*s/%s", root, mount, STR_ARG(path), file);
        if (n > 0 && (size_t)n < sizeof(name)) {
            const uint64_t limit = machine_limit_read(file_read(name, buffer, sizeof(buffer)));
            least = limit < least ? limit : least;
        }
        if (path.len == 0)
            return least;
        while (path.len && path.at[path.len - 1] != '/')
            path.len--;
        if (path.len)
            path.len--;
    }
}

/* Whether the list "cpu,memory" holds word. */
static bool list_has(str list, str word)
{
    while (list.len) {
        const size_t end = str_find(list, ',');
        if (str_eq(str_cut(list, 0, end), word))
            return true;
        list = str_cut(list, end + 1, list.len);
    }
    return false;
}

uint64_t machine_cgroup_bytes(const char *root, str cgroup)
{
    uint64_t least = UINT64_MAX;
    while (cgroup.len) {
        const size_t end = str_find(cgroup, '\n');
        const str line = str_cut(cgroup, 0, end);
        cgroup = str_cut(cgroup, end + 1, cgroup.len);
        const str rest = str_cut(line, str_find(line, ':') + 1, line.len);
        const size_t colon = str_find(rest, ':');
        const str controllers = str_cut(rest, 0, colon);
        str path = str_cut(rest, colon + 1, rest.len);
        if (path.len == 1)
            path.len = 0;
        uint64_t limit = UINT64_MAX;
        if (colon < rest.len && controllers.len == 0)
            limit = climb(root, "", path, "memory.max");
        else if (list_has(controllers, STR("memory")))
            limit = climb(root, "/memory", path, "memory.limit_in_bytes");
        least = limit < least ? limit : least;
    }
    return least;
}

uint64_t machine_memory_bytes(void)
{
    char buffer[FILE_BYTES];
    struct sysinfo info = {0};
    const str cgroup = file_read("/proc/self/cgroup", buffer, sizeof(buffer));
    const uint64_t granted = machine_cgroup_bytes("/sys/fs/cgroup", cgroup);
    if (sysinfo(&info) != 0)
        return granted;
    const uint64_t ram = (uint64_t)info.totalram * info.mem_unit;
    return granted < ram ? granted : ram;
}

/* Whole CPUs of "QUOTA PERIOD" in cpu.max at the mount's root, rounded up; UINT64_MAX for none. */
static uint64_t quota_cpus(void)
{
    char buffer[64];
    str text = file_read("/sys/fs/cgroup/cpu.max", buffer, sizeof(buffer));
    const size_t space = str_find(text, ' ');
    const uint64_t quota = machine_limit_read(str_cut(text, 0, space));
    const uint64_t period = machine_limit_read(str_cut(text, space + 1, text.len));
    if (quota == UINT64_MAX || period == UINT64_MAX || period == 0)
        return UINT64_MAX;
    return quota / period + (quota % period != 0);
}

uint32_t machine_cpus(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    uint64_t cpus = 1;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        cpus = (uint64_t)CPU_COUNT(&set);
    const uint64_t quota = quota_cpus();
    cpus = quota < cpus ? quota : cpus;
    return cpus ? (uint32_t)cpus : 1;
}
