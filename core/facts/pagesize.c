/* SPDX-License-Identifier: MIT */
/*
 * pagesize.c - the huge page sizes of this kernel
 *
 * Names are read with getdents, a piece at a time: the directory stream of libc
 * would allocate.
 */
#include "core/facts/pagesize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/meminfo.h"
#include "core/facts/reader.h"

/* As the kernel lays it out (getdents64(2)); libc has no name for it. */
struct entry {
	uint64_t inode;
	int64_t next;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

static size_t index_of(const struct pagesizes *sizes, size_t bytes)
{
	size_t i = 0;

	while (i < sizes->n && sizes->bytes[i] < bytes)
		i++;
	return i;
}

static bool has_size(const struct pagesizes *sizes, size_t bytes)
{
	size_t i = index_of(sizes, bytes);

	return i < sizes->n && sizes->bytes[i] == bytes;
}

static void add_size(struct pagesizes *sizes, size_t bytes)
{
	size_t i = index_of(sizes, bytes);

	if (i == PAGESIZE_MAX || (i < sizes->n && sizes->bytes[i] == bytes))
		return;
	if (sizes->n < PAGESIZE_MAX)
		sizes->n++;
	memmove(&sizes->bytes[i + 1], &sizes->bytes[i],
		(sizes->n - i - 1) * sizeof(sizes->bytes[0]));
	sizes->bytes[i] = bytes;
}

/* "hugepages-2048kB"; anything else is no pool of ours to know. */
static int parse_name(struct span name, size_t *ret_bytes)
{
	static const char head[] = "hugepages-";
	const size_t head_bytes = sizeof(head) - 1;
	uint64_t kib;

	if (!span_starts(name, head) || name.bytes < head_bytes + 3)
		return -EINVAL;
	if (memcmp(name.at + name.bytes - 2, "kB", 2) != 0)
		return -EINVAL;
	if (text_u64((struct span){ name.at + head_bytes, name.bytes - head_bytes - 2 }, &kib))
		return -EINVAL;
	if (!is_power_of_two(kib) || kib > SIZE_MAX / KIB)
		return -EINVAL;
	*ret_bytes = (size_t)kib * KIB;
	return 0;
}

static int list_directory(int fd, struct pagesizes *sizes)
{
	_Alignas(struct entry) char piece[2048];

	for (;;) {
		long got = sys_getdents(fd, piece, sizeof(piece));

		if (got <= 0)
			return (int)got;
		for (long at = 0; at < got;) {
			const struct entry *e = (const void *)(piece + at);
			size_t bytes;

			if (parse_name(span_of(e->name), &bytes) == 0)
				add_size(sizes, bytes);
			at += e->bytes;
		}
	}
}

static int read_sysfs(struct reader *r, struct pagesizes *sizes)
{
	struct pagesizes found = { 0 };
	int err = reader_base(r, "/sys/kernel/mm/hugepages");

	if (err)
		return err;

	long fd = sys_openat(AT_FDCWD, r->base.at, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return (int)fd;
	err = list_directory((int)fd, &found);
	sys_close((int)fd);
	if (!err)
		*sizes = found;
	return err;
}

static int read_default(struct reader *r, size_t *ret_bytes)
{
	struct span meminfo;
	uint64_t bytes;
	int err = reader_base(r, "/proc/meminfo");

	if (!err)
		err = reader_read(r, "", "", &meminfo);
	if (!err)
		err = meminfo_u64(meminfo, "Hugepagesize:", &bytes);
	if (!err && !is_power_of_two(bytes))
		err = -EBADMSG;
	if (!err)
		*ret_bytes = bytes;
	return err;
}

/* What a kernel takes for its default unless told otherwise: one page table full. */
static size_t usual_default(const struct pagesizes *sizes)
{
	const size_t table_bytes = mem_page_bytes() / sizeof(uint64_t) * mem_page_bytes();

	return has_size(sizes, table_bytes) ? table_bytes : sizes->bytes[0];
}

static int read_both(struct reader *r, struct pagesizes *sizes)
{
	int err = read_sysfs(r, sizes);

	if (err == -ENOMEM)
		return err;
	err = read_default(r, &sizes->default_bytes);
	if (err == -ENOMEM)
		return err;
	if (sizes->n == 0 && sizes->default_bytes == 0)
		return -ENOENT;
	if (sizes->default_bytes == 0)
		sizes->default_bytes = usual_default(sizes);
	add_size(sizes, sizes->default_bytes);
	return 0;
}

int pagesize_read(const char *root, struct pagesizes *ret_sizes)
{
	struct pagesizes sizes = { 0 };
	struct reader r;
	int err = reader_open(&r, root);

	if (!err)
		err = read_both(&r, &sizes);
	reader_close(&r);
	if (!err)
		*ret_sizes = sizes;
	return err;
}

#define SMALLEST_SHIFT 16	/* 64 KiB, on aarch64 */
#define LARGEST_SHIFT 34	/* 16 GiB, likewise */
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

static long map_untouched(unsigned size_flag)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_HUGETLB;

	return sys_mmap(0, 1, PROT_NONE, flags | (int)(size_flag << MAP_HUGE_SHIFT), -1, 0);
}

/* munmap() refuses every end that lies inside a page, so the first it takes is its size. */
static size_t unmap_untouched(uintptr_t at)
{
	for (unsigned shift = SMALLEST_SHIFT; shift <= LARGEST_SHIFT; shift++)
		if (sys_munmap(at, (size_t)1 << shift) == 0)
			return (size_t)1 << shift;
	return 0;
}

int pagesize_probe(struct pagesizes *ret_sizes)
{
	struct pagesizes sizes = { 0 };
	long at = map_untouched(0);

	if (!sys_failed(at))
		sizes.default_bytes = unmap_untouched((uintptr_t)at);
	if (!sizes.default_bytes)
		return -ENOENT;
	for (unsigned shift = SMALLEST_SHIFT; shift <= LARGEST_SHIFT; shift++) {
		at = map_untouched(shift);
		/* EINVAL: no such size. Another error is about room for it. */
		if (at != -EINVAL)
			add_size(&sizes, (size_t)1 << shift);
		if (!sys_failed(at))
			sys_munmap((uintptr_t)at, (size_t)1 << shift);
	}
	add_size(&sizes, sizes.default_bytes);
	*ret_sizes = sizes;
	return 0;
}
