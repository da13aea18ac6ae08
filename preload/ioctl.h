/* SPDX-License-Identifier: MIT */
/* ioctl.h - userfaultfds of the program's own */
#ifndef HRESV_PRELOAD_IOCTL_H
#define HRESV_PRELOAD_IOCTL_H

void preload_ioctl_find(void);

/* For syscall(2): the kernel's value. */
long preload_ioctl_raw(int fd, unsigned long request, void *arg);

#endif
