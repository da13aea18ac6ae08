/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at any moment: the pool's counters, the mount's usage and the control group's
 * return to what they were; no file and no segment of ours is left.
 */
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/mount.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

enum { KILLS = 60 };

static unsigned segments(void)
{
	struct shm_info info;

	return shmctl(0, SHM_INFO, (struct shmid_ds *)(void *)&info) < 0 ? 0 :
	       (unsigned)info.used_ids;
}

/* Everything we do, in a loop, until somebody ends it. */
PROGRAM(does_everything_for_ever)
{
	for (;;) {
		char *a = mmap(NULL, 7 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *b = mmap(NULL, 4 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		char *c = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		int fd = memfd_create("huge", MFD_HUGETLB);
		char *d = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);

		munmap(a + 4096, 3 * MIB);
		munmap(b, 4 * MIB);
		munmap(a, 7 * MIB);
		if (c != MAP_FAILED)
			munmap(c, PAGE);
		if (d != MAP_FAILED)
			munmap(d, PAGE);
		close(fd);
	}
}

/*
 * A segment outlives its maker, ours or not: so the program removes each at once, in one
 * place, and what is left over after kill -9 can only be one killed just there. What must
 * never stay is a second one, of a proof.
 */
PROGRAM(makes_segments_for_ever)
{
	for (;;) {
		int id = shmget(0x48520003, 4 * MIB, IPC_CREAT | IPC_EXCL | 0600);

		if (id < 0)
			_exit(3);
		shmctl(id, IPC_RMID, NULL);
	}
}

/* Starts it, and kills it after a while that differs each time. */
static void kill_one(const char *program, const char *cgroup, const char *env, unsigned nth)
{
	char self[4096], wanted[128];
	ssize_t bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct timespec while_ = { 0, 3000000 + (long)(nth * 397 % 1000) * 20000 };
	pid_t pid;
	int status;

	self[bytes < 0 ? 0 : bytes] = '\0';
	snprintf(wanted, sizeof(wanted), "HRESV_TEST_PROGRAM=%s", program);
	pid = fork();
	if (pid == 0) {
		if (cgroup)
			cgroup_join(cgroup, 0);
		putenv(wanted);
		if (env)
			putenv(strdup(env));
		setenv("LD_PRELOAD", harness_build_path("libhresv.so"), 1);
		execl(self, self, (char *)NULL);
		_exit(127);
	}
	nanosleep(&while_, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void expect_all_back(void)
{
	EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
	EXPECT_EQ(pool_resv(PAGE), 0);
}

TEST(killed_at_any_moment_gives_all_pages_back)
{
	pool_set(PAGE, 8);
	for (unsigned i = 0; i < KILLS; i++) {
		kill_one("does_everything_for_ever", NULL, NULL, i);
		expect_all_back();
	}
}

TEST(killed_under_a_limit_gives_the_group_all_back)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 10 * MIB);
	for (unsigned i = 0; i < KILLS; i++) {
		kill_one("does_everything_for_ever", "pod", NULL, i);
		expect_all_back();
		EXPECT_EQ(cgroup_usage_fault("pod", PAGE), 0);
		EXPECT_EQ(cgroup_usage_rsvd("pod", PAGE), 0);
	}
}

TEST(killed_with_a_mount_leaves_no_file_and_no_usage)
{
	char env[256], path[200];

	pool_set(PAGE, 8);
	snprintf(path, sizeof(path), "%s", mount_hugetlbfs(PAGE, "size=12M"));
	snprintf(env, sizeof(env), "HUGETLB_PATH=%s", path);
	for (unsigned i = 0; i < KILLS; i++) {
		struct statfs fs;
		struct dirent *e;
		DIR *d;

		kill_one("does_everything_for_ever", NULL, env, i);
		expect_all_back();
		EXPECT_EQ(statfs(path, &fs), 0);
		EXPECT_EQ(fs.f_bfree, fs.f_blocks);
		d = opendir(path);
		while ((e = readdir(d)) != NULL)
			EXPECT_EQ(e->d_name[0], '.');
		closedir(d);
	}
}

TEST(killed_while_it_makes_segments_leaves_none_but_its_own)
{
	if (unshare(CLONE_NEWIPC) != 0)
		SKIP("an IPC namespace of its own: %s", strerror(errno));
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 10 * MIB);	/* so that there is something to prove */
	for (unsigned i = 0; i < KILLS; i++) {
		int id;

		kill_one("makes_segments_for_ever", "pod", NULL, i);
		id = shmget(0x48520003, 0, 0);
		if (id >= 0)
			shmctl(id, IPC_RMID, NULL);
		EXPECT_EQ(segments(), 0);
		expect_all_back();
		if (segments())
			break;
	}
}
