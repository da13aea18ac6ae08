/* SPDX-License-Identifier: MIT */
/*
 * The harness notices what it promises to notice. Each FAIL_TEST passes only if
 * the harness fails it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/sys.h"
#include "tests/harness/cgroup.h"
#include "tests/harness/faults.h"
#include "tests/harness/harness.h"
#include "tests/harness/mount.h"
#include "tests/harness/pool.h"
#include "tests/harness/spawn.h"
#include "tests/harness/tree.h"
#include "tests/harness/undo.h"

TEST(expect_compares_numbers_whatever_their_type)
{
	EXPECT_LT(-1, (size_t)0);
	EXPECT_GT(UINT64_MAX, -1);
	EXPECT_EQ((short)-5, -5L);
	EXPECT_LT(-7, -5);
	EXPECT_EQ((void *)0, NULL);
	EXPECT_NE((void *)&errno, NULL);
	EXPECT_STR_EQ("a", "a");
	EXPECT_CONTAINS("huge pages", "page");
}

TEST(faults_fail_the_nth_call_that_can_fail)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	faults_arm(2, EPERM);
	EXPECT_EQ(sys_close(fd), 0);		/* not counted */
	EXPECT_GE(sys_read(-1, NULL, 0), -EBADF);
	EXPECT_EQ(sys_memfd("x", 0), -EPERM);
	EXPECT_TRUE(faults_fired());
	EXPECT_EQ(faults_failed(), SYS_memfd_create);
	EXPECT_EQ(faults_seen(), 2);
	faults_arm_call(SYS_close, 1, EIO);	/* asked for by its number, it is */
	EXPECT_EQ(sys_close(-1), -EIO);
	EXPECT_TRUE(faults_fired());
}

FAIL_TEST(harness_notices_unequal_values)
{
	EXPECT_EQ(1, 2);
}

FAIL_TEST(harness_notices_a_minus_one_taken_for_a_size)
{
	EXPECT_EQ((size_t)-1, -1);
}

FAIL_TEST(harness_notices_a_false_truth)
{
	EXPECT_TRUE(0);
}

FAIL_TEST(harness_notices_unequal_strings)
{
	EXPECT_STR_EQ("a", NULL);
}

FAIL_TEST(harness_notices_a_missing_part)
{
	EXPECT_CONTAINS("small", "huge");
}

FAIL_TEST(harness_notices_a_failure_in_a_forked_child)
{
	pid_t pid = fork();

	if (pid == 0) {
		EXPECT_EQ(1, 2);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

FAIL_TEST(harness_notices_a_leaked_descriptor)
{
	memfd_create("leak", 0);
}

FAIL_TEST(harness_notices_an_early_exit)
{
	_exit(3);
}

FAIL_TEST(harness_notices_death_by_signal)
{
	raise(SIGBUS);
}

FAIL_TEST_TIMEOUT(harness_notices_a_test_that_hangs, 1)
{
	pause();
}

TEST_SIGNAL(harness_expects_the_signal_it_was_told, SIGBUS)
{
	raise(SIGBUS);
}

TEST(spawn_returns_output_and_status)
{
	struct spawned r = spawn(&(struct spawn){
		.argv = SPAWN_ARGV("sh", "-c", "echo out; echo $WORD >&2; exit 3"),
		.env = SPAWN_ARGV("WORD=err") });

	EXPECT_EQ(r.exit_status, 3);
	EXPECT_EQ(r.signal, 0);
	EXPECT_STR_EQ(r.out, "out\n");
	EXPECT_STR_EQ(r.err, "err\n");
}

TEST(spawn_returns_the_signal_a_program_died_of)
{
	struct spawned r = spawn(&(struct spawn){ .argv = SPAWN_ARGV("sh", "-c", "kill -BUS $$") });

	EXPECT_EQ(r.exit_status, -1);
	EXPECT_EQ(r.signal, SIGBUS);
	EXPECT_FALSE(r.timed_out);
}

TEST(spawn_kills_a_program_that_takes_too_long)
{
	struct spawned r = spawn(&(struct spawn){ .argv = SPAWN_ARGV("sleep", "20"),
						  .timeout_secs = 1 });

	EXPECT_TRUE(r.timed_out);
	EXPECT_EQ(r.signal, SIGKILL);
}

TEST(spawn_says_127_of_a_program_that_is_not_there)
{
	struct spawned r = spawn(&(struct spawn){ .argv = SPAWN_ARGV("/nowhere/at/all") });

	EXPECT_EQ(r.exit_status, 127);
}

TEST(spawn_runs_a_program_as_nobody)
{
	struct spawned r = spawn(&(struct spawn){ .argv = SPAWN_ARGV("id", "-un"),
						  .user = "nobody" });

	EXPECT_STR_EQ(r.out, "nobody\n");
}

TEST(tree_write_makes_the_directories_above)
{
	char root[64], path[128];

	strcpy(root, tree_make());
	tree_write(root, "proc/sys/vm/nr", "5\n");
	strcpy(path, root);
	strcat(path, "/proc/sys/vm/nr");
	EXPECT_EQ(access(path, R_OK), 0);
}

/* The next two go together: what the first changes, the second finds put back. */
static const char marker[] = "/tmp/hresv-test-marker";

FAIL_TEST(harness_undoes_what_a_killed_test_changed)
{
	close(open(marker, O_CREAT | O_WRONLY, 0600));
	undo_tree(marker);
	raise(SIGKILL);
}

TEST(harness_undid_what_the_killed_test_changed)
{
	EXPECT_EQ(access(marker, F_OK), -1);
	unlink(marker);
}

TEST(pool_set_is_read_back)
{
	size_t bytes = pool_default_page_bytes();

	pool_set(bytes, 4);
	EXPECT_EQ(pool_total(bytes), 4);
	pool_set(bytes, 2);
	EXPECT_EQ(pool_total(bytes), 2);
	pool_set_overcommit(bytes, 3);
	EXPECT_EQ(pool_overcommit(bytes), 3);
}

FAIL_TEST(harness_restores_the_pool_of_a_killed_test)
{
	pool_set(pool_default_page_bytes(), 3);
	raise(SIGKILL);
}

TEST(cgroup_limits_what_a_child_may_touch)
{
	size_t bytes = pool_default_page_bytes();
	pid_t pid;
	int status;

	pool_set(bytes, 2);
	cgroup_make("pod/container");
	cgroup_limit_fault("pod", bytes, bytes);
	cgroup_limit_rsvd("pod/container", bytes, CGROUP_NO_LIMIT);
	pid = fork();
	if (pid == 0) {
		cgroup_join("pod/container", 0);
		volatile char *at = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

		REQUIRE_NE(at, MAP_FAILED);
		at[0] = 1;
		EXPECT_EQ(cgroup_usage_fault("pod/container", bytes), bytes);
		EXPECT_EQ(cgroup_usage_rsvd("pod/container", bytes), 2 * bytes);
		at[bytes] = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGBUS);
}

TEST(mount_has_the_quota_it_was_given)
{
	size_t bytes = pool_default_page_bytes();
	char path[128];
	int fd;

	pool_set(bytes, 2);
	strcpy(path, mount_hugetlbfs(bytes, "size=2M"));
	strcat(path, "/file");
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	REQUIRE_GE(fd, 0);
	EXPECT_EQ(mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
}

FAIL_TEST(harness_notices_a_segment_left_in_the_pool)
{
	size_t bytes = pool_default_page_bytes();
	int id, ready[2];

	pool_set(bytes, 2);
	id = shmget(IPC_PRIVATE, bytes, SHM_HUGETLB | IPC_CREAT | 0600);
	if (id < 0)
		SKIP("a segment of one huge page");
	/*
	 * Goes when the harness has looked: a child that outlives the test. This test
	 * stands last, as until then the pool changes under others.
	 */
	REQUIRE_EQ(pipe2(ready, O_CLOEXEC), 0);
	if (fork() == 0) {
		setsid();
		close(ready[1]);
		usleep(1500000);
		shmctl(id, IPC_RMID, NULL);
		_exit(0);
	}
	close(ready[1]);
	EXPECT_EQ(read(ready[0], &id, 1), 0);	/* until the child has closed its end */
	close(ready[0]);
}
