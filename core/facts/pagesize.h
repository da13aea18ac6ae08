/* SPDX-License-Identifier: MIT */
/* pagesize.h - which huge page sizes this kernel has */
#ifndef HRESV_CORE_FACTS_PAGESIZE_H
#define HRESV_CORE_FACTS_PAGESIZE_H

#include <stddef.h>

/* No architecture has more pools than this; a kernel with more shows the first. */
#define PAGESIZE_MAX 8

struct pagesizes {
	size_t n;
	size_t bytes[PAGESIZE_MAX];	/* ascending */
	size_t default_bytes;		/* always one of bytes[] */
};

/**
 * pagesize_read - the sizes the kernel has a pool for
 * @root:      prefix of every path read; "" is this machine
 * @ret_sizes: untouched on failure
 *
 * Sizes come from the names in /sys/kernel/mm/hugepages, the default from
 * Hugepagesize in /proc/meminfo. Where /sys is hidden, the default alone is
 * reported; where /proc is, the default is the size a kernel uses unless told
 * otherwise (2 MiB with pages of 4 KiB), or the smallest; where both are, -ENOENT.
 *
 * Any thread, before main(), inside malloc; allocates nothing but pages.
 * Return: 0, -ENOENT (no huge pages, or nothing readable says so), -ENOMEM.
 */
int pagesize_read(const char *root, struct pagesizes *ret_sizes);

/**
 * pagesize_probe - the same, told by mmap(2) and munmap(2) alone
 *
 * For where nothing can be read, be it that /proc and /sys are hidden or that no
 * descriptor is left. Takes no page: what it maps is neither reserved nor touched.
 * Return: 0; -ENOENT: the kernel knows no huge pages.
 */
int pagesize_probe(struct pagesizes *ret_sizes);

#endif
