/* SPDX-License-Identifier: MIT */
/*
 * node.h - memory on a NUMA node the program named, or over all of them
 *
 * Bound first, populated then: a page that came lies on its node, and a node that is short is
 * known by the call that failed. The policy of the thread holds while pages are taken
 * (helpers that populate inherit it), that of the mapping afterwards.
 */
#ifndef HRESV_CORE_ACT_NODE_H
#define HRESV_CORE_ACT_NODE_H

#include <stddef.h>
#include <stdint.h>

#include "core/facts/policy.h"

enum node_way { NODE_ANY, NODE_ONE, NODE_ALL };

struct node_want {
	enum node_way way;
	int node;		/* NODE_ONE */
};

/* The policy a thread had. */
struct node_policy {
	int mode;		/* -1: it was not changed */
	unsigned long nodes[POLICY_NODES_MAX / 8 / sizeof(unsigned long)];
};

/**
 * node_enter - pages this thread takes come from where @want says, until node_leave()
 * Return: 0; -ENODEV: no such node, or not for us; another -errno of set_mempolicy(2).
 * NODE_ONE of node 0 and NODE_ALL work on kernels without NUMA.
 */
int node_enter(const struct node_want *want, struct node_policy *ret_was);
void node_leave(const struct node_policy *was);

/* The same for what [at, at + bytes) takes later; whole pages of its kind. 0 or -errno. */
int node_bind(const struct node_want *want, uintptr_t at, size_t bytes);

#endif
