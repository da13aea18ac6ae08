/* SPDX-License-Identifier: MIT */
/*
 * hold.h - pages held by a file without a name
 *
 * The pages are in the file: they stay there while somebody has it open or mapped, whatever
 * happens to counters, limits and other processes meanwhile. Any part may be mapped, and the end cut
 * off while nobody maps it.
 *
 * Who maps what is known to the kernel alone: each mapping is made of an open file of its own,
 * which has a read lock on the range mapped. The lock lives as long as the mapping, also in fork children,
 * for a mapping holds its file. Who cuts takes a write lock on what goes.
 */
#ifndef HRESV_CORE_ACT_HOLD_H
#define HRESV_CORE_ACT_HOLD_H

#include <stddef.h>
#include <stdint.h>

#include "core/act/node.h"

struct hold {
	int fd;			/* close-on-exec, out of the program's way */
	size_t page_bytes;
	uintptr_t at;		/* the file mapped whole while it is made; 0: not any more */
	size_t bytes;
};

/**
 * hold_reserve - a file of @pages that are reserved, not there yet
 * @path: a hugetlbfs directory: nothing is reserved then (backing.c, pitfall 2); or NULL
 *
 * Return: 0; -ENOMEM: not so many pages, or nothing else to do it with; -errno.
 */
int hold_reserve(size_t page_bytes, size_t pages, const char *path, struct hold *ret_hold);

/*
 * All of its pages become present, on the nodes wanted. The caller has the turn. 0; -ENOMEM
 * not all: to be dropped; -ENODEV and others of node_bind().
 */
int hold_populate(struct hold *h, const struct node_want *nodes);

/* It is made: only the descriptor remains. */
void hold_settle(struct hold *h);
/* Closes it. What others have open or mapped stays. */
void hold_drop(struct hold *h);

/*
 * From a descriptor that came from elsewhere, duplicated. 0; -ENODEV: no file of huge pages; -ESTALE: it has
 * holes; -errno.
 */
int hold_open(int fd, struct hold *ret_hold);

/* The size of the file now: 0 and *ret_bytes; -errno of fstat(2). */
int hold_bytes(const struct hold *h, size_t *ret_bytes);

/* A shared mapping of a part, in whole pages. The address; -EBUSY: it is being cut; -ERANGE; -errno. */
long hold_map(const struct hold *h, size_t offset, size_t bytes, int prot);

/* Cuts the file down to @bytes. 0; -EBUSY: some of the rest is mapped; -EOPNOTSUPP; -errno. */
int hold_cut(const struct hold *h, size_t bytes);

#endif
