/* SPDX-License-Identifier: MIT */
/*
 * cache.h - free blocks at hand, for each thread and class
 *
 * In front of the engine: what a thread frees it gets again, by a list through the
 * blocks themselves. Only what finds a list empty or full goes to the engine, in
 * batches. How long a list may become is learnt: it doubles each time it was found
 * empty, as far as CACHE_BYTES for all lists together allow; when that is used up,
 * lists that were not short lately give way.
 *
 * A thread that ends leaves its cache, with the blocks, to the next thread: threads
 * that live for a moment find everything warm.
 */
#ifndef HRESV_ALLOCATOR_CACHE_H
#define HRESV_ALLOCATOR_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "allocator/class.h"

struct cache_bin {
	void *head;
	uint32_t n, most;	/* class 0 has most = 0: nothing is ever put there */
};

struct cache {
	struct cache_bin bin[CLASSES_MOST];
	uint32_t short_at[CLASSES_MOST];	/* .misses when it was found empty last */
	uint32_t misses;
	int flags;		/* to the engine: which arena, and which of its caches */
	unsigned slot;		/* arena.c's: which arena that is */
	unsigned behind;	/* the engine's cache for this one; see has_behind */
	bool has_behind;
	bool of_program;	/* the program has bound its thread to an arena */
	size_t promised;	/* bytes, if all lists were as long as they may be */
	struct cache *next_idle;
	struct cache *next;	/* of all there are */
};

/* The calling thread's; NULL until it has one, and when it is about to end. */
extern __thread struct cache *cache_mine
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Takes a cache for the calling thread: one that was left, or a new one, without flags. */
struct cache *cache_take(void);

/* From now on its blocks are of that arena of the engine's. */
void cache_set_arena(struct cache *cache, unsigned arena);

/* The thread ends: its cache is for the next. At most @keep wait with their blocks. */
void cache_leave(struct cache *cache, unsigned keep);

/* A block of @class, which the thread has none of; NULL: memory is out. */
void *cache_refill(struct cache *cache, unsigned class);

/* The list of the class is full. @at goes on it nevertheless, and half of it to the engine. */
void cache_overflow(struct cache *cache, unsigned class, void *at);

/* All the thread has goes to the engine. */
void cache_flush(struct cache *cache);

/* So does what waits for the next thread. */
void cache_flush_idle(void);

/* In a fork child: what waited is not to be trusted, and is left where it is. */
void cache_forget_idle(void);

/* Bytes of free blocks in all caches, roughly: others may be at them. */
size_t cache_bytes(void);

/*
 * Past the lists, to the engine: of the thread's arena, and errno as malloc's.
 * @flags are MALLOCX_ALIGN and MALLOCX_ZERO; @bytes of pass_realloc are not 0.
 */
void *cache_pass(size_t bytes, int flags);
void *cache_pass_realloc(void *at, size_t bytes);
void cache_pass_free(void *at);

static inline void *cache_pop(struct cache_bin *bin)
{
	void *at = bin->head;

	bin->head = *(void **)at;
	bin->n--;
	return at;
}

static inline void cache_push(struct cache_bin *bin, void *at)
{
	*(void **)at = bin->head;
	bin->head = at;
	bin->n++;
}

#endif
