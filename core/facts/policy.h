/* SPDX-License-Identifier: MIT */
/* policy.h - where the kernel will look for a page, and what it lets us do */
#ifndef HRESV_CORE_FACTS_POLICY_H
#define HRESV_CORE_FACTS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_NODES_MAX 1024

struct policy {
	int mode;		/* MPOL_* of the calling thread, flags cut off */
	unsigned nodes_online;	/* nodes with memory; at least 1 */
	/*
	 * The policy or the cpuset keeps this thread off a node that has
	 * memory, so a reservation (which knows no nodes) proves nothing.
	 */
	bool narrowed;
	uint64_t nodes_allowed[POLICY_NODES_MAX / 64];
};

/**
 * policy_read - memory policy (get_mempolicy(2)) and cpuset of this thread
 * @root: prefix of the paths read
 *
 * Source: Mems_allowed_list of /proc/self/status, /sys/devices/system/node/has_memory,
 * get_mempolicy(2). What can't be read counts as narrowed; a kernel without
 * NUMA (ENOSYS) has one node and is never narrowed.
 * Return: 0, -ENOMEM.
 */
int policy_read(const char *root, struct policy *ret_policy);

/**
 * policy_may_shm_hugetlb - may this process create huge System V segments?
 *
 * The kernel's rule (fs/hugetlbfs/inode.c, can_do_hugetlb_shm): CAP_IPC_LOCK,
 * or membership in vm.hugetlb_shm_group. A hint: only shmget(2) knows.
 * Return: 0; -errno when /proc hides what is needed.
 */
int policy_may_shm_hugetlb(const char *root, bool *ret_may);

#endif
