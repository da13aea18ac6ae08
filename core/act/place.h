/* SPDX-License-Identifier: MIT */
/*
 * place.h - one contiguous range out of huge pages and small ones
 *
 * A request that is not a multiple of the page size, or of which only a part
 * can be had, becomes [head] huge body [tail], as long as it was asked to
 * be: nothing is rounded up. The boundary lies on a huge page line; head and tail are
 * made of the next smaller size in the same way, and of small pages in the end.
 */
#ifndef HRESV_CORE_ACT_PLACE_H
#define HRESV_CORE_ACT_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/act/backing.h"
#include "core/decide/request.h"

/* Most rungs of the ladder: 1 GiB, 2 MiB and what other machines have between. */
#define PLACE_RUNGS 4
/* A size leaves two gaps for the next one. */
#define PLACE_PARTS ((1 << PLACE_RUNGS) - 1)

struct rung {
	struct backing how;
	uint64_t most_pages;	/* what the plan allows */
	uint64_t room_pages;	/* more of them, where a larger size comes short of its own */
};

/* One part of what was placed, all of one size. */
struct part {
	uintptr_t at;
	size_t bytes;
	size_t page_bytes;
};

struct placed {
	uintptr_t at;		/* the whole range starts here */
	size_t bytes;		/* and is so long: asked, rounded to base pages */
	size_t parts;		/* in ascending order */
	struct part part[PLACE_PARTS];
	size_t huge_bytes;
	bool cut_short;		/* a rung gave less than the plan allowed */
};

/**
 * place_range - build @rq's range, huge as far as @rungs (sizes falling) give
 * @ret_placed: what was built
 *
 * Not one huge page is -ENOMEM and leaves nothing behind: the caller then makes
 * the program's own call. Everything is built aside and moved in by mremap();
 * the range is nobody's until we return. The caller is a guest of the gate.
 */
int place_range(const struct request *rq, const struct rung *rungs, size_t n,
		struct placed *ret_placed);

/*
 * The program's own call, on a line of @unit bytes unless it wished for an
 * address: small pages only. -errno is the kernel's, for the longer mapping.
 */
int place_small(const struct request *rq, size_t unit, struct placed *ret_placed);

/**
 * place_over - move the whole mapping at *@aside, of @bytes in pages of @page_bytes,
 *              over whatever lies at @to
 *
 * *@aside may lie in a hole of that very range: it is moved out of it first, so it
 * is changed. Return: @to; -errno, and the mapping is at *@aside still.
 */
long place_over(uintptr_t *aside, size_t bytes, size_t page_bytes, uintptr_t to);

/*
 * After a move to [at, at + bytes) that failed: small pages again, where it left a hole
 * and nobody has moved in. Private memory that had no content.
 */
void place_mend(uintptr_t at, size_t bytes, int prot);

/*
 * Does the kernel move huge mappings of this size? Before Linux 5.16 it does not:
 * mremap() clears the new place first and refuses then. Found out once, by trying,
 * which takes memory: PLACE_MAY_MOVE is "nobody can say now", and whoever hears it
 * does what is right on either kernel, or nothing.
 */
enum place_moves { PLACE_MOVES_NOT, PLACE_MOVES, PLACE_MAY_MOVE };
enum place_moves place_moves(size_t page_bytes);

/* Advises huge pages of the kernel (THP) for the whole ones inside [at, at + bytes). */
void place_advise(uintptr_t at, size_t bytes);

#endif
