/* SPDX-License-Identifier: MIT */
/* fork.h - what start.c and syscall.c need of fork.c */
#ifndef HRESV_PRELOAD_FORK_H
#define HRESV_PRELOAD_FORK_H

#include <stdbool.h>

/* Finds what lies behind the names that libc has no second name for. */
void preload_fork_find(void);

/* syscall.c's: shall this system call run the fork handlers, and running it with them. */
bool preload_fork_is_raw(long number, long first, long second);
long preload_fork_raw(long number, long a, long b, long c, long d, long e);

#endif
