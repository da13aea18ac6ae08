/* SPDX-License-Identifier: MIT */
/* mount.c - hugetlbfs mounts for tests */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "tests/harness/harness.h"
#include "tests/harness/mount.h"
#include "tests/harness/pool.h"
#include "tests/harness/tree.h"
#include "tests/harness/undo.h"

const char *mount_hugetlbfs(size_t page_bytes, const char *options)
{
	static char path[64];
	char data[256];

	pool_lock();
	snprintf(path, sizeof(path), "%s", tree_make());
	snprintf(data, sizeof(data), "pagesize=%zu%s%s", page_bytes, options ? "," : "",
		 options ? options : "");
	undo_umount(path);
	if (mount("hresv-test", path, "hugetlbfs", MS_NOSUID | MS_NODEV, data) != 0)
		SKIP("a hugetlbfs mount with %s: %s", data, strerror(errno));
	return path;
}
