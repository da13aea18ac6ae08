/* SPDX-License-Identifier: MIT */
/*
 * warm.c - touches memory before it is measured: warm SMALL_MIB HUGE_PAGES
 *
 * On a virtual machine memory that was free for a second may be the host's again, and the
 * next touch waits for it; what is measured then is the host. Pages of the pool stay.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static void touch(size_t bytes, int flags, int advice)
{
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	if (at == MAP_FAILED)
		return;
	if (advice >= 0)
		madvise(at, bytes, advice);
	/* Fails, and stops, where a touch would be killed: the pool's pages may be another's. */
	madvise(at, bytes, 23 /* MADV_POPULATE_WRITE */);
	munmap(at, bytes);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	if (atol(argv[1]) > 0)
		touch((size_t)atol(argv[1]) << 20, 0, MADV_HUGEPAGE);
	if (atol(argv[2]) > 0)
		touch((size_t)atol(argv[2]) << 21, MAP_HUGETLB, -1);
	return 0;
}
