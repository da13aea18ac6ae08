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
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/act/rescue.h"
#include "preload/call.h"
#include "preload/read.h"
#include "preload/real.h"

#define TRIES 64

static struct {
	ssize_t (*read)(int, void *, size_t);
	ssize_t (*pread)(int, void *, size_t, off_t);
	ssize_t (*readv)(int, const struct iovec *, int);
	ssize_t (*preadv)(int, const struct iovec *, int, off_t);
	ssize_t (*recv)(int, void *, size_t, int);
	ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(int, struct msghdr *, int);
} real;

extern void __chk_fail(void) __attribute__((noreturn));

void preload_read_find(void)
{
	real.read = (ssize_t (*)(int, void *, size_t))(uintptr_t)real_in_libc("read");
	real.pread = (ssize_t (*)(int, void *, size_t, off_t))(uintptr_t)real_in_libc("pread64");
	real.readv = (ssize_t (*)(int, const struct iovec *, int))(uintptr_t)real_in_libc("readv");
	real.preadv = (ssize_t (*)(int, const struct iovec *, int, off_t))(uintptr_t)
		real_in_libc("preadv64");
	real.recv = (ssize_t (*)(int, void *, size_t, int))(uintptr_t)real_in_libc("recv");
	real.recvfrom = (ssize_t (*)(int, void *, size_t, int, struct sockaddr *, socklen_t *))
		(uintptr_t)real_in_libc("recvfrom");
	real.recvmsg = (ssize_t (*)(int, struct msghdr *, int))(uintptr_t)real_in_libc("recvmsg");
}

static bool helped(const struct iovec *parts, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any = rescue_touch((uintptr_t)parts[i].iov_base, parts[i].iov_len) || any;
	return any;
}

/* @call until it has another answer than EFAULT, or nothing of ours is to blame. */
#define AGAIN(call, parts, n)                                                                \
	({                                                                                   \
		ssize_t got_ = (call);                                                       \
		for (int i_ = 0; __builtin_expect(got_ < 0, 0) && errno == EFAULT &&         \
				 i_ < TRIES && helped(parts, n); i_++)                       \
			got_ = (call);                                                       \
		got_;                                                                        \
	})

HRESV_EXPORT ssize_t read(int fd, void *at, size_t bytes)
{
	if (!real.read)
		return call_value(sys_read(fd, at, bytes));
	return AGAIN(real.read(fd, at, bytes), (&(struct iovec){ at, bytes }), 1);
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

HRESV_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	if (!real.recvmsg)
		return call_value(sys_call(SYS_recvmsg, fd, (long)message, flags, 0, 0, 0));
	return AGAIN(real.recvmsg(fd, message, flags), message->msg_iov, message->msg_iovlen);
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
