/* SPDX-License-Identifier: MIT */
/*
 * roots.h - what the tests of core/facts share
 *
 * FAILS_EACH_CALL runs a reader with each of its system calls failing in turn:
 * by number, as a close or munmap that never reaches the kernel would leak by
 * itself. Memory is counted in bytes mapped before and after.
 */
#ifndef HRESV_TESTS_UNIT_ROOTS_H
#define HRESV_TESTS_UNIT_ROOTS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "tests/harness/faults.h"
#include "tests/harness/harness.h"
#include "tests/harness/tree.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

__attribute__((unused)) static void root_link(const char *root, const char *path, const char *to)
{
	char whole[4096];

	tree_write(root, path, "");
	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	REQUIRE_EQ(unlink(whole), 0);
	REQUIRE_EQ(symlink(to, whole), 0);
}

__attribute__((unused)) static void root_remove(const char *root, const char *path)
{
	char whole[4096];

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	if (unlink(whole) != 0)
		REQUIRE_EQ(rmdir(whole), 0);
}

/* A directory for a root without asking for the same static buffer twice. */
__attribute__((unused)) static const char *root_make(void)
{
	return strdup(tree_make());
}

/* Pages mapped, as the kernel counts them. */
__attribute__((unused)) static long root_mapped_pages(void)
{
	char text[64] = "";
	int fd;

	mem_drop_spare();
	fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		FAIL("no /proc/self/statm");
	close(fd);
	return atol(text);
}

__attribute__((unused)) static const long root_calls[] = {
	SYS_openat,  SYS_read,	     SYS_mmap,	       SYS_mremap, SYS_getdents64,
	SYS_statfs,  SYS_readlinkat, SYS_faccessat, SYS_get_mempolicy, SYS_mprotect,
};

/*
 * Runs @statement with the n-th call of each kind failing with @errno_, n = 1, 2...
 * After each, @judge decides, knowing that something failed; after a run in which
 * nothing failed, @done.
 */
#define FAILS_EACH_CALL(errno_, statement, judge, done)                                     \
	do {                                                                                 \
		for (size_t call_ = 0; call_ < COUNT_OF(root_calls); call_++) {              \
			for (int nth_ = 1;; nth_++) {                                        \
				const long before_ = root_mapped_pages();                    \
				faults_arm_call(root_calls[call_], nth_, errno_);            \
				statement;                                                   \
				if (!faults_fired()) {                                       \
					done;                                                \
					break;                                               \
				}                                                            \
				judge;                                                       \
				EXPECT_EQ(root_mapped_pages(), before_);                     \
				REQUIRE_LT(nth_, 1000);                                      \
			}                                                                    \
		}                                                                            \
	} while (0)

#endif
