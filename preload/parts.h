/* SPDX-License-Identifier: MIT */
/* parts.h - lists of ranges as the program gives them */
#ifndef HRESV_PRELOAD_PARTS_H
#define HRESV_PRELOAD_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#define PARTS_AT_A_TIME 64

static inline size_t parts_at_a_time(size_t left)
{
	return left < PARTS_AT_A_TIME ? left : PARTS_AT_A_TIME;
}

/* A piece of the program's list: what can't be read is EFAULT and no fault of ours (peek.h). */
long parts_read(const struct iovec *from, size_t n, struct iovec to[PARTS_AT_A_TIME]);

/* Does any of them lie in memory of ours? */
bool parts_concern(const struct iovec *parts, size_t n);

#endif
