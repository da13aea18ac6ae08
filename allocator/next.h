/* SPDX-License-Identifier: MIT */
/*
 * next.h - the malloc that is used without us: in front of ours, or the next in line
 */
#ifndef HRESV_ALLOCATOR_NEXT_H
#define HRESV_ALLOCATOR_NEXT_H

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* NULL where the next library has no such function. */
struct next {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*reallocarray)(void *, size_t, size_t);
	void (*free)(void *);
	void *(*memalign)(size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
	size_t (*malloc_usable_size)(void *);
	int (*malloc_trim)(size_t);
	struct mallinfo (*mallinfo)(void);
	struct mallinfo2 (*mallinfo2)(void);
	int (*malloc_info)(int, FILE *);
	void (*malloc_stats)(void);
	int (*mallopt)(int, int);
	void (*free_sized)(void *, size_t);
	void (*free_aligned_sized)(void *, size_t, size_t);
	void *(*mallocx)(size_t, int);
	void *(*rallocx)(void *, size_t, int);
	size_t (*xallocx)(void *, size_t, size_t, int);
	size_t (*sallocx)(const void *, int);
	void (*dallocx)(void *, int);
	void (*sdallocx)(void *, size_t, int);
	size_t (*nallocx)(size_t, int);
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	int (*mallctlnametomib)(const char *, size_t *, size_t *);
	int (*mallctlbymib)(const size_t *, size_t, void *, size_t *, void *, size_t);
	void (*malloc_stats_print)(void (*)(void *, const char *), void *, const char *);
};

/*
 * Looks them up. False: there is no other malloc (a static program). dlsym() may
 * allocate: the caller sees to it that this thread is served by the early heap.
 */
bool next_find(void);

/*
 * Another malloc stands in front of ours: the program's own, AddressSanitizer's.
 * Only what it doesn't define reaches us. Allocates, as next_find() does.
 */
bool next_is_in_front(void);

/*
 * Has that looked up while the process has one thread. Later it takes the loader's lock, and
 * another thread may hold that, in dlopen(), and wait for the start of the engine.
 */
void next_look(void);

/*
 * After next_find() was true. Behind us: for who calls us by a name that is defined in
 * front of us too, and so passes on to the next as we do (a profiler's wrapper).
 */
const struct next *next(void);

/*
 * The first there is: whose memory it is that a function works on which the one in front
 * of us doesn't define, and ours is made of others.
 */
const struct next *next_front(void);

/* The table for a call of ours by @name. */
#define NEXT_BY(name) (next_front()->name == next()->name ? next_front() : next())

#endif
