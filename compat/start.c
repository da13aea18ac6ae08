/* SPDX-License-Identifier: MIT */
/*
 * start.c - what makes this library libhugetlbfs: nothing happens unless a variable says so
 *
 * The same code as libhresv.so, from other defaults. With HUGETLB_MORECORE=yes every block of
 * the heap is huge, from the first on, as far as there are pages. The program's own
 * MAP_HUGETLB is the kernel's business, as ever with libhugetlbfs (HUGETLB_EXPLICIT=fail proves it);
 * what is asked of this library is proven.
 */
#include "compat/compat.h"
#include "core/base/align.h"
#include "core/facts/conf.h"

const struct conf conf_other_defaults = {
	.active = true,
	.limit = UINT64_MAX,
	.eager_max = 4 * GIB,
	.explicit_requests = EXPLICIT_KERNEL,
	.promote = true,
	.minimal_copy = true,
	.verbose = 1,
};

/*
 * Segments are files on a mount where there is one, as they always were: tools and tests
 * know them by that.
 */
const char *conf_other_path(size_t page_bytes)
{
	return hugetlbfs_find_path_for_size((long)page_bytes);
}
