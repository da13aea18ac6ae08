/* SPDX-License-Identifier: MIT */
/*
 * Calls whose answer is for a page that is shared with a child and has no copy to be
 * had: the kernel's own write there is refused, and the call is answered all the same,
 * once, with nothing of it lost.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fork/family.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"
#include "tests/harness/program.h"

#define ANSWERS 24

static char *memory;
static size_t used;

/* A page for one answer, shared and without a copy to be had. */
static void *next(void)
{
	REQUIRE_LT(used, ANSWERS);
	return memory + used++ * PAGE + 64;
}

static void share_all(int stop[2])
{
	char c;

	memory = map(ANSWERS * PAGE, MAP_PRIVATE);
	memset(memory, 1, ANSWERS * PAGE);
	REQUIRE_EQ(huge_in(memory, ANSWERS * PAGE), ANSWERS * PAGE);
	REQUIRE_EQ(pipe(stop), 0);
	if (fork() == 0) {
		close(stop[1]);
		_exit((int)read(stop[0], &c, 1));
	}
	close(stop[0]);
}

static void events_are_told(void)
{
	int *both = next(), ring = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event *event = next(), wanted = { .events = EPOLLIN, .data.u64 = 7 };
	struct pollfd *fds = next(), *timed = next();
	fd_set *in = next();

	EXPECT_EQ(pipe(both), 0);
	EXPECT_EQ(write(both[1], "x", 1), 1);
	EXPECT_EQ(epoll_ctl(ring, EPOLL_CTL_ADD, both[0], &wanted), 0);
	EXPECT_EQ(epoll_wait(ring, event, 8, 1000), 1);
	EXPECT_EQ(event->data.u64, 7);
	event = next();
	EXPECT_EQ(epoll_pwait(ring, event, 8, 1000, &(sigset_t){ 0 }), 1);
	EXPECT_EQ(event->data.u64, 7);
	*fds = (struct pollfd){ .fd = both[0], .events = POLLIN };
	EXPECT_EQ(poll(fds, 1, 1000), 1);
	EXPECT_EQ(fds->revents, POLLIN);
	*timed = (struct pollfd){ .fd = both[0], .events = POLLIN };
	EXPECT_EQ(ppoll(timed, 1, NULL, NULL), 1);
	EXPECT_EQ(timed->revents, POLLIN);
	FD_ZERO(in);
	FD_SET(both[0], in);
	EXPECT_EQ(select(both[0] + 1, in, NULL, NULL, NULL), 1);
	EXPECT_TRUE(FD_ISSET(both[0], in));
	close(both[0]);
	close(both[1]);
	close(ring);
}

static void addresses_are_told(void)
{
	struct sockaddr_in *name = next(), *peer = next();
	struct peer { struct sockaddr_in at; socklen_t bytes; } *from = next();
	int server = socket(AF_INET, SOCK_STREAM, 0), client, served, *kind = next();
	socklen_t bytes = sizeof(*name);

	EXPECT_EQ(listen(server, 4), 0);
	EXPECT_EQ(getsockname(server, (struct sockaddr *)name, &bytes), 0);
	EXPECT_EQ(bytes, sizeof(*name));
	for (int n = 0; n < 2; n++) {
		struct sockaddr_in own;

		client = socket(AF_INET, SOCK_STREAM, 0);
		EXPECT_EQ(connect(client, (const struct sockaddr *)name, sizeof(*name)), 0);
		bytes = sizeof(own);
		getsockname(client, (struct sockaddr *)&own, &bytes);
		from->bytes = sizeof(from->at);
		served = n ? accept4(server, (struct sockaddr *)&from->at, &from->bytes, SOCK_CLOEXEC) :
			     accept(server, (struct sockaddr *)&from->at, &from->bytes);
		EXPECT_TRUE(served >= 0);
		EXPECT_EQ(from->bytes, sizeof(from->at));
		EXPECT_EQ(from->at.sin_port, own.sin_port);
		close(served);
		close(client);
		from = next();
	}
	client = socket(AF_INET, SOCK_STREAM, 0);
	connect(client, (const struct sockaddr *)name, sizeof(*name));
	bytes = sizeof(*peer);
	EXPECT_EQ(getpeername(client, (struct sockaddr *)peer, &bytes), 0);
	EXPECT_EQ(peer->sin_port, name->sin_port);
	bytes = sizeof(*kind);
	EXPECT_EQ(getsockopt(client, SOL_SOCKET, SO_TYPE, kind, &bytes), 0);
	EXPECT_EQ(*kind, SOCK_STREAM);
	close(client);
	close(server);
}

static void content_is_read(void)
{
	int *both = next(), *pair = next(), count = eventfd(7, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t *counted = next();
	struct iovec part = { .iov_base = next(), .iov_len = 4 };
	struct mmsghdr message = { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } };
	int file = memfd_create("content", MFD_CLOEXEC), dir = open("/", O_RDONLY | O_DIRECTORY);

	EXPECT_EQ(read(count, counted, sizeof(*counted)), sizeof(*counted));
	EXPECT_EQ(*counted, 7);
	EXPECT_EQ(pipe2(both, O_CLOEXEC), 0);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	EXPECT_EQ(write(pair[0], "abcd", 4), 4);
	EXPECT_EQ(recvmmsg(pair[1], &message, 1, 0, NULL), 1);
	EXPECT_EQ(memcmp(part.iov_base, "abcd", 4), 0);
	EXPECT_EQ(write(file, "efgh", 4), 4);
	part.iov_base = next();
	EXPECT_EQ(preadv2(file, &part, 1, 0, 0), 4);
	EXPECT_EQ(memcmp(part.iov_base, "efgh", 4), 0);
	EXPECT_TRUE(getdents64(dir, next(), 4096) > 0);
	EXPECT_EQ(getrandom(next(), 4096, 0), 4096);
	for (int i = 0; i < 2; i++) {
		close(both[i]);
		close(pair[i]);
	}
	close(file);
	close(dir);
	close(count);
}

PROGRAM(is_answered)
{
	int stop[2];

	share_all(stop);
	events_are_told();
	addresses_are_told();
	content_is_read();
	EXPECT_LE(huge_in(memory, ANSWERS * PAGE), (ANSWERS - used + 1) * PAGE);
	close(stop[1]);
	wait(NULL);
}

TEST(calls_are_answered_where_the_kernel_has_no_copy_of_the_page)
{
	pool_set(PAGE, ANSWERS);
	run_with_us("is_answered", "HUGETLB_FORK=share");
}
