/* SPDX-License-Identifier: MIT */
/*
 * rescue.c - one page, claimed once, replaced, tried again
 *
 * What SIGBUS means on a page of ours (BUS_ADRERR; hardware errors have codes of
 * their own and are handed on):
 * - private, present: a write that needs a copy, and no page for it. It is never
 *   the child's loss: our pages own no reservation, so the kernel takes none
 *   away (KERNEL.md 2.2). The content is readable.
 * - private, absent: never written, or given back: it reads zero.
 * - shared among our threads only, absent: likewise.
 * - shared with others: small pages of ours would be a second truth. A page of
 *   our own private ones is made small instead, so that one is free.
 *
 * Pitfalls.
 * 1. All threads that touched the page come here. Who gets the claim mends it;
 *    the others find another word and try their access again.
 * 2. A thread inside an operation of ours (a guest) may write to a page it has
 *    claimed: then it comes here holding the claim, and waiting would be for
 *    ever. A guest writes only to what it has claimed.
 * 3. The thread that forks holds the gate closed, and so does its child until
 *    it has renewed everything: it goes in without the gate.
 */
#include "core/act/rescue.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "core/act/carry.h"
#include "core/act/demote.h"
#include "core/act/front.h"
#include "core/act/pagemap.h"
#include "core/act/sharing.h"
#include "core/act/stats.h"
#include "core/act/writers.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/probe.h"
#include "core/base/sys.h"

static uint64_t rescues;	/* so far; by atomics alone */
static __thread uint64_t rescues_seen __attribute__((tls_model("initial-exec")));

#define ROOM_TRIES 3

/* What room was last made for in this thread, and how often in a row. */
static __thread struct {
	uintptr_t page;
	unsigned tries;
} room __attribute__((tls_model("initial-exec")));

static bool may_be_mended(page_word word)
{
	return word_is_huge_ours(word) || word_kind(word) == PAGE_GUARDED;
}

/* Shared anonymous memory that no other process can have. */
static bool is_only_ours(page_word word)
{
	return demote_shared_is_ours() && word_kind(word) != PAGE_SEGMENT && !(word & WORD_FILE);
}

/* Never written, and nobody else's: fresh small pages, atomically in its place. */
static bool zero_shared(uintptr_t at, page_word word)
{
	const int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
	const size_t bytes = word_page_bytes(word);

	if (sys_failed(sys_mmap(at, bytes, word_prot(word), flags, -1, 0)))
		return false;
	if (word_is_huge_ours(word) || (word & WORD_HELD))
		stats_release(bytes);
	stats_small(word_use(word), bytes, REASON_RESCUE);
	pagemap_set(at, at + bytes, word_when_small(word, mem_page_bytes()));
	return true;
}

struct donor {
	int fd;
	uintptr_t not_this;
	uintptr_t at;
	page_word word;
};

/* A private page that is ours alone and present: made small, it frees a huge one. */
static void look_for_donor(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	struct donor *d = arg;

	if (d->at || word_kind(word) != PAGE_PRIVATE || !(word_prot(word) & PROT_READ))
		return;
	for (uintptr_t at = lo; at < hi && !d->at; at += word_page_bytes(word)) {
		if (at == d->not_this || (pagemap_get(at) & WORD_CLAIMED) ||
		    sharing_of(d->fd, at) != SHARING_EXCLUSIVE)
			continue;
		d->at = at;
		d->word = word;
	}
}

/* Called with no claim held: the donor's is taken. */
static bool make_room(uintptr_t at)
{
	struct donor d = { .fd = sharing_open(), .not_this = at };

	if (d.fd < 0)
		return false;
	if (!carry_has_pins())
		pagemap_walk(look_for_donor, &d);
	sys_close(d.fd);
	if (!d.at)
		return false;
	return demote_shared_at(d.at, d.word, REASON_RESCUE, false) == 0;
}

enum mended { MENDED, NOT_OURS, NEEDS_ROOM, NEEDS_RECORDS };

/*
 * Called with the claim of the page at @at. Of those round it an operation of the thread's
 * own may have some (@inside), and none of them can be let go of: the page goes alone.
 */
static enum mended mend(uintptr_t at, page_word word, bool inside)
{
	if (word_is_private_huge(word)) {
		int err = demote_shared_page(at, word, REASON_RESCUE, false);

		if (err == -ENOSPC && inside)
			err = demote_run(at, at + word_page_bytes(word), REASON_RESCUE, false);
		return !err ? MENDED : err == -ENOSPC ? NEEDS_RECORDS : NOT_OURS;
	}
	if (is_only_ours(word) && !mem_may_be_present(at))
		return zero_shared(at, word) ? MENDED : NOT_OURS;
	return NEEDS_ROOM;
}

/* @inside: the thread was in an operation of ours when it took the fault. */
static enum mended mend_claimed(uintptr_t at, bool inside)
{
	const struct claim none = { 0 };
	bool mine = inside && (pagemap_get(at) & WORD_CLAIMED);
	struct claim c = mine ? none : pagemap_claim(at, at + 1);
	page_word word = pagemap_get(at) & ~WORD_MARKS;
	enum mended m = MENDED;

	/* Somebody has been here before us: the access may work now. */
	if (may_be_mended(word))
		m = mend(align_down(at, word_page_bytes(word)), word, inside);
	if (!mine)
		pagemap_unclaim(&c);
	/* The kernel has no mapping left. Without a claim all that lies round it can go. */
	if (m == NEEDS_RECORDS && !inside &&
	    demote_shared_at(align_down(at, word_page_bytes(word)), word, REASON_RESCUE, false) == 0)
		m = MENDED;
	if (m == MENDED && may_be_mended(word)) {
		stats_rescued(1);
		PROBE2(rescue, at, word_page_bytes(word));
		__atomic_fetch_add(&rescues, 1, __ATOMIC_SEQ_CST);
	}
	return m;
}

/*
 * What another thread has mended before this one came to look is no huge page any
 * more. So every rescue is good for one more try in every thread.
 */
static bool was_mended_meanwhile(void)
{
	uint64_t now = __atomic_load_n(&rescues, __ATOMIC_SEQ_CST);

	if (now == rescues_seen)
		return false;
	rescues_seen = now;
	return true;
}

/*
 * A file that was cut short under its mapping dies of the same signal, and no room
 * helps. Others may take the page that was freed; not again and again.
 */
static bool room_may_help(uintptr_t page)
{
	if (room.page != page) {
		room.page = page;
		room.tries = 0;
	}
	return room.tries++ < ROOM_TRIES;
}

static bool rescue(uintptr_t at)
{
	bool outside = gate_role() == GATE_OUTSIDE;
	enum mended m;
	struct quiet q;

	if (!may_be_mended(pagemap_get(at)))
		return was_mended_meanwhile();
	if (outside)
		gate_enter(&q);
	m = mend_claimed(at, !outside);
	if (m == NEEDS_ROOM && outside)
		m = room_may_help(align_down(at, GRANULE)) && make_room(at) ? MENDED : NOT_OURS;
	if (outside)
		gate_leave(&q);
	return m == MENDED;
}

bool rescue_touch(uintptr_t at, size_t bytes)
{
	const uintptr_t hi = at + bytes;
	bool any = was_mended_meanwhile();	/* another thread was quicker, perhaps here */

	if (bytes == 0 || hi < at)
		return false;
	for (uintptr_t page = at; page < hi; page = align_down(page, GRANULE) + GRANULE) {
		page_word word = pagemap_get(page);

		any = writers_wait(page) || word_kind(word) == PAGE_SPLIT || any;
		if (!may_be_mended(word) || !(word_prot(word) & PROT_WRITE))
			continue;
		__atomic_fetch_or((volatile char *)page, 0, __ATOMIC_RELAXED);
		any = true;
	}
	return any;
}

bool rescue_mends(int number, int code, uintptr_t at)
{
	if (number == SIGSEGV)
		return code == SEGV_ACCERR && writers_wait(at);
	return code == BUS_ADRERR && rescue(at);
}

static bool armed;

bool rescue_may_refuse(uintptr_t at)
{
	page_word word;

	if (!__atomic_load_n(&armed, __ATOMIC_RELAXED) && !writers_were_held())
		return false;
	word = pagemap_get(at);
	return may_be_mended(word) && (word_prot(word) & PROT_WRITE);
}

void rescue_arm(void)
{
	front_arm(SIGBUS);
	__atomic_store_n(&armed, true, __ATOMIC_RELAXED);
}
