/* SPDX-License-Identifier: MIT */
/*
 * pagemap.h - is this address ours, and what is it?
 *
 * One 32-bit word for each 2 MiB of address space says who made the memory
 * there, how it is backed and which protection it has. Reading a word takes
 * two loads and no lock, from any thread and from a signal handler; an address
 * that isn't ours costs nothing more. There is no second table behind the
 * words that could disagree with them.
 *
 * A word is also the lock of its page: whoever splits, moves or gives back a
 * page claims it first, and everybody else who wants to change it waits on the
 * word itself. Claims are taken in ascending order of address, by threads that
 * are guests of the gate (lock.h), so they can neither deadlock nor be cut in
 * two by fork().
 *
 * Words are published after the kernel has mapped and taken back before it
 * unmaps: the kernel may hand a freed address to another thread at once.
 */
#ifndef HRESV_CORE_ACT_PAGEMAP_H
#define HRESV_CORE_ACT_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "core/decide/request.h"

#define GRANULE_SHIFT 21
#define GRANULE ((size_t)1 << GRANULE_SHIFT)

enum page_kind {
	PAGE_FOREIGN,		/* not ours */
	PAGE_PRIVATE,		/* huge, private, populated, non-owner */
	PAGE_SHARED,		/* huge, a shared anonymous mapping */
	PAGE_SEGMENT,		/* huge, a System V attachment we rerouted */
	PAGE_GUARDED,		/* the program's own huge mapping: its semantics */
	PAGE_SMALL,		/* small pages that would have been huge */
	PAGE_RESERVED,		/* address space the program will commit later */
	PAGE_SPLIT,		/* was huge or small of ours: several mappings in one of the
				   program's, which mremap() must not show */
};

typedef uint32_t page_word;

#define WORD_KIND_MASK	0x0000000fu
#define WORD_PROT_SHIFT	4
#define WORD_PROT_MASK	0x00000070u	/* PROT_READ, _WRITE, _EXEC */
#define WORD_CLAIMED	0x00000080u
#define WORD_WAITED	0x00000100u
#define WORD_MARKS	(WORD_CLAIMED | WORD_WAITED)	/* not what the page is */
#define WORD_SIZE_SHIFT	9
#define WORD_SIZE_MASK	0x00007e00u	/* log2 of the page's bytes */
#define WORD_USE_SHIFT	15
#define WORD_USE_MASK	0x00018000u	/* enum use */
#define WORD_NOFORK	0x00020000u	/* MADV_DONTFORK */
#define WORD_NODUMP	0x00040000u	/* MADV_DONTDUMP */
#define WORD_WIPE	0x00080000u	/* MADV_WIPEONFORK */
#define WORD_LOCKED	0x00100000u	/* mlock */
#define WORD_PKEY_SHIFT	21
#define WORD_PKEY_MASK	0x01e00000u	/* pkey_mprotect */
#define WORD_HELD	0x02000000u	/* guarded, and counted by stats_hold() */
#define WORD_SHARED	0x04000000u	/* guarded, and MAP_SHARED */
#define WORD_FILE	0x08000000u	/* guarded, and of a file others may map */
#define WORD_USE_HIGH_SHIFT 28
#define WORD_USE_HIGH	0x10000000u	/* enum use, its third bit */

static inline page_word word_make(enum page_kind kind, int prot, size_t page_bytes, unsigned use)
{
	return (page_word)kind | ((page_word)prot << WORD_PROT_SHIFT & WORD_PROT_MASK) |
	       (page_word)__builtin_ctzll(page_bytes) << WORD_SIZE_SHIFT |
	       ((page_word)use << WORD_USE_SHIFT & WORD_USE_MASK) |
	       (page_word)use >> 2 << WORD_USE_HIGH_SHIFT;
}

static inline enum page_kind word_kind(page_word w)
{
	return (enum page_kind)(w & WORD_KIND_MASK);
}

static inline int word_prot(page_word w)
{
	return (int)((w & WORD_PROT_MASK) >> WORD_PROT_SHIFT);
}

static inline page_word word_with_prot(page_word w, int prot)
{
	return (w & ~WORD_PROT_MASK) | ((page_word)prot << WORD_PROT_SHIFT & WORD_PROT_MASK);
}

static inline size_t word_page_bytes(page_word w)
{
	return (size_t)1 << ((w & WORD_SIZE_MASK) >> WORD_SIZE_SHIFT);
}

static inline int word_pkey(page_word w)
{
	return (int)((w & WORD_PKEY_MASK) >> WORD_PKEY_SHIFT);
}

static inline page_word word_with_pkey(page_word w, int pkey)
{
	return (w & ~WORD_PKEY_MASK) | ((page_word)pkey << WORD_PKEY_SHIFT & WORD_PKEY_MASK);
}

/* It has what plain memory has not: such pages are not promoted once small. */
static inline bool word_dressed(page_word w)
{
	return w & (WORD_NOFORK | WORD_NODUMP | WORD_WIPE | WORD_LOCKED | WORD_PKEY_MASK);
}

static inline unsigned word_use(page_word w)
{
	return (w & WORD_USE_MASK) >> WORD_USE_SHIFT | (w & WORD_USE_HIGH) >> WORD_USE_HIGH_SHIFT << 2;
}

/* A part of a program or library that the loader mapped. */
static inline bool word_is_image(page_word w)
{
	return word_use(w) >= USE_TEXT;
}

/*
 * What becomes of a page's word when the page became small pages that are not to be
 * promoted: of ours, several mappings in the program's one; of its own, nobody's.
 */
static inline page_word word_when_small(page_word w, size_t small_bytes)
{
	return word_kind(w) == PAGE_GUARDED ? 0 : word_make(PAGE_SPLIT, 0, small_bytes, word_use(w));
}

/* Backed by a huge page that we placed and may take apart. */
static inline bool word_is_huge_ours(page_word w)
{
	enum page_kind kind = word_kind(w);

	return kind == PAGE_PRIVATE || kind == PAGE_SHARED || kind == PAGE_SEGMENT;
}

/* Huge and private, whoever asked for it. */
static inline bool word_is_private_huge(page_word w)
{
	return word_kind(w) == PAGE_PRIVATE || (word_kind(w) == PAGE_GUARDED && !(w & WORD_SHARED));
}

/*
 * What fork() makes two processes share and either may write. A program's text and
 * constants are not written: they are made small before they may be (protect.c).
 */
static inline bool word_is_copied_on_write(page_word w)
{
	return word_is_private_huge(w) && !(w & WORD_NOFORK) &&
	       (!word_is_image(w) || (word_prot(w) & PROT_WRITE));
}

/*
 * The leaves: pagemap_top[i] covers 16 GiB. Here only so that the lookup can be
 * inline; nobody else touches it.
 */
#if defined(__aarch64__)
#define PAGEMAP_ADDRESS_BITS 48
#else
#define PAGEMAP_ADDRESS_BITS 47
#endif
#define PAGEMAP_LEAF_BITS 13
#define PAGEMAP_LEAF_WORDS ((size_t)1 << PAGEMAP_LEAF_BITS)
#define PAGEMAP_TOP_WORDS \
	((size_t)1 << (PAGEMAP_ADDRESS_BITS - GRANULE_SHIFT - PAGEMAP_LEAF_BITS))

extern page_word *pagemap_top[PAGEMAP_TOP_WORDS];

/* The word of the granule that holds @at; 0 when it isn't ours. */
static inline page_word pagemap_get(uintptr_t at)
{
	uintptr_t granule = at >> GRANULE_SHIFT;
	page_word *leaf;

	if (at >> PAGEMAP_ADDRESS_BITS)
		return 0;
	leaf = __atomic_load_n(&pagemap_top[granule >> PAGEMAP_LEAF_BITS], __ATOMIC_ACQUIRE);
	if (!leaf)
		return 0;
	return __atomic_load_n(&leaf[granule & (PAGEMAP_LEAF_WORDS - 1)], __ATOMIC_ACQUIRE);
}

/* Is any granule that overlaps [lo, hi) ours? */
bool pagemap_any(uintptr_t lo, uintptr_t hi);

/*
 * The end, at most @hi, of the run of granules from @lo on that have the same
 * word as @lo's (claims and waiters apart), and that word. @lo may lie inside
 * a granule. Whole foreign leaves are skipped at once.
 */
uintptr_t pagemap_run(uintptr_t lo, uintptr_t hi, page_word *ret_word);

/*
 * Whether all of [lo, hi) is huge, ours and of one word, and nobody is at work on it; then also
 * that word. Without a claim, so it is the answer to a call that changes none of it, and to no
 * other. False in a copy of the process that knows nothing of itself yet.
 */
bool pagemap_is_settled(uintptr_t lo, uintptr_t hi, page_word *ret_word);

/* Makes words for [lo, hi) exist: 0, or -ENOMEM (nothing is lost then). */
int pagemap_prepare(uintptr_t lo, uintptr_t hi);

/*
 * Sets the words of all granules in [lo, hi), both on granule lines; a claim on
 * them stays. (Dropped here, it could be another thread's by the time the caller
 * drops what it has claimed.) Words must exist, unless @word is 0.
 */
void pagemap_set(uintptr_t lo, uintptr_t hi, page_word word);

/* Bytes that are PAGE_SMALL now. */
uint64_t pagemap_small_bytes(void);

/*
 * Claims every granule of ours that overlaps [lo, hi), widened to whole huge
 * pages, and what is nobody's between them; waits where another thread has one.
 * Returns the range that is claimed. The caller is a guest of the gate and holds no claim.
 */
struct claim {
	uintptr_t lo, hi;
};

struct claim pagemap_claim(uintptr_t lo, uintptr_t hi);

/*
 * The same, but false, with nothing claimed, where another thread has one of them, or
 * one is not ours: who is no guest could drop the claim of whoever maps there next.
 */
bool pagemap_try_claim(uintptr_t lo, uintptr_t hi, struct claim *ret_claim);

/*
 * Drops the claims and wakes who waits for them. Must come before the kernel unmaps
 * any of the range: afterwards the words may be another thread's.
 */
void pagemap_unclaim(const struct claim *c);

/* Waits while another thread has the granule at @at claimed; false: nobody had. */
bool pagemap_wait(uintptr_t at);

/* In a fork child: claims held by threads that are not here. [lo, hi) as given to claim. */
void pagemap_drop_stale(uintptr_t lo, uintptr_t hi);

/* Calls @each for every run of granules of ours, ascending (a dump, a fork). */
void pagemap_walk(void (*each)(uintptr_t lo, uintptr_t hi, page_word word, void *arg), void *arg);

#endif
