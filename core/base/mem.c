/* SPDX-License-Identifier: MIT */
/* mem.c - pages for our own records, growing buffers, whole files */
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "core/base/align.h"
#include "core/base/sys.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

size_t mem_page_bytes(void)
{
	static size_t cached;

	if (!cached)
		cached = getauxval(AT_PAGESZ);
	return cached;
}

uint64_t mem_limit(int which)
{
	uint64_t limit[2];	/* now, and at most */

	return sys_call(SYS_prlimit64, 0, which, 0, (long)limit, 0, 0) == 0 ? limit[0] : UINT64_MAX;
}

bool mem_is_mapped(uintptr_t at)
{
	unsigned char vec;
	long err = sys_mincore(at, mem_page_bytes(), &vec);

	/* Where filters leave it out: advice that means nothing, and of nothing is ENOMEM. */
	if (err == -EPERM)
		err = sys_madvise(at, mem_page_bytes(), MADV_WILLNEED);
	return err == 0;
}

bool mem_is_present(uintptr_t at)
{
	unsigned char vec = 0;

	return sys_mincore(at, mem_page_bytes(), &vec) == 0 && (vec & 1);
}

bool mem_may_be_present(uintptr_t at)
{
	unsigned char vec = 0;
	long err = sys_mincore(at, mem_page_bytes(), &vec);

	/* Where filters leave it out: what can't be had by a read is not there, and said so. */
	if (err == -EPERM)
		return sys_madvise(at, mem_page_bytes(), MADV_POPULATE_READ) != -EFAULT;
	return err != 0 || (vec & 1);
}

/*
 * MADV_COLD asks nothing of small pages, and is refused for huge ones and for what is
 * mlocked. Of those two the first alone can't be cut inside of a page, for which any
 * other advice to a part would do it.
 */
bool mem_is_hugetlb(uintptr_t at)
{
	if (sys_madvise(at, mem_page_bytes(), MADV_COLD) != -EINVAL)
		return false;
	if (sys_madvise(at, mem_page_bytes(), MADV_SEQUENTIAL) == -EINVAL)
		return true;
	sys_madvise(at, mem_page_bytes(), MADV_NORMAL);
	return false;
}

bool mem_is_zero(uintptr_t at, size_t bytes)
{
	const uint64_t *word = (const uint64_t *)at, *end = (const uint64_t *)(at + bytes);

	for (; word < end; word += 8)
		if (word[0] | word[1] | word[2] | word[3] | word[4] | word[5] | word[6] | word[7])
			return false;
	return true;
}

void *mem_pages(size_t bytes)
{
	long at = sys_mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (sys_failed(at))
		return NULL;
	sys_madvise((uintptr_t)at, bytes, MADV_DONTDUMP);
	return (void *)at;
}

void mem_pages_free(void *at, size_t bytes)
{
	if (at)
		sys_munmap((uintptr_t)at, bytes);
}

/*
 * Most blobs are one page and live for one small file of /sys. A page that was used is
 * kept for the next one: mapping, clearing and unmapping it costs more than the file.
 * Whoever takes a slot's page owns it, in a signal handler and in a fork child too.
 */
#define SPARE_PAGES 4
static char *spare[SPARE_PAGES];	/* atomic */

static long take_page(size_t bytes)
{
	for (size_t i = 0; i < SPARE_PAGES && bytes == mem_page_bytes(); i++) {
		char *at = __atomic_load_n(&spare[i], __ATOMIC_RELAXED);

		if (at)
			at = __atomic_exchange_n(&spare[i], NULL, __ATOMIC_ACQUIRE);
		if (at)
			return (long)at;
	}
	return sys_mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void give_page(char *at, size_t bytes)
{
	for (size_t i = 0; i < SPARE_PAGES && at && bytes == mem_page_bytes(); i++) {
		char *none = NULL;

		if (__atomic_compare_exchange_n(&spare[i], &none, at, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	}
	mem_pages_free(at, bytes);
}

void mem_drop_spare(void)
{
	for (size_t i = 0; i < SPARE_PAGES; i++)
		mem_pages_free(__atomic_exchange_n(&spare[i], NULL, __ATOMIC_ACQUIRE),
			       mem_page_bytes());
}

int blob_reserve(struct blob *b, size_t more)
{
	size_t need, room;
	long at;

	if (__builtin_add_overflow(b->bytes, more, &need) || need > SIZE_MAX / 4)
		return -ENOMEM;
	if (need < b->room)
		return 0;
	room = b->room ? b->room : mem_page_bytes();
	while (room <= need)
		room *= 2;
	if (b->at)
		at = sys_mremap((uintptr_t)b->at, b->room, room, MREMAP_MAYMOVE, 0);
	else
		at = take_page(room);
	if (sys_failed(at))
		return -ENOMEM;
	b->at = (char *)at;
	b->at[b->bytes] = '\0';
	b->room = room;
	return 0;
}

int blob_add(struct blob *b, const void *from, size_t bytes)
{
	int err = blob_reserve(b, bytes);

	if (err)
		return err;
	memcpy(b->at + b->bytes, from, bytes);
	b->bytes += bytes;
	b->at[b->bytes] = '\0';
	return 0;
}

int blob_text(struct blob *b, const char *zero_terminated)
{
	return blob_add(b, zero_terminated, strlen(zero_terminated));
}

int blob_u64(struct blob *b, uint64_t value)
{
	char digits[20];
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + value % 10);
	while (value /= 10);
	return blob_add(b, digits + n, sizeof(digits) - n);
}

void blob_cut(struct blob *b, size_t bytes)
{
	if (bytes >= b->bytes)
		return;
	b->bytes = bytes;
	b->at[bytes] = '\0';
}

void blob_free(struct blob *b)
{
	give_page(b->at, b->room);
	*b = (struct blob){ 0 };
}

static int read_all(int fd, struct blob *b)
{
	for (;;) {
		int err = blob_reserve(b, mem_page_bytes() / 2);

		if (err)
			return err;

		long got = sys_read(fd, b->at + b->bytes, b->room - b->bytes - 1);

		if (got == -EINTR)
			continue;
		if (got < 0)
			return (int)got;
		b->bytes += (size_t)got;
		b->at[b->bytes] = '\0';
		if (got == 0)
			return 0;
	}
}

int blob_read_again(const char *path, struct blob *b)
{
	long fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NOCTTY, 0);

	blob_cut(b, 0);
	if (fd < 0)
		return (int)fd;

	int err = read_all((int)fd, b);

	sys_close((int)fd);
	if (err)
		blob_cut(b, 0);
	return err;
}

int blob_read_file(const char *path, struct blob *ret_blob)
{
	struct blob b = { 0 };
	int err = blob_read_again(path, &b);

	if (err) {
		blob_free(&b);
		return err;
	}
	*ret_blob = b;
	return 0;
}

int blob_read_under(const char *root, const char *path, struct blob *ret_blob)
{
	struct blob whole = { 0 };
	int err;

	if (!root || !*root)
		return blob_read_file(path, ret_blob);
	err = blob_text(&whole, root);
	if (!err)
		err = blob_text(&whole, path);
	if (!err)
		err = blob_read_file(whole.at, ret_blob);
	blob_free(&whole);
	return err;
}

int blob_read_link(const char *path, struct blob *ret_blob)
{
	struct blob b = { 0 };

	for (;;) {
		int err = blob_reserve(&b, b.room ? b.room : mem_page_bytes() - 1);
		long got = err ? err : sys_readlinkat(AT_FDCWD, path, b.at, b.room - 1);

		if (got < 0) {
			blob_free(&b);
			return (int)got;
		}
		if ((size_t)got < b.room - 1) {
			b.bytes = (size_t)got;
			b.at[b.bytes] = '\0';
			*ret_blob = b;
			return 0;
		}
	}
}
