/* SPDX-License-Identifier: MIT */
/*
 * sizes.c - gethugepagesize and its relatives
 *
 * Looked up when asked for, so that they answer before any constructor has run. By libc's
 * open and opendir: tests and checkpointing tools interpose these to show another machine.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/compat.h"
#include "core/act/pagemap.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/facts/meminfo.h"

#define SYSFS "/sys/kernel/mm/hugepages/"

/* The kernel's default; 0: not looked for yet, -1: no huge pages. Atomic. */
static long kernel_default;

int compat_read_file(const char *path, struct blob *ret_blob)
{
	struct blob b = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n, err = 0;

	if (fd < 0)
		return -errno;
	do {
		err = blob_reserve(&b, 4096);
		n = err ? 0 : sys_read(fd, b.at + b.bytes, 4096);
		b.bytes += n > 0 ? (size_t)n : 0;
	} while (n > 0 || n == -EINTR);
	sys_close(fd);
	if (err || n < 0) {
		blob_free(&b);
		return (int)(err ? err : n);
	}
	*ret_blob = b;
	return 0;
}

static long read_kernel_default(void)
{
	struct blob b;
	uint64_t bytes;
	int err = compat_read_file("/proc/meminfo", &b);

	if (err)
		return -1;
	err = meminfo_u64((struct span){ b.at, b.bytes }, "Hugepagesize:", &bytes);
	blob_free(&b);
	return err ? -1 : (long)bytes;
}

static long default_of_kernel(void)
{
	long bytes = __atomic_load_n(&kernel_default, __ATOMIC_RELAXED);

	if (bytes == 0) {
		bytes = read_kernel_default();
		__atomic_store_n(&kernel_default, bytes, __ATOMIC_RELAXED);
	}
	return bytes;
}

COMPAT_API void __tp_kernel_default_hugepage_size_reset(void)
{
	__atomic_store_n(&kernel_default, 0, __ATOMIC_RELAXED);
}

/* A list with room for @most; more are counted all the same, once each. */
struct sizes {
	long *at;
	int n, most;
	struct blob all;
};

static int add(struct sizes *s, long bytes)
{
	for (size_t i = 0; i < s->all.bytes / sizeof(long); i++)
		if (((const long *)(const void *)s->all.at)[i] == bytes)
			return 0;
	if (s->at && s->n < s->most)
		s->at[s->n] = bytes;
	s->n++;
	return blob_add(&s->all, &bytes, sizeof(bytes));
}

/* "hugepages-2048kB" */
static int add_entry(struct sizes *s, const char *name)
{
	const char prefix[] = "hugepages-";
	struct span text = span_of(name);
	uint64_t kib;

	if (!span_starts(text, prefix))
		return 0;
	text.at += sizeof(prefix) - 1;
	text.bytes -= sizeof(prefix) - 1;
	if (text.bytes < 2 || memcmp(text.at + text.bytes - 2, "kB", 2) != 0)
		return 0;
	text.bytes -= 2;
	return text_u64(text, &kib) ? 0 : add(s, (long)(kib << 10));
}

static int add_huge(struct sizes *s)
{
	long first = default_of_kernel();
	const struct dirent *entry;
	DIR *dir;
	int err = first > 0 ? add(s, first) : 0;

	dir = opendir(SYSFS);
	while (dir && !err && (entry = readdir(dir)) != NULL)
		err = add_entry(s, entry->d_name);
	if (dir)
		closedir(dir);
	return err;
}

static int list(long *at, int most, int with_base)
{
	struct sizes s = { .at = at, .most = most };
	const int was = errno;
	int err;

	if (most < 0 || (!at && most > 0)) {
		errno = EINVAL;
		return -1;
	}
	err = with_base ? add(&s, sysconf(_SC_PAGESIZE)) : 0;
	if (!err)
		err = add_huge(&s);
	blob_free(&s.all);
	errno = err ? -err : was;
	if (err)
		return -1;
	return at && s.n > most ? most : s.n;
}

/* The huge page sizes, at most n_elem of them; their number for (NULL, 0). -1, EINVAL or ENOMEM. */
COMPAT_API int gethugepagesizes(long pagesizes[], int n_elem)
{
	return list(pagesizes, n_elem, 0);
}

/* The same with the base page. */
COMPAT_API int getpagesizes(long pagesizes[], int n_elem)
{
	return list(pagesizes, n_elem, 1);
}

static int is_known(long bytes)
{
	long sizes[64];
	int n = list(sizes, 64, 0);

	while (n > 0)
		if (sizes[--n] == bytes)
			return 1;
	return 0;
}

/* The size in use: HUGETLB_DEFAULT_PAGE_SIZE, or the kernel's default. -1 and ENOSYS: none. */
COMPAT_API long gethugepagesize(void)
{
	const struct conf *conf = conf_get();
	long bytes = default_of_kernel();

	if (bytes < 0) {
		errno = ENOSYS;
		return -1;
	}
	if (conf && conf->page_bytes && is_known((long)conf->page_bytes))
		return (long)conf->page_bytes;
	return bytes;
}
