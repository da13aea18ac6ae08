/* SPDX-License-Identifier: MIT */
/* family.h - our malloc under a name nobody else can have */
#ifndef HRESV_ALLOCATOR_FAMILY_H
#define HRESV_ALLOCATOR_FAMILY_H

#include <stddef.h>

#define HRESV_EXPORT __attribute__((visibility("default")))

__attribute__((visibility("hidden"))) void *family_malloc(size_t bytes);

/* C23; not in every libc's header yet. */
void free_sized(void *at, size_t bytes);
void free_aligned_sized(void *at, size_t align, size_t bytes);

#endif
