/* SPDX-License-Identifier: MIT */
/*
 * What becomes of segments of ours after they were made: removed by others, moved,
 * and unmapped in part.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define NOWHERE ((void *)-1)

static void own_segments(void)
{
	if (unshare(CLONE_NEWIPC) != 0)
		SKIP("an IPC namespace of its own: %s", strerror(errno));
}

static void removed_by_another(int id)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(shmctl(id, IPC_RMID, NULL) == 0 ? 0 : 1);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

/* Of each kind once more than the limit allows, if what is gone still counted. */
PROGRAM(loses_segments_to_another_process)
{
	int id = shmget(IPC_PRIVATE, 4 * MIB, IPC_CREAT | 0600);
	char *at;

	REQUIRE_GE(id, 0);
	removed_by_another(id);
	at = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(huge_in(at, 4 * MIB), 4 * MIB);
	EXPECT_EQ(munmap(at, 4 * MIB), 0);
	usleep(20000);	/* it is not asked about more often */
	id = shmget(IPC_PRIVATE, 4 * MIB, IPC_CREAT | 0600);
	at = shmat(id, NULL, 0);
	EXPECT_EQ(huge_in(at, 4 * MIB), 4 * MIB);
	removed_by_another(id);		/* attached: marked to go */
	EXPECT_EQ(shmdt(at), 0);
	id = shmget(IPC_PRIVATE, 4 * MIB, IPC_CREAT | 0600);
	at = shmat(id, NULL, 0);
	EXPECT_EQ(huge_in(at, 4 * MIB), 4 * MIB);
	EXPECT_EQ(shmdt(at), 0);
	removed_by_another(id);
	usleep(20000);
	at = mmap(NULL, 4 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	EXPECT_NE(at, MAP_FAILED);
}

TEST(segments_that_another_process_removed_do_not_count_any_more)
{
	own_segments();
	pool_set(PAGE, 4);
	run_with_us("loses_segments_to_another_process", "HUGETLB_LIMIT=4M");
}

static char *room_for(size_t bytes)
{
	char *room = mmap(NULL, bytes + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(room, bytes + PAGE);
	return (char *)(((uintptr_t)room + PAGE - 1) & ~(PAGE - 1));
}

static char *attach(char *at, size_t bytes)
{
	int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);

	REQUIRE_GE(id, 0);
	at = shmat(id, at, 0);
	REQUIRE_NE(at, NOWHERE);
	shmctl(id, IPC_RMID, NULL);
	EXPECT_EQ(huge_in(at, bytes), bytes);
	fill_pages(at, bytes, 3);
	return at;
}

/* It is known to be ours: a part of a huge page can be unmapped. */
static void expect_known(char *at, size_t bytes)
{
	EXPECT_TRUE(holds_pages(at, bytes, 3));
	EXPECT_EQ(munmap(at + bytes - 4096, 4096), 0);
	EXPECT_EQ(shmdt(at), 0);
}

/* Memory of nobody's is taken for what it is. */
static void expect_nothing_known(char *at)
{
	char *mine = mmap(at, 8192, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	REQUIRE_EQ(mine, at);
	mine[0] = mine[4096] = 5;
	EXPECT_EQ(mprotect(mine + 4096, 4096, PROT_READ), 0);
	EXPECT_EQ(madvise(mine, 4096, MADV_DONTNEED), 0);
	EXPECT_EQ(mine[0], 0);
	EXPECT_EQ(mine[4096], 5);
	EXPECT_EQ(munmap(mine, 8192), 0);
}

PROGRAM(detaches_what_was_moved)
{
	char *at = attach(NULL, 4 * MIB), *room = room_for(8 * MIB);
	char *beside = attach(room + 4 * MIB, 4 * MIB);

	EXPECT_EQ(mremap(at, 4 * MIB, 4 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, room), room);
	EXPECT_TRUE(holds_pages(room, 4 * MIB, 3));
	EXPECT_EQ(shmdt(room), 0);
	EXPECT_EQ(mapped_in(room, 4 * MIB), 0);
	expect_nothing_known(room);
	expect_known(beside, 4 * MIB);
	EXPECT_EQ(shmdt(at), -1);
	EXPECT_EQ(errno, EINVAL);
}

TEST(segment_that_was_moved_is_detached_alone)
{
	own_segments();
	pool_set(PAGE, 4);
	run_with_us("detaches_what_was_moved");
}

PROGRAM(detaches_what_lost_its_beginning)
{
	char *at = attach(NULL, 4 * MIB);

	EXPECT_EQ(munmap(at, PAGE), 0);
	EXPECT_EQ(shmdt(at), 0);
	EXPECT_EQ(mapped_in(at, 4 * MIB), 0);
	expect_nothing_known(at + PAGE);
}

TEST(segment_without_its_beginning_is_forgotten_when_detached)
{
	own_segments();
	pool_set(PAGE, 4);
	run_with_us("detaches_what_lost_its_beginning");
}

PROGRAM(attaches_within)
{
	char *at = attach(NULL, 6 * MIB), *within;

	EXPECT_EQ(munmap(at + PAGE, PAGE), 0);
	within = attach(at + PAGE, PAGE);
	EXPECT_EQ(shmdt(at), 0);
	EXPECT_EQ(mapped_in(at, 6 * MIB), PAGE);
	expect_nothing_known(at);
	expect_nothing_known(at + 2 * PAGE);
	expect_known(within, PAGE);
}

TEST(segment_attached_in_a_hole_of_another_outlives_it)
{
	own_segments();
	pool_set(PAGE, 4);
	run_with_us("attaches_within");
}

/* Of small pages: it can be cut, and what lies behind it is nobody else's. */
PROGRAM(attaches_a_small_segment_while_all_is_locked)
{
	int id = shmget(IPC_PRIVATE, MIB, IPC_CREAT | 0600);
	char *place, *at;

	REQUIRE_GE(id, 0);
	place = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	place += -(uintptr_t)place & (PAGE - 1);
	REQUIRE_EQ(mlockall(MCL_FUTURE), 0);
	at = shmat(id, place, SHM_REMAP);
	REQUIRE_EQ(at, place);
	EXPECT_EQ(shmctl(id, IPC_RMID, NULL), 0);
	fill_pages(at, MIB, 1);
	EXPECT_EQ(mprotect(at, 4096, PROT_READ), 0);
	EXPECT_EQ(munmap(at + MIB, 4096), 0);
	EXPECT_EQ(mapped_in(at + MIB, 4096), 0);
	EXPECT_EQ(munmap(at + 4096, 4096), 0);
	EXPECT_EQ(mapped_in(at, MIB), MIB - 4096);
}

TEST(small_segment_is_small_when_all_memory_is_locked)
{
	own_segments();
	if (mlockall(MCL_FUTURE) != 0)
		SKIP("leave to lock memory: %s", strerror(errno));
	munlockall();
	EXPECT_EQ(program_alone("attaches_a_small_segment_while_all_is_locked", NULL).exit_status, 0);
	run_with_us("attaches_a_small_segment_while_all_is_locked");
}

/* The kernel refuses the first, which must not make it younger than what came after it. */
PROGRAM(detaches_what_is_gone)
{
	char *room = room_for(8 * MIB), *old = attach(room + 4 * MIB, 4 * MIB), *around;
	int ends[2];

	EXPECT_EQ(munmap(old, 4 * MIB), 0);
	around = attach(room, 8 * MIB);
	EXPECT_EQ(shmdt(old), -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(shmdt(around), 0);
	EXPECT_EQ(mapped_in(room, 8 * MIB), 0);
	REQUIRE_EQ(pipe(ends), 0);
	EXPECT_EQ(write(ends[1], "some", 4), 4);
	EXPECT_EQ(read(ends[0], old + 8, 4), -1);
	EXPECT_EQ(errno, EFAULT);
	expect_nothing_known(old);
	expect_nothing_known(room);
}

TEST(segment_attached_over_one_that_is_gone_is_forgotten_when_detached)
{
	own_segments();
	pool_set(PAGE, 8);
	run_with_us("detaches_what_is_gone");
}
