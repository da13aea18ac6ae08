/* SPDX-License-Identifier: MIT */
/* nodes.h - two nodes of memory, each with a pool of its own, in an emulated machine */
#ifndef HRESV_TESTS_MACHINES_NODES_H
#define HRESV_TESTS_MACHINES_NODES_H

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)
#define NODE_FILE "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages"

static inline void node_pool(int node, int pages)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), NODE_FILE, node);
	f = fopen(path, "we");
	if (!f)
		SKIP("two nodes");
	fprintf(f, "%d", pages);
	if (fclose(f) != 0)
		FAIL("the pool of node %d", node);
}

/* A machine of its own: the harness puts the pool back to what it found, none. */
static inline void two_pools(int first, int second)
{
	pool_set(PAGE, 0);
	node_pool(0, first);
	node_pool(1, second);
}

static inline int node_of(void *at)
{
	int node = -1;

	syscall(SYS_move_pages, 0, 1, &at, NULL, &node, 0);
	return node;
}

#endif
