/* SPDX-License-Identifier: MIT */
/* maps.h - what the kernel has mapped in a range, from /proc/self/maps */
#ifndef HRESV_CORE_FACTS_MAPS_H
#define HRESV_CORE_FACTS_MAPS_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
