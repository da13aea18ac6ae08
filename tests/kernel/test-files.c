/* SPDX-License-Identifier: MIT */
/* hugetlbfs, memfds, System V segments and the lock on the pool's own file. */
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/vfs.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/mount.h"
#include "tests/harness/spawn.h"
#include "tests/harness/undo.h"
#include "tests/kernel/kernel.h"

#define POOL_FILE "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

/* turn.c: everybody can open it, whoever they are. */
TEST(flock_on_the_pools_file_needs_no_privilege)
{
	int fd;

	as_user("nobody");
	fd = open(POOL_FILE, O_RDONLY | O_CLOEXEC);
	REQUIRE_GE(fd, 0);
	EXPECT_EQ(failed(flock(fd, LOCK_SH | LOCK_NB)), 0);
	close(fd);
}

/* promise.c adds up what others have promised. */
TEST(ofd_read_locks_on_the_pools_file_are_seen_by_others)
{
	int first = open(POOL_FILE, O_RDONLY | O_CLOEXEC), second = open(POOL_FILE, O_RDWR | O_CLOEXEC);
	struct flock lock = { .l_type = F_RDLCK, .l_start = 10, .l_len = 5 };
	struct flock seen = { .l_type = F_WRLCK, .l_start = 0, .l_len = 0 };

	if (first < 0 || second < 0)
		SKIP("the right to write the pool's file");
	EXPECT_EQ(failed(fcntl(first, F_OFD_SETLK, &lock)), 0);
	EXPECT_EQ(failed(fcntl(second, F_OFD_GETLK, &seen)), 0);
	EXPECT_EQ(seen.l_type, F_RDLCK);
	EXPECT_EQ(seen.l_start, 10);
	EXPECT_EQ(seen.l_len, 5);
	close(first);
	close(second);
}

/* promise.c: the same on the file that says how much of a group's limit is used. */
TEST(ofd_read_locks_on_a_groups_usage_file_are_seen_by_others)
{
	struct flock lock = { .l_type = F_RDLCK, .l_start = 10, .l_len = 5 };
	struct flock seen = { .l_type = F_WRLCK, .l_start = 0, .l_len = 0 };
	char path[500];
	int first, second;

	snprintf(path, sizeof(path), "%s/hugetlb.2MB.%s", cgroup_make("locked"),
		 cgroup_version() == 2 ? "current" : "usage_in_bytes");
	first = open(path, O_RDONLY | O_CLOEXEC);
	second = open(path, O_RDONLY | O_CLOEXEC);
	REQUIRE_GE(first, 0);
	EXPECT_EQ(failed(fcntl(first, F_OFD_SETLK, &lock)), 0);
	EXPECT_EQ(failed(fcntl(second, F_OFD_GETLK, &seen)), 0);
	EXPECT_EQ(seen.l_type, F_RDLCK);
	EXPECT_EQ(seen.l_start, 10);
	EXPECT_EQ(seen.l_len, 5);
	close(first);
	seen = (struct flock){ .l_type = F_WRLCK };
	EXPECT_EQ(failed(fcntl(second, F_OFD_GETLK, &seen)), 0);
	EXPECT_EQ(seen.l_type, F_UNLCK);
	close(second);
}

/* mounts.c: blocks are pages, and what is reserved is not free any more. */
TEST(statfs_of_a_mount_with_a_quota_tells_the_pages_left)
{
	const char *dir = mount_hugetlbfs(PAGE, "size=4M");
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct statfs fs;
	char *at;

	pool_set(PAGE, 4);
	REQUIRE_GE(fd, 0);
	EXPECT_EQ(statfs(dir, &fs), 0);
	EXPECT_EQ(fs.f_bsize, PAGE);
	EXPECT_EQ(fs.f_blocks, 2);
	EXPECT_EQ(fs.f_bfree, 2);
	REQUIRE_EQ(ftruncate(fd, PAGE), 0);
	at = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(statfs(dir, &fs), 0);
	EXPECT_EQ(fs.f_bfree, 1);
	munmap(at, PAGE);
	close(fd);
}

/* mounts.c: 0 blocks mean that there is no quota. */
TEST(statfs_of_a_mount_without_a_quota_tells_0)
{
	struct statfs fs;

	EXPECT_EQ(statfs(mount_hugetlbfs(PAGE, NULL), &fs), 0);
	EXPECT_EQ(fs.f_blocks, 0);
	EXPECT_EQ(fs.f_bfree, 0);
}

/* backing.c: files that never have a name. */
TEST(tmpfile_works_on_hugetlbfs_and_its_pages_go_with_it)
{
	int fd = open(mount_hugetlbfs(PAGE, NULL), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *at;

	pool_set(PAGE, 1);
	REQUIRE_GE(fd, 0);
	REQUIRE_EQ(ftruncate(fd, PAGE), 0);
	at = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	REQUIRE_NE(at, MAP_FAILED);
	close(fd);
	at[0] = 1;
	EXPECT_EQ(pool_free(PAGE), 0);
	munmap(at, PAGE);
	EXPECT_EQ(pool_free(PAGE), 1);
}

/* backing.c, pitfall 4: copies come out of the mount's quota too. */
TEST(private_mapping_of_a_file_draws_on_the_quota)
{
	const char *dir = mount_hugetlbfs(PAGE, "size=2M");
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *at;

	pool_set(PAGE, 4);
	REQUIRE_GE(fd, 0);
	need_linux(5, 14);
	REQUIRE_EQ(ftruncate(fd, 2 * PAGE), 0);
	at = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(failed(madvise(at, 2 * PAGE, MADV_POPULATE_WRITE)), EFAULT);
	EXPECT_TRUE(present(at));
	EXPECT_FALSE(present(at + PAGE));
	munmap(at, 2 * PAGE);
	close(fd);
}

/* guard_file.c gives back what a failed proof put into an empty file. */
TEST(failed_fallocate_keeps_what_came_and_punching_gives_it_back)
{
	int fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);

	pool_set(PAGE, 1);
	REQUIRE_GE(fd, 0);
	EXPECT_EQ(failed(fallocate(fd, 0, 0, 2 * PAGE)), ENOSPC);
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_EQ(failed(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 * PAGE)), 0);
	EXPECT_EQ(pool_free(PAGE), 1);
	close(fd);
}

/* segment.c, pitfall 3: it must not reach a program that did not ask for huge pages. */
TEST(shmget_of_huge_pages_without_privilege_is_EPERM)
{
	FILE *f = fopen("/proc/sys/vm/hugetlb_shm_group", "re");
	int group = -1;

	if (!f || fscanf(f, "%d", &group) != 1)
		SKIP("vm.hugetlb_shm_group");
	fclose(f);
	pool_set(PAGE, 1);
	as_user("nobody");
	if ((gid_t)group == getgid())
		SKIP("a vm.hugetlb_shm_group that is not nobody's");
	EXPECT_EQ(shmget(IPC_PRIVATE, PAGE, IPC_CREAT | SHM_HUGETLB | 0600), -1);
	EXPECT_EQ(errno, EPERM);
}
