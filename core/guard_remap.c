/* SPDX-License-Identifier: MIT */
/*
 * guard_remap.c - mremap of the program's own huge memory, by the kernel's rules
 *
 * The kernel moves and shrinks it as it likes or refuses; the words go with what it
 * did, and so does what HUGETLB_LIMIT counts. A place the program chose may hold
 * memory of ours, which is then gone.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "core/act/apart_maps.h"
#include "core/act/cow.h"
#include "core/act/move.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/act/undo.h"
#include "core/base/align.h"
#include "core/base/sys.h"
#include "core/facts/maps.h"
#include "core/guard.h"

/* Takes back the words of what lies there; all of it or -errno. */
static long clear_target(uintptr_t to, size_t bytes, struct way *ret_w)
{
	struct way w = { 0 };
	long err;

	if (!pagemap_any(to, to + bytes)) {
		*ret_w = w;
		return 0;
	}
	err = undo_clear_way(to, to + bytes, REASON_DEMOTED_MREMAP, &w);
	if (err)
		return err;
	if (w.lo != to || w.hi != to + bytes) {
		undo_restore(&w);
		return -ENOMEM;
	}
	*ret_w = w;
	return 0;
}

static void publish(uintptr_t at, size_t bytes, page_word word)
{
	if (pagemap_prepare(at, at + bytes) != 0)
		return;
	if (word & WORD_HELD)
		stats_hold(bytes);
	pagemap_set(at, at + bytes, word);
	cow_follow(at, at + bytes, word);
}

/* A page that was copied after a fork is a mapping of its own, which the program can't know. */
static bool is_several(uintptr_t at, size_t bytes)
{
	uintptr_t end;

	return apart_read_end(at, &end) == 0 && end < at + bytes;
}

static long move_several(uintptr_t at, size_t bytes, uintptr_t to)
{
	struct way target;
	long err = clear_target(to, bytes, &target);

	if (err)
		return err;
	err = move_range(at, bytes, to, true, NULL);
	if (err) {
		undo_refused(&target);
		return err;
	}
	undo_done(&target);
	return (long)to;
}

long guard_remap(uintptr_t at, size_t bytes, size_t new_bytes, int flags, uintptr_t to)
{
	const page_word word = pagemap_get(at) & ~WORD_MARKS;
	const size_t page = word_page_bytes(word), new_whole = align_up(new_bytes, page);
	struct way source, target = { 0 };
	long got;

	if (flags == (MREMAP_MAYMOVE | MREMAP_FIXED) && new_whole == align_up(bytes, page) &&
	    is_aligned(at | to, page) && is_several(at, new_whole))
		return move_several(at, new_whole, to);
	got = flags & MREMAP_FIXED ? clear_target(to, new_whole, &target) : 0;
	if (got)
		return got;
	got = undo_clear_way(at, at + align_up(bytes, page), REASON_NONE, &source);
	if (got) {
		undo_restore(&target);
		return got;
	}
	got = sys_mremap(at, bytes, new_bytes, flags, to);
	if (sys_failed(got)) {
		undo_restore(&source);
		/* Before Linux 5.16 the place is cleared before the refusal comes. */
		undo_refused(&target);
		return got;
	}
	undo_done(&source);
	undo_done(&target);
	publish((uintptr_t)got, new_whole, word);
	return got;
}
