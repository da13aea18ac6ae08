/* SPDX-License-Identifier: MIT */
/*
 * System V segments: huge where that is proven at shmget, small and silent where not,
 * and to the program exactly the segments it asked for.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define NOWHERE ((void *)-1)

static size_t given(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

#define KEY 0x48520001

/* A machine's segments of our own: keys are free, nothing outlives the test. */
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

PROGRAM(makes_a_segment)
{
	size_t bytes = given("BYTES"), huge = given("HUGE");
	key_t k = getenv("KEYED") ? KEY : IPC_PRIVATE;
	int id = shmget(k, bytes, IPC_CREAT | IPC_EXCL | 0600);
	struct shmid_ds ds;
	char *at;

	REQUIRE_GE(id, 0);
	EXPECT_EQ(segments(), 1);
	EXPECT_EQ(shmctl(id, IPC_STAT, &ds), 0);
	EXPECT_EQ(ds.shm_segsz, bytes);
	EXPECT_EQ(ds.shm_nattch, 0);
	EXPECT_EQ(ds.shm_perm.mode & 0777, 0600);
	EXPECT_EQ(ds.shm_cpid, getpid());
	EXPECT_EQ(ds.shm_perm.__key, k);
	at = shmat(id, NULL, 0);
	REQUIRE_NE(at, NOWHERE);
	EXPECT_EQ(huge_in(at, bytes), huge);
	EXPECT_TRUE(is_zero(at, bytes));
	fill_pages(at, bytes, 1);
	EXPECT_TRUE(holds_pages(at, bytes, 1));
	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	/* Removed, and still there for who has it attached. */
	EXPECT_TRUE(holds_pages(at, bytes, 1));
	EXPECT_EQ(shmdt(at), 0);
	EXPECT_EQ(mapped_in(at, bytes), 0);
	EXPECT_EQ(shmdt(at), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	EXPECT_EQ(pool_resv(PAGE), 0);
	EXPECT_EQ(segments(), 0);
}

static void make_segment(const char *bytes, const char *huge, const char *cgroup)
{
	char there[32];

	snprintf(there, sizeof(there), "SEGMENTS=%u", segments());
	run_with_us_in(cgroup, "makes_a_segment", bytes, huge, there);
	run_with_us_in(cgroup, "makes_a_segment", bytes, huge, there, "KEYED=1");
}

TEST(segment_is_huge_where_there_are_pages)
{
	own_segments();
	pool_set(PAGE, 4);
	make_segment("BYTES=8388608", "HUGE=8388608", NULL);
	make_segment("BYTES=3000000", "HUGE=3000000", NULL);
}

TEST(segment_is_small_where_there_are_too_few)
{
	own_segments();
	pool_set(PAGE, 3);
	make_segment("BYTES=8388608", "HUGE=0", NULL);
	make_segment("BYTES=4096", "HUGE=0", NULL);
}

TEST(segment_under_a_fault_limit_is_huge_as_far_as_that_is_proven)
{
	own_segments();
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 8 * MIB);
	make_segment("BYTES=8388608", "HUGE=8388608", "pod");
	cgroup_limit_fault("pod", PAGE, 6 * MIB);
	make_segment("BYTES=8388608", "HUGE=0", "pod");
	cgroup_limit_fault("pod", PAGE, 0);
	make_segment("BYTES=8388608", "HUGE=0", "pod");
}

TEST(segment_under_a_reservation_limit_is_huge_as_far_as_that_is_proven)
{
	own_segments();
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_rsvd("pod", PAGE, 8 * MIB);
	make_segment("BYTES=8388608", "HUGE=8388608", "pod");
	cgroup_limit_rsvd("pod", PAGE, 6 * MIB);
	make_segment("BYTES=8388608", "HUGE=0", "pod");
}

TEST(segment_without_the_right_to_huge_pages_is_small_and_no_error)
{
	own_segments();
	pool_set(PAGE, 8);
	run_with_us_as("nobody", "makes_a_segment", "BYTES=8388608", "HUGE=0");
	run_with_us_as("nobody", "makes_a_segment", "BYTES=8388608", "HUGE=0", "KEYED=1");
}

PROGRAM(finds_its_segment)
{
	size_t bytes = 4 * MIB;
	int id = shmget(KEY, bytes, IPC_CREAT | 0600);

	REQUIRE_GE(id, 0);
	errno = 4711;
	EXPECT_EQ(shmget(KEY, bytes, IPC_CREAT | 0600), id);
	EXPECT_EQ(shmget(KEY, bytes, 0600), id);
	EXPECT_EQ(shmget(KEY, 4096, 0), id);
	EXPECT_EQ(shmget(KEY, 0, IPC_CREAT), id);
	EXPECT_EQ(shmget(KEY, 3 * MIB, IPC_CREAT | 0600), id);
	EXPECT_EQ(errno, 4711);
	EXPECT_EQ(shmget(KEY, bytes, IPC_CREAT | IPC_EXCL | 0600), -1);
	EXPECT_EQ(errno, EEXIST);
	EXPECT_EQ(shmget(KEY, 6 * MIB, IPC_CREAT | 0600), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(shmget(KEY, 6 * MIB, 0600), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(shmget(KEY + 1, bytes, 0600), -1);
	EXPECT_EQ(errno, ENOENT);
	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	EXPECT_EQ(shmget(KEY, bytes, 0600), -1);
	EXPECT_EQ(errno, ENOENT);
	EXPECT_EQ(shmget(IPC_PRIVATE, 0, 0600), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(shmget(IPC_PRIVATE, SIZE_MAX, 0600), -1);
	EXPECT_TRUE(errno == EINVAL || errno == ENOSPC);
	EXPECT_EQ((void *)shmat(id, NULL, 0), NOWHERE);
	EXPECT_EQ(errno, EINVAL);
}

/* Whether it is huge or small, whether more could be had or not. */
TEST(segment_that_exists_is_found_and_errors_are_the_kernels)
{
	own_segments();
	pool_set(PAGE, 2);		/* enough for one, not for a second */
	EXPECT_EQ(program_alone("finds_its_segment", NULL).exit_status, 0);
	run_with_us("finds_its_segment");
	pool_set(PAGE, 8);
	run_with_us("finds_its_segment");
	pool_set(PAGE, 0);
	run_with_us("finds_its_segment");
}

TEST(segment_that_exists_is_found_under_a_limit)
{
	own_segments();
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 4 * MIB);
	run_with_us_in("pod", "finds_its_segment");
	run_with_us_in("pod", "finds_its_segment", "HUGETLB_LIMIT=5M");
}

PROGRAM(attaches)
{
	size_t bytes = 4 * MIB;
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600), status;
	char *at, *twice, *place, *ro;

	REQUIRE_GE(id, 0);
	at = shmat(id, NULL, 0);
	REQUIRE_NE(at, NOWHERE);
	EXPECT_EQ(huge_in(at, bytes), given("HUGE"));
	fill_pages(at, bytes, 1);
	twice = shmat(id, NULL, 0);
	REQUIRE_NE(twice, NOWHERE);
	EXPECT_TRUE(holds_pages(twice, bytes, 1));
	/* Read-only: it reads, and a write dies of SIGSEGV as ever. */
	ro = shmat(id, NULL, SHM_RDONLY);
	REQUIRE_NE(ro, NOWHERE);
	EXPECT_TRUE(holds_pages(ro, bytes, 1));
	if (fork() == 0) {
		*(volatile char *)ro = 1;
		_exit(0);
	}
	wait(&status);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	/* At an address: free, taken, taken and to be replaced. */
	place = mmap(NULL, bytes + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(place, bytes + PAGE);
	place = (char *)(((uintptr_t)place + PAGE - 1) & ~(PAGE - 1));
	EXPECT_EQ((char *)shmat(id, place, 0), place);
	EXPECT_EQ((void *)shmat(id, place, 0), NOWHERE);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ((char *)shmat(id, place, SHM_REMAP), place);
	place[5] = 77;
	EXPECT_EQ(at[5], 77);
	EXPECT_EQ(ro[5], 77);
	/* A child has them too. */
	if (fork() == 0) {
		at[6] = 78;
		_exit(shmdt(at) == 0 && shmdt(twice) == 0 ? 0 : 1);
	}
	wait(&status);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(place[6], 78);
	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	/* Removed and attached: another attach is allowed by Linux. */
	EXPECT_EQ(shmdt(ro), 0);
	ro = shmat(id, NULL, SHM_RDONLY);
	REQUIRE_NE(ro, NOWHERE);
	EXPECT_EQ(ro[6], 78);
	EXPECT_EQ(shmdt(ro), 0);
	EXPECT_EQ(shmdt(place), 0);
	EXPECT_EQ(shmdt(twice), 0);
	EXPECT_EQ(shmdt(at + PAGE), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(shmdt(at), 0);
	EXPECT_EQ((void *)shmat(id, NULL, 0), NOWHERE);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
}

TEST(segment_attaches_as_ever)
{
	own_segments();
	pool_set(PAGE, 2);
	EXPECT_EQ(program_alone("attaches", NULL).exit_status, 0);
	run_with_us("attaches", "HUGE=4194304");
	pool_set(PAGE, 1);
	run_with_us("attaches", "HUGE=0");
}

PROGRAM(remaps_a_segment_over_memory)
{
	char *at = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int id = shmget(IPC_PRIVATE, 4 * MIB, IPC_CREAT | 0600);
	char *elsewhere = shmat(id, NULL, 0);

	EXPECT_EQ(huge_in(at, 8 * MIB), 8 * MIB);
	EXPECT_EQ(huge_in(elsewhere, 4 * MIB), 0);
	EXPECT_EQ((char *)shmat(id, at + 2 * MIB, SHM_REMAP), at + 2 * MIB);
	elsewhere[9000] = 5;
	EXPECT_EQ(at[2 * MIB + 9000], 5);
	/* A cut through what is no page of ours any more must not tear them apart. */
	EXPECT_EQ(munmap(at + 2 * MIB, 4096), 0);
	elsewhere[9000] = 6;
	EXPECT_EQ(at[2 * MIB + 9000], 6);
	shmctl(id, IPC_RMID, NULL);
	munmap(at, 8 * MIB);
	shmdt(elsewhere);
}

TEST(segment_attached_over_memory_of_ours_replaces_it)
{
	own_segments();
	pool_set(PAGE, 4);
	run_with_us("remaps_a_segment_over_memory", "HUGETLB_SHM=no");
}

/* The second half is unmapped, and other memory of ours takes its place before shmdt. */
PROGRAM(unmaps_a_part_of_a_segment)
{
	int id = shmget(IPC_PRIVATE, 4 * MIB, IPC_CREAT | 0600);
	char *at = shmat(id, NULL, 0), *ours;

	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	EXPECT_EQ(huge_in(at, 4 * MIB), 4 * MIB);
	EXPECT_EQ(munmap(at + PAGE, PAGE), 0);
	ours = mmap(at + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(ours, at + PAGE);
	EXPECT_EQ(huge_in(ours, PAGE), PAGE);
	fill_pages(ours, PAGE, 1);
	EXPECT_EQ(shmdt(at), 0);
	EXPECT_TRUE(holds_pages(ours, PAGE, 1));
	/* Still known to be ours: it can be cut. */
	EXPECT_EQ(munmap(ours, 4096), 0);
	EXPECT_EQ(mapped_in(ours, PAGE), PAGE - 4096);
	EXPECT_EQ(munmap(ours, PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
}

TEST(segment_of_which_a_part_was_unmapped_forgets_only_itself)
{
	own_segments();
	pool_set(PAGE, 4);
	run_with_us("unmaps_a_part_of_a_segment");
}

PROGRAM(counts_segments)
{
	int ids[8], n = 0;
	size_t huge = 0;

	for (n = 0; n < 4; n++) {
		char *at;

		ids[n] = shmget(IPC_PRIVATE, 4 * MIB, IPC_CREAT | 0600);
		REQUIRE_GE(ids[n], 0);
		at = shmat(ids[n], NULL, 0);
		huge += huge_in(at, 4 * MIB);
		/* Unmapped instead of detached, as some do. */
		EXPECT_EQ(munmap(at, 4 * MIB), 0);
	}
	EXPECT_EQ(huge, 8 * MIB);
	while (n--)
		EXPECT_EQ(shmctl(ids[n], IPC_RMID, NULL), 0);
	/* All given back: the same again. */
	ids[0] = shmget(IPC_PRIVATE, 8 * MIB, IPC_CREAT | 0600);
	EXPECT_EQ(huge_in(shmat(ids[0], NULL, 0), 8 * MIB), 8 * MIB);
	shmctl(ids[0], IPC_RMID, NULL);
}

TEST(segments_count_towards_the_limit_until_they_are_removed)
{
	own_segments();
	pool_set(PAGE, 16);
	run_with_us("counts_segments", "HUGETLB_LIMIT=8M");
}

PROGRAM(is_left_alone)
{
	int flags = (int)given("FLAGS");
	int id = shmget(IPC_PRIVATE, 4 * MIB, IPC_CREAT | flags);

	REQUIRE_GE(id, 0);
	EXPECT_EQ(huge_in(shmat(id, NULL, 0), 4 * MIB), 0);
	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

TEST(segment_that_reserves_nothing_or_is_switched_off_stays_small)
{
	char noreserve[32];

	own_segments();
	pool_set(PAGE, 4);
	snprintf(noreserve, sizeof(noreserve), "FLAGS=%d", SHM_NORESERVE | 0600);
	run_with_us("is_left_alone", noreserve);
	run_with_us("is_left_alone", "FLAGS=384", "HUGETLB_SHM=no");
}

PROGRAM(falls_back_to_nothing)
{
	errno = 0;
	EXPECT_EQ(shmget(IPC_PRIVATE, 8 * MIB, IPC_CREAT | 0600), -1);
	EXPECT_EQ(errno, ENOMEM);
}

TEST(segment_with_fallback_fail_is_enomem)
{
	own_segments();
	pool_set(PAGE, 3);
	run_with_us("falls_back_to_nothing", "HUGETLB_FALLBACK=fail");
	EXPECT_EQ(segments(), 0);
}
