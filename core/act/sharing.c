/* SPDX-License-Identifier: MIT */
/*
 * sharing.c - two bits of /proc/self/pagemap
 *
 * Source: Documentation/admin-guide/mm/pagemap.rst; bit 56 (mapped exclusively,
 * Linux 4.2) and bit 63 (present) are shown without privilege.
 */
#include "core/act/sharing.h"

#include <fcntl.h>

#include "core/act/pagemap.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

#define BIT_EXCLUSIVE ((uint64_t)1 << 56)
#define BIT_PRESENT ((uint64_t)1 << 63)

int sharing_open(void)
{
	return (int)sys_openat(AT_FDCWD, "/proc/self/pagemap", O_RDONLY, 0);
}

enum sharing sharing_of(int fd, uintptr_t at)
{
	uint64_t entry = 0;
	off_t offset = (off_t)(at / mem_page_bytes() * sizeof(entry));

	if (fd < 0 || sys_pread(fd, &entry, sizeof(entry), offset) != sizeof(entry))
		return SHARING_SHARED;
	if (!(entry & BIT_PRESENT))
		return SHARING_ABSENT;
	return entry & BIT_EXCLUSIVE ? SHARING_EXCLUSIVE : SHARING_SHARED;
}

struct sweep {
	int fd;
	uintptr_t shared;
};

static void find_shared(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	struct sweep *s = arg;

	if (!word_is_copied_on_write(word))
		return;
	for (uintptr_t at = lo; at < hi && !s->shared; at += word_page_bytes(word))
		if (sharing_of(s->fd, at) == SHARING_SHARED)
			s->shared = at;
}

bool sharing_any(int fd, uintptr_t *hint)
{
	struct sweep s = { .fd = fd };

	if (*hint && word_is_copied_on_write(pagemap_get(*hint)) &&
	    sharing_of(fd, *hint) == SHARING_SHARED)
		return true;
	pagemap_walk(find_shared, &s);
	*hint = s.shared;
	return s.shared != 0;
}
