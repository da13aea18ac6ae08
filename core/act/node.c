/* SPDX-License-Identifier: MIT */
/* node.c - set_mempolicy(2) and mbind(2) */
#include "core/act/node.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>

#include "core/base/sys.h"

#define WORD_BITS (8 * sizeof(unsigned long))

/* 0; -ENODEV; -ENOSYS: one node, and the kernel knows no policies. */
static int nodes_of(const struct node_want *want, struct node_policy *ret_policy)
{
	struct node_policy p = { .mode = MPOL_BIND };
	long err;

	if (want->way == NODE_ALL) {
		p.mode = MPOL_INTERLEAVE;
		err = sys_call(SYS_get_mempolicy, 0, (long)p.nodes, POLICY_NODES_MAX, 0,
			       MPOL_F_MEMS_ALLOWED, 0);
		if (err)
			return (int)err;
	} else if (want->node < 0 || want->node >= POLICY_NODES_MAX) {
		return -ENODEV;
	} else {
		p.nodes[(size_t)want->node / WORD_BITS] |= 1ul << (size_t)want->node % WORD_BITS;
	}
	*ret_policy = p;
	return 0;
}

/* A kernel without NUMA has node 0 alone, and all memory is there. */
static int without_numa(const struct node_want *want, long err)
{
	if (err == -ENOSYS)
		return want->way == NODE_ONE && want->node != 0 ? -ENODEV : 0;
	return err == -EINVAL ? -ENODEV : (int)err;
}

int node_enter(const struct node_want *want, struct node_policy *ret_was)
{
	struct node_policy p, was = { .mode = -1 };
	long err;

	ret_was->mode = -1;
	if (want->way == NODE_ANY)
		return 0;
	err = nodes_of(want, &p);
	if (!err)
		err = sys_get_mempolicy(&was.mode, was.nodes, POLICY_NODES_MAX);
	if (!err)
		err = sys_call(SYS_set_mempolicy, p.mode, (long)p.nodes, POLICY_NODES_MAX, 0, 0, 0);
	if (err)
		return without_numa(want, err);
	*ret_was = was;
	return 0;
}

void node_leave(const struct node_policy *was)
{
	if (was->mode >= 0)
		sys_call(SYS_set_mempolicy, was->mode, (long)was->nodes, POLICY_NODES_MAX, 0, 0, 0);
}

int node_bind(const struct node_want *want, uintptr_t at, size_t bytes)
{
	struct node_policy p;
	long err;

	if (want->way == NODE_ANY || bytes == 0)
		return 0;
	err = nodes_of(want, &p);
	if (!err)
		err = sys_call(SYS_mbind, (long)at, (long)bytes, p.mode, (long)p.nodes,
			       POLICY_NODES_MAX, 0);
	return without_numa(want, err);
}
