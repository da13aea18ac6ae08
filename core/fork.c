/* SPDX-License-Identifier: MIT */
/*
 * fork.c - what is shared, is there enough for it, and which way if not
 *
 * Pitfalls.
 * 1. Nothing may be mapped or allocated through the route between prepare and
 *    parent or child: the gate is closed, by this very thread.
 * 2. pthread_atfork() handlers run whether or not fork(2) succeeds: fork_parent()
 *    can't know if there is a child.
 * 3. In the child everything is as it was in the parent, held locks included, but
 *    nobody is there who holds them. The gate comes first, the locks next.
 * 4. Descriptors are inherited: what is the child's alone is closed in the parent,
 *    and the other way round.
 */
#include "core/fork.h"

#include <errno.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/single_threaded.h>

#include "core/act/aside.h"
#include "core/act/attach.h"
#include "core/act/belief.h"
#include "core/act/copier.h"
#include "core/act/cow.h"
#include "core/act/dead.h"
#include "core/act/demote.h"
#include "core/act/front.h"
#include "core/act/pagemap.h"
#include "core/act/promise.h"
#include "core/act/promote.h"
#include "core/act/rescue.h"
#include "core/act/sharing.h"
#include "core/act/slack.h"
#include "core/act/stats.h"
#include "core/act/writers.h"
#include "core/base/fd.h"
#include "core/base/lock.h"
#include "core/base/narrow.h"
#include "core/base/out.h"
#include "core/base/probe.h"
#include "core/base/self.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/plan.h"
#include "core/reserve.h"
#include "core/route.h"
#include "core/stake.h"

#define REVIEW_AGAIN_NS 50000000u

enum way {
	WAY_NOTHING,		/* no private huge page */
	WAY_SHARE,		/* the kernel copies, and has the pages for it */
	WAY_COW,		/* we copy, at the first write (cow.h) */
	WAY_COPY,		/* the child copies at once, the parent waits */
	WAY_DEMOTE,		/* all of it small, before */
	WAY_PART,		/* so much of it that there are pages for the rest */
};

/* Guarded by the closed gate. */
static struct {
	struct quiet quiet;
	enum way way;
	bool shares_files;	/* parent and child have one table of descriptors */
	struct promise promise;	/* of the fork under way: the child's */
	struct promise held;	/* of the fork that made this process */
	uint64_t reviewed_at;
	int done[2];		/* WAY_COPY: the pipe the parent waits at */
} fk;

/*
 * MADV_DONTFORK: the child has nothing there, and others may be put there. And locks on
 * memory are not inherited.
 */
static void forget_uninherited(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	enum page_kind kind = word_kind(word);

	(void)arg;
	if (!(word & WORD_NOFORK)) {
		if (word & WORD_LOCKED)
			pagemap_set(lo, hi, word & ~WORD_LOCKED);
		return;
	}
	if (kind == PAGE_PRIVATE || kind == PAGE_SHARED || (word & WORD_HELD))
		stats_release(hi - lo);
	pagemap_set(lo, hi, 0);
}

/* @shares_files: with the parent, which goes on with the same descriptors. */
static void renew(bool shares_files)
{
	self_mark();
	narrow_renew();
	gate_renew();
	front_renew();
	belief_renew();
	dead_renew();
	aside_abandon();
	stats_renew();
	promote_renew();
	plan_renew();
	attach_renew();
	reserve_renew();
	cow_forget(!shares_files);
	slack_renew();
	route_forget_locks();
	pagemap_walk(forget_uninherited, NULL);
}

static bool registered;

/*
 * In a child made by a system call that passed us by. What its parent was doing at
 * that moment may be half done in our records; threads of the parent had to be at
 * it, and such children exec. The net is all it has for what it shares.
 */
static void adopt(void)
{
	struct quiet q;

	quiet_enter(&q);
	demote_shared_no_more();
	renew(false);
	promise_end(&fk.held);
	quiet_leave(&q);
}

/* glibc's own name: what pthread_atfork() is made of, and without an owner to unload. */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
			     void *owner);

void fork_start(void)
{
	if (__atomic_exchange_n(&registered, true, __ATOMIC_ACQ_REL))
		return;
	belief_renew();
	if (__libc_single_threaded)
		fd_make_room();
	gate_set_adopter(adopt);
	__register_atfork(fork_prepare, fork_parent, fork_child, NULL);
}

static enum way way_without_pages(void)
{
	if (cow_is_possible())
		return WAY_COW;
	return writers_are_one() ? WAY_COPY : WAY_DEMOTE;
}

/* What is one's alone is closed by the other (pitfall 4): not where both have one table. */
static enum way choose(const struct conf *conf, const struct stake *a)
{
	if (!a->bytes)
		return WAY_NOTHING;
	if (fk.shares_files && conf->fork != FORK_SHARE)
		return WAY_DEMOTE;
	switch (conf->fork) {
	case FORK_SHARE:
		return WAY_SHARE;
	case FORK_COPY:
		if (writers_are_one())
			return WAY_COPY;
		break;
	case FORK_AUTO:
	case FORK_REFUSE:
		if (stake_promise(a, &fk.promise))
			return WAY_SHARE;
		break;
	}
	return way_without_pages();
}

static void tell(enum way way, const struct stake *a)
{
	static const char *const names[] = {
		[WAY_SHARE] = "shared, pages to spare",
		[WAY_COW] = "copied by us at the first write",
		[WAY_COPY] = "copied for the child",
		[WAY_DEMOTE] = "made small before",
		[WAY_PART] = "made small before in part, and shared",
	};
	struct line l;

	if (way == WAY_NOTHING)
		return;
	PROBE2(fork, a->bytes, names[way]);
	if (out_level() < 3)
		return;
	line_start(&l);
	line_text(&l, "libhresv: fork: ");
	line_size(&l, a->bytes);
	line_text(&l, " huge, ");
	line_text(&l, names[way]);
	line_send(&l);
}

static void act(enum way way)
{
	if (way != WAY_NOTHING)
		slack_hold();		/* others may have taken it the last time */
	if (way == WAY_COPY && sys_pipe(fk.done) != 0) {
		fk.done[0] = fk.done[1] = 0;
		way = fk.way = WAY_DEMOTE;
	}
	if (way == WAY_COW) {
		rescue_arm();
		copier_hold();
		if (cow_begin() != 0) {
			copier_let_go();
			way = fk.way = WAY_DEMOTE;
		}
	}
	if (way == WAY_DEMOTE && fk.shares_files)
		stake_make_small(writers_are_one());
	else if (way == WAY_DEMOTE && stake_share_rest(writers_are_one(), &fk.promise))
		fk.way = WAY_PART;
	if (way != WAY_NOTHING)
		rescue_arm();
}

static void act_now(void)
{
	act(fk.way);
}

static void prepare(bool shares_files)
{
	const struct conf *conf = conf_get();
	struct stake a = { 0 };
	struct quiet q;

	quiet_enter(&q);
	gate_close();
	fk.quiet = q;
	fk.way = WAY_NOTHING;
	fk.shares_files = shares_files;
	if (!conf || !conf->active)
		return;
	demote_shared_no_more();
	self_mark();
	reserve_freeze();
	a = stake_now();
	fk.way = choose(conf, &a);
	if (fk.way == WAY_NOTHING || fk.way == WAY_SHARE)
		act_now();
	else
		stake_run_beside(act_now);
	tell(fk.way, &a);
	attach_freeze();
	plan_freeze();
	promote_freeze();
	dead_freeze();
	front_freeze();
}

void fork_prepare(void)
{
	prepare(false);
}

void fork_prepare_flags(unsigned long clone_flags)
{
	prepare(clone_flags & CLONE_FILES);
}

static void wait_for_child(void)
{
	char byte;

	sys_close(fk.done[1]);
	while (sys_read(fk.done[0], &byte, 1) == -EINTR)
		;
	sys_close(fk.done[0]);
	fk.done[0] = fk.done[1] = 0;
}

static void reopen(void)
{
	const struct quiet q = fk.quiet;

	gate_open();
	quiet_leave(&q);
}

void fork_parent(void)
{
	const struct conf *conf = conf_get();

	if (conf && conf->active) {
		front_thaw();
		dead_thaw();
		promote_thaw();
		plan_thaw();
		attach_thaw();
		reserve_thaw();
	}
	promise_end(&fk.promise);
	if (fk.way == WAY_COPY)
		wait_for_child();
	if (fk.way == WAY_COW)
		copier_let_go();
	reopen();
}

/* Nobody else is here yet: no writers to hold. The parent waits, or copies for itself. */
static void take_own(void)
{
	stake_make_small(true);
	sys_close(fk.done[0]);
	sys_close(fk.done[1]);
	fk.done[0] = fk.done[1] = 0;
}

/*
 * If nobody shares anything any more, the thread ends: not before all is protected. Where
 * there can be no thread, this one copies: nobody else is here, no writers to hold.
 */
static void begin_copying(void)
{
	int err;

	copier_hold();
	err = cow_begin();
	copier_let_go();
	if (err)
		stake_make_small(true);
}

void fork_child(void)
{
	const struct quiet q = fk.quiet;

	renew(fk.shares_files);
	if (!fk.shares_files)
		promise_end(&fk.held);
	fk.held = fk.promise;
	fk.promise.n = 0;
	if (fk.way == WAY_COPY)
		stake_run_beside(take_own);
	if (fk.way == WAY_COW)
		stake_run_beside(begin_copying);
	quiet_leave(&q);
}

/* Of several threads that see it at once, one does. */
static void let_go(void)
{
	struct promise p = { .n = __atomic_exchange_n(&fk.held.n, 0, __ATOMIC_ACQ_REL) };

	for (size_t i = 0; i < p.n; i++)
		p.kept[i] = fk.held.kept[i];
	promise_end(&p);
}

void fork_review(void)
{
	uintptr_t hint = 0;
	uint64_t now;
	int fd;

	if (!__atomic_load_n(&fk.held.n, __ATOMIC_RELAXED))
		return;
	now = sys_now_ns();
	if (now - __atomic_load_n(&fk.reviewed_at, __ATOMIC_RELAXED) < REVIEW_AGAIN_NS)
		return;
	__atomic_store_n(&fk.reviewed_at, now, __ATOMIC_RELAXED);
	fd = sharing_open();
	if (fd < 0)
		return;
	if (!sharing_any(fd, &hint))
		let_go();
	sys_close(fd);
}

bool fork_end_thread(void)
{
	struct quiet q;
	bool was;

	quiet_enter(&q);
	gate_close();
	was = cow_copy_all();
	gate_open();
	quiet_leave(&q);
	if (was)
		copier_wait_end();
	return was;
}

bool fork_is_refused(void)
{
	const struct conf *conf = conf_get();
	struct promise p = { 0 };
	struct stake a;
	struct quiet q;
	bool enough;

	if (!conf || !conf->active || conf->fork != FORK_REFUSE)
		return false;
	a = stake_now();
	if (!a.bytes)
		return false;
	quiet_enter(&q);
	enough = stake_promise(&a, &p);
	promise_end(&p);
	quiet_leave(&q);
	return !enough;
}
