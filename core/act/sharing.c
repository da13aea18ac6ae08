/* SPDX-License-Identifier: MIT */
/*
 * sharing.c - two bits of /proc/self/pagemap
 *
 * Source: Documentation/admin-guide/mm/pagemap.rst; bit 56 (mapped exclusively,
 * Linux 4.2) and bit 63 (present) are shown without privilege.
 */
#include "core/act/sharing.h"

#include <fcntl.h>

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
