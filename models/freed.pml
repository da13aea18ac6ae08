/* SPDX-License-Identifier: MIT */
/*
 * freed.pml - an address that is unmapped may be another thread's at once
 *
 * What is modelled: munmap of ours (core/act/undo.c), a mapping of another thread's that the
 * kernel puts at the freed address, ours or not (core/route.c), and threads that claim whatever
 * address they are asked about (core/act/pagemap.c: the claim is a bit of the word).
 *
 * What must hold: a word says "ours" only of memory that is, and of all that is; a claim is
 * dropped by its owner alone.
 *
 * Mutations: -DLATE_UNPUBLISH (unmap first, take the word back after), -DEARLY_PUBLISH (the
 * word before the mapping), -DSET_DROPS_CLAIM (publishing overwrites the whole word).
 */

mtype = { NOBODY, OURS, OTHER };

mtype mapped = OURS;
mtype word = OURS;
byte claimant;			/* 0: nobody */

inline claim(who)
{
	atomic { claimant == 0 -> claimant = who }
}

inline unclaim(who)
{
	atomic {
		assert(claimant == who);
		claimant = 0
	}
}

inline publish()
{
#ifdef SET_DROPS_CLAIM
	atomic { word = OURS; claimant = 0 }
#else
	word = OURS
#endif
}

active proctype unmapper()
{
	claim(1);
	if
	:: word == OURS ->
#ifdef LATE_UNPUBLISH
		mapped = NOBODY;
		word = NOBODY;
		unclaim(1)
#else
		word = NOBODY;
		unclaim(1);
		mapped = NOBODY
#endif
	:: else -> unclaim(1)
	fi
}

/* The kernel hands out a hole as soon as it is one; who is late gets another, not modelled. */
active proctype mapper()
{
	if
	:: true ->
#ifdef EARLY_PUBLISH
end_elsewhere:	mapped == NOBODY;
		publish();
		if
		:: atomic { mapped == NOBODY -> mapped = OURS }
		:: atomic { mapped != NOBODY -> skip }
		fi
#else
end_taken:	atomic { mapped == NOBODY -> mapped = OURS };
		publish()
#endif
	:: true ->
end_other:	atomic { mapped == NOBODY -> mapped = OTHER }
	fi
}

/* A library that takes the same hole for itself, as soon as it sees one. */
active proctype rival()
{
	if
	:: atomic { mapped == NOBODY -> mapped = OTHER }
	:: true
	fi
}

/* Any call on the address, from any thread: what it believes under its claim is true. */
active [2] proctype caller()
{
	byte me = 2 + _pid;

	claim(me);
	if
	:: word == OURS -> assert(mapped == OURS)
	:: else
	fi;
	unclaim(me)
}

active proctype end_state()
{
	timeout;
	assert((word == OURS) == (mapped == OURS));
	assert(claimant == 0)
}
