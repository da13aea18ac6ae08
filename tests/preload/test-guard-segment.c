/* SPDX-License-Identifier: MIT */
/*
 * The program's own huge segments (SHM_HUGETLB): proven at shmget, since they outlive
 * it, or ENOMEM there and never a SIGBUS later.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define KEY 0x48520002
#define NOWHERE ((void *)-1)

static size_t given(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

static void own_segments(void)
{
	if (unshare(CLONE_NEWIPC) != 0)
		SKIP("an IPC namespace of its own: %s", strerror(errno));
}

static unsigned segments(void)
{
	struct shm_info info;

	return shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info) < 0 ? 0 :
	       (unsigned)info.used_ids;
}

PROGRAM(asks_for_huge_segments)
{
	static const int flags[] = { 0600, 0600 | SHM_NORESERVE, 0666, 0600 | 21 << MAP_HUGE_SHIFT,
				     0400, 0 };
	size_t most = given("MOST");

	for (size_t i = 0; i < 2 * sizeof(flags) / sizeof(flags[0]); i++) {
		int f = flags[i / 2] | SHM_HUGETLB | IPC_CREAT, id;
		key_t key = i % 2 ? KEY : IPC_PRIVATE;
		struct shmid_ds ds;
		char *at;

		errno = 0;
		EXPECT_EQ(shmget(key, most + PAGE, f), -1);
		EXPECT_EQ(errno, ENOMEM);
		EXPECT_EQ(segments(), 0);
		EXPECT_EQ(pool_free(PAGE) - pool_resv(PAGE), pool_total(PAGE));
		if (!most)
			continue;
		id = shmget(key, most, f);
		REQUIRE_GE(id, 0);
		EXPECT_EQ(segments(), 1);
		EXPECT_EQ(shmctl(id, IPC_STAT, &ds), 0);
		EXPECT_EQ(ds.shm_perm.mode & 0777, flags[i / 2] & 0777);
		at = shmat(id, NULL, 0);	/* root may, whatever the mode says */
		REQUIRE_NE(at, NOWHERE);
		EXPECT_EQ(huge_in(at, most), most);
		fill_pages(at, most, 1);
		EXPECT_EQ(shmdt(at), 0);
		EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
		EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	}
}

TEST(huge_segment_beyond_the_pool_is_enomem)
{
	own_segments();
	pool_set(PAGE, 3);
	run_with_us("asks_for_huge_segments", "MOST=6291456");
}

TEST(huge_segment_beyond_a_fault_limit_is_enomem)
{
	own_segments();
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 6 * MIB);
	run_with_us_in("pod", "asks_for_huge_segments", "MOST=6291456");
	cgroup_limit_fault("pod", PAGE, 0);
	run_with_us_in("pod", "asks_for_huge_segments", "MOST=0");
}

TEST(huge_segment_beyond_a_reservation_limit_is_enomem)
{
	own_segments();
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_rsvd("pod", PAGE, 6 * MIB);
	run_with_us_in("pod", "asks_for_huge_segments", "MOST=6291456");
}

PROGRAM(touches_a_huge_segment)
{
	int id = shmget(IPC_PRIVATE, 6 * MIB, IPC_CREAT | SHM_HUGETLB | 0600);
	char *at;

	if (id < 0)
		_exit(errno == ENOMEM ? 42 : 43);
	at = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	fill_pages(at, 6 * MIB, 1);
	_exit(44);
}

TEST(huge_segment_under_a_fault_limit_dies_without_us_and_not_with_us)
{
	struct spawned r;

	own_segments();
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 4 * MIB);
	EXPECT_EQ(program_alone("touches_a_huge_segment", "pod").signal, SIGBUS);
	r = program_run("touches_a_huge_segment", (struct spawn){ .preload = "libhresv.so",
								  .cgroup = "pod" });
	EXPECT_EQ(r.exit_status, 42);
}

/* The one that took all there is, found again; nothing is proven a second time. */
PROGRAM(finds_its_huge_segment)
{
	size_t bytes = 4 * MIB;
	int flags = IPC_CREAT | SHM_HUGETLB | 0600;
	int id = shmget(KEY, bytes, flags);

	REQUIRE_GE(id, 0);
	EXPECT_EQ(shmget(KEY, bytes, flags), id);
	EXPECT_EQ(shmget(KEY, PAGE, flags), id);
	EXPECT_EQ(shmget(KEY, bytes, IPC_CREAT | 0600), id);
	EXPECT_EQ(shmget(KEY, bytes, SHM_HUGETLB), id);
	errno = 0;
	EXPECT_EQ(shmget(KEY, bytes, flags | IPC_EXCL), -1);
	EXPECT_EQ(errno, EEXIST);
	errno = 0;
	EXPECT_EQ(shmget(KEY, bytes + PAGE, flags), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

TEST(huge_segment_that_exists_is_found)
{
	own_segments();
	pool_set(PAGE, 2);
	EXPECT_EQ(program_alone("finds_its_huge_segment", NULL).exit_status, 0);
	run_with_us("finds_its_huge_segment");
	run_with_us("finds_its_huge_segment", "HUGETLB_LIMIT=5M");
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 4 * MIB);
	run_with_us_in("pod", "finds_its_huge_segment");
}

PROGRAM(has_no_right)
{
	errno = 0;
	EXPECT_EQ(shmget(IPC_PRIVATE, PAGE, IPC_CREAT | SHM_HUGETLB | 0600), -1);
	EXPECT_EQ(errno, EPERM);
	errno = 0;
	EXPECT_EQ(shmget(KEY, PAGE, IPC_CREAT | SHM_HUGETLB | 0600), -1);
	EXPECT_EQ(errno, EPERM);
	EXPECT_EQ(segments(), 0);
}

/* Who asks for huge pages himself hears what the kernel says to him. */
TEST(huge_segment_without_the_right_is_eperm_as_without_us)
{
	struct spawned r;

	own_segments();
	pool_set(PAGE, 2);
	r = program_run("has_no_right", (struct spawn){ .user = "nobody" });
	EXPECT_EQ(r.exit_status, 0);
	run_with_us_as("nobody", "has_no_right");
}

PROGRAM(gets_a_small_segment)
{
	int id = shmget(KEY, 3 * MIB, IPC_CREAT | IPC_EXCL | SHM_HUGETLB | 0600);
	char *at;

	REQUIRE_GE(id, 0);
	at = shmat(id, NULL, 0);
	EXPECT_EQ(huge_in(at, 3 * MIB), 0);
	fill_pages(at, 3 * MIB, 1);
	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	EXPECT_EQ(shmdt(at), 0);
}

TEST(huge_segment_with_explicit_small_is_small_where_it_cannot_be_huge)
{
	own_segments();
	pool_set(PAGE, 1);
	run_with_us("gets_a_small_segment", "HUGETLB_EXPLICIT=small");
	run_with_us_as("nobody", "gets_a_small_segment", "HUGETLB_EXPLICIT=small");
}

/* Errors that have nothing to do with pages stay themselves, also where proof is needed. */
PROGRAM(asks_for_impossible_segments)
{
	errno = 0;
	EXPECT_EQ(shmget(KEY, 0, IPC_CREAT | SHM_HUGETLB | 0600), -1);
	EXPECT_EQ(errno, EINVAL);
	errno = 0;
	EXPECT_EQ(shmget(KEY, PAGE, SHM_HUGETLB | 0600), -1);
	EXPECT_EQ(errno, ENOENT);
	errno = 0;
	EXPECT_EQ(shmget(KEY, PAGE, IPC_CREAT | SHM_HUGETLB | 45 << MAP_HUGE_SHIFT | 0600), -1);
	EXPECT_EQ(errno, EINVAL);
	errno = 0;
	EXPECT_EQ(shmget(KEY, (size_t)64 << 40, IPC_CREAT | SHM_HUGETLB | 0600), -1);
	EXPECT_EQ(errno, given("TOO_BIG"));
}

TEST(huge_segment_that_is_impossible_fails_as_without_us)
{
	struct spawned r;
	char too_big[32];
	FILE *f;

	own_segments();
	pool_set(PAGE, 2);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 4 * MIB);
	f = fopen("/proc/sys/kernel/shmmax", "we");	/* the namespace's own */
	if (!f || fprintf(f, "1073741824\n") < 0 || fclose(f))
		SKIP("the right to set shmmax");
	snprintf(too_big, sizeof(too_big), "TOO_BIG=%d", EINVAL);
	putenv(too_big);
	r = program_alone("asks_for_impossible_segments", "pod");
	EXPECT_STR_EQ(r.err, "");
	run_with_us_in("pod", "asks_for_impossible_segments");
	run_with_us("asks_for_impossible_segments");
}
