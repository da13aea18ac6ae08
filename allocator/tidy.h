/* SPDX-License-Identifier: MIT */
/*
 * tidy.h - before the heap becomes larger, what lies idle in it is merged
 *
 * The engine keeps freed pieces as they were cut: small ones become one again only when
 * their arena lets go of them. A program that freed many blocks of one size and wants
 * others would get fresh memory for these, and hold both. So arenas let go of what is free
 * each time the heap has grown in small pieces by a quarter and TIDY_LEAST. What is taken
 * up again is zeroed at that, which costs less than faulting in what it saves.
 *
 * Large pieces don't count: they are merged at once, and seldom too small for others.
 */
#ifndef HRESV_ALLOCATOR_TIDY_H
#define HRESV_ALLOCATOR_TIDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIDY_PIECE ((size_t)256 << 10)

/* Bytes that came into use in small pieces, ever; how many until the next time. Atomic. */
struct tidy {
	uint64_t cut, at;
};

extern struct tidy tidy_state __attribute__((visibility("hidden")));

/* A piece of that size comes into use. */
static inline void tidy_note(size_t bytes)
{
	if (bytes < TIDY_PIECE)
		__atomic_fetch_add(&tidy_state.cut, bytes, __ATOMIC_RELAXED);
}

void tidy(void);

/* After the engine gave out a block; the caller holds nothing. */
static inline void tidy_if_grown(void)
{
	if (__builtin_expect(__atomic_load_n(&tidy_state.cut, __ATOMIC_RELAXED) >=
				     __atomic_load_n(&tidy_state.at, __ATOMIC_RELAXED),
			     0))
		tidy();
}

#endif
