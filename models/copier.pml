/* SPDX-License-Identifier: MIT */
/*
 * copier.pml - the end of copy-on-write of our own, and who waits for it
 *
 * What is modelled: the copying thread (core/act/copier.c), which lets writers of protected pages go
 * on and in the end takes the protection off all; a guest of the gate (core/base/lock.c) that claims a
 * page, moves it (between two places it has no word to be found by), and writes to its own
 * stack meanwhile, which is protected too; another thread that writes to the page. The child
 * that shared the pages has gone: the thread may end whenever it likes.
 *
 * What must hold: nobody waits for ever; when the thread is gone, nothing is protected any more.
 *
 * Mutations: -DNO_GATE (it ends while somebody is at our memory), -DWAIT_FOR_CLAIM (it waits
 * for a page's claim instead of trying), -DWAIT_FOR_GATE (it closes the gate as fork does).
 */

#define MOVED 0
#define STACK 1

bool guarded[2] = true;		/* write-protected: who writes waits */
bool word[2] = true;		/* the page map knows it */
bool claimed[2];
byte guests;
bool closed;
bool gone;			/* the thread */

inline enter() { atomic { !closed -> guests++ } }
inline leave() { guests-- }

/* A store: in one step with the look whether it may. */
inline store(page) { atomic { !guarded[page] -> skip } }

active proctype mover()
{
	enter();
	atomic { !claimed[MOVED] -> claimed[MOVED] = true };
	store(STACK);
	word[MOVED] = false;
	word[MOVED] = true;
	claimed[MOVED] = false;
	leave()
}

active proctype writer()
{
	store(MOVED)
}

/* A fault of a writer's: with the claim, or again later. */
inline resolve(page)
{
#ifdef WAIT_FOR_CLAIM
	atomic { !claimed[page] -> claimed[page] = true };
	guarded[page] = false;
	claimed[page] = false
#else
	if
	:: atomic { !claimed[page] -> claimed[page] = true };
		guarded[page] = false;
		claimed[page] = false
	:: atomic { claimed[page] -> skip }
	fi
#endif
}

/* The walk sees words alone. */
inline take_off(page)
{
	if
	:: !word[page] -> skip
	:: word[page] && guarded[page] ->
		if
		:: atomic { !claimed[page] -> claimed[page] = true };
			guarded[page] = false;
			claimed[page] = false
		:: atomic { claimed[page] -> all = false }
		fi
	:: word[page] && !guarded[page] -> skip
	fi
}

active proctype copier()
{
	bool all;

	do
	:: guarded[MOVED] -> resolve(MOVED)
	:: guarded[STACK] -> resolve(STACK)
	:: true ->
		all = true;
#ifndef NO_GATE
#ifdef WAIT_FOR_GATE
		closed = true;
		guests == 0;
#else
		if
		:: atomic { guests == 0 -> closed = true }
		:: atomic { guests > 0 -> goto again }
		fi;
#endif
#endif
		take_off(MOVED);
		take_off(STACK);
		closed = false;
		if
		:: all -> break
		:: else
		fi;
again:		skip
	od;
	gone = true
}

active proctype end_state()
{
	timeout;
	assert(gone && !guarded[MOVED] && !guarded[STACK]);
	assert(guests == 0 && !closed && !claimed[MOVED] && !claimed[STACK])
}
