/* What the machine, or the container around this process, grants it.
 * thread  any; reads files under /proc and /sys
 * source  cgroups(7): memory.max and cpu.max of v2, memory.limit_in_bytes of v1 */
#ifndef GARRISON_CONTROL_MACHINE_H
#define GARRISON_CONTROL_MACHINE_H

#include <stdint.h>

#include "base/str.h"

/* Bytes of memory this process may use: the least limit of its cgroups, else the RAM. */
uint64_t machine_memory_bytes(void);

/* CPUs it may run on at once, at least 1: its affinity, less where cpu.max grants less. */
uint32_t machine_cpus(void);

/* The limit that a cgroup file holds ("max" or a number): UINT64_MAX for none or nonsense. */
uint64_t machine_limit_read(str text);

/* Bytes that the cgroup tree under root (normally /sys/fs/cgroup) grants a process whose
 * /proc/PID/cgroup reads as cgroup; UINT64_MAX: no limit. */
uint64_t machine_cgroup_bytes(const char *root, str cgroup);

#endif
