/* SPDX-License-Identifier: MIT */
/*
 * Where the machine cannot be looked at, or shows nonsense: /proc and /sys hidden,
 * emptied, odd. Nothing may die of it, and nothing unproven may be handed out.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <unistd.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/mount.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"
#include "tests/harness/tree.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)

static void use(void *at, size_t bytes)
{
	fill_pages(at, bytes, 1);
	EXPECT_TRUE(holds_pages(at, bytes, 1));
}

/* More than there is, in every way there is; all that is granted is touched. */
PROGRAM(takes_and_touches_all)
{
	static const int explicit_flags[] = { MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE | MAP_NORESERVE,
					      MAP_PRIVATE | 21 << 26, MAP_SHARED | 21 << 26 };
	char *at;
	int id, fd;

	for (int type = MAP_SHARED; type <= MAP_PRIVATE; type++) {
		at = mmap(NULL, 17 * MIB, RW, type | MAP_ANONYMOUS, -1, 0);
		REQUIRE_NE(at, MAP_FAILED);
		use(at, 17 * MIB);
		EXPECT_EQ(munmap(at + 4096, PAGE), 0);
		EXPECT_TRUE(holds_pages(at, 4096, 1));
		EXPECT_EQ(munmap(at, 17 * MIB), 0);
	}
	for (size_t i = 0; i < sizeof(explicit_flags) / sizeof(explicit_flags[0]); i++) {
		errno = 0;
		at = mmap(NULL, 16 * MIB, RW, explicit_flags[i] | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		EXPECT_EQ(at, MAP_FAILED);
		EXPECT_EQ(errno, ENOMEM);
		if (at != MAP_FAILED)
			use(at, 16 * MIB);
		at = mmap(NULL, 4 * MIB, RW, explicit_flags[i] | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
		REQUIRE_NE(at, MAP_FAILED);
		use(at, 4 * MIB);
		munmap(at, 4 * MIB);
	}
	id = shmget(IPC_PRIVATE, 16 * MIB, IPC_CREAT | 0600);
	REQUIRE_GE(id, 0);
	at = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	use(at, 16 * MIB);
	shmdt(at);
	EXPECT_EQ(shmget(IPC_PRIVATE, 16 * MIB, IPC_CREAT | SHM_HUGETLB | 0600), -1);
	fd = memfd_create("huge", MFD_HUGETLB);
	if (fd >= 0) {
		EXPECT_EQ(ftruncate(fd, 16 * MIB), 0);
		EXPECT_EQ(mmap(NULL, 16 * MIB, RW, MAP_SHARED, fd, 0), MAP_FAILED);
		close(fd);
	}
}

static char odd_file[256];

static void must(int result, const char *what)
{
	if (result != 0) {
		perror(what);
		_exit(99);
	}
}

static void own_mounts(void)
{
	must(unshare(CLONE_NEWNS), "unshare");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
}

/* What is hidden, one bit each. */
enum { PROC = 1, SYS = 2, CGROUPS = 4 };

static void hide(void *what)
{
	int bits = *(int *)what;

	own_mounts();
	if (bits & CGROUPS)
		must(mount("none", "/sys/fs/cgroup", "tmpfs", 0, NULL), "/sys/fs/cgroup");
	if (bits & SYS)
		must(mount("none", "/sys", "tmpfs", 0, NULL), "/sys");
	if (bits & PROC)
		must(mount("none", "/proc", "tmpfs", 0, NULL), "/proc");
}

static void expect_life(const char *cgroup, void (*in_child)(void *), void *arg)
{
	struct spawned r = program_run("takes_and_touches_all", (struct spawn){
		.preload = "libhresv.so", .cgroup = cgroup, .in_child = in_child, .arg = arg,
		.env = SPAWN_ARGV("HUGETLB_VERBOSE=1") });

	if (r.exit_status == 99)
		SKIP("mounts of its own: %.100s", r.err);
	EXPECT_EQ(r.signal, 0);
	EXPECT_EQ(r.exit_status, 0);
	EXPECT_STR_EQ(r.err, "");
}

static void expect_life_without(int bits)
{
	if (unshare(CLONE_NEWIPC) != 0)
		SKIP("an IPC namespace of its own");
	pool_set(PAGE, 6);
	expect_life(NULL, hide, &bits);
	pool_set(PAGE, 12);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 6 * PAGE);
	expect_life("pod", hide, &bits);
	cgroup_limit_fault("pod", PAGE, CGROUP_NO_LIMIT);
	cgroup_limit_rsvd("pod", PAGE, 6 * PAGE);
	expect_life("pod", hide, &bits);
}

TEST_TIMEOUT(machine_in_full_view_is_no_danger, 100) { expect_life_without(0); }
TEST_TIMEOUT(hidden_proc_is_no_danger, 100) { expect_life_without(PROC); }
TEST_TIMEOUT(hidden_sys_is_no_danger, 100) { expect_life_without(SYS); }
TEST_TIMEOUT(hidden_cgroups_are_no_danger, 100) { expect_life_without(CGROUPS); }
TEST_TIMEOUT(hidden_proc_and_sys_are_no_danger, 100) { expect_life_without(PROC | SYS); }

/* One file of the kernel's, replaced for the program by what odd_file holds. */
static void replace(void *path)
{
	own_mounts();
	must(mount(odd_file, path, NULL, MS_BIND, NULL), path);
}

static void expect_life_with(const char *path, const char *text, size_t bytes)
{
	const char *root = tree_make();
	char place[256];

	tree_write_bytes(root, "odd", text, bytes);
	snprintf(odd_file, sizeof(odd_file), "%s/odd", root);
	snprintf(place, sizeof(place), "%s", path);
	expect_life("pod", replace, place);
}

#define POOL_FILE(name) "/sys/kernel/mm/hugepages/hugepages-2048kB/" name

TEST_TIMEOUT(odd_files_of_the_kernel_are_no_danger, 200)
{
	static const char *const paths[] = {
		POOL_FILE("nr_hugepages"), POOL_FILE("free_hugepages"),
		POOL_FILE("resv_hugepages"), "/proc/meminfo", "/proc/self/mountinfo",
		"/proc/self/cgroup",
	};
	static const char *const texts[] = {
		"", "\n", "18446744073709551612\n", "-1\n", "99999999999999999999999\n",
		"garbage without an end", "0::/../../nowhere\n36 35 98:0 / / rw - hugetlbfs\n",
	};

	if (unshare(CLONE_NEWIPC) != 0)
		SKIP("an IPC namespace of its own");
	pool_set(PAGE, 12);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 6 * PAGE);
	for (size_t p = 0; p < sizeof(paths) / sizeof(paths[0]); p++)
		for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
			expect_life_with(paths[p], texts[t], strlen(texts[t]));
}

TEST(mount_line_of_64_kib_is_no_danger)
{
	char *text = malloc(100000);
	size_t n;

	if (unshare(CLONE_NEWIPC) != 0)
		SKIP("an IPC namespace of its own");
	pool_set(PAGE, 12);
	cgroup_make("pod");
	cgroup_limit_fault("pod", PAGE, 6 * PAGE);
	n = (size_t)sprintf(text, "36 35 98:0 / /mnt rw,lowerdir=");
	memset(text + n, 'x', 65536);
	n += 65536;
	n += (size_t)sprintf(text + n, " shared:1 - overlay o rw\n");
	n += (size_t)sprintf(text + n, "37 35 0:50 / /huge rw - hugetlbfs none rw,pagesize=2M\n");
	expect_life_with("/proc/self/mountinfo", text, n);
	free(text);
}
