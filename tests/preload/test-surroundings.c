/* SPDX-License-Identifier: MIT */
/*
 * Programs in odd states: without standard error, at their resource limits, without
 * descriptors, short-lived, privileged. We cost them nothing and write nowhere.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"
#include "tests/harness/tree.h"
#include "tests/harness/undo.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

static char *map_and_use(size_t bytes)
{
	char *at = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		_exit(50);
	fill_pages(at, bytes, 1);
	if (!holds_pages(at, bytes, 1))
		_exit(51);
	return at;
}

static void close_stderr(void *unused)
{
	(void)unused;
	close(STDERR_FILENO);
}

/* The first file it opens becomes descriptor 2: its data, not our lines. */
PROGRAM(opens_a_file_as_descriptor_2)
{
	int fd = open(getenv("DATA"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd != STDERR_FILENO)
		_exit(52);
	map_and_use(8 * MIB);
	mmap(NULL, 64 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
}

/* It had one, and puts a file in its place. */
PROGRAM(replaces_descriptor_2)
{
	int fd = open(getenv("DATA"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	map_and_use(4 * MIB);
	dup2(fd, STDERR_FILENO);
	close(fd);
	map_and_use(8 * MIB);
}

static void expect_no_line_in_data(const char *program, void (*in_child)(void *))
{
	char data[256], path[200];
	struct stat st;
	struct spawned r;

	snprintf(path, sizeof(path), "%s/data", tree_make());
	snprintf(data, sizeof(data), "DATA=%s", path);
	r = program_run(program, (struct spawn){
		.preload = "libhresv.so", .in_child = in_child,
		.env = SPAWN_ARGV(data, "HUGETLB_VERBOSE=3", "HUGETLB_LIMIT=much") });
	EXPECT_EQ(r.exit_status, 0);
	EXPECT_EQ(stat(path, &st), 0);
	EXPECT_EQ(st.st_size, 0);
}

TEST(closed_stderr_that_becomes_a_file_gets_no_line)
{
	pool_set(PAGE, 2);
	expect_no_line_in_data("opens_a_file_as_descriptor_2", close_stderr);
}

TEST(stderr_that_is_replaced_by_a_file_gets_no_line)
{
	pool_set(PAGE, 2);
	expect_no_line_in_data("replaces_descriptor_2", NULL);
}

static void break_stderr(void *unused)
{
	int ends[2];

	(void)unused;
	if (pipe(ends) != 0)
		_exit(98);
	dup2(ends[1], STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
}

PROGRAM(maps_a_lot)
{
	for (int i = 0; i < 20; i++)
		munmap(map_and_use(8 * MIB), 8 * MIB);
}

TEST(broken_pipe_for_stderr_does_not_kill)
{
	struct spawned r;

	pool_set(PAGE, 2);
	r = program_run("maps_a_lot", (struct spawn){
		.preload = "libhresv.so", .in_child = break_stderr,
		.env = SPAWN_ARGV("HUGETLB_VERBOSE=3") });
	EXPECT_EQ(r.signal, 0);
	EXPECT_EQ(r.exit_status, 0);
}

static void set_limit(int which, rlim_t most)
{
	struct rlimit limit = { most, most };

	if (setrlimit(which, &limit) != 0)
		_exit(97);
}

PROGRAM(lives_without_descriptors)
{
	char *at;

	set_limit(RLIMIT_NOFILE, 0);
	at = map_and_use(8 * MIB);
	munmap(at + 4096, PAGE);
	if (!holds_pages(at, 4096, 1))
		_exit(53);
	munmap(at, 8 * MIB);
	if (mmap(NULL, 32 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0) != MAP_FAILED)
		_exit(54);
	at = mmap(NULL, 4 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (at == MAP_FAILED)
		_exit(55);
	fill_pages(at, 4 * MIB, 1);
}

TEST(program_without_a_descriptor_left_lives)
{
	pool_set(PAGE, 4);
	run_with_us("lives_without_descriptors");
	pool_set(PAGE, 8);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 4 * PAGE);
	run_with_us_in("pod", "lives_without_descriptors");
}

PROGRAM(closes_all_descriptors)
{
	char *at = map_and_use(4 * MIB);

	for (int fd = 0; fd < 1024; fd++)
		close(fd);
	map_and_use(8 * MIB);
	munmap(at, 4 * MIB);
	/* Whatever is opened now is the program's own. */
	EXPECT_EQ(open("/dev/null", O_RDONLY), 0);
	map_and_use(8 * MIB);
	EXPECT_EQ(open("/dev/null", O_RDONLY), 1);
}

TEST(program_that_closes_all_descriptors_lives_and_owns_them_all)
{
	pool_set(PAGE, 4);
	run_with_us("closes_all_descriptors", "HUGETLB_VERBOSE=3");
}

PROGRAM(lives_with_little_address_space)
{
	char *at;
	size_t bytes = 256 * MIB;

	set_limit(RLIMIT_AS, 128 * MIB);
	EXPECT_EQ(mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
	EXPECT_EQ(errno, ENOMEM);
	/* As much as a program without us would get, whatever we would like beside it. */
	for (bytes = 120 * MIB; bytes > PAGE; bytes -= MIB) {
		at = mmap(NULL, bytes, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (at != MAP_FAILED)
			break;
	}
	EXPECT_GT(bytes, 90 * MIB);
	fill_pages(at, bytes, 1);
	munmap(at, bytes);
	at = mmap(NULL, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_NE(at, MAP_FAILED);
	fill_pages(at, bytes, 1);
	EXPECT_EQ(munmap(at + 4096, MIB), 0);
	EXPECT_EQ(munmap(at, bytes), 0);
}

TEST(program_at_its_address_space_limit_gets_what_it_got_before)
{
	pool_set(PAGE, 40);
	EXPECT_EQ(program_alone("lives_with_little_address_space", NULL).exit_status, 0);
	run_with_us("lives_with_little_address_space");
}

PROGRAM(locks_little)
{
	void *at;

	set_limit(RLIMIT_MEMLOCK, MIB);
	map_and_use(8 * MIB);
	errno = 0;
	at = mmap(NULL, 8 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	EXPECT_EQ(at, MAP_FAILED);
	EXPECT_EQ(errno, EAGAIN);
}

TEST(program_at_its_lock_limit_hears_eagain_as_without_us)
{
	struct spawned r;

	pool_set(PAGE, 8);
	r = program_run("locks_little", (struct spawn){ .user = "nobody" });
	EXPECT_EQ(r.exit_status, 0);
	run_with_us_as("nobody", "locks_little");
}

TEST(hundred_short_helpers_of_a_shell_take_no_page)
{
	static const char loop[] =
		"before=$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)\n"
		"i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i + 1))\n"
		"[ $(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages) = $before ] || exit 9\n"
		"done; date >/dev/null; ls / >/dev/null; echo done";
	struct spawned r;

	pool_set(PAGE, 8);
	r = spawn(&(struct spawn){ .argv = SPAWN_ARGV("sh", "-c", loop),
				   .preload = "libhresv.so" });
	EXPECT_STR_EQ(r.out, "done\n");
	EXPECT_STR_EQ(r.err, "");
}

static void copy(const char *from, const char *to, mode_t mode)
{
	struct spawned r = spawn(&(struct spawn){ .argv = SPAWN_ARGV("cp", from, to) });

	REQUIRE_EQ(r.exit_status, 0);
	REQUIRE_EQ(chmod(to, mode), 0);
}

PROGRAM(looks_whether_it_is_huge)
{
	printf("%zu\n", huge_in(map_and_use(4 * MIB), 4 * MIB));
}

/*
 * The loader keeps LD_PRELOAD from setuid programs but for a library of the system's own
 * that is setuid too: so we are there, and must not listen to the environment.
 */
TEST(setuid_program_is_left_alone)
{
	static const char library[] = "/lib/libhresv-secure-test.so";
	char self[4096], program[256];
	const char *root;
	struct spawned r;
	ssize_t bytes;

	pool_set(PAGE, 4);
	root = tree_make();
	chmod(root, 0755);
	if (geteuid() != 0 || access("/lib", W_OK) != 0)
		SKIP("the right to install a library in /lib");
	undo_tree(library);
	copy(harness_build_path("libhresv.so"), library, 04755);
	bytes = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[bytes < 0 ? 0 : bytes] = '\0';
	snprintf(program, sizeof(program), "%s/program", root);
	copy(self, program, 0755);
	for (int secure = 0; secure < 2; secure++) {
		if (secure) {
			REQUIRE_EQ(chown(program, 2, 2), 0);
			REQUIRE_EQ(chmod(program, 06755), 0);
		}
		r = spawn(&(struct spawn){
			.argv = SPAWN_ARGV(program), .user = "nobody",
			.env = SPAWN_ARGV("HRESV_TEST_PROGRAM=looks_whether_it_is_huge",
					  "LD_PRELOAD=libhresv-secure-test.so",
					  "HUGETLB_LIMIT=much") });
		EXPECT_EQ(r.exit_status, 0);
		EXPECT_STR_EQ(r.out, secure ? "0\n" : "4194304\n");
		EXPECT_EQ(strstr(r.err, "libhresv: ") != NULL, !secure);
	}
}
