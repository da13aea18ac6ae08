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
