/* SPDX-License-Identifier: MIT */
/*
 * old.h - the kernel as it once was, or as a container shows it
 *
 * OLD_NO_HUGE_MREMAP: before Linux 5.16 mremap() of huge pages is EINVAL, said when
 * what lay at the fixed place is gone already. OLD_NO_POPULATE: before 5.14 there is
 * no MADV_POPULATE. OLD_NO_UFFD: a seccomp filter refuses userfaultfd. OLD_ANY_LINE:
 * before 6.7 large mappings lie on no huge page line, but by chance.
 */
#ifndef HRESV_TESTS_FAULTS_OLD_H
#define HRESV_TESTS_FAULTS_OLD_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/sys.h"
#include "tests/harness/harness.h"

enum { OLD_NO_HUGE_MREMAP = 1, OLD_NO_POPULATE = 2, OLD_NO_UFFD = 4, OLD_ANY_LINE = 8 };

static int old_lacks;

/* Advice that huge pages refuse and small ones take. */
static bool old_is_huge(long at)
{
	return madvise((void *)at, 4096, MADV_COLD) != 0 && errno == EINVAL;
}

static long old_map_off_line(const long args[6])
{
	const size_t off = 8192;
	char *at = mmap(NULL, (size_t)args[1] + off, (int)args[2], (int)args[3], (int)args[4],
			args[5]);
	bool on_line = ((uintptr_t)at & (2 * MIB - 1)) == 0;

	if (at == MAP_FAILED)
		return -errno;
	munmap(on_line ? at : at + args[1], off);
	return (long)(on_line ? at + off : at);
}

static long old_hook(long nr, const long args[6], bool *ret_handled)
{
	*ret_handled = true;
	if (nr == SYS_mremap && (old_lacks & OLD_NO_HUGE_MREMAP) && old_is_huge(args[0])) {
		if (args[3] & MREMAP_FIXED)
			munmap((void *)args[4], (size_t)args[2]);
		return -EINVAL;
	}
	if (nr == SYS_madvise && (old_lacks & OLD_NO_POPULATE) && (args[2] == 22 || args[2] == 23))
		return -EINVAL;
	if (nr == SYS_userfaultfd && (old_lacks & OLD_NO_UFFD))
		return -EPERM;
	if (nr == SYS_openat && (old_lacks & OLD_NO_UFFD) &&
	    strcmp((const char *)args[1], "/dev/userfaultfd") == 0)
		return -EACCES;
	if (nr == SYS_mmap && (old_lacks & OLD_ANY_LINE) && !args[0] && (size_t)args[1] >= 2 * MIB &&
	    (args[3] & (MAP_ANONYMOUS | MAP_HUGETLB)) == MAP_ANONYMOUS)
		return old_map_off_line(args);
	*ret_handled = false;
	return 0;
}

static inline void old_kernel(int lacks)
{
	old_lacks = lacks;
	sys_set_hook(lacks ? old_hook : NULL);
}

#endif
