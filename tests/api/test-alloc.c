// SPDX-License-Identifier: MIT
/* Memory by hand: huge as far as there are pages, given back and taken again. */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "include/hresv.h"
#include "tests/harness/harness.h"
#include "tests/harness/linux.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)

static char *allocated(size_t bytes, unsigned flags, size_t *ret_huge)
{
	const struct hresv_want want = { .bytes = bytes, .flags = flags };
	void *at = NULL;

	REQUIRE_EQ(hresv_alloc(&want, &at, ret_huge), 0);
	EXPECT_EQ(mapped_in(at, bytes), bytes);
	return at;
}

TEST(alloc_is_huge_with_a_small_tail)
{
	const size_t bytes = 3 * PAGE + 5 * 4096;
	size_t huge = 0;
	char *at;

	pool_set(PAGE, 4);
	at = allocated(bytes, 0, &huge);
	EXPECT_EQ(huge, 3 * PAGE);
	EXPECT_EQ(huge_in(at, bytes), 3 * PAGE);
	EXPECT_EQ(hresv_huge_bytes(at, bytes), 3 * PAGE);
	EXPECT_EQ(hresv_huge_bytes(at + PAGE + 4096, PAGE), PAGE);
	EXPECT_TRUE(is_zero(at, bytes));
	fill_pages(at, bytes, 1);
	EXPECT_TRUE(holds_pages(at, bytes, 1));
	EXPECT_EQ(pool_free(PAGE), 1);
	EXPECT_EQ(hresv_free(at, bytes), 0);
	EXPECT_EQ(pool_free(PAGE), 4);
	EXPECT_EQ(hresv_huge_bytes(at, bytes), 0);
}

TEST(alloc_of_which_a_part_can_be_had_has_that_part)
{
	size_t huge = 0;
	char *at;

	pool_set(PAGE, 2);
	at = allocated(5 * PAGE, 0, &huge);
	EXPECT_EQ(huge, 2 * PAGE);
	fill_pages(at, 5 * PAGE, 2);
	EXPECT_TRUE(holds_pages(at, 5 * PAGE, 2));
	EXPECT_EQ(hresv_free(at, 5 * PAGE), 0);
	pool_set(PAGE, 0);
	at = allocated(PAGE, 0, &huge);
	EXPECT_EQ(huge, 0);
	memset(at, 1, PAGE);
	EXPECT_EQ(hresv_free(at, PAGE), 0);
}

TEST(alloc_that_is_strict_is_all_huge_or_an_error)
{
	const struct hresv_want want = { .bytes = 3 * PAGE + 4096, .flags = HRESV_STRICT };
	void *at = NULL;
	size_t huge = 77;

	pool_set(PAGE, 2);
	EXPECT_EQ(hresv_alloc(&want, &at, &huge), HRESV_SHORT(HRESV_POOL));
	EXPECT_TRUE(!at);
	EXPECT_EQ(huge, 77);
	EXPECT_EQ(pool_free(PAGE), 2);
	pool_set(PAGE, 3);
	REQUIRE_EQ(hresv_alloc(&want, &at, &huge), 0);
	EXPECT_EQ(huge, 3 * PAGE);
	EXPECT_EQ(hresv_free(at, want.bytes), 0);
}

TEST(alloc_freed_in_parts_gives_back_what_it_can)
{
	char *at;

	pool_set(PAGE, 3);
	at = allocated(3 * PAGE, 0, NULL);
	fill_pages(at, 3 * PAGE, 5);
	EXPECT_EQ(hresv_free(at + PAGE, PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 1);
	EXPECT_EQ(hresv_free(at, 4096), 0);
	EXPECT_EQ(pool_free(PAGE), 2);
	EXPECT_EQ(hresv_free(at + 4096, PAGE - 4096), 0);
	EXPECT_EQ(hresv_free(at + 2 * PAGE, PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 3);
}

TEST(resize_keeps_the_content)
{
	void *at, *to = NULL;

	pool_set(PAGE, 6);
	at = allocated(2 * PAGE, 0, NULL);
	fill_pages(at, 2 * PAGE, 3);
	REQUIRE_EQ(hresv_resize(at, 2 * PAGE, 4 * PAGE, &to), 0);
	EXPECT_TRUE(holds_pages(to, 2 * PAGE, 3));
	EXPECT_TRUE(is_zero((char *)to + 2 * PAGE, 2 * PAGE));
	REQUIRE_EQ(hresv_resize(to, 4 * PAGE, PAGE, &at), 0);
	EXPECT_EQ(mapped_in(at, PAGE), PAGE);
	EXPECT_EQ(hresv_resize(at, PAGE, 0, &to), -EINVAL);
	EXPECT_EQ(hresv_resize(at, 0, PAGE, &to), -EINVAL);
	EXPECT_EQ(hresv_resize(at, PAGE, PAGE, NULL), -EINVAL);
	EXPECT_EQ(hresv_resize((char *)at + 1, PAGE, PAGE, &to), -EINVAL);
	EXPECT_EQ(hresv_free(at, PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 6);
}

TEST(given_back_is_zero_and_the_pages_are_the_pools)
{
	size_t huge = 0;
	char *at;

	need_linux(5, 16);
	pool_set(PAGE, 3);
	at = allocated(3 * PAGE, 0, NULL);
	memset(at, 7, 3 * PAGE);
	EXPECT_EQ(hresv_give_back(at + PAGE, PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 1);
	EXPECT_EQ(hresv_huge_bytes(at, 3 * PAGE), 2 * PAGE);
	EXPECT_TRUE(is_zero(at + PAGE, PAGE));
	EXPECT_EQ(at[PAGE - 1], 7);
	EXPECT_EQ(at[2 * PAGE], 7);
	at[PAGE + 9] = 4;
	EXPECT_EQ(hresv_take_again(at, 3 * PAGE, &huge), 0);
	EXPECT_EQ(huge, 3 * PAGE);
	EXPECT_EQ(huge_in(at, 3 * PAGE), 3 * PAGE);
	EXPECT_EQ(at[PAGE + 9], 4);
	EXPECT_EQ(at[PAGE + 10], 0);
	EXPECT_EQ(pool_free(PAGE), 0);
	EXPECT_EQ(hresv_free(at, 3 * PAGE), 0);
}

/* Growing moves it, and a hole of small memory with it. */
TEST(take_again_works_on_memory_that_was_moved)
{
	size_t huge = 0;
	void *at, *to;

	need_linux(5, 16);
	pool_set(PAGE, 6);
	at = allocated(3 * PAGE, 0, NULL);
	fill_pages(at, 3 * PAGE, 6);
	EXPECT_EQ(hresv_give_back((char *)at + PAGE, PAGE), 0);
	memset((char *)at + PAGE, 3, PAGE);
	REQUIRE_EQ(hresv_resize(at, 3 * PAGE, 5 * PAGE, &to), 0);
	EXPECT_EQ(hresv_take_again(to, 5 * PAGE, &huge), 0);
	EXPECT_EQ(huge, 5 * PAGE);
	EXPECT_EQ(huge_in(to, 5 * PAGE), 5 * PAGE);
	EXPECT_TRUE(holds_pages(to, PAGE, 6));
	EXPECT_EQ(((char *)to)[2 * PAGE - 1], 3);
	EXPECT_TRUE(is_zero((char *)to + 3 * PAGE, 2 * PAGE));
	EXPECT_EQ(hresv_free(to, 5 * PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 6);
}

/* Of the three pages a child still shares two. All of them move, whatever holds writers to these. */
static void resize_beside_a_child(void)
{
	int status = -1, over[2];
	size_t huge = 0;
	void *to = NULL;
	pid_t child;
	char *at;

	REQUIRE_EQ(pipe2(over, O_CLOEXEC), 0);
	at = allocated(3 * PAGE, 0, NULL);
	fill_pages(at, 3 * PAGE, 6);
	child = fork();
	if (child == 0) {
		close(over[1]);
		read(over[0], &huge, 1);
		_exit(!holds_pages(at, 3 * PAGE, 6));
	}
	EXPECT_EQ(hresv_give_back(at, PAGE), 0);
	EXPECT_EQ(hresv_take_again(at, PAGE, &huge), 0);
	EXPECT_EQ(huge, PAGE);
	fill_pages(at, PAGE, 6);
	mmap(at + 3 * PAGE, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	REQUIRE_EQ(hresv_resize(at, 3 * PAGE, 6 * PAGE, &to), 0);
	EXPECT_NE(to, at);
	EXPECT_TRUE(holds_pages(to, 3 * PAGE, 6));
	EXPECT_TRUE(is_zero((char *)to + 3 * PAGE, 3 * PAGE));
	EXPECT_EQ(hresv_free(to, 6 * PAGE), 0);
	close(over[1]);
	waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
}

/* In a child: the descriptor of userfaultfd stays the library's. */
TEST(resize_moves_what_a_child_shares_and_what_was_taken_again)
{
	int status = -1;
	pid_t pid;

	need_linux(5, 16);
	pool_set(PAGE, 4);
	pid = fork();
	if (pid == 0) {
		resize_beside_a_child();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(pool_free(PAGE), 4);
}

TEST(take_again_says_what_is_short_and_takes_the_rest)
{
	size_t huge = 77;
	char *at, *hog;

	need_linux(5, 16);
	pool_set(PAGE, 4);
	at = allocated(4 * PAGE, 0, NULL);
	EXPECT_EQ(hresv_give_back(at, 4 * PAGE), 0);
	fill_pages(at, 4 * PAGE, 6);
	hog = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	REQUIRE_TRUE(hog != MAP_FAILED);
	EXPECT_EQ(hresv_take_again(at, 4 * PAGE, &huge), HRESV_SHORT(HRESV_POOL));
	EXPECT_EQ(huge, 3 * PAGE);
	EXPECT_TRUE(holds_pages(at, 4 * PAGE, 6));
	munmap(hog, PAGE);
	EXPECT_EQ(hresv_take_again(at, 4 * PAGE, &huge), 0);
	EXPECT_EQ(huge, 4 * PAGE);
	EXPECT_TRUE(holds_pages(at, 4 * PAGE, 6));
	EXPECT_EQ(hresv_free(at, 4 * PAGE), 0);
}

static int policy_of(void *at)
{
	int mode = -1;

	return syscall(SYS_get_mempolicy, &mode, NULL, 0, at, 2 /* MPOL_F_ADDR */) ? -1 : mode;
}

TEST(alloc_on_a_node_is_bound_to_it_and_the_thread_is_not)
{
	struct hresv_want want = { .bytes = 2 * PAGE + 4096, .flags = HRESV_ON_NODE };
	void *at = NULL;
	int mode = -1;

	pool_set(PAGE, 4);	/* two on each node where there are two */
	REQUIRE_EQ(hresv_alloc(&want, &at, NULL), 0);
	EXPECT_EQ(policy_of(at), 2);				/* MPOL_BIND */
	EXPECT_EQ(policy_of((char *)at + 2 * PAGE), 2);
	EXPECT_EQ(huge_in(at, want.bytes), 2 * PAGE);
	EXPECT_EQ(hresv_free(at, want.bytes), 0);
	want.flags = HRESV_INTERLEAVE;
	REQUIRE_EQ(hresv_alloc(&want, &at, NULL), 0);
	EXPECT_EQ(policy_of(at), 3);				/* MPOL_INTERLEAVE */
	EXPECT_EQ(hresv_free(at, want.bytes), 0);
	EXPECT_EQ(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0), 0);
	EXPECT_EQ(mode, 0);
	want.flags = HRESV_ON_NODE;
	at = NULL;
	for (int i = 0; i < 3; i++) {
		want.node = (int[]){ 900, -3, 5000 }[i];
		EXPECT_EQ(hresv_alloc(&want, &at, NULL), -ENODEV);
	}
	EXPECT_TRUE(!at);
	EXPECT_EQ(pool_free(PAGE), 4);
}

TEST(alloc_calls_with_bad_arguments_are_refused)
{
	struct hresv_want want = { .bytes = PAGE };
	void *at = NULL;

	EXPECT_EQ(hresv_alloc(NULL, &at, NULL), -EINVAL);
	EXPECT_EQ(hresv_alloc(&want, NULL, NULL), -EINVAL);
	EXPECT_EQ(hresv_alloc(&(struct hresv_want){ .bytes = 0 }, &at, NULL), -EINVAL);
	EXPECT_EQ(hresv_alloc(&(struct hresv_want){ .bytes = SIZE_MAX }, &at, NULL), -ENOMEM);
	EXPECT_EQ(hresv_alloc(&(struct hresv_want){ .bytes = 1ull << 60 }, &at, NULL), -ENOMEM);
	EXPECT_EQ(hresv_alloc(&(struct hresv_want){ .bytes = 1, .page_bytes = 3 }, &at, NULL), -ENOENT);
	for (unsigned bit = 0; bit < 32; bit++) {
		want.flags = 1u << bit;
		if (!(want.flags & (HRESV_STRICT | HRESV_ON_NODE | HRESV_INTERLEAVE)))
			EXPECT_EQ(hresv_alloc(&want, &at, NULL), -EINVAL);
	}
	EXPECT_TRUE(!at);
	EXPECT_EQ(hresv_free((void *)1, PAGE), -EINVAL);
	EXPECT_EQ(hresv_free(NULL, 0), -EINVAL);
	EXPECT_EQ(hresv_give_back((void *)1, PAGE), -EINVAL);
	EXPECT_EQ(hresv_take_again((void *)1, PAGE, NULL), -EINVAL);
	EXPECT_EQ(hresv_take_again((void *)PAGE, SIZE_MAX, NULL), -EINVAL);
	EXPECT_EQ(hresv_huge_bytes((void *)PAGE, SIZE_MAX), 0);
	EXPECT_EQ(hresv_huge_bytes(NULL, SIZE_MAX), 0);
}

/* Parent and child write what they share, and nobody dies of an empty pool. */
static void fork_and_write(void)
{
	char *at;
	pid_t pid;
	int status = -1;

	at = allocated(2 * PAGE, 0, NULL);
	fill_pages(at, 2 * PAGE, 4);
	pid = fork();
	if (pid == 0) {
		bool same = holds_pages(at, 2 * PAGE, 4);

		fill_pages(at, 2 * PAGE, 5);
		_exit(same && holds_pages(at, 2 * PAGE, 5) ? 0 : 1);
	}
	fill_pages(at, 2 * PAGE, 6);
	EXPECT_TRUE(holds_pages(at, 2 * PAGE, 6));
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(hresv_free(at, 2 * PAGE), 0);
	EXPECT_EQ(pool_free(PAGE), 2);
}

/* In a process of its own: copy-on-write of ours ends some time after the child. */
TEST(alloc_survives_a_fork_on_an_empty_pool)
{
	int status = -1;
	pid_t pid;

	pool_set(PAGE, 2);
	pid = fork();
	if (pid == 0) {
		fork_and_write();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
}

static void *allocate_and_free(void *arg)
{
	const unsigned seed = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 60; i++) {
		const size_t bytes = (1 + (seed + i) % 3) * PAGE + 4096 * (i % 5);
		char *at = allocated(bytes, 0, NULL);

		fill_pages(at, bytes, seed);
		if (i % 3 == 0)
			EXPECT_EQ(hresv_give_back(at, PAGE), 0);
		if (i % 6 == 0) {
			int err = hresv_take_again(at, PAGE, NULL);

			EXPECT_TRUE(err == 0 || err == -EBUSY || err == HRESV_SHORT(HRESV_POOL));
		}
		EXPECT_TRUE(i % 3 == 0 || holds_pages(at, bytes, seed));
		EXPECT_EQ(hresv_free(at, bytes), 0);
	}
	return NULL;
}

TEST(threads_allocate_and_free)
{
	pthread_t thread[4];

	pool_set(PAGE, 6);
	for (size_t i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, allocate_and_free, (void *)(uintptr_t)i);
	for (size_t i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(pool_free(PAGE), 6);
}
