/* SPDX-License-Identifier: MIT */
/* signal.h - what the files about signals share, and what start.c needs of them */
#ifndef HRESV_PRELOAD_SIGNAL_H
#define HRESV_PRELOAD_SIGNAL_H

#include <signal.h>
#include <stdint.h>
#include <string.h>

/* libc's set has room for 1024 signals, the kernel's for 64. */
static inline uint64_t signal_mask_of(const sigset_t *set)
{
	uint64_t mask;

	memcpy(&mask, set, sizeof(mask));
	return mask;
}

static inline void signal_mask_to(sigset_t *set, uint64_t mask)
{
	memset(set, 0, sizeof(*set));
	memcpy(set, &mask, sizeof(mask));
}

void preload_signal_find(void);
void preload_mask_find(void);
void preload_exec_find(void);
void preload_thread_find(void);

/* rt_sigprocmask(2) by number (syscall.c): -errno. */
long preload_mask_raw(int how, const uint64_t *set, uint64_t *ret_old);

#endif
