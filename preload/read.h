/* SPDX-License-Identifier: MIT */
/* read.h - a call that came back with EFAULT, made again; what start.c needs of it */
#ifndef HRESV_PRELOAD_READ_H
#define HRESV_PRELOAD_READ_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "preload/real.h"

/* Finds the functions behind the names; before that the kernel is called. */
void preload_read_find(void);
void preload_answer_find(void);

#define REAL(member, name) (real.member = (__typeof__(real.member))(uintptr_t)real_behind(name))

/* Touches what is ours in these by a store; false: nothing in them is. */
bool preload_helped(const struct iovec *parts, size_t n);

#define AGAIN_TRIES 64

/* @call until it has another answer than EFAULT, or @helped, that asks, finds nothing of ours. */
#define AGAIN_IF(call, helped)                                                               \
	({                                                                                   \
		__typeof__(call) got_ = (call);                                              \
		for (int i_ = 0; __builtin_expect(got_ < 0, 0) && errno == EFAULT &&         \
				 i_ < AGAIN_TRIES && (helped); i_++)                         \
			got_ = (call);                                                       \
		got_;                                                                        \
	})

/* The same, of what lies in these: parts, n. */
#define AGAIN(call, ...) AGAIN_IF(call, preload_helped(__VA_ARGS__))

ssize_t __read_chk(int fd, void *at, size_t bytes, size_t room);
ssize_t __pread_chk(int fd, void *at, size_t bytes, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *at, size_t bytes, off64_t offset, size_t room);
ssize_t __recv_chk(int fd, void *at, size_t bytes, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *at, size_t bytes, size_t room, int flags,
		       struct sockaddr *from, socklen_t *from_bytes);

#endif
