/* SPDX-License-Identifier: MIT */
/*
 * backing.h - huge memory built aside and proven, before anybody sees it
 *
 * Everything here happens at a fresh address that the kernel chose. What comes
 * back is populated, or (shared memory whose reservation is enough) reserved:
 * no touch of it can raise SIGBUS for want of a page.
 */
#ifndef HRESV_CORE_ACT_BACKING_H
#define HRESV_CORE_ACT_BACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backing {
	size_t page_bytes;
	int prot;		/* the protection it ends up with */
	int flags;		/* more mmap flags to carry: MAP_LOCKED */
	bool shared;
	bool lazy;		/* shared: the reservation is proof, touch nothing */
	bool whole;		/* all of it or nothing; else the pages that came */
	bool turn_held;		/* the caller has the turn to itself (turn.h) */
	bool may_breathe;	/* the caller holds no claim: step out now and then */
	uintptr_t over;		/* not 0: map over this, memory only we know (no mremap) */
	const char *path;	/* a hugetlbfs directory, NULL: MAP_HUGETLB */
};

/**
 * backing_make - @pages huge pages at a fresh address, aligned to their size
 * @room_pages: private memory: keep so much address space mapped from the start,
 *              untouched behind what came, for a small tail; 0: trim to what came
 * @ret_at, @ret_pages: where, and how many came (1 to @pages, from the start)
 *
 * Private memory is mapped with MAP_NORESERVE and populated: it owns no
 * reservation, so none of the kernel's accounting bugs can take a page away,
 * and after a fork the kernel never takes the child's (KERNEL.md 2.2, 2.3, R1).
 * Shared memory is reserved first, so that one of two racers wins, and then
 * populated (R2). A reservation is the inode's and outlives munmap, so shared
 * memory that came up short is made again at the length that came, or that can
 * be reserved at all.
 *
 * The caller is a guest of the gate. Return: 0; -ENOMEM: not one page, nothing
 * is left behind; other -errno of open(2) or mmap(2), likewise.
 */
int backing_make(const struct backing *how, size_t pages, size_t room_pages, uintptr_t *ret_at,
		 size_t *ret_pages);

/**
 * backing_populate - make [at, at + pages) present, front to back
 *
 * MADV_POPULATE_WRITE, before Linux 5.14 a read(2) from /dev/zero into each
 * page, which overwrites: memory nobody has seen only. Returns how many pages,
 * from the first on, are there: @pages if all.
 */
size_t backing_populate(uintptr_t at, size_t pages, size_t page_bytes);

/*
 * The two halves of backing_make(), for address space that is filled bit by bit
 * (core/heap.h). backing_map_private() maps private memory of @how that owns no
 * reservation and is not there yet: with MAP_FIXED in @flags over what lies at
 * @at, else near the hint @at. Nobody may see it before backing_fill() has
 * proven the part that is handed out.
 *
 * backing_fill() populates @pages from @at on, front to back, in turns with other
 * processes, and returns how many came: those from the start on.
 */
long backing_map_private(const struct backing *how, uintptr_t at, size_t bytes, int prot,
			 int flags);
size_t backing_fill(const struct backing *how, uintptr_t at, size_t pages);

/*
 * backing_populate() for memory somebody may have written: POPULATE_WRITE or, with
 * @read_only, POPULATE_READ; before Linux 5.14 by way of /proc/self/mem.
 * @page_bytes is that of the mapping. 0: all present; -EFAULT or another: not.
 */
int backing_prove(uintptr_t at, size_t bytes, size_t page_bytes, bool read_only);

/*
 * Is there a page at @at? 1 or 0; -errno where the kernel can't say (EAGAIN: it has
 * no memory for the answer). What may be there has content, and is not to be zeroed.
 */
int backing_presence(uintptr_t at);

#endif
