/* SPDX-License-Identifier: MIT */
/* prctl.h - filters of system calls, for syscall.c */
#ifndef HRESV_PRELOAD_PRCTL_H
#define HRESV_PRELOAD_PRCTL_H

long preload_seccomp(long operation, long flags, long arg);

#endif
