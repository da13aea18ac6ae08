/* SPDX-License-Identifier: MIT */
/*
 * The program's own files on hugetlbfs and memfds of huge pages: a mapping of them
 * is proven before it returns, or ENOMEM.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/mount.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

static size_t given(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : 0;
}

/* A new file: on the mount named DIR, else a memfd. */
static int new_file(size_t bytes)
{
	const char *dir = getenv("DIR");
	char path[256];
	int fd;

	if (dir) {
		snprintf(path, sizeof(path), "%s/a file", dir);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		unlink(path);
	} else {
		fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	}
	REQUIRE_GE(fd, 0);
	REQUIRE_EQ(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

PROGRAM(maps_its_files)
{
	static const int types[] = { MAP_SHARED, MAP_PRIVATE, MAP_SHARED | MAP_NORESERVE,
				     MAP_PRIVATE | MAP_NORESERVE, MAP_SHARED | MAP_POPULATE,
				     MAP_SHARED_VALIDATE };
	size_t most = given("MOST");
	unsigned long before = pool_free(PAGE) - pool_resv(PAGE);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		int fd = new_file(most + PAGE);
		char *at;

		errno = 0;
		EXPECT_EQ(mmap(NULL, most + PAGE, RW, types[i], fd, 0), MAP_FAILED);
		EXPECT_EQ(errno, ENOMEM);
		EXPECT_EQ(pool_free(PAGE), pool_total(PAGE));
		if (most) {
			at = mmap(NULL, most, RW, types[i], fd, 0);
			REQUIRE_NE(at, MAP_FAILED);
			fill_pages(at, most, (unsigned)i);
			EXPECT_TRUE(holds_pages(at, most, (unsigned)i));
			EXPECT_EQ(munmap(at, most), 0);
		}
		close(fd);
		EXPECT_EQ(pool_free(PAGE) - pool_resv(PAGE), before);
	}
}

TEST(huge_memfd_beyond_the_pool_is_enomem)
{
	pool_set(PAGE, 3);
	run_with_us("maps_its_files", "MOST=6291456");
}

TEST(huge_memfd_beyond_a_fault_limit_is_enomem)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 6 * MIB);
	run_with_us_in("pod", "maps_its_files", "MOST=6291456");
	EXPECT_EQ(cgroup_usage_fault("pod", PAGE), 0);
}

TEST(huge_memfd_under_a_fault_limit_of_0_is_enomem)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 0);
	run_with_us_in("pod", "maps_its_files", "MOST=0");
}

TEST(huge_memfd_beyond_a_reservation_limit_is_enomem)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_rsvd("pod", PAGE, 6 * MIB);
	run_with_us_in("pod", "maps_its_files", "MOST=6291456");
}

static void run_on_mount(const char *options, const char *most, const char *cgroup)
{
	char dir[256];

	snprintf(dir, sizeof(dir), "DIR=%s", mount_hugetlbfs(PAGE, options));
	if (cgroup)
		run_with_us_in(cgroup, "maps_its_files", dir, most);
	else
		run_with_us("maps_its_files", dir, most);
}

TEST(hugetlbfs_file_beyond_the_pool_is_enomem)
{
	pool_set(PAGE, 3);
	run_on_mount(NULL, "MOST=6291456", NULL);
}

TEST(hugetlbfs_file_beyond_the_quota_of_its_mount_is_enomem)
{
	pool_set(PAGE, 8);
	run_on_mount("size=6M", "MOST=6291456", NULL);
}

TEST(hugetlbfs_file_beyond_a_fault_limit_is_enomem)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 6 * MIB);
	run_on_mount(NULL, "MOST=6291456", "pod");
}

PROGRAM(touches_a_memfd)
{
	int fd = new_file(6 * MIB);
	char *at = mmap(NULL, 6 * MIB, RW, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		_exit(errno == ENOMEM ? 42 : 43);
	fill_pages(at, 6 * MIB, 1);
	_exit(44);
}

TEST(huge_memfd_under_a_fault_limit_dies_without_us_and_not_with_us)
{
	struct spawned r;

	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 4 * MIB);
	EXPECT_EQ(program_alone("touches_a_memfd", "pod").signal, SIGBUS);
	r = program_run("touches_a_memfd", (struct spawn){ .preload = "libhresv.so",
							   .cgroup = "pod" });
	EXPECT_EQ(r.exit_status, 42);
}

/* What was in the file before stays in it, also when a mapping of more is refused. */
PROGRAM(maps_a_file_that_has_content)
{
	int fd = new_file(8 * MIB);
	char *at = mmap(NULL, 4 * MIB, RW, MAP_SHARED, fd, 0), *copy;

	REQUIRE_NE(at, MAP_FAILED);
	fill_pages(at, 4 * MIB, 9);
	EXPECT_EQ(mmap(NULL, 8 * MIB, RW, MAP_SHARED, fd, 0), MAP_FAILED);
	EXPECT_TRUE(holds_pages(at, 4 * MIB, 9));
	/* A private copy needs pages of its own: there is one, not two. */
	EXPECT_EQ(mmap(NULL, 4 * MIB, RW, MAP_PRIVATE, fd, 0), MAP_FAILED);
	copy = mmap(NULL, 2 * MIB, RW, MAP_PRIVATE, fd, 0);
	REQUIRE_NE(copy, MAP_FAILED);
	EXPECT_TRUE(holds_pages(copy, 2 * MIB, 9));
	fill_pages(copy, 2 * MIB, 10);
	EXPECT_TRUE(holds_pages(at, 4 * MIB, 9));
	/* To read it costs nothing. */
	copy = mmap(NULL, 4 * MIB, PROT_READ, MAP_SHARED, fd, 0);
	REQUIRE_NE(copy, MAP_FAILED);
	EXPECT_TRUE(holds_pages(copy, 4 * MIB, 9));
	/* From an offset. */
	copy = mmap(NULL, 2 * MIB, RW, MAP_SHARED, fd, 2 * MIB);
	REQUIRE_NE(copy, MAP_FAILED);
	EXPECT_EQ(memcmp(copy, at + 2 * MIB, 2 * MIB), 0);
	close(fd);
}

TEST(huge_file_keeps_its_content_when_a_mapping_is_refused)
{
	pool_set(PAGE, 3);
	run_with_us("maps_a_file_that_has_content");
}

PROGRAM(maps_a_file_over_live_memory)
{
	char *at = mmap(NULL, 10 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *line = (char *)(((uintptr_t)at + PAGE - 1) & ~(PAGE - 1));
	int fd = new_file(8 * MIB);

	fill_pages(line, 8 * MIB, 3);
	EXPECT_EQ(mmap(line, 8 * MIB, RW, MAP_SHARED | MAP_FIXED, fd, 0), MAP_FAILED);
	EXPECT_EQ(mapped_in(line, 8 * MIB), 8 * MIB);
	if (mapped_in(line, 8 * MIB) == 8 * MIB)
		EXPECT_TRUE(holds_pages(line, 8 * MIB, 3));
	EXPECT_EQ(mmap(line, 4 * MIB, RW, MAP_SHARED | MAP_FIXED, fd, 0), line);
	fill_pages(line, 4 * MIB, 4);
	EXPECT_EQ(huge_in(line, 8 * MIB), 4 * MIB);
	/* Over itself, one page of it from elsewhere in the file. */
	EXPECT_EQ(mmap(line, 2 * MIB, RW, MAP_SHARED | MAP_FIXED, fd, 2 * MIB), line);
	EXPECT_EQ(memcmp(line, line + 2 * MIB, 2 * MIB), 0);
	EXPECT_EQ(munmap(line, 8 * MIB), 0);
	close(fd);
}

TEST(huge_file_fixed_that_is_refused_keeps_what_was_there)
{
	pool_set(PAGE, 2);
	run_with_us("maps_a_file_over_live_memory");
	EXPECT_CONTAINS(program_alone("maps_a_file_over_live_memory", NULL).err, "mapped_in(line");
}

TEST(huge_file_fixed_beyond_a_fault_limit_keeps_what_was_there)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 4 * MIB);
	run_with_us_in("pod", "maps_a_file_over_live_memory");
}

/*
 * A mapping of the whole file is refused while another thread makes the first one of
 * a part: what that one writes must stay.
 */
static pthread_barrier_t ready;
static int shared_file;

static void *write_and_look_again(void *unused)
{
	for (int i = 0; i < 100; i++) {
		char *at;

		pthread_barrier_wait(&ready);
		at = mmap(NULL, 2 * MIB, RW, MAP_SHARED, shared_file, 0);
		if (at != MAP_FAILED) {
			fill_pages(at, 2 * MIB, 7);
			pthread_barrier_wait(&ready);
			EXPECT_TRUE(holds_pages(at, 2 * MIB, 7));
			munmap(at, 2 * MIB);
		} else {
			pthread_barrier_wait(&ready);
		}
		pthread_barrier_wait(&ready);
	}
	return unused;
}

PROGRAM(shares_a_file_with_refused_mappers)
{
	pthread_t writer;

	pthread_barrier_init(&ready, NULL, 2);
	pthread_create(&writer, NULL, write_and_look_again, NULL);
	for (int i = 0; i < 100; i++) {
		shared_file = new_file(8 * MIB);
		pthread_barrier_wait(&ready);
		EXPECT_EQ(mmap(NULL, 8 * MIB, RW, MAP_SHARED, shared_file, 0), MAP_FAILED);
		pthread_barrier_wait(&ready);
		pthread_barrier_wait(&ready);
		close(shared_file);
	}
	pthread_join(writer, NULL);
}

TEST(huge_file_loses_nothing_when_another_mapping_is_refused)
{
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 4 * MIB);
	run_with_us_in("pod", "shares_a_file_with_refused_mappers");
}

/* An ordinary file is nobody's business of ours. */
PROGRAM(maps_ordinary_files)
{
	FILE *f = tmpfile();
	char *at;

	REQUIRE_EQ(ftruncate(fileno(f), 4 * MIB), 0);
	at = mmap(NULL, 4 * MIB, RW, MAP_SHARED, fileno(f), 0);
	REQUIRE_NE(at, MAP_FAILED);
	EXPECT_EQ(huge_in(at, 4 * MIB), 0);
	at[5] = 1;
	EXPECT_EQ(mmap(at, 4096, RW, MAP_SHARED | MAP_FIXED, fileno(f), 4096), at);
	EXPECT_EQ(at[5], 0);
	EXPECT_EQ(mmap(NULL, 4 * MIB, RW, MAP_SHARED | MAP_HUGETLB, fileno(f), 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(mmap(NULL, 4 * MIB, RW, MAP_SHARED, 999, 0), MAP_FAILED);
	EXPECT_EQ(errno, EBADF);
}

TEST(ordinary_files_are_mapped_as_asked)
{
	pool_set(PAGE, 4);
	run_with_us("maps_ordinary_files");
}
