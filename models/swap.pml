/* SPDX-License-Identifier: MIT */
/*
 * swap.pml - one page of memory changes its backing under running writers
 *
 * What is modelled: demotion and promotion in place (core/act/demote.c, promote.c),
 * held writers (writers.c), direct I/O on its way (inflight.c), the claim and the word
 * of the page map (pagemap.c), the gate and fork (core/base/lock.c, core/fork.c), and
 * munmap while another thread gets the freed address (core/act/undo.c).
 *
 * What must hold: no store, no write of the kernel's and no direct read is lost; a
 * fork child finds a page map that tells the truth and content that somebody wrote;
 * a word never says "ours" of memory that isn't; nobody waits for ever.
 *
 * Mutations, one at a time (docs/MODELS.md): -DNO_PROTECT -DCOPY_FIRST -DNO_WAKE
 * -DNO_CLAIM -DNO_GATE -DNO_INFLIGHT -DLATE_UNPUBLISH.
 */

#define WORDS 2			/* of content; a copy takes that many steps */

mtype = { NONE, HUGE, SMALL, FOREIGN };

mtype backing = HUGE;		/* what the kernel has mapped there */
mtype word = HUGE;		/* what the page map says */
bool held;			/* write-protected: writers wait */
bool claimed;
byte guests;			/* of the gate */
bool closed;			/* the gate */
byte direct;			/* direct reads that have pinned the page and not ended */

byte now[WORDS];		/* content of what is mapped */
byte aside[WORDS];		/* of what is being built */
byte written[WORDS];		/* the last value each writer was told is in memory */

inline gate_enter()
{
#ifdef NO_GATE
	skip
#else
	atomic { !closed -> guests++ }
#endif
}

inline gate_leave()
{
#ifdef NO_GATE
	skip
#else
	guests--
#endif
}

inline claim()
{
#ifdef NO_CLAIM
	skip
#else
	atomic { !claimed -> claimed = true }
#endif
}

inline unclaim()
{
#ifdef NO_CLAIM
	skip
#else
	claimed = false
#endif
}

inline hold_writers()
{
#ifdef NO_PROTECT
	skip
#else
	held = true
#endif
}

/* After writers are held: every direct read that got in before has been seen to end. */
inline wait_for_direct()
{
#ifdef NO_INFLIGHT
	skip
#else
	direct == 0
#endif
}

inline copy()
{
	aside[0] = now[0];
	aside[1] = now[1]
}

/* mremap over the page: one step for every other thread; the protection goes with it. */
inline move_in(kind)
{
	atomic {
		backing = kind;
		now[0] = aside[0];
		now[1] = aside[1];
#ifndef NO_WAKE
		held = false;
#endif
		aside[0] = 99;
		aside[1] = 99
	}
}

/* Demotion and promotion have the same steps. */
inline swap_page(from, to)
{
	gate_enter();
	claim();
	if
	:: word == from ->
#ifdef COPY_FIRST
		copy();
		hold_writers();
		wait_for_direct();
#else
		hold_writers();
		wait_for_direct();
		copy();
#endif
		move_in(to);
		word = to
	:: else
	fi;
	unclaim();
	gate_leave()
}

active proctype demoter() { swap_page(HUGE, SMALL) }

active proctype promoter() { swap_page(SMALL, HUGE) }

active proctype second_demoter() { swap_page(HUGE, SMALL) }

/* Stores, and the kernel's own writes under full userfaultfd: both wait while held. */
active proctype writer()
{
	byte i;

	for (i : 1 .. 3) {
		atomic {
			!held && (backing == HUGE || backing == SMALL) ->
			now[0] = i;
			written[0] = i
		}
		assert(backing == FOREIGN || backing == NONE || now[0] == written[0])
	}
}

/* O_DIRECT: the page is pinned, and written by the device some time later. */
active proctype device()
{
	bool old_page;
	mtype pinned;

	atomic {
		!held && (backing == HUGE || backing == SMALL) ->
		direct++;
		pinned = backing
	}
	atomic {
		/* A page that was swapped away meanwhile takes the data with it. */
		if
		:: pinned == backing -> now[1] = 7
		:: else -> old_page = true
		fi;
		written[1] = 7;
		direct--
	}
	assert(!old_page && now[1] == 7)
}

active proctype forker()
{
#ifndef NO_GATE
	closed = true;
	guests == 0;
#endif
	/* The child has this one thread: whatever is half done stays so. */
	atomic {
		assert(!held);
		assert(!claimed);
		assert(word == backing || word == NONE);
		assert(now[0] == written[0] && (now[1] == written[1]))
	}
#ifndef NO_GATE
	closed = false
#endif
}

/* In the end nothing is left held, and the memory holds what was written last. */
active proctype end_state()
{
	timeout;
	assert(!held && !claimed && guests == 0);
	assert(word == backing);
	assert(now[0] == written[0] && now[1] == written[1])
}
