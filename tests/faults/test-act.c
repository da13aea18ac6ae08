/* SPDX-License-Identifier: MIT */
/*
 * Every part of core that talks to the kernel, with its n-th system call failing: a
 * right answer or a right error, and nothing left behind: no page, no descriptor, no
 * word in the page map, no byte in the count. (The runner checks pool and descriptors.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/act/backing.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/act/undo.h"
#include "core/base/lock.h"
#include "core/guard.h"
#include "core/route.h"
#include "core/segment.h"
#include "tests/harness/faults.h"
#undef KIB
#undef MIB
#undef GIB
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

enum { CALLS_MOST = 400 };

static bool failed(long value)
{
	return (unsigned long)value > -4096UL;
}

static struct request request(size_t bytes, int flags)
{
	return (struct request){ .use = USE_MMAP, .bytes = bytes, .prot = RW,
				 .flags = flags | MAP_ANONYMOUS, .fd = -1 };
}

/*
 * munmap() that fails leaves what it should have taken, which no program can help either:
 * those rounds are judged by life alone.
 */
static bool cannot_clean(long nr)
{
	return nr == SYS_munmap;
}

static void expect_nothing_left(unsigned long before)
{
	EXPECT_EQ(pool_free(PAGE) - pool_resv(PAGE), before);
	EXPECT_EQ(stats_held(), 0);
}

/* Any answer but a lie: memory that works as far as it was granted, or an errno. */
static void map_with_failures(const struct request *rq, long nr, int err)
{
	unsigned long before = pool_free(PAGE) - pool_resv(PAGE);
	size_t bytes = rq->bytes;
	long at;
	int nth = 0;

	do {
		faults_arm_call(nr, ++nth, err);
		at = route_map(rq);
		if (!faults_fired())
			break;
		if (failed(at)) {
			EXPECT_TRUE(at == -ENOMEM || at == -err);
		} else {
			EXPECT_EQ(mapped_in((void *)at, bytes), bytes);
			fill_pages((void *)at, bytes, 1);
			EXPECT_TRUE(holds_pages((void *)at, bytes, 1));
			EXPECT_EQ(route_unmap((uintptr_t)at, bytes), 0);
			EXPECT_EQ(mapped_in((void *)at, bytes), 0);
		}
		if (!cannot_clean(nr))
			expect_nothing_left(before);
	} while (nth < CALLS_MOST);
	EXPECT_FALSE(failed(at));
	EXPECT_LT(nth, CALLS_MOST);
	EXPECT_EQ(route_unmap((uintptr_t)at, bytes), 0);
}

static const long calls[] = { SYS_mmap, SYS_mremap, SYS_madvise, SYS_mprotect, SYS_munmap,
			      SYS_openat, SYS_read, SYS_flock, SYS_ftruncate, SYS_statfs,
			      SYS_mincore, SYS_futex, SYS_getdents64, SYS_fstatfs, SYS_sysinfo };

static void map_with_each_call_failing(struct request rq)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		map_with_failures(&rq, calls[i], ENOMEM);
		map_with_failures(&rq, calls[i], EMFILE);
	}
}

TEST(route_map_private_survives_whichever_call_fails)
{
	pool_set(PAGE, 3);
	map_with_each_call_failing(request(7 * MIB, MAP_PRIVATE));
}

TEST(route_map_short_of_pages_survives_whichever_call_fails)
{
	pool_set(PAGE, 2);
	map_with_each_call_failing(request(9 * MIB, MAP_PRIVATE));
}

TEST(route_map_shared_survives_whichever_call_fails)
{
	pool_set(PAGE, 3);
	map_with_each_call_failing(request(9 * MIB, MAP_SHARED));
}

TEST(route_map_at_a_hint_survives_whichever_call_fails)
{
	struct request rq = request(7 * MIB, MAP_PRIVATE);

	pool_set(PAGE, 3);
	rq.at = UINT64_C(0x200000001000);
	map_with_each_call_failing(rq);
}

static void guard_with_failures(const struct request *rq, long nr, int err)
{
	unsigned long before = pool_free(PAGE) - pool_resv(PAGE);
	long at;
	int nth = 0;

	do {
		faults_arm_call(nr, ++nth, err);
		at = route_map(rq);
		if (!faults_fired())
			break;
		if (!failed(at)) {
			EXPECT_EQ(huge_in((void *)at, rq->bytes), rq->bytes);
			fill_pages((void *)at, rq->bytes, 1);
			EXPECT_EQ(route_unmap((uintptr_t)at, rq->bytes), 0);
		}
		if (!cannot_clean(nr) && rq->fd < 0)	/* a file keeps what it has */
			expect_nothing_left(before);
	} while (nth < CALLS_MOST);
	EXPECT_FALSE(failed(at));
	EXPECT_EQ(route_unmap((uintptr_t)at, rq->bytes), 0);
}

static void guard_with_each_call_failing(struct request rq)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		guard_with_failures(&rq, calls[i], ENOMEM);
}

TEST(guard_survives_whichever_call_fails)
{
	struct request rq = request(4 * MIB, MAP_PRIVATE | MAP_HUGETLB);

	pool_set(PAGE, 3);
	guard_with_each_call_failing(rq);
	rq.flags = MAP_SHARED | MAP_HUGETLB | MAP_ANONYMOUS;
	guard_with_each_call_failing(rq);
	rq.at = UINT64_C(0x200000000000);
	rq.flags = MAP_PRIVATE | MAP_HUGETLB | MAP_ANONYMOUS | MAP_FIXED;
	guard_with_each_call_failing(rq);
	rq.flags = MAP_PRIVATE | MAP_HUGETLB | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	guard_with_each_call_failing(rq);
}

TEST(guard_of_a_file_survives_whichever_call_fails)
{
	struct request rq = request(4 * MIB, MAP_SHARED);

	pool_set(PAGE, 3);
	rq.flags = MAP_SHARED | MAP_NORESERVE;	/* so that there is something to prove */
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i] == SYS_fstatfs || calls[i] == SYS_munmap)
			continue;	/* how it would be known for a huge file at all */
		rq.fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
		REQUIRE_EQ(ftruncate(rq.fd, 4 * MIB), 0);
		guard_with_failures(&rq, calls[i], ENOMEM);
		close(rq.fd);
		expect_nothing_left(3);
	}
}

/* A cut through a huge page: what stays has its content, or nothing was changed. */
static void cut_with_failures(int type, long nr, int err)
{
	unsigned long before = pool_free(PAGE) - pool_resv(PAGE);
	struct request rq = request(4 * MIB, type);
	int nth = 0;
	bool fired;

	do {
		long at = route_map(&rq), cut;
		char *memory = (char *)at;

		REQUIRE_TRUE(!failed(at));
		fill_pages(memory, 4 * MIB, 1);
		faults_arm_call(nr, ++nth, err);
		cut = route_unmap((uintptr_t)at + MIB, 2 * MIB);
		fired = faults_fired();
		EXPECT_TRUE(cut == 0 || cut == -err || cut == -ENOMEM);
		EXPECT_TRUE(holds_pages(memory, MIB, 1));
		for (size_t i = 3 * MIB; i < 4 * MIB; i += 4096)
			EXPECT_NE(*(volatile uint64_t *)(memory + i), 0);
		if (cut != 0)	/* what was given up may have lost its content already */
			EXPECT_EQ(mapped_in(memory, 4 * MIB), 4 * MIB);
		EXPECT_EQ(route_unmap((uintptr_t)at, 4 * MIB), 0);
		EXPECT_EQ(mapped_in(memory, 4 * MIB), 0);
		if (!cannot_clean(nr))
			expect_nothing_left(before);
	} while (fired && nth < CALLS_MOST);
	EXPECT_LT(nth, CALLS_MOST);
}

TEST(route_unmap_that_cuts_survives_whichever_call_fails)
{
	static const long nrs[] = { SYS_mmap, SYS_mremap, SYS_madvise, SYS_munmap, SYS_openat,
				    SYS_read, SYS_ioctl, SYS_userfaultfd, SYS_futex };

	pool_set(PAGE, 2);
	for (size_t i = 0; i < sizeof(nrs) / sizeof(nrs[0]); i++) {
		cut_with_failures(MAP_PRIVATE, nrs[i], ENOMEM);
		cut_with_failures(MAP_SHARED, nrs[i], ENOMEM);
	}
	cut_with_failures(MAP_PRIVATE, SYS_userfaultfd, EPERM);
}

TEST(segment_survives_whichever_call_fails)
{
	static const long nrs[] = { SYS_shmget, SYS_shmat, SYS_shmctl, SYS_mmap, SYS_madvise,
				    SYS_openat, SYS_read, SYS_flock, SYS_statfs };
	unsigned long before;

	pool_set(PAGE, 4);
	before = pool_free(PAGE) - pool_resv(PAGE);
	for (size_t i = 0; i < sizeof(nrs) / sizeof(nrs[0]); i++) {
		int nth = 0;
		bool fired;

		do {
			long id;

			faults_arm_call(nrs[i], ++nth, ENOMEM);
			id = segment_get(IPC_PRIVATE, 4 * MIB, IPC_CREAT | 0600);
			fired = faults_fired();
			if (id >= 0)
				EXPECT_EQ(segment_control((int)id, IPC_RMID, NULL), 0);
			else
				EXPECT_EQ(id, -ENOMEM);
			if (nrs[i] != SYS_shmctl)
				expect_nothing_left(before);
		} while (fired && nth < CALLS_MOST);
	}
}

TEST(turn_that_cannot_be_had_is_no_error)
{
	static const long nrs[] = { SYS_openat, SYS_flock };

	for (size_t i = 0; i < 2; i++) {
		faults_arm_call(nrs[i], 1, EACCES);

		struct turn t = turn_take(TURN_ALONE, PAGE);

		faults_disarm();
		turn_drop(&t);
		EXPECT_EQ(t.fd, -1);
	}
}

TEST(backing_make_leaves_nothing_whichever_call_fails)
{
	unsigned long before;

	pool_set(PAGE, 3);
	before = pool_free(PAGE) - pool_resv(PAGE);
	for (int kind = 0; kind < 4; kind++) {
		const struct backing how = {
			.page_bytes = PAGE, .prot = kind & 2 ? PROT_READ : RW,
			.shared = kind & 1, .whole = kind == 3,
		};

		for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
			int nth = 0;
			bool fired;

			do {
				uintptr_t at = 0;
				size_t got = 0;
				int err;

				faults_arm_call(calls[i], ++nth, ENOMEM);
				err = backing_make(&how, 3, 0, &at, &got);
				fired = faults_fired();
				if (!err) {
					EXPECT_EQ(huge_in((void *)at, got * PAGE), got * PAGE);
					munmap((void *)at, got * PAGE);
				}
				if (!cannot_clean(calls[i]))
					EXPECT_EQ(pool_free(PAGE) - pool_resv(PAGE), before);
			} while (fired && nth < CALLS_MOST);
		}
	}
}
