/* SPDX-License-Identifier: MIT */
/*
 * large.h - blocks of at least LARGE_BYTES: huge where they were asked for, and
 * grown where they are
 *
 * The engine rounds large blocks up by as much as a fifth. Nobody has asked for
 * that part, so it takes no huge page: it is there, small, when it is touched.
 */
#ifndef HRESV_ALLOCATOR_LARGE_H
#define HRESV_ALLOCATOR_LARGE_H

#include <stddef.h>

#define LARGE_BYTES ((size_t)1 << 20)

void *large_malloc(size_t bytes);
void *large_calloc(size_t n, size_t each);
void *large_memalign(size_t align, size_t bytes);

/* Of a block of the engine's, of any size, to at least LARGE_BYTES. */
void *large_realloc(void *at, size_t bytes);

#endif
