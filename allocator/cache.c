/* SPDX-License-Identifier: MIT */
/*
 * cache.c - the slow half of cache.h, and caches that wait for a thread
 *
 * Those that wait are a stack without a lock. Caches are pages that are never unmapped: a
 * stale pointer to one can be followed, and a count beside the top of the stack
 * tells that it was stale.
 */
#include "allocator/cache.h"

#include <errno.h>

#include "allocator/engine.h"
#include "allocator/tidy.h"
#include "core/base/mem.h"

/* All lists of one thread, when they are full. */
#define CACHE_BYTES ((size_t)2048 << 10)
/* One list, and what is taken from the engine at once. */
#define LIST_BYTES ((size_t)256 << 10)
#define LIST_BLOCKS 2048u
/* The same for classes that the engine does not cut from slabs: they come seldom. */
#define LARGE_LIST_BYTES ((size_t)128 << 10)
#define LARGE_CLASS ((size_t)8 << 10)
#define FIRST_BLOCKS 4u
#define BATCH_BYTES ((size_t)32 << 10)
#define BATCH_BLOCKS 64u
/* A list that was not short for so many misses of the thread may give way. */
#define LONG_AGO 64u
/* What a cache may hold while it waits. */
#define IDLE_BYTES ((size_t)256 << 10)

__thread struct cache *cache_mine;

static struct {
	struct cache *all;
	uint64_t idle;		/* the top of the stack, and a count in what it leaves free */
	uint32_t waiting;
} caches;

#define POINTER_MASK (((uint64_t)1 << PAGEMAP_ADDRESS_BITS) - 4096)

/* The engine's cache that stands behind this one, as a flag. */
static int behind(const struct cache *cache)
{
	return cache && cache->has_behind ? (int)MALLOCX_TCACHE(cache->behind) :
					    MALLOCX_TCACHE_NONE;
}

/* Lists ------------------------------------------------------------------------------- */

static uint32_t most_for(unsigned class)
{
	const size_t bytes = classes.bytes[class];
	size_t most = (bytes < LARGE_CLASS ? LIST_BYTES : LARGE_LIST_BYTES) / bytes;

	return most < LIST_BLOCKS ? (uint32_t)most : LIST_BLOCKS;
}

/* The first @n of the list, n > 0, go to the engine. */
static void give_back(struct cache *cache, unsigned class, uint32_t n)
{
	const size_t bytes = classes.bytes[class];
	const int flags = behind(cache);
	struct cache_bin *bin = &cache->bin[class];
	void *at = bin->head;

	bin->n -= n;
	for (; n; n--) {
		void *next = *(void **)at;

		je_sdallocx(at, bytes, flags);
		at = next;
	}
	bin->head = at;
}

static void set_most(struct cache *cache, unsigned class, uint32_t most)
{
	struct cache_bin *bin = &cache->bin[class];

	cache->promised += ((size_t)most - bin->most) * classes.bytes[class];
	bin->most = most;
}

/* Lists that were not short for long are halved. */
static void make_room(struct cache *cache)
{
	for (unsigned i = 1; i <= classes.n; i++) {
		struct cache_bin *bin = &cache->bin[i];
		uint32_t half = bin->most / 2;

		if (half < FIRST_BLOCKS / 2 || cache->misses - cache->short_at[i] < LONG_AGO)
			continue;
		if (bin->n > half)
			give_back(cache, i, bin->n - half);
		set_most(cache, i, half);
	}
}

static void lengthen(struct cache *cache, unsigned class)
{
	struct cache_bin *bin = &cache->bin[class];
	uint32_t most = bin->most ? bin->most * 2 : FIRST_BLOCKS;

	if (most > most_for(class))
		most = most_for(class);
	if (most <= bin->most)
		return;
	if (cache->promised + (most - bin->most) * (size_t)classes.bytes[class] > CACHE_BYTES)
		make_room(cache);
	if (cache->promised + (most - bin->most) * (size_t)classes.bytes[class] <= CACHE_BYTES)
		set_most(cache, class, most);
}

static uint32_t batch_for(const struct cache_bin *bin, unsigned class)
{
	size_t batch = BATCH_BYTES / classes.bytes[class];

	if (batch > BATCH_BLOCKS)
		batch = BATCH_BLOCKS;
	if (batch > bin->most / 2)
		batch = bin->most / 2;
	return batch ? (uint32_t)batch : 1;
}

static void *fresh(const struct cache *cache, unsigned class)
{
	void *at = je_mallocx(classes.bytes[class], cache->flags);

	if (at && !class_tell(at, class))
		class_tell(at, 0);
	return at;
}

void *cache_refill(struct cache *cache, unsigned class)
{
	struct cache_bin *bin = &cache->bin[class];
	const int saved = errno;
	void **last = &bin->head, *first = fresh(cache, class), *at;
	uint32_t batch, n;

	cache->short_at[class] = ++cache->misses;
	lengthen(cache, class);
	/* In the order the engine gives them, which is that of addresses. */
	for (n = 1, batch = batch_for(bin, class); first && n < batch; n++) {
		at = fresh(cache, class);
		if (!at)
			break;
		*last = at;
		last = at;
		bin->n++;
	}
	*last = NULL;
	tidy_if_grown();
	errno = first ? saved : ENOMEM;
	return first;
}

void cache_overflow(struct cache *cache, unsigned class, void *at)
{
	struct cache_bin *bin = &cache->bin[class];

	if (bin->most == 0)
		set_most(cache, class, FIRST_BLOCKS);
	cache_push(bin, at);
	if (bin->n > bin->most)
		give_back(cache, class, bin->n - bin->most / 2);
}

/*
 * The engine's "tcache.flush" makes the cache anew at its next use, and where there is no
 * memory for it aborts the program at the use after that.
 */
static void renew_behind(struct cache *cache)
{
	size_t bytes = sizeof(cache->behind);
	int arena_flag = cache->flags & ~behind(cache);

	if (!cache->has_behind)
		return;
	je_mallctl("tcache.destroy", NULL, NULL, &cache->behind, bytes);
	cache->has_behind = je_mallctl("tcache.create", &cache->behind, &bytes, NULL, 0) == 0;
	cache->flags = arena_flag | behind(cache);
}

void cache_flush(struct cache *cache)
{
	for (unsigned i = 1; i <= classes.n; i++)
		if (cache->bin[i].n)
			give_back(cache, i, cache->bin[i].n);
	renew_behind(cache);
}

/* Past the lists ---------------------------------------------------------------------- */

static int pass_flags(void)
{
	return cache_mine ? cache_mine->flags : MALLOCX_TCACHE_NONE;
}

/* The engine's functions with flags leave errno alone. */
static void *or_enomem(void *at)
{
	if (!at)
		errno = ENOMEM;
	tidy_if_grown();
	return at;
}

void *cache_pass(size_t bytes, int flags)
{
	return or_enomem(je_mallocx(bytes ? bytes : 1, flags | pass_flags()));
}

void *cache_pass_realloc(void *at, size_t bytes)
{
	return or_enomem(je_rallocx(at, bytes, pass_flags()));
}

void cache_pass_free(void *at)
{
	je_dallocx(at, behind(cache_mine));
}

/* Caches that wait -------------------------------------------------------------------- */

/* @to on top, and the next count. */
static uint64_t next_top(uint64_t top, const struct cache *to)
{
	return (uintptr_t)to | (((top | POINTER_MASK) + 1) & ~POINTER_MASK);
}

static void push_idle(struct cache *cache)
{
	uint64_t top = __atomic_load_n(&caches.idle, __ATOMIC_RELAXED);

	do
		__atomic_store_n(&cache->next_idle,
				 (struct cache *)(uintptr_t)(top & POINTER_MASK), __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&caches.idle, &top, next_top(top, cache), true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	__atomic_fetch_add(&caches.waiting, 1, __ATOMIC_RELAXED);
}

static struct cache *pop_idle(void)
{
	uint64_t top = __atomic_load_n(&caches.idle, __ATOMIC_ACQUIRE);
	struct cache *cache, *next;

	do {
		cache = (struct cache *)(uintptr_t)(top & POINTER_MASK);
		if (!cache)
			return NULL;
		next = __atomic_load_n(&cache->next_idle, __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(&caches.idle, &top, next_top(top, next), true,
					      __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
	__atomic_fetch_sub(&caches.waiting, 1, __ATOMIC_RELAXED);
	return cache;
}

struct cache *cache_take(void)
{
	struct cache *cache = pop_idle();

	if (cache)
		return cache;
	cache = mem_pages(sizeof(*cache));
	if (!cache)
		return NULL;
	cache->next = __atomic_load_n(&caches.all, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&caches.all, &cache->next, cache, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	return cache;
}

void cache_set_arena(struct cache *cache, unsigned arena)
{
	size_t bytes = sizeof(cache->behind);

	if (!cache->has_behind)
		cache->has_behind = classes.n && je_mallctl("tcache.create", &cache->behind, &bytes,
							    NULL, 0) == 0;
	cache->flags = (int)MALLOCX_ARENA(arena) | behind(cache);
}

static size_t bytes_in(const struct cache *cache)
{
	size_t bytes = 0;

	for (unsigned i = 1; i <= classes.n; i++)
		bytes += (size_t)cache->bin[i].n * classes.bytes[i];
	return bytes;
}

void cache_leave(struct cache *cache, unsigned keep)
{
	const int saved = errno;

	if (__atomic_load_n(&caches.waiting, __ATOMIC_RELAXED) >= keep)
		cache_flush(cache);
	for (unsigned i = classes.n; i && bytes_in(cache) > IDLE_BYTES; i--)
		if (cache->bin[i].n)
			give_back(cache, i, cache->bin[i].n);
	errno = saved;
	push_idle(cache);
}

/* Taken out first: a thread that starts meanwhile takes a new one, and no harm done. */
void cache_flush_idle(void)
{
	struct cache *taken = NULL, *cache;

	while ((cache = pop_idle())) {
		cache_flush(cache);
		cache->next_idle = taken;
		taken = cache;
	}
	for (; taken; taken = cache) {
		cache = taken->next_idle;
		push_idle(taken);
	}
}

/*
 * While fork copied page by page, other threads went on: a cache that waits there may
 * be of one moment and the blocks on its lists of a later one, in somebody's use.
 */
void cache_forget_idle(void)
{
	__atomic_store_n(&caches.idle, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&caches.waiting, 0, __ATOMIC_RELAXED);
}

size_t cache_bytes(void)
{
	size_t bytes = 0;

	for (const struct cache *c = __atomic_load_n(&caches.all, __ATOMIC_ACQUIRE); c; c = c->next)
		bytes += bytes_in(c);
	return bytes;
}
