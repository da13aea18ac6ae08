/* SPDX-License-Identifier: MIT */
/*
 * pool.pml - processes that want the same pages, under one limit, and fork
 *
 * What is modelled: plan, populate and turns (core/act/backing.c, populate.c, turn.c), publishing,
 * release (core/act/release.c), fork with promises or with copy-on-write of our own
 * (core/fork.c, core/act/ledger.c, cow.c, copier.c), the net (core/act/rescue.c); and of the kernel: the pool, the
 * fault limit of a cgroup, copy-on-write of shared pages. With -DOTHERS also somebody without
 * libhresv who takes and gives back pages, and an administrator who lowers the limit.
 *
 * What must hold. Always: nobody dies, nobody reads anything but what it wrote or inherited, and
 * every page is back in the end. Among libhresv's processes alone: the net is never needed; and who
 * came up short alone could really not have had more.
 *
 * POOL pages, LIMIT of the cgroup both processes are in, WANT pages each wants as a whole.
 *
 * Mutations: -DNO_POPULATE -DNO_TURN -DNO_SECOND_TRY -DOWNER -DNO_PROMISE -DPROMISE_POOL_ONLY
 * -DIGNORE_PROMISES -DTRUST_RETURN -DNO_NET (the last with -DOTHERS).
 */

#ifndef POOL
#define POOL 3
#endif
#ifndef LIMIT
#define LIMIT 9
#endif
#define WANT 2
#define STEPS 1			/* of each stretch of work */
#define ROOTS 2
#define PROCS 4			/* a child for each root */

#define pg(p, i) ((p) * WANT + (i))
#define peer(p) (((p) + ROOTS) % PROCS)

mtype = { ABSENT, OWN, SHARED, HELD, SMALL, LOST };

byte pool_free = POOL;
byte charged;
byte limit = LIMIT;
byte foreign;			/* pages somebody without libhresv holds */

mtype state[PROCS * WANT] = SMALL;
byte content[PROCS * WANT];
byte expected[PROCS * WANT];
bool runs[PROCS];

byte together;			/* the turn */
bool alone;
byte promised;
byte promise_of[PROCS];

inline kernel_take(ok)
{
	if
	:: pool_free > 0 && charged < limit -> pool_free--; charged++; ok = true
	:: else -> ok = false
	fi
}

inline kernel_give()
{
	pool_free++;
	charged--
}

/* Somebody's share of a page ends; a page nobody else has goes back. */
inline let_go(p, i)
{
	if
	:: state[pg(p, i)] == OWN -> kernel_give()
	:: state[pg(p, i)] == SHARED || state[pg(p, i)] == HELD -> state[pg(peer(p), i)] = OWN
	:: else
	fi;
	content[pg(p, i)] = 0
}

inline net(p, i)
{
#ifdef NO_NET
	assert(false);		/* SIGBUS */
#endif
#ifndef OTHERS
	assert(false);		/* proof and promise were not enough */
#endif
	/* The content can still be read: small pages with it. */
	if
	:: state[pg(p, i)] == SHARED -> state[pg(peer(p), i)] = OWN
	:: else
	fi;
	state[pg(p, i)] = SMALL
}

inline turn_together()
{
#ifdef NO_TURN
	skip
#else
	atomic { !alone -> together++ }
#endif
}

inline drop_together()
{
#ifdef NO_TURN
	skip
#else
	together--
#endif
}

inline turn_alone()
{
#ifdef NO_TURN
	skip
#else
	atomic { !alone && together == 0 -> alone = true }
#endif
}

inline drop_alone()
{
	alone = false
}

/*
 * At the moment of a refusal: what is missing is in others' use, or promised. Who
 * gives up because of pages another process held only for the moment was cheated.
 */
inline check_really_short(last)
{
#ifndef OTHERS
	if
	:: last && !ok ->
		n = promised;
		i = 0;
		do
		:: i < PROCS * WANT ->
			n = n + (state[i] == OWN -> 1 : 0);
			/* Counted with the root; its child's half is the same page. */
			n = n + ((i < ROOTS * WANT && (state[i] == SHARED || state[i] == HELD)) -> 1 : 0);
			i++
		:: else -> break
		od;
		assert(POOL < WANT + n || LIMIT < WANT + n);
		i = 0;
		n = 0
	:: else
	fi
#else
	skip
#endif
}

/* May WANT more be taken? Promised pages are left, in the pool and below the limit. */
inline leaves(last)
{
	d_step {
#ifdef IGNORE_PROMISES
		ok = pool_free >= WANT && limit - charged >= WANT
#else
#ifdef PROMISE_POOL_ONLY
		ok = pool_free >= WANT + promised
#else
		ok = pool_free >= WANT + promised && limit - charged >= WANT + promised
#endif
#endif
		;
		check_really_short(last)
	}
}

/* Page by page, and what came is given back when it isn't all. */
inline populate(have, last)
{
	have = 0;
	leaves(last);
	do
	:: ok && have < WANT ->
		d_step {
			kernel_take(ok);
			have = have + (ok -> 1 : 0);
			check_really_short(last)
		}
	:: else -> break
	od;
	ok = have == WANT
}

inline give_back(have)
{
	do
	:: have > 0 -> d_step { kernel_give(); have-- }
	:: else -> break
	od
}

inline publish(p)
{
	d_step {
		state[pg(p, 0)] = OWN;
		state[pg(p, 1)] = OWN;
		have = 0
	}
}

inline acquire(p)
{
#ifdef NO_POPULATE
	/* The reservation of the pool is had; the limit counts at the touch. */
	d_step {
		if
		:: pool_free >= WANT -> state[pg(p, 0)] = ABSENT; state[pg(p, 1)] = ABSENT
		:: else
		fi
	}
#else
	turn_together();
#ifdef NO_SECOND_TRY
	populate(have, true);
#else
	populate(have, false);
#endif
	if
	:: ok -> publish(p); drop_together()
	:: else ->
		give_back(have);
		drop_together();
#ifndef NO_SECOND_TRY
		turn_alone();
		populate(have, true);
		if
		:: ok -> publish(p)
		:: else -> give_back(have)
		fi;
		drop_alone()
#endif
	fi
#endif
}

inline write(p, i, v)
{
	atomic {
		if
		:: state[pg(p, i)] == SHARED ->
			kernel_take(ok);
			if
			:: ok ->
				state[pg(p, i)] = OWN;
				state[pg(peer(p), i)] = OWN
#ifdef OWNER
			/* The kernel helps the owner, at the child's cost. */
			:: !ok && p < ROOTS ->
				state[pg(p, i)] = OWN;
				state[pg(peer(p), i)] = LOST
			:: !ok && p >= ROOTS -> net(p, i)
#else
			:: else -> net(p, i)
#endif
			fi
		:: state[pg(p, i)] == HELD ->	/* our own copy: small, for the writer */
			state[pg(p, i)] = SMALL;
			state[pg(peer(p), i)] = OWN
		:: state[pg(p, i)] == ABSENT ->
			kernel_take(ok);
			if
			:: ok -> state[pg(p, i)] = OWN
			:: else -> net(p, i)
			fi
		:: else
		fi;
		content[pg(p, i)] = v;
		expected[pg(p, i)] = v
	}
}

inline read(p, i)
{
	d_step {
		assert(state[pg(p, i)] != LOST);
		assert(content[pg(p, i)] == expected[pg(p, i)])
	}
}

/* MADV_DONTNEED: reads zero from now on, and is small until it is proven again. */
inline release(p, i)
{
	atomic {
		let_go(p, i);
		expected[pg(p, i)] = 0;
#ifdef TRUST_RETURN
		state[pg(p, i)] = (state[pg(p, i)] == SMALL -> SMALL : ABSENT)
#else
		state[pg(p, i)] = SMALL
#endif
	}
}

inline leave(p)
{
	atomic {
		i = 0;
		do
		:: i < WANT -> read(p, i); let_go(p, i); state[pg(p, i)] = SMALL; expected[pg(p, i)] = 0; i++
		:: else -> break
		od;
		i = 0;
		promised = promised - promise_of[p];
		promise_of[p] = 0;
		runs[p] = false
	}
}

/* Small memory interests nobody here: only what is huge is worked on. */
inline work(p, v)
{
	steps = 0;
	do
	:: steps < STEPS && state[pg(p, 0)] != SMALL ->
		atomic {
			steps++;
			if
			:: true -> write(p, 0, v)
			:: true -> release(p, 0)
			fi;
			read(p, 0)
		}
	:: steps < STEPS && state[pg(p, 1)] != SMALL ->
		atomic {
			steps++;
			write(p, 1, v);
			read(p, 1)
		}
	:: true -> break
	od;
	steps = 0
}

inline promise(p)
{
	d_step {
		n = (state[pg(p, 0)] == OWN -> 1 : 0) + (state[pg(p, 1)] == OWN -> 1 : 0);
#ifdef NO_PROMISE
		ok = pool_free >= n && limit - charged >= n
#else
		ok = pool_free >= n + promised && limit - charged >= n + promised
#endif
	};
	/* Others may move between the look at the facts and the promise: only turns forbid it. */
	d_step {
#ifndef NO_PROMISE
		promised = promised + (ok -> n : 0);
		promise_of[peer(p)] = (ok -> n : 0);
#endif
		n = 0
	}
}

inline make_child(p)
{
	d_step {
		i = 0;
		do
		:: i < WANT ->
			if
			:: state[pg(p, i)] == OWN -> state[pg(p, i)] = (ok -> SHARED : HELD)
			:: else
			fi;
			state[pg(peer(p), i)] = state[pg(p, i)];
			content[pg(peer(p), i)] = content[pg(p, i)];
			expected[pg(peer(p), i)] = expected[pg(p, i)];
			i++
		:: else -> break
		od;
		i = 0;
		runs[peer(p)] = true
	}
}

proctype child(byte p)
{
	byte n, i, steps;
	bool ok;

	work(p, p + 1);
	leave(p)
}

inline fork(p)
{
	turn_alone();
	promise(p);
	/* What changed by copies of the kernel's meanwhile has been promised to others. */
	make_child(p);
	drop_alone();
	run child(peer(p))
}

active [ROOTS] proctype root()
{
	byte n, i, steps, have;
	byte p = _pid;
	bool ok;

	runs[p] = true;
	acquire(p);
	work(p, p + 1);
	fork(p);
	work(p, p + 11);
	leave(p)
}

#ifdef OTHERS
active proctype others()
{
	do
	:: atomic { pool_free > 0 -> pool_free--; foreign++ }
	:: atomic { foreign > 0 -> foreign--; pool_free++ }
	:: atomic { limit > charged -> limit = charged }
	:: break
	od;
	atomic { pool_free = pool_free + foreign; foreign = 0 }
}
#endif

active proctype end_state()
{
	timeout;
	assert(pool_free == POOL && charged == 0 && promised == 0 && together == 0 && !alone)
}
