/* SPDX-License-Identifier: MIT */
/*
 * crew.c - idle processors counted, pieces handed out from the front, helpers waited for
 *
 * Pitfalls.
 * 1. A processor that was idle a moment ago may not be now, and the program's own threads come
 *    first: a helper that had to wait for its processor takes no further piece.
 * 2. A debugger may keep a helper stopped while the caller runs. Nobody waits for ever: the
 *    caller does all of it itself then, which harms nothing, and what the helper still knows of
 *    is never given back. It takes no piece more then, and asks for none again.
 * 3. Memory goes to the node of the thread that touches it first, unless a policy says otherwise. So
 *    where no single node is named, helpers run on the caller's.
 */
#include "core/act/crew.h"

#include <errno.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/base/thread.h"
#include "core/facts/cpus.h"
#include "core/facts/policy.h"

/* What one thread takes at a time. */
#define PIECE_BYTES ((size_t)2 << 20)
/* Per thread: to start one and wait for its end is 0.1 to 0.2 ms, and this takes 0.7 to 0.9. */
#define WORTH_BYTES ((size_t)16 << 20)

/* A helper that has waited for its processor so long, and for such a share of its time, stops. */
#define WAITED_NS 500000u
#define WAITED_SHARE 16

/* Flags of a policy's mode lie above; not every linux/mempolicy.h has all of these. */
#define MODE_MASK 0xff
#define WEIGHTED_INTERLEAVE 6

#define PATIENCE_NS 1000000000u
#define QUOTA_KEPT_NS 1000000000u

/* Shared with helpers; nothing of it is the caller's stack. */
struct job {
	uintptr_t at;
	size_t bytes, piece;
	int advice;
	size_t next;		/* atomic: bytes handed out */
	size_t failed;		/* atomic: the first piece that failed; SIZE_MAX: none */
	bool bound;
	struct cpu_set on;	/* bound */
	unsigned n;
	struct thread helper[CREW_MOST];
};

static long advise(uintptr_t at, size_t bytes, int advice, bool again)
{
	long err;

	do
		err = sys_madvise(at, bytes, advice);
	while (again && (err == -EINTR || err == -EAGAIN));
	return err;
}

static void note_failed(struct job *j, size_t from)
{
	size_t first = __atomic_load_n(&j->failed, __ATOMIC_RELAXED);

	while (from < first && !__atomic_compare_exchange_n(&j->failed, &first, from, false,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/*
 * False when there is nothing left to do, or no sense in it. A helper asks once: it may have
 * been stopped in the middle, and what lies there when it goes on be another's.
 */
static bool do_piece(struct job *j, bool again)
{
	size_t from, bytes;

	if (__atomic_load_n(&j->failed, __ATOMIC_RELAXED) != SIZE_MAX)
		return false;
	from = __atomic_fetch_add(&j->next, j->piece, __ATOMIC_RELAXED);
	if (from >= j->bytes)
		return false;
	bytes = j->bytes - from < j->piece ? j->bytes - from : j->piece;
	if (advise(j->at + from, bytes, j->advice, again) == 0)
		return true;
	note_failed(j, from);
	return false;
}

static uint64_t clock_ns(long clock)
{
	struct timespec now = { 0 };

	sys_call(SYS_clock_gettime, clock, (long)&now, 0, 0, 0, 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The processor is wanted by somebody else: more was waited than the kernel's own threads explain. */
static bool is_in_the_way(uint64_t began, uint64_t used_before)
{
	const uint64_t wall = clock_ns(CLOCK_MONOTONIC) - began;
	const uint64_t used = clock_ns(CLOCK_THREAD_CPUTIME_ID) - used_before;

	return wall > used && wall - used > WAITED_NS + wall / WAITED_SHARE;
}

/* Of the processors it may use anyway. */
static bool go_there(const struct job *j)
{
	struct cpu_set mine = { { 0 } };

	if (sys_call(SYS_sched_getaffinity, 0, sizeof(mine), (long)&mine, 0, 0, 0) < 0)
		return false;
	cpus_keep_only(&mine, &j->on);
	return sys_call(SYS_sched_setaffinity, 0, sizeof(mine), (long)&mine, 0, 0, 0) == 0;
}

static void help(void *arg)
{
	struct job *j = arg;
	uint64_t began, used;

	if (j->bound && !go_there(j))
		return;
	began = clock_ns(CLOCK_MONOTONIC);
	used = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	while (do_piece(j, false) && !is_in_the_way(began, used))
		;
}

static void start_helpers(struct job *j, unsigned helpers)
{
	for (j->n = 0; j->n < helpers && j->n < CREW_MOST; j->n++)
		if (thread_start(&j->helper[j->n], help, j) != 0)
			break;
}

/* False when one of them is stuck somewhere. */
static bool wait_helpers(struct job *j)
{
	const uint64_t until = sys_now_ns() + PATIENCE_NS;
	bool gone = true;

	for (unsigned i = 0; i < j->n; i++) {
		uint64_t now = sys_now_ns();

		gone = thread_wait(&j->helper[i], now < until ? until - now : 0) && gone;
	}
	return gone;
}

static size_t finish(struct job *j)
{
	size_t done = j->failed < j->bytes ? j->failed : j->bytes;

	for (unsigned i = 0; i < CREW_MOST; i++)
		thread_free(&j->helper[i]);
	mem_pages_free(j, sizeof(*j));
	return done;
}

size_t crew_advise(const struct crew *crew, uintptr_t at, size_t bytes, size_t page_bytes,
		   int advice)
{
	struct job *j = crew->helpers ? mem_pages(sizeof(*j)) : NULL;

	if (!j)
		return 0;
	*j = (struct job){ .at = at, .bytes = bytes, .advice = advice, .failed = SIZE_MAX,
			   .piece = page_bytes > PIECE_BYTES ? page_bytes : PIECE_BYTES,
			   .bound = crew->bound };
	if (!crew->bound || cpus_of_node("", crew->node, &j->on) == 0)
		start_helpers(j, crew->helpers);
	if (j->n)
		while (do_piece(j, true))
			;
	else
		j->failed = 0;
	return wait_helpers(j) ? finish(j) : 0;
}

/* Of processors, besides the caller's. Cached: groups are many files. */
static unsigned quota(void)
{
	static uint64_t read_at;	/* atomic */
	static unsigned known = UINT_MAX;	/* atomic */
	const uint64_t now = sys_now_ns(), last = __atomic_load_n(&read_at, __ATOMIC_RELAXED);
	unsigned q = UINT_MAX;

	if (last && now - last < QUOTA_KEPT_NS)
		return __atomic_load_n(&known, __ATOMIC_RELAXED);
	cpus_quota("", &q);
	q = q ? q - 1 : 0;
	__atomic_store_n(&known, q, __ATOMIC_RELAXED);
	__atomic_store_n(&read_at, now, __ATOMIC_RELAXED);
	return q;
}

/* A helper has the policy of its creator: beside a real-time thread it could starve others. */
static bool is_ordinary(void)
{
	long policy = sys_call(SYS_sched_getscheduler, 0, 0, 0, 0, 0, 0);

	return policy == SCHED_OTHER || policy == SCHED_BATCH;
}

struct nodes {
	unsigned long word[POLICY_NODES_MAX / 8 / sizeof(unsigned long)];
};

/* The only node in @nodes; -1: none, or several. */
static int only_node(const struct nodes *nodes)
{
	const unsigned bits = 8 * sizeof(unsigned long);
	int only = -1;

	for (unsigned i = 0; i < POLICY_NODES_MAX; i++) {
		if (!(nodes->word[i / bits] >> i % bits & 1))
			continue;
		if (only >= 0)
			return -1;
		only = (int)i;
	}
	return only;
}

/* The policy of the mapping, else of the thread: pages come from where it says. */
static int policy_of(uintptr_t at, struct nodes *ret_nodes)
{
	int mode = MPOL_DEFAULT;
	long err = sys_call(SYS_get_mempolicy, (long)&mode, (long)ret_nodes->word, POLICY_NODES_MAX,
			    (long)at, MPOL_F_ADDR, 0);

	if (err || mode == MPOL_DEFAULT)
		err = sys_get_mempolicy(&mode, ret_nodes->word, POLICY_NODES_MAX);
	return err ? MPOL_DEFAULT : mode & MODE_MASK;
}

/* Kept off the stack, which may be a handler's small one. */
struct look {
	struct cpus cpus;
	struct cpu_set on;	/* of them, those where helpers may run */
	struct nodes nodes;
};

/* Where helpers must run for pages to lie as without them. False: nobody can say. */
static bool keep_to_node(struct look *l, uintptr_t at, unsigned here, struct crew *crew)
{
	const int mode = policy_of(at, &l->nodes);
	const int named = only_node(&l->nodes);

	if (mode == MPOL_INTERLEAVE || mode == WEIGHTED_INTERLEAVE)
		return true;		/* by address, whoever touches it */
	crew->node = named < 0 ? here : (unsigned)named;
	if (cpus_of_node("", crew->node, &l->on) != 0)
		return false;
	cpus_keep_only(&l->on, &l->cpus.allowed);
	crew->bound = cpus_count(&l->on) != 0;
	if (!crew->bound && named >= 0)
		l->on = l->cpus.allowed;	/* no processor there is ours, and the policy decides */
	return true;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned count_idle(struct look *l, uintptr_t at, struct crew *crew)
{
	unsigned cpu = 0, node = 0, idle, busy;

	if (cpus_read("", &l->cpus) != 0 || l->cpus.filtered || l->cpus.running == 0 ||
	    !is_ordinary() || sys_call(SYS_getcpu, (long)&cpu, (long)&node, 0, 0, 0, 0) != 0)
		return 0;
	l->on = l->cpus.allowed;
	if (l->cpus.nodes > 1 && !keep_to_node(l, at, node, crew))
		return 0;
	idle = cpus_count(&l->on) - cpus_has(&l->on, cpu);
	busy = l->cpus.running - 1;
	return idle > busy ? least(idle - busy, quota()) : 0;
}

void crew_look(uintptr_t at, size_t bytes, size_t page_bytes, struct crew *ret_crew)
{
	const size_t piece = page_bytes > WORTH_BYTES ? page_bytes : WORTH_BYTES;
	const size_t threads = bytes / piece;
	struct look *l;

	*ret_crew = (struct crew){ .helpers = 0 };
	if (threads < 2)
		return;
	l = mem_pages(sizeof(*l));
	if (!l)
		return;
	ret_crew->helpers = least(count_idle(l, at, ret_crew),
				  threads > CREW_MOST ? CREW_MOST : (unsigned)threads - 1);
	mem_pages_free(l, sizeof(*l));
}
