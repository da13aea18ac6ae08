// SPDX-License-Identifier: MIT
/* Counters, the descriptor of fallbacks, limits changed while the program runs. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <stdlib.h>
#include <unistd.h>

#include "include/hresv.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)

static void *allocated(size_t bytes, size_t *ret_huge)
{
	const struct hresv_want want = { .bytes = bytes };
	void *at = NULL;

	REQUIRE_EQ(hresv_alloc(&want, &at, ret_huge), 0);
	return at;
}

TEST(counters_say_what_was_huge_and_why_not)
{
	struct hresv_counters before, after;
	void *at;

	pool_set(PAGE, 2);
	REQUIRE_EQ(hresv_counters_read(&before, sizeof(before)), sizeof(before));
	at = allocated(3 * PAGE, NULL);
	REQUIRE_EQ(hresv_counters_read(&after, sizeof(after)), sizeof(after));
	EXPECT_EQ(after.requests - before.requests, 1);
	EXPECT_EQ(after.asked - before.asked, 3 * PAGE);
	EXPECT_EQ(after.huge - before.huge, 2 * PAGE);
	EXPECT_EQ(after.huge_now - before.huge_now, 2 * PAGE);
	EXPECT_EQ(after.small[HRESV_POOL] - before.small[HRESV_POOL], PAGE);
	EXPECT_EQ(after.fallbacks - before.fallbacks, 1);
	EXPECT_EQ(hresv_free(at, 3 * PAGE), 0);
	hresv_counters_read(&after, sizeof(after));
	EXPECT_EQ(after.huge_now, before.huge_now);
	EXPECT_GE(after.huge_peak, 2 * PAGE);
}

TEST(counters_fill_no_more_than_there_is_room_for)
{
	struct hresv_counters c;

	memset(&c, 0xee, sizeof(c));
	EXPECT_EQ(hresv_counters_read(&c, 16), 16);
	EXPECT_EQ(c.huge, 0xeeeeeeeeeeeeeeeeull);
	EXPECT_EQ(hresv_counters_read(&c, 0), 0);
	EXPECT_EQ(hresv_counters_read(NULL, sizeof(c)), 0);
	EXPECT_EQ(hresv_counters_read(&c, sizeof(c) + 1000), sizeof(c));
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* In a child, for the descriptor stays the library's. */
static void watch(void)
{
	uint64_t n = 0;
	int fd = hresv_fallback_fd(), status = -1;
	void *at;
	pid_t pid;

	REQUIRE_TRUE(fd >= 0);
	EXPECT_EQ(hresv_fallback_fd(), fd);
	EXPECT_EQ(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	EXPECT_TRUE(!is_readable(fd));
	at = allocated(PAGE + 4096, NULL);	/* the tail is no fallback */
	EXPECT_TRUE(!is_readable(fd));
	hresv_free(at, PAGE + 4096);
	at = allocated(3 * PAGE, NULL);
	EXPECT_TRUE(is_readable(fd));
	EXPECT_EQ(read(fd, &n, sizeof(n)), sizeof(n));
	EXPECT_EQ(n, 1);
	EXPECT_TRUE(!is_readable(fd));
	EXPECT_EQ(read(fd, &n, sizeof(n)), -1);
	EXPECT_EQ(errno, EAGAIN);
	hresv_free(at, 3 * PAGE);
	pid = fork();
	if (pid == 0) {		/* a child's own business, until it asks */
		int mine;

		at = allocated(3 * PAGE, NULL);
		mine = hresv_fallback_fd();
		EXPECT_TRUE(mine >= 0 && !is_readable(mine));
		allocated(3 * PAGE, NULL);
		EXPECT_TRUE(is_readable(mine));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
	EXPECT_TRUE(!is_readable(fd));
}

TEST(fallback_descriptor_is_readable_after_a_fallback_and_not_before)
{
	int status = -1;
	pid_t pid;

	pool_set(PAGE, 2);
	pid = fork();
	if (pid == 0) {
		watch();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
}

TEST(policy_changes_what_the_process_may_take)
{
	struct hresv_policy p = { .set = HRESV_SET_LIMIT, .limit_bytes = 2 * PAGE }, now;
	size_t huge;
	void *at;

	pool_set(PAGE, 6);
	REQUIRE_EQ(hresv_policy_get(&now), 0);
	EXPECT_EQ(now.limit_bytes, UINT64_MAX);
	EXPECT_EQ(now.keep_free_pages, 0);
	for (int i = 0; i < 3; i++) {
		p = (struct hresv_policy){ .set = HRESV_SET_LIMIT, .limit_bytes = 2 * PAGE };
		EXPECT_EQ(hresv_policy_set(&p), 0);
		at = allocated(4 * PAGE, &huge);
		EXPECT_EQ(huge, 2 * PAGE);
		hresv_free(at, 4 * PAGE);
		p = (struct hresv_policy){ .set = HRESV_SET_LIMIT | HRESV_SET_KEEP_FREE,
					   .limit_bytes = UINT64_MAX, .keep_free_pages = 5 };
		EXPECT_EQ(hresv_policy_set(&p), 0);
		at = allocated(4 * PAGE, &huge);
		EXPECT_EQ(huge, PAGE);
		hresv_free(at, 4 * PAGE);
		REQUIRE_EQ(hresv_policy_get(&now), 0);
		EXPECT_EQ(now.keep_free_pages, 5);
		EXPECT_EQ(now.limit_bytes, UINT64_MAX);
		p = (struct hresv_policy){ .set = HRESV_SET_KEEP_FREE };
		EXPECT_EQ(hresv_policy_set(&p), 0);
		at = allocated(4 * PAGE, &huge);
		EXPECT_EQ(huge, 4 * PAGE);
		hresv_free(at, 4 * PAGE);
	}
	EXPECT_EQ(pool_free(PAGE), 6);
}

TEST(policy_with_bad_arguments_is_refused)
{
	EXPECT_EQ(hresv_policy_get(NULL), -EINVAL);
	EXPECT_EQ(hresv_policy_set(NULL), -EINVAL);
	EXPECT_EQ(hresv_policy_set(&(struct hresv_policy){ .set = 4 }), -EINVAL);
	EXPECT_EQ(hresv_policy_set(&(struct hresv_policy){ .zero = 1 }), -EINVAL);
	EXPECT_EQ(hresv_policy_set(&(struct hresv_policy){ .spare = { 0, 1 } }), -EINVAL);
	EXPECT_EQ(hresv_policy_set(&(struct hresv_policy){ .set = 0 }), 0);
}

TEST(release_now_gives_back_what_the_heap_keeps)
{
	struct hresv_counters c;
	uint64_t bytes = 0;
	void *volatile at;	/* or the compiler sees that nobody looks at it */

	pool_set(PAGE, 24);
	at = malloc(32 * MIB);
	memset(at, 1, 32 * MIB);
	hresv_counters_read(&c, sizeof(c));
	EXPECT_GE(c.huge_now, 24 * MIB);
	free(at);
	EXPECT_EQ(hresv_release_now(&bytes), 0);
	EXPECT_EQ(hresv_release_now(NULL), 0);
	hresv_counters_read(&c, sizeof(c));
	EXPECT_LE(c.huge_now, 4 * MIB);
}
