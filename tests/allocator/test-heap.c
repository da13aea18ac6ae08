/* SPDX-License-Identifier: MIT */
// timeout: 400
/*
 * test-heap.c - what is huge of a heap, and what goes back to the pool
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/harness/cgroup.h"
#include "tests/harness/harness.h"
#include "tests/harness/pool.h"
#include "tests/harness/spawn.h"

#define NOTHING "HUGETLB_VERBOSE=1"

static struct spawned heap_in(const char *name, const char *setting, const char *cgroup,
			      void (*in_child)(void *), void *arg)
{
	struct spawned r = spawn(&(struct spawn){
		.argv = SPAWN_ARGV(strdup(harness_build_path("tests/allocator/prog-heap")), name),
		.env = SPAWN_ARGV(setting),
		.preload = "libhresv.so",
		.cgroup = cgroup,
		.in_child = in_child,
		.arg = arg,
		.timeout_secs = 50,
	});

	EXPECT_EQ(r.signal, 0);
	EXPECT_EQ(r.exit_status, 0);
	EXPECT_STR_EQ(r.err, "");
	return r;
}

static struct spawned heap(const char *name, const char *setting)
{
	return heap_in(name, setting, NULL, NULL, NULL);
}

/* MiB that were huge at a moment the program told of. */
static long huge_mib(const struct spawned *r, const char *moment)
{
	const char *at = strstr(r->out, moment);

	if (!at)
		FAIL("the program did not come to \"%s\": %s", moment, r->out);
	return strtol(at + strlen(moment), NULL, 10) >> 10;
}

TEST(small_program_takes_no_huge_page)
{
	pool_set(2 * MIB, 20);
	struct spawned r = heap("small_program", NOTHING);

	EXPECT_EQ(huge_mib(&r, "taken"), 0);
}

TEST(heap_of_many_blocks_is_huge_but_for_its_start)
{
	pool_set(2 * MIB, 60);
	struct spawned r = heap("many_blocks", NOTHING);

	EXPECT_GE(huge_mib(&r, "taken"), 56);
	EXPECT_LE(huge_mib(&r, "taken"), 72);
	EXPECT_LE(huge_mib(&r, "trimmed"), 2);
}

TEST(heap_of_many_blocks_is_all_huge_with_a_start_of_0)
{
	pool_set(2 * MIB, 60);
	struct spawned r = heap("many_blocks", "HUGETLB_MALLOC_START=0");

	EXPECT_GE(huge_mib(&r, "taken"), 61);
}

TEST(large_block_is_huge_and_takes_no_page_nobody_asked_for)
{
	pool_set(2 * MIB, 60);
	struct spawned r = heap("one_block", NOTHING);

	EXPECT_GE(huge_mib(&r, "taken"), 60);
	EXPECT_LE(huge_mib(&r, "taken"), 64);
	EXPECT_EQ(huge_mib(&r, "trimmed"), 0);
}

TEST(threads_have_huge_heaps_and_trim_gives_all_back)
{
	pool_set(2 * MIB, 60);
	struct spawned r = heap("threads", NOTHING);

	EXPECT_GE(huge_mib(&r, "taken"), 32);
	EXPECT_LE(huge_mib(&r, "taken"), 48);
	EXPECT_LE(huge_mib(&r, "trimmed"), 8);
}

/* 64 heaps of 200 KiB: an arena takes one page more than its blocks need, not each thread. */
TEST(many_small_threads_share_pages)
{
	pool_set(2 * MIB, 120);
	struct spawned r = heap("small_threads", NOTHING);

	EXPECT_LE(huge_mib(&r, "taken"), 64);
}

TEST(block_grown_by_realloc_is_huge)
{
	pool_set(2 * MIB, 80);
	struct spawned r = heap("grown", NOTHING);

	EXPECT_GE(huge_mib(&r, "taken"), 34);
	EXPECT_LE(huge_mib(&r, "taken"), 56);
	EXPECT_LE(huge_mib(&r, "trimmed"), 4);
}

TEST(heap_takes_what_the_pool_has_and_goes_on_small)
{
	pool_set(2 * MIB, 10);
	struct spawned r = heap("many_blocks", NOTHING);

	EXPECT_EQ(huge_mib(&r, "taken"), 20);
}

TEST(heap_is_small_without_a_pool)
{
	pool_set(2 * MIB, 0);
	struct spawned r = heap("many_blocks", NOTHING);

	EXPECT_EQ(huge_mib(&r, "taken"), 0);
}

TEST(heap_stays_within_the_limit)
{
	pool_set(2 * MIB, 60);
	struct spawned r = heap("many_blocks", "HUGETLB_LIMIT=12M");

	EXPECT_EQ(huge_mib(&r, "taken"), 12);
	r = heap("grown", "HUGETLB_LIMIT=12M");
	EXPECT_LE(huge_mib(&r, "taken"), 12);
}

TEST(heap_leaves_pages_to_others)
{
	pool_set(2 * MIB, 20);
	struct spawned r = heap("many_blocks", "HUGETLB_KEEP_FREE=15");

	EXPECT_EQ(huge_mib(&r, "taken"), 10);
}

TEST(heap_is_small_where_it_shall_be)
{
	pool_set(2 * MIB, 60);
	struct spawned r = heap("many_blocks", "HUGETLB_MORECORE=thp");

	EXPECT_EQ(huge_mib(&r, "taken"), 0);
	r = heap("many_blocks", "HUGETLB_MORECORE=no");
	EXPECT_EQ(huge_mib(&r, "taken"), 0);
}

TEST(heap_survives_a_fault_limit)
{
	pool_set(2 * MIB, 60);
	cgroup_make("pod");
	cgroup_limit_fault("pod", 2 * MIB, 0);
	struct spawned r = heap_in("many_blocks", NOTHING, "pod", NULL, NULL);

	EXPECT_EQ(huge_mib(&r, "taken"), 0);
	cgroup_limit_fault("pod", 2 * MIB, 14 * MIB);
	r = heap_in("many_blocks", NOTHING, "pod", NULL, NULL);
	EXPECT_EQ(huge_mib(&r, "taken"), 14);
	r = heap_in("grown", NOTHING, "pod", NULL, NULL);
	EXPECT_LE(huge_mib(&r, "taken"), 14);
}

TEST(child_that_trims_leaves_the_parent_its_heap)
{
	pool_set(2 * MIB, 40);
	heap("fork_child_trims", NOTHING);
}

TEST(program_with_glibcs_own_huge_pages_gets_ours)
{
	pool_set(2 * MIB, 60);
	struct spawned r = heap("many_blocks", "GLIBC_TUNABLES=glibc.malloc.hugetlb=2");

	EXPECT_GE(huge_mib(&r, "taken"), 56);
}

/* Whatever the kernel refuses from the start of the program on, nothing is lost. */
static void refuse(void *number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(long)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_Exit(77);
}

TEST(heap_works_where_the_kernel_refuses_one_call)
{
	static const long calls[] = { SYS_madvise, SYS_mremap, SYS_flock, SYS_mincore };

	pool_set(2 * MIB, 60);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		heap_in("many_blocks", NOTHING, NULL, refuse, (void *)calls[i]);
		heap_in("grown", NOTHING, NULL, refuse, (void *)calls[i]);
		heap_in("threads", NOTHING, NULL, refuse, (void *)calls[i]);
	}
}
