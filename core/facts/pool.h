/* SPDX-License-Identifier: MIT */
/* pool.h - the kernel's pool of one huge page size, in pages */
#ifndef HRESV_CORE_FACTS_POOL_H
#define HRESV_CORE_FACTS_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool {
	uint64_t total;		/* nr_hugepages, surplus included */
	uint64_t free;
	uint64_t reserved;	/* of the free ones, promised to somebody */
	uint64_t surplus;
	uint64_t overcommit;	/* most surplus pages the kernel may add */
	/*
	 * Bytes surplus pages could be made of, and all the machine has. Both are
	 * 0 when unknown, and when overcommit leaves no room to need them.
	 */
	uint64_t mem_available, mem_total;
	/*
	 * A counter contradicts another beyond what a moving pool explains
	 * (reserved > total: the kernel's own accounting bugs, KERNEL.md 2.3), also
	 * at a second look.
	 */
	bool impossible;
};

/**
 * pool_read - the counters of one pool
 * @root:       prefix of every path read
 * @page_bytes: the size, in bytes
 * @ret_pool:   untouched on failure
 *
 * The counters are read one after another, so they may disagree and are stale
 * on return. Plan and explain with them; only memory that is there is proof.
 *
 * Source: /sys/kernel/mm/hugepages/hugepages-<N>kB/{nr,free,resv,surplus}_hugepages
 * and nr_overcommit_hugepages; when hidden and @page_bytes is the default size,
 * HugePages_* of /proc/meminfo and /proc/sys/vm/nr_overcommit_hugepages.
 *
 * Return: 0; -EINVAL not a power of two; -ENOENT no such pool visible; -EACCES
 * hidden; -EBADMSG or -ERANGE a counter is not a decimal number of 64 bits;
 * -ENOMEM; any other -errno of open(2) and read(2).
 */
int pool_read(const char *root, size_t page_bytes, struct pool *ret_pool);

/*
 * Is the pool of @page_bytes certainly empty now? One small read (4 us), for a
 * caller that has just come up short; false also when nobody can say.
 */
bool pool_is_empty(size_t page_bytes);

/**
 * pool_read_node - total, free and surplus of one NUMA node
 *
 * The kernel keeps no reservation count per node: reserved and overcommit are 0.
 * Source: /sys/devices/system/node/node<N>/hugepages/hugepages-<N>kB/.
 * Return: as pool_read.
 */
int pool_read_node(const char *root, unsigned node, size_t page_bytes, struct pool *ret_pool);

/*
 * Pages that could be had now, as far as the counters say: free - reserved,
 * and, with an overcommit allowance, what could be added from memory while a
 * sixteenth of it stays available. Of an impossible pool only the free pages
 * count, and none when their number is impossible too.
 */
uint64_t pool_available(const struct pool *p, size_t page_bytes);

#endif
