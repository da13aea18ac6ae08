/* SPDX-License-Identifier: MIT */
/*
 * answer.c - calls that answer in the program's memory: events, addresses, descriptors
 *
 * As read.c, for what loops of large servers keep on the heap. Asking again is free
 * where nothing is used up by the answer (poll, epoll_wait: what could not be told
 * stays to be told). What makes something and then says what (accept, pipe) answers
 * on our stack first: of a second try there would be two.
 */
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/act/rescue.h"
#include "core/base/peek.h"
#include "preload/call.h"
#include "preload/read.h"

static struct {
	int (*epoll)(int, struct epoll_event *, int, int);
	int (*poll)(struct pollfd *, nfds_t, int);
	int (*select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
	int (*accept)(int, struct sockaddr *, socklen_t *);
	int (*accept4)(int, struct sockaddr *, socklen_t *, int);
	int (*name)(int, struct sockaddr *, socklen_t *);
	int (*peer)(int, struct sockaddr *, socklen_t *);
	int (*option)(int, int, int, void *, socklen_t *);
	int (*pipe)(int *);
	int (*pipe2)(int *, int);
	int (*pair)(int, int, int, int *);
} real;

extern void __chk_fail(void) __attribute__((noreturn));
int __poll_chk(struct pollfd *fds, nfds_t n, int limit, size_t room);

void preload_answer_find(void)
{
	REAL(epoll, "epoll_wait");
	REAL(poll, "poll");
	REAL(select, "select");
	REAL(accept, "accept");
	REAL(accept4, "accept4");
	REAL(name, "getsockname");
	REAL(peer, "getpeername");
	REAL(option, "getsockopt");
	REAL(pipe, "pipe");
	REAL(pipe2, "pipe2");
	REAL(pair, "socketpair");
}

#define ONE(at, bytes) (&(struct iovec){ at, bytes }), 1

HRESV_EXPORT int epoll_wait(int fd, struct epoll_event *events, int most, int limit)
{
	const size_t bytes = most > 0 ? (size_t)most * sizeof(*events) : 0;

	if (!real.epoll)
		return (int)call_value(sys_call(SYS_epoll_pwait, fd, (long)events, most, limit, 0, 8));
	return AGAIN(real.epoll(fd, events, most, limit), ONE(events, bytes));
}

HRESV_EXPORT int poll(struct pollfd *fds, nfds_t n, int limit)
{
	const struct timespec left = { limit / 1000, limit % 1000 * 1000000l };

	if (!real.poll)
		return (int)call_value(sys_call(SYS_ppoll, (long)fds, (long)n,
						limit < 0 ? 0 : (long)&left, 0, 0, 0));
	return AGAIN(real.poll(fds, n, limit), ONE(fds, n * sizeof(*fds)));
}

HRESV_EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int limit, size_t room)
{
	if (room / sizeof(*fds) < n)
		__chk_fail();
	return poll(fds, n, limit);
}

/* As libc's: what is left of the limit is told, and more than a second of microseconds is taken. */
static int select_raw(int n, fd_set *in, fd_set *out, fd_set *bad, struct timeval *limit)
{
	struct timespec left;
	long got;

	if (limit && (limit->tv_sec < 0 || limit->tv_usec < 0))
		return (int)call_value(-EINVAL);
	if (limit) {
		left.tv_nsec = limit->tv_usec % 1000000 * 1000;
		if (__builtin_add_overflow(limit->tv_sec, limit->tv_usec / 1000000, &left.tv_sec))
			left.tv_sec = INT64_MAX;
	}
	got = sys_call(SYS_pselect6, n, (long)in, (long)out, (long)bad, limit ? (long)&left : 0, 0);
	if (limit)
		*limit = (struct timeval){ left.tv_sec, left.tv_nsec / 1000 };
	return (int)call_value(got);
}

/* The program's sets; what can't be read is the kernel's to refuse. */
static bool take_sets(fd_set asked[3], const struct iovec parts[3])
{
	for (int i = 0; i < 3; i++)
		if (parts[i].iov_base && peek(&asked[i], parts[i].iov_base, parts[i].iov_len) != 0)
			return false;
	return true;
}

/*
 * The sets are both question and answer: they are copied in whole, and are the
 * question's until all three could be written back. A set of up to 1024 bits is
 * what fd_set holds; programs make longer ones.
 */
HRESV_EXPORT int select(int n, fd_set *in, fd_set *out, fd_set *bad, struct timeval *limit)
{
	const size_t bytes = n > 0 ? ((size_t)n + 63) / 64 * 8 : 0;
	const struct iovec parts[] = { { in, in ? bytes : 0 }, { out, out ? bytes : 0 },
				       { bad, bad ? bytes : 0 } };
	fd_set asked[3];
	int got;

	if (!real.select)
		return select_raw(n, in, out, bad, limit);
	if (bytes > sizeof(fd_set) || !(rescue_may_refuse((uintptr_t)in) ||
					rescue_may_refuse((uintptr_t)out) ||
					rescue_may_refuse((uintptr_t)bad)) ||
	    !take_sets(asked, parts))
		return real.select(n, in, out, bad, limit);
	got = real.select(n, in ? &asked[0] : NULL, out ? &asked[1] : NULL, bad ? &asked[2] : NULL,
			  limit);
	for (int i = 0; i < 3 && got >= 0; i++)
		if (parts[i].iov_base)
			memcpy(parts[i].iov_base, &asked[i], parts[i].iov_len);
	return got;
}

/* An address of a peer or of ourselves: @call gets room of ours, of @room bytes. */
#define ADDRESSED(at, room, here, here_bytes, call)                                          \
	({                                                                                   \
		struct sockaddr_storage here_;                                               \
		struct sockaddr *here = (struct sockaddr *)(void *)&here_;                   \
		socklen_t bytes_ = *(room), *here_bytes = &bytes_;                           \
		const socklen_t most_ = bytes_ < sizeof(here_) ? bytes_ : sizeof(here_);     \
		int value_ = (call);                                                         \
		if (value_ >= 0) {                                                           \
			memcpy(at, &here_, bytes_ < most_ ? bytes_ : most_);                 \
			*(room) = bytes_;                                                    \
		}                                                                            \
		value_;                                                                      \
	})

static bool needs_room(const struct sockaddr *at, const socklen_t *room)
{
	socklen_t bytes;
	char first;

	return at && room && (rescue_may_refuse((uintptr_t)at) || rescue_may_refuse((uintptr_t)room)) &&
	       peek(&bytes, room, sizeof(bytes)) == 0 && peek(&first, at, sizeof(first)) == 0;
}

static int accept_now(int fd, struct sockaddr *at, socklen_t *room)
{
	if (!real.accept)
		return (int)call_value(sys_call(SYS_accept, fd, (long)at, (long)room, 0, 0, 0));
	return real.accept(fd, at, room);
}

HRESV_EXPORT int accept(int fd, struct sockaddr *at, socklen_t *room)
{
	if (!needs_room(at, room))
		return accept_now(fd, at, room);
	return ADDRESSED(at, room, here, bytes, accept_now(fd, here, bytes));
}

static int accept4_now(int fd, struct sockaddr *at, socklen_t *room, int flags)
{
	if (!real.accept4)
		return (int)call_value(sys_call(SYS_accept4, fd, (long)at, (long)room, flags, 0, 0));
	return real.accept4(fd, at, room, flags);
}

HRESV_EXPORT int accept4(int fd, struct sockaddr *at, socklen_t *room, int flags)
{
	if (!needs_room(at, room))
		return accept4_now(fd, at, room, flags);
	return ADDRESSED(at, room, here, bytes, accept4_now(fd, here, bytes, flags));
}

/* A length that can't be read is the kernel's to refuse. */
static size_t room_at(const void *at, const socklen_t *room)
{
	socklen_t bytes;

	return rescue_may_refuse((uintptr_t)at) && peek(&bytes, room, sizeof(bytes)) == 0 ? bytes : 0;
}

/* Where an address and its length lie. */
#define ADDRESS(at, room)                                                                    \
	((const struct iovec[]){ { at, room_at(at, room) }, { room, sizeof(*(room)) } }), 2

HRESV_EXPORT int getsockname(int fd, struct sockaddr *at, socklen_t *room)
{
	if (!real.name)
		return (int)call_value(sys_call(SYS_getsockname, fd, (long)at, (long)room, 0, 0, 0));
	return AGAIN(real.name(fd, at, room), ADDRESS(at, room));
}

HRESV_EXPORT int getpeername(int fd, struct sockaddr *at, socklen_t *room)
{
	if (!real.peer)
		return (int)call_value(sys_call(SYS_getpeername, fd, (long)at, (long)room, 0, 0, 0));
	return AGAIN(real.peer(fd, at, room), ADDRESS(at, room));
}

HRESV_EXPORT int getsockopt(int fd, int level, int name, void *at, socklen_t *room)
{
	if (!real.option)
		return (int)call_value(sys_call(SYS_getsockopt, fd, level, name, (long)at,
						(long)room, 0));
	return AGAIN(real.option(fd, level, name, at, room), ADDRESS(at, room));
}

/* Two descriptors in the program's memory, by way of ours. */
#define PAIR(ret_fds, here, call)                                                            \
	({                                                                                   \
		int here[2];                                                                 \
		int value_ = (call);                                                         \
		if (value_ == 0)                                                             \
			memcpy(ret_fds, here, sizeof(here));                                 \
		value_;                                                                      \
	})

static int pipe2_now(int *ret_fds, int flags)
{
	if (!real.pipe2)
		return (int)call_value(sys_call(SYS_pipe2, (long)ret_fds, flags, 0, 0, 0, 0));
	return real.pipe2(ret_fds, flags);
}

HRESV_EXPORT int pipe2(int ret_fds[2], int flags)
{
	if (!rescue_may_refuse((uintptr_t)ret_fds))
		return pipe2_now(ret_fds, flags);
	return PAIR(ret_fds, here, pipe2_now(here, flags));
}

static int pipe_now(int *ret_fds)
{
	return real.pipe ? real.pipe(ret_fds) : pipe2_now(ret_fds, 0);
}

HRESV_EXPORT int pipe(int ret_fds[2])
{
	if (!rescue_may_refuse((uintptr_t)ret_fds))
		return pipe_now(ret_fds);
	return PAIR(ret_fds, here, pipe_now(here));
}

static int pair_now(int family, int type, int protocol, int *ret_fds)
{
	if (!real.pair)
		return (int)call_value(sys_call(SYS_socketpair, family, type, protocol,
						(long)ret_fds, 0, 0));
	return real.pair(family, type, protocol, ret_fds);
}

HRESV_EXPORT int socketpair(int family, int type, int protocol, int ret_fds[2])
{
	if (!rescue_may_refuse((uintptr_t)ret_fds))
		return pair_now(family, type, protocol, ret_fds);
	return PAIR(ret_fds, here, pair_now(family, type, protocol, here));
}
