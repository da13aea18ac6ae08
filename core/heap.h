/* SPDX-License-Identifier: MIT */
/*
 * heap.h - address space for a heap, and what lies behind it, range by range
 *
 * An allocator reserves address space far ahead of its needs, has parts of it
 * backed when they are first used, and gives the backing back while it keeps the
 * addresses. Reserved space holds no memory, charges nothing and faults when it
 * is touched. What is handed out is proven, as everywhere: a heap never waits
 * for a page at the first touch.
 *
 * Which part is in which state is the caller's business; here are the steps
 * between the states. All ranges are whole units (heap_unit_bytes). The caller
 * is a guest of the gate for every function but heap_unit_bytes(), and no other
 * thread works on the same range.
 */
#ifndef HRESV_CORE_HEAP_H
#define HRESV_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/decide/request.h"

/* The page a heap is cut into: HUGETLB_MORECORE's size, at least a granule. Reads no file. */
size_t heap_unit_bytes(void);

/**
 * heap_reserve - @bytes of address space on a unit's line
 * @hint:     where it would be best, 0: anywhere
 * @ret_page: 0, or the huge page size the space is already mapped for, which
 *            makes heap_back_huge() cheaper; asked for by a value other than 0
 *
 * Return: the address; -ENOMEM or another errno of mmap(2).
 */
long heap_reserve(uintptr_t hint, size_t bytes, size_t *ret_page);

/**
 * heap_back_huge - huge pages from @at on, as many as can be had
 * @mapped_page: what heap_reserve() or heap_give_back() said of this range
 * @ret_why:     why it is not all of it
 *
 * Return: how many bytes from @at on are huge now, readable, writable and zero.
 * The rest is as it was.
 */
size_t heap_back_huge(uintptr_t at, size_t bytes, size_t mapped_page, enum reason *ret_why);

/**
 * heap_back_small - small pages, zero when first read
 * @mapped_page: as above
 * @advise:      advise the kernel's own huge pages (HUGETLB_FALLBACK=thp)
 * Return: 0; -ENOMEM: the range is as it was, or, mostly in theory, a hole (-EFAULT).
 */
int heap_back_small(uintptr_t at, size_t bytes, size_t mapped_page, bool advise);

/*
 * Small pages at [at, at + bytes) whose content nobody needs become huge, from @at
 * on, as many as can be had; returns how many bytes. Nothing is lost of the rest.
 */
size_t heap_replace_small(uintptr_t at, size_t bytes);

/* Counts memory that is small although it might have been huge, and tells. */
void heap_note_small(size_t bytes, enum reason why);

/**
 * heap_give_back - no memory is behind [at, at + bytes) any more, only address space
 * @ret_page: what to tell heap_back_huge() of it
 *
 * The pages go back to the pool at once. Return: 0; -ENOMEM: the kernel has no
 * record left to say so in, the memory is still there with all it holds, to be
 * treated as small; -EFAULT: a hole, as in heap_back_small().
 */
int heap_give_back(uintptr_t at, size_t bytes, size_t *ret_page);

/* Is @at, which heap_back_huge() made huge, still so, or was it taken apart since? */
bool heap_is_huge(uintptr_t at);

#endif
