/* SPDX-License-Identifier: MIT */
/*
 * System V segments, each system call failing in turn: the program gets its segment,
 * huge or small; what was made on the way is gone.
 */
#include <sys/ipc.h>
#include <sys/shm.h>

#include "core/route.h"
#include "core/segment.h"
#include "tests/faults/held.h"
#include "tests/harness/undo.h"

#define BYTES (2 * PAGE)
#define KEY 0x68726573

/* Of this process: others come and go. */
static long segments_now(void)
{
	struct shm_info info;
	struct shmid_ds ds;
	long mine = 0;
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info);

	for (int i = 0; i <= last; i++)
		mine += shmctl(i, SHM_STAT, &ds) >= 0 && ds.shm_cpid == getpid();
	return mine;
}

/*
 * At once, and without a word to undo.h, whose log has an end: nothing ends the test
 * between the making and this.
 */
static void remove_segment(long id)
{
	EXPECT_EQ(segment_control((int)id, IPC_RMID, NULL), 0);
}

static void get_failing(int key, int flags, int err)
{
	for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
		const struct held before = held_now();
		const long segments = segments_now();
		long id;

		faults_arm(nth, err);
		id = segment_get(key, BYTES, flags);
		fired = faults_fired();
		if (id < 0) {
			EXPECT_TRUE(fired);
			EXPECT_TRUE(id == -err || id == -ENOMEM);
		} else {
			struct shmid_ds ds;

			EXPECT_EQ(shmctl((int)id, IPC_STAT, &ds), 0);
			EXPECT_EQ(ds.shm_segsz, BYTES);
			EXPECT_EQ(ds.shm_perm.mode & 0777, flags & 0777);
			remove_segment(id);
		}
		if (segments_now() != segments)
			held_tell("segment_get", nth, err);
		EXPECT_EQ(segments_now(), segments);
		held_expect(&before, "segment_get", nth, err);
	}
}

static void get_each(int key, int flags)
{
	pool_set(PAGE, 2);
	HELD_EACH_ERRNO(err)
		get_failing(key, flags, err);
}

TEST(segment_without_a_key_is_made_or_nothing)
{
	get_each(IPC_PRIVATE, IPC_CREAT | 0600);
}

TEST(segment_with_a_key_is_made_or_nothing)
{
	get_each(KEY, IPC_CREAT | IPC_EXCL | 0640);
}

TEST(segment_of_the_programs_own_huge_pages_is_made_or_nothing)
{
	get_each(IPC_PRIVATE, IPC_CREAT | SHM_HUGETLB | 0400);
	get_each(KEY, IPC_CREAT | SHM_HUGETLB | 0600);
}

TEST(segment_from_a_short_pool_is_made_or_nothing)
{
	pool_set(PAGE, 1);
	HELD_EACH_ERRNO(err)
		get_failing(KEY, IPC_CREAT | 0600, err);
}

static void attach_failing(int id, uintptr_t at, int flags, int err)
{
	for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
		const struct held before = held_now();
		long got;

		faults_arm(nth, err);
		got = segment_attach(id, at, flags);
		fired = faults_fired();
		if (sys_failed(got)) {
			EXPECT_TRUE(fired && (got == -err || got == -ENOMEM));
		} else {
			fill_pages((void *)got, BYTES, 5);
			EXPECT_EQ(segment_detach((uintptr_t)got), 0);
		}
		held_expect(&before, "segment_attach", nth, err);
	}
}

TEST(segment_attached_and_detached_leaves_nothing)
{
	long id, at;

	pool_set(PAGE, 2);
	id = segment_get(IPC_PRIVATE, BYTES, IPC_CREAT | 0600);
	REQUIRE_GE(id, 0);
	undo_segment((int)id);
	at = segment_attach((int)id, 0, 0);
	REQUIRE_TRUE(!sys_failed(at));
	fill_pages((void *)at, BYTES, 1);	/* takes the pages it only reserved */
	segment_detach((uintptr_t)at);
	HELD_EACH_ERRNO(err)
		attach_failing((int)id, 0, 0, err);
	remove_segment(id);
	EXPECT_EQ(stats_held(), 0);
}

/* It is attached still, and known to be: the next one works. */
TEST(segment_whose_detach_fails_is_still_there)
{
	long id, at;

	pool_set(PAGE, 2);
	id = segment_get(IPC_PRIVATE, BYTES, IPC_CREAT | 0600);
	REQUIRE_GE(id, 0);
	undo_segment((int)id);
	at = segment_attach((int)id, 0, 0);
	REQUIRE_TRUE(!sys_failed(at));
	fill_pages((void *)at, BYTES, 5);
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct held before = held_now();
			long got;

			faults_arm(nth, err);
			got = segment_detach((uintptr_t)at);
			fired = faults_fired();
			if (got == 0) {
				at = segment_attach((int)id, 0, 0);
				REQUIRE_TRUE(!sys_failed(at));
			} else {
				EXPECT_TRUE(fired);
				EXPECT_EQ(got, -err);
			}
			EXPECT_TRUE(holds_pages((void *)at, BYTES, 5));
			held_expect(&before, "segment_detach", nth, err);
		}
	EXPECT_EQ(segment_detach((uintptr_t)at), 0);
	remove_segment(id);
}

/* SHM_REMAP over memory of ours: refused, it is all there and still ours. */
TEST(segment_attached_over_ours_or_nothing)
{
	long id, got;

	pool_set(PAGE, 4);
	id = segment_get(IPC_PRIVATE, BYTES, IPC_CREAT | 0600);
	REQUIRE_GE(id, 0);
	undo_segment((int)id);
	got = segment_attach((int)id, 0, 0);
	REQUIRE_TRUE(!sys_failed(got));
	fill_pages((void *)got, BYTES, 1);
	segment_detach((uintptr_t)got);
	HELD_EACH_ERRNO(err)
		for (int nth = 1, fired = 1; fired && nth < HELD_CALLS_MOST; nth++) {
			const struct request rq = { .bytes = BYTES, .prot = RW, .flags = ANON,
						    .fd = -1 };
			const struct held before = held_now();
			long at = route_map(&rq);

			fill_pages((void *)at, BYTES, 1);
			faults_arm(nth, err);
			got = segment_attach((int)id, (uintptr_t)at, SHM_REMAP);
			fired = faults_fired();
			if (sys_failed(got)) {
				EXPECT_TRUE(fired);
				EXPECT_TRUE(holds_pages((void *)at, BYTES, 1));
				EXPECT_EQ(route_unmap((uintptr_t)at, BYTES), 0);
			} else {
				EXPECT_EQ(segment_detach((uintptr_t)got), 0);
			}
			held_expect(&before, "segment_attach", nth, err);
		}
	remove_segment(id);
}
