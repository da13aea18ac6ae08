/* SPDX-License-Identifier: MIT */
/* Every reader of /proc, /sys and control groups, on files that say anything at all. */
#include <stdint.h>
#include <stdlib.h>

#include "core/base/align.h"
#include "core/facts/cgroup.h"
#include "core/facts/maps.h"
#include "core/facts/mounts.h"
#include "core/facts/policy.h"
#include "core/facts/pool.h"
#include "tests/fuzz/files.h"

static void check(bool right)
{
	if (!right)
		abort();
}

static int count_limit(const char *usage_path, uint64_t room_bytes, void *arg)
{
	check(strncmp(usage_path, FILES_ROOT, strlen(FILES_ROOT)) == 0);
	check(room_bytes < CGROUP_UNLIMITED);
	return ++*(int *)arg > 1000;
}

static void read_groups(void)
{
	struct cgroup_hugetlb g;
	bool charged;
	int n = 0;

	if (cgroup_read_hugetlb(FILES_ROOT, 2 * MIB, &g) == 0) {
		check(g.fault.limit == CGROUP_UNLIMITED || g.fault.room <= g.fault.limit);
		check(g.rsvd.limit == CGROUP_UNLIMITED || g.rsvd.room <= g.rsvd.limit);
		check(memchr(g.fault.path, 0, sizeof(g.fault.path)) != NULL);
	}
	cgroup_charges_memory(FILES_ROOT, &charged);
	cgroup_each_limit(FILES_ROOT, 2 * MIB, count_limit, &n);
}

static void read_mounts(void)
{
	struct mount_list list;

	if (mounts_read(FILES_ROOT, &list) != 0)
		return;
	for (size_t i = 0; i < mounts_count(&list); i++)
		check(strlen(mounts_at(&list, i)->path) < 1 << 20);
	mounts_free(&list);
}

static void read_the_rest(void)
{
	uint64_t limit, used;
	struct map_facts map;
	struct policy policy;
	struct pool pool;
	uintptr_t end;
	bool may;

	if (pool_read(FILES_ROOT, 2 * MIB, &pool) == 0)
		pool_available(&pool, 2 * MIB);
	if (maps_read_range(FILES_ROOT, 0x10000, 0x7000000, &map) == 0)
		check(map.prot >= 0);
	maps_room(FILES_ROOT, &limit, &used);
	if (maps_read_end(FILES_ROOT, 0x10000, &end) == 0)
		check(end > 0x10000);
	if (policy_read(FILES_ROOT, &policy) == 0)
		check(policy.nodes_online >= 1);
	policy_may_shm_hugetlb(FILES_ROOT, &may);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	files_serve((const char *)data, bytes);
	read_groups();
	read_mounts();
	read_the_rest();
	check(files_all_closed());
	sys_set_hook(NULL);
	return 0;
}
