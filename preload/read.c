/* SPDX-License-Identifier: MIT */
/*
 * read.c - calls that write into the program's memory, tried again where the net helps
 *
 * The kernel's own write into a page that needs a copy, or that is being copied,
 * gives EFAULT where a store would have been mended or made to wait. Nothing has
 * been consumed then, of files, pipes and streams. So the page is touched by a
 * store, which takes the net's way, and the call is made once more; of what isn't
 * ours EFAULT stays EFAULT.
 *
 * libc's functions are called, not the kernel: these are cancellation points.
 */
#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/act/belief.h"
#include "core/act/rescue.h"
#include "core/base/peek.h"
#include "preload/call.h"
#include "preload/read.h"
#include "preload/real.h"

#define LITTLE 128	/* what signalfd gives at once */

static struct {
	ssize_t (*read)(int, void *, size_t);
	ssize_t (*pread)(int, void *, size_t, off_t);
	ssize_t (*readv)(int, const struct iovec *, int);
	ssize_t (*preadv)(int, const struct iovec *, int, off_t);
	ssize_t (*preadv2)(int, const struct iovec *, int, off_t, int);
	ssize_t (*getdents)(int, void *, size_t);
	ssize_t (*random)(void *, size_t, unsigned);
	ssize_t (*recv)(int, void *, size_t, int);
	ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(int, struct msghdr *, int);
	int (*recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);
} real;

extern void __chk_fail(void) __attribute__((noreturn));

void preload_read_find(void)
{
	REAL(read, "read");
	REAL(pread, "pread64");
	REAL(readv, "readv");
	REAL(preadv, "preadv64");
	REAL(preadv2, "preadv64v2");
	REAL(getdents, "getdents64");
	REAL(random, "getrandom");
	REAL(recv, "recv");
	REAL(recvfrom, "recvfrom");
	REAL(recvmsg, "recvmsg");
	REAL(recvmmsg, "recvmmsg");
}

/* The list may be what the kernel could not read. */
bool preload_helped(const struct iovec *parts, size_t n)
{
	struct iovec part;
	bool any = false;

	for (size_t i = 0; i < n && peek(&part, &parts[i], sizeof(part)) == 0; i++)
		any = rescue_touch((uintptr_t)part.iov_base, part.iov_len) || any;
	return any;
}

/*
 * A counter, a timer or a signal that is read is gone from its descriptor before it is
 * written to memory, and not there for a second try: through our stack, then.
 */
static ssize_t read_little(int fd, void *at, size_t bytes)
{
	char here[LITTLE];
	ssize_t got = real.read(fd, here, bytes);

	if (got > 0)
		memcpy(at, here, (size_t)got);
	return got;
}

HRESV_EXPORT ssize_t read(int fd, void *at, size_t bytes)
{
	ssize_t got;

	if (!real.read)
		return call_value(sys_read(fd, at, bytes));
	if (bytes <= LITTLE && rescue_may_refuse((uintptr_t)at) &&
	    rescue_may_refuse((uintptr_t)at + bytes - 1))
		got = read_little(fd, at, bytes);
	else
		got = AGAIN(real.read(fd, at, bytes), (&(struct iovec){ at, bytes }), 1);
	belief_settle();	/* it may have been a signal that was pending */
	return got;
}

HRESV_EXPORT ssize_t pread64(int fd, void *at, size_t bytes, off64_t offset)
{
	if (!real.pread)
		return call_value(sys_pread(fd, at, bytes, offset));
	return AGAIN(real.pread(fd, at, bytes, offset), (&(struct iovec){ at, bytes }), 1);
}

HRESV_EXPORT ssize_t pread(int fd, void *at, size_t bytes, off_t offset)
{
	return pread64(fd, at, bytes, offset);
}

HRESV_EXPORT ssize_t readv(int fd, const struct iovec *parts, int n)
{
	if (!real.readv)
		return call_value(sys_call(SYS_readv, fd, (long)parts, n, 0, 0, 0));
	return AGAIN(real.readv(fd, parts, n), parts, (size_t)n);
}

HRESV_EXPORT ssize_t preadv64(int fd, const struct iovec *parts, int n, off64_t offset)
{
	if (!real.preadv)
		return call_value(sys_call(SYS_preadv, fd, (long)parts, n, offset, 0, 0));
	return AGAIN(real.preadv(fd, parts, n, offset), parts, (size_t)n);
}

HRESV_EXPORT ssize_t preadv(int fd, const struct iovec *parts, int n, off_t offset)
{
	return preadv64(fd, parts, n, offset);
}

HRESV_EXPORT ssize_t recv(int fd, void *at, size_t bytes, int flags)
{
	if (!real.recv)
		return call_value(sys_call(SYS_recvfrom, fd, (long)at, (long)bytes, flags, 0, 0));
	return AGAIN(real.recv(fd, at, bytes, flags), (&(struct iovec){ at, bytes }), 1);
}

HRESV_EXPORT ssize_t recvfrom(int fd, void *at, size_t bytes, int flags,
			      struct sockaddr *from, socklen_t *from_bytes)
{
	if (!real.recvfrom)
		return call_value(sys_call(SYS_recvfrom, fd, (long)at, (long)bytes, flags,
					   (long)from, (long)from_bytes));
	return AGAIN(real.recvfrom(fd, at, bytes, flags, from, from_bytes),
		     (&(struct iovec){ at, bytes }), 1);
}

static bool helped_message(const struct msghdr *message)
{
	struct msghdr m;

	return peek(&m, message, sizeof(m)) == 0 && preload_helped(m.msg_iov, m.msg_iovlen);
}

HRESV_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	if (!real.recvmsg)
		return call_value(sys_call(SYS_recvmsg, fd, (long)message, flags, 0, 0, 0));
	return AGAIN_IF(real.recvmsg(fd, message, flags), helped_message(message));
}

/* Of the first message alone it is an error; later ones end the call with a count. */
HRESV_EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags,
			  struct timespec *limit)
{
	if (!real.recvmmsg)
		return (int)call_value(sys_call(SYS_recvmmsg, fd, (long)messages, (long)n, flags,
						(long)limit, 0));
	return (int)AGAIN_IF(real.recvmmsg(fd, messages, n, flags, limit),
			     n && helped_message(&messages->msg_hdr));
}

HRESV_EXPORT ssize_t preadv64v2(int fd, const struct iovec *parts, int n, off64_t offset, int flags)
{
	if (!real.preadv2)
		return call_value(sys_call(SYS_preadv2, fd, (long)parts, n, offset, 0, flags));
	return AGAIN(real.preadv2(fd, parts, n, offset, flags), parts, (size_t)n);
}

HRESV_EXPORT ssize_t preadv2(int fd, const struct iovec *parts, int n, off_t offset, int flags)
{
	return preadv64v2(fd, parts, n, offset, flags);
}

HRESV_EXPORT ssize_t getdents64(int fd, void *at, size_t bytes)
{
	if (!real.getdents)
		return call_value(sys_getdents(fd, at, bytes));
	return AGAIN(real.getdents(fd, at, bytes), (&(struct iovec){ at, bytes }), 1);
}

HRESV_EXPORT ssize_t getrandom(void *at, size_t bytes, unsigned flags)
{
	if (!real.random)
		return call_value(sys_call(SYS_getrandom, (long)at, (long)bytes, flags, 0, 0, 0));
	return AGAIN(real.random(at, bytes, flags), (&(struct iovec){ at, bytes }), 1);
}

/* What _FORTIFY_SOURCE makes of them. */
HRESV_EXPORT ssize_t __read_chk(int fd, void *at, size_t bytes, size_t room)
{
	if (bytes > room)
		__chk_fail();
	return read(fd, at, bytes);
}

HRESV_EXPORT ssize_t __pread64_chk(int fd, void *at, size_t bytes, off64_t offset, size_t room)
{
	if (bytes > room)
		__chk_fail();
	return pread64(fd, at, bytes, offset);
}

HRESV_EXPORT ssize_t __pread_chk(int fd, void *at, size_t bytes, off_t offset, size_t room)
{
	return __pread64_chk(fd, at, bytes, offset, room);
}

HRESV_EXPORT ssize_t __recv_chk(int fd, void *at, size_t bytes, size_t room, int flags)
{
	if (bytes > room)
		__chk_fail();
	return recv(fd, at, bytes, flags);
}

HRESV_EXPORT ssize_t __recvfrom_chk(int fd, void *at, size_t bytes, size_t room, int flags,
				    struct sockaddr *from, socklen_t *from_bytes)
{
	if (bytes > room)
		__chk_fail();
	return recvfrom(fd, at, bytes, flags, from, from_bytes);
}
