/* SPDX-License-Identifier: MIT */
/* maps.h - what the kernel has mapped in a range, from /proc/self/maps */
#ifndef HRESV_CORE_FACTS_MAPS_H
#define HRESV_CORE_FACTS_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/mem.h"
#include "core/base/text.h"

struct map_facts {
	int prot;
	bool shared;
	bool anonymous;		/* all of it: no file, or one of the kernel's own */
	bool huge;		/* at least a part is hugetlb memory */
};

/**
 * maps_read_range - [lo, hi) as one mapping in a program's eyes
 * @root: prefix of the path read
 *
 * Return: 0; -EFAULT: a hole in it, or parts that differ in protection or in
 * being shared, as mremap(2) would say; -errno of reading /proc/self/maps.
 */
int maps_read_range(const char *root, uintptr_t lo, uintptr_t hi, struct map_facts *ret_facts);

/**
 * maps_room - how many more mappings this process may have
 *
 * vm.max_map_count less the lines of /proc/self/maps. Takes some 20 ms for
 * 65,000 mappings: ask seldom.
 * Return: 0; -errno of reading either; -EBADMSG.
 */
int maps_room(const char *root, uint64_t *ret_limit, uint64_t *ret_used);

/* One of the kernel's mappings; the name is valid during the call alone. */
struct map_part {
	uintptr_t lo, hi;
	struct map_facts facts;
	uint64_t offset, inode;
	struct span name;
};

/* Calls @each for every mapping that overlaps [lo, hi), ascending. -errno of reading. */
int maps_walk(const char *root, uintptr_t lo, uintptr_t hi,
	      void (*each)(const struct map_part *part, void *arg), void *arg);

/*
 * Where each of the kernel's mappings in [lo, hi) ends, ascending, at @hi at most:
 * uintptr_t[] in @ret_ends, which the caller frees. -EFAULT: a hole; -ENOMEM; -errno of reading.
 */
int maps_read_ends(const char *root, uintptr_t lo, uintptr_t hi, struct blob *ret_ends);

/* Where the kernel's mapping that holds @at ends: 0 and *ret_end; -EFAULT: there is none. */
int maps_read_end(const char *root, uintptr_t at, uintptr_t *ret_end);

#endif
