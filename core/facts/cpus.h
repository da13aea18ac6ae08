/* SPDX-License-Identifier: MIT */
/*
 * cpus.h - the processors a thread may use, and how many tasks want one now
 *
 * All of it is a hint, stale on arrival: whoever goes by it must be right without.
 */
#ifndef HRESV_CORE_FACTS_CPUS_H
#define HRESV_CORE_FACTS_CPUS_H

#include <stdbool.h>
#include <stdint.h>

/* The most that Linux is built for (CONFIG_NR_CPUS). */
#define CPUS_MOST 8192

struct cpu_set {
	uint64_t word[CPUS_MOST / 64];
};

struct cpus {
	bool filtered;		/* seccomp: a call not made before may be the last */
	unsigned running;	/* tasks of the machine that run or could, this thread with them */
	unsigned nodes;		/* NUMA nodes, at least 1 */
	struct cpu_set allowed;	/* affinity and cpuset of this thread */
};

/**
 * cpus_read - what this thread may use, and what is in use
 *
 * Source: Cpus_allowed_list and Seccomp of /proc/thread-self/status, the fourth word of
 * /proc/loadavg, /sys/devices/system/node/online (without it: one node).
 * Return: 0; -errno when /proc hides it; -EBADMSG, -ERANGE; -ENOMEM.
 */
int cpus_read(const char *root, struct cpus *ret_cpus);

/* Those of a NUMA node. 0; -errno of reading its cpulist; -EBADMSG; -ENOMEM. */
int cpus_of_node(const char *root, unsigned node, struct cpu_set *ret_set);

/**
 * cpus_quota - whole processors' worth of time that the groups above us leave
 *
 * The least of cpu.max (v1: cpu.cfs_quota_us) over all groups above, rounded down;
 * UINT_MAX: no group has one, or it can't be seen. Return: 0; -errno as cgroup_walk_open().
 */
int cpus_quota(const char *root, unsigned *ret_quota);

unsigned cpus_count(const struct cpu_set *set);
bool cpus_has(const struct cpu_set *set, unsigned cpu);
void cpus_keep_only(struct cpu_set *set, const struct cpu_set *others);

#endif
