/* SPDX-License-Identifier: MIT */
/*
 * Is direct I/O of this process under way? Few descriptors are listed, many are asked
 * for by number: either way none may be missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/act/inflight.h"
#include "core/base/sys.h"
#include "tests/harness/faults.h"
#include "tests/harness/harness.h"

/* The structure of io_uring_setup(2); nothing of it is looked at. */
static int open_ring(void)
{
	static unsigned char params[120];

	return (int)syscall(SYS_io_uring_setup, 4, params);
}

/* A pipe of packets: O_DIRECT among the flags of its end for writing, whatever file systems have. */
static void open_direct(int ret_fds[2])
{
	REQUIRE_EQ(pipe2(ret_fds, O_DIRECT | O_CLOEXEC), 0);
}

static void room_for(unsigned descriptors)
{
	struct rlimit most = { descriptors, descriptors };

	if (setrlimit(RLIMIT_NOFILE, &most) != 0)
		SKIP("room for many descriptors");
}

/* With a ring besides nobody says when it is over: the answer that tells them apart. */
static void expect_found(int number)
{
	int fds[2], ring = open_ring();

	if (ring < 0)
		SKIP("io_uring");
	EXPECT_EQ(inflight_settle(), 0);
	open_direct(fds);
	REQUIRE_GE(fcntl(fds[1], F_DUPFD_CLOEXEC, number), number);
	close(fds[0]);
	close(fds[1]);
	EXPECT_EQ(inflight_settle(), -EBUSY);
	close(ring);
	EXPECT_EQ(inflight_settle(), 0);
	close_range((unsigned)number, ~0u, 0);
}

TEST(settle_finds_a_direct_descriptor_among_few)
{
	expect_found(20);
}

static void open_many(int from, int count)
{
	for (int fd = from; fd < from + count; fd++)
		REQUIRE_EQ(dup2(STDERR_FILENO, fd), fd);
}

TEST(settle_finds_a_direct_descriptor_behind_many)
{
	room_for(2000);
	open_many(100, 800);
	expect_found(900);
	close_range(100, ~0u, 0);
}

/* Most numbers are not open: listing is cheaper. */
TEST(settle_finds_a_direct_descriptor_far_behind_many)
{
	room_for(20000);
	open_many(100, 100);
	expect_found(15000);
	close_range(100, ~0u, 0);
}

/* Whatever fails is not taken for "none". */
TEST(settle_that_cannot_look_says_busy_or_looks_otherwise)
{
	int fds[2], ring = open_ring(), nth = 0, got;

	if (ring < 0)
		SKIP("io_uring");
	room_for(2000);
	open_many(100, 800);
	open_direct(fds);
	do {
		faults_arm(++nth, EACCES);
		got = inflight_settle();
		if (!faults_fired())
			break;
		EXPECT_EQ(got, -EBUSY);
	} while (nth < 5000);
	EXPECT_EQ(got, -EBUSY);
	EXPECT_LT(nth, 5000);
	close_range(100, ~0u, 0);
	close(fds[0]);
	close(fds[1]);
	close(ring);
}
