/* SPDX-License-Identifier: MIT */
/*
 * ask.h - memory a program asks us for by name, not by mmap(2)
 *
 * The same ladder, proof and bookkeeping as route_map(), without its questions whether the request
 * is one we reroute; and on nodes of choice. Errors are -errno or RESERVE_SHORT(reason).
 */
#ifndef HRESV_CORE_ASK_H
#define HRESV_CORE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/node.h"

struct ask {
	size_t bytes;
	size_t page_bytes;	/* the top of the ladder */
	bool strict;		/* every whole page huge, or an error */
	struct node_want nodes;
};

/* Private memory, readable, writable and zero: the address, or an error. */
long ask_memory(const struct ask *a, size_t *ret_huge_bytes);

/* How much of [at, at + bytes) lies on huge pages the page map knows. */
size_t ask_huge_bytes(uintptr_t at, size_t bytes);

/*
 * Whole granules of small memory of ours in [at, at + bytes) become huge. 0: all of them are; -EBUSY;
 * RESERVE_SHORT().
 */
int ask_again(uintptr_t at, size_t bytes);

#endif
