/* SPDX-License-Identifier: MIT */
/* read.h - what start.c needs of read.c */
#ifndef HRESV_PRELOAD_READ_H
#define HRESV_PRELOAD_READ_H

#include <sys/types.h>

/* Finds libc's functions behind the names; before that the kernel is called. */
void preload_read_find(void);

ssize_t __read_chk(int fd, void *at, size_t bytes, size_t room);
ssize_t __pread_chk(int fd, void *at, size_t bytes, off_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *at, size_t bytes, off64_t offset, size_t room);
ssize_t __recv_chk(int fd, void *at, size_t bytes, size_t room, int flags);

#endif
