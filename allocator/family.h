/* SPDX-License-Identifier: MIT */
/* family.h - what the headers of libc do not declare of the family */
#ifndef HRESV_ALLOCATOR_FAMILY_H
#define HRESV_ALLOCATOR_FAMILY_H

#include <stddef.h>

#define HRESV_EXPORT __attribute__((visibility("default")))

/* Our malloc, under a name nobody else can have. */
__attribute__((visibility("hidden"))) void *family_malloc(size_t bytes);

/* As <jemalloc/jemalloc.h> has them for programs. */
void *mallocx(size_t bytes, int flags);
void *rallocx(void *at, size_t bytes, int flags);
size_t xallocx(void *at, size_t bytes, size_t extra, int flags);
size_t sallocx(const void *at, int flags);
void dallocx(void *at, int flags);
void sdallocx(void *at, size_t bytes, int flags);
size_t nallocx(size_t bytes, int flags);
int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes);
int mallctlnametomib(const char *name, size_t *mib, size_t *mib_n);
int mallctlbymib(const size_t *mib, size_t mib_n, void *old, size_t *old_bytes, void *new,
		 size_t new_bytes);
void malloc_stats_print(void (*write)(void *, const char *), void *arg, const char *options);

/* C23; not in every libc's header yet. */
void free_sized(void *at, size_t bytes);
void free_aligned_sized(void *at, size_t align, size_t bytes);

#endif
