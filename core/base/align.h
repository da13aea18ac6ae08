/* SPDX-License-Identifier: MIT */
/* align.h - rounding to powers of two, with the overflow said */
#ifndef HRESV_CORE_BASE_ALIGN_H
#define HRESV_CORE_BASE_ALIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef KIB
#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#endif

static inline bool is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

static inline uintptr_t align_down(uintptr_t value, size_t unit)
{
	return value & ~((uintptr_t)unit - 1);
}

/* Wraps to a small value when @value lies in the last unit: see align_up_overflows. */
static inline uintptr_t align_up(uintptr_t value, size_t unit)
{
	return align_down(value + unit - 1, unit);
}

static inline bool align_up_overflows(uintptr_t value, size_t unit)
{
	return value > UINTPTR_MAX - (unit - 1);
}

static inline bool is_aligned(uintptr_t value, size_t unit)
{
	return (value & (unit - 1)) == 0;
}

static inline unsigned log2_of(uint64_t power_of_two)
{
	return (unsigned)__builtin_ctzll(power_of_two);
}

#endif
