/* SPDX-License-Identifier: MIT */
/*
 * segment.c - make a segment huge, and prove it before its id is told
 *
 * Pitfalls.
 * 1. A key is visible to everybody the moment shmget() returns. A huge segment
 *    that then fails its proof would have to be removed under whoever looked it
 *    up meanwhile. So where proof takes pages, a shared mapping of the same size
 *    is proven first, and the keyed one only made when that worked; both with the
 *    turn to ourselves. Not a second segment: that would outlive kill -9.
 * 2. Whether shmget() made the segment or found it, only IPC_EXCL tells.
 * 3. shmget() says EPERM for huge pages without the right to them, which it
 *    never says for small ones: it must not reach the program.
 */
#include "core/segment.h"

#include <errno.h>
#include <linux/mman.h>
#include <stdbool.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "core/act/attach.h"
#include "core/act/backing.h"
#include "core/act/line.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/act/undo.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/decide/eligible.h"
#include "core/facts/conf.h"
#include "core/facts/policy.h"
#include "core/plan.h"

#ifndef SHM_HUGETLB
#define SHM_HUGETLB 04000
#endif
#define SIZE_FLAGS (MAP_HUGE_MASK << MAP_HUGE_SHIFT)

/* What shall be made. */
struct wish {
	int key;
	size_t bytes;
	int flags;		/* as the program said */
	size_t page;
	bool own;		/* the program itself said SHM_HUGETLB */
};

static int huge_flags(const struct wish *w)
{
	return (w->flags & ~(SIZE_FLAGS | SHM_NORESERVE)) | SHM_HUGETLB |
	       (int)(log2_of(w->page) << MAP_HUGE_SHIFT);
}

static size_t whole_bytes(const struct wish *w)
{
	return align_up(w->bytes, w->page);
}

static long as_asked(const struct wish *w)
{
	return sys_shmget(w->key, w->bytes, w->flags);
}

/* Attaches, populates and detaches: the pages stay with the segment. */
static bool prove(int id, size_t bytes, size_t page)
{
	long at = sys_shmat(id, 0, 0);
	size_t have;

	if (sys_failed(at))
		return false;
	have = backing_populate((uintptr_t)at, bytes / page, page);
	sys_shmdt((uintptr_t)at);
	return have == bytes / page;
}

static enum reason refused(const struct wish *w, long err)
{
	return err == -EPERM ? REASON_EPERM : plan_blame(w->page, NULL);
}

/* What shmget() would have said before it came to think of pages: 0, or -errno. */
static long refused_anyway(const struct wish *w)
{
	struct shminfo most;
	bool may = true;

	if (sys_shmctl(0, IPC_INFO, &most) >= 0 && w->bytes > most.shmmax)
		return -EINVAL;
	if (policy_may_shm_hugetlb("", &may) == 0 && !may)
		return -EPERM;
	return 0;
}

/* As many pages, shared, in a mapping that is gone again: 0, or -errno. */
static long rehearse(const struct wish *w)
{
	const struct backing how = {
		.page_bytes = w->page,
		.prot = PROT_READ | PROT_WRITE,
		.shared = true,
		.whole = true,
		.turn_held = true,
	};
	uintptr_t at;
	size_t got;
	int err = backing_make(&how, whole_bytes(w) / w->page, 0, &at, &got);
	long other;

	if (!err)
		return sys_munmap(at, whole_bytes(w));
	other = refused_anyway(w);
	return other ? other : -ENOMEM;
}

/*
 * Made with rights enough to attach it, whatever the program wants it to have: that
 * is set when the proof is done, as nobody can prove what he may not write.
 */
static bool set_mode(int id, int mode)
{
	struct shmid_ds ds;

	if ((mode & 0600) == 0600)
		return true;
	if (sys_shmctl(id, IPC_STAT, &ds) != 0)
		return false;
	ds.shm_perm.mode = (unsigned short)((ds.shm_perm.mode & ~0777) | (mode & 0777));
	return sys_shmctl(id, IPC_SET, &ds) == 0;
}

static enum reason may_take(const struct wish *w)
{
	const struct conf *conf = conf_get();
	uint64_t pages = whole_bytes(w) / w->page;

	if (plan_charged_to_memory())
		return REASON_MEMCG;
	if (budget_own_pages(conf->limit, plan_taken(whole_bytes(w)), w->page) < pages)
		return REASON_BUDGET;
	if (conf->keep_free) {
		struct budget b = plan_budget(w->page, NULL);

		if (b.pages < pages)
			return b.binds;
	}
	return REASON_NONE;
}

/*
 * The huge segment, proven. *ret_why says why there is none; then the value is
 * -errno: -EEXIST when the key is taken, -EPERM without the right.
 */
static long make_huge(const struct wish *w, bool lazy, enum reason *ret_why)
{
	bool keyed = w->key != IPC_PRIVATE;
	long id = 0;

	*ret_why = may_take(w);
	if (*ret_why != REASON_NONE)
		return -ENOMEM;
	if (keyed && !lazy)
		id = rehearse(w);
	if (id == 0)
		id = sys_shmget(w->key, w->bytes,
				huge_flags(w) | (keyed ? IPC_EXCL : 0) | (lazy ? 0 : 0600));
	if (id < 0 && id != -EEXIST)
		*ret_why = refused(w, id);
	if (id < 0 || lazy)
		return id;
	if (prove((int)id, whole_bytes(w), w->page) && set_mode((int)id, w->flags))
		return id;
	sys_shmctl((int)id, IPC_RMID, NULL);
	*ret_why = plan_blame(w->page, NULL);
	return -ENOMEM;
}

static void tell(const struct wish *w, size_t huge, enum reason why)
{
	if (!w->own) {
		stats_request(USE_SHM, w->bytes);
		stats_huge(USE_SHM, huge);
		if (!huge)
			stats_small(USE_SHM, w->bytes, why);
	}
	stats_decide(&(struct decision){ .call = w->own ? "own huge shmget" : "shmget",
					 .use = USE_SHM, .own = w->own,
					 .asked = w->own ? whole_bytes(w) : w->bytes,
					 .huge = huge, .page_bytes = w->page, .why = why });
}

static long without_huge(const struct wish *w, long err, enum reason why)
{
	const struct conf *conf = conf_get();
	struct wish small = *w;

	tell(w, 0, why);
	if (w->own && conf->explicit_requests == EXPLICIT_FAIL)
		return err;
	if (!w->own && conf->fallback == FALLBACK_FAIL)
		return -ENOMEM;
	small.flags &= ~(SHM_HUGETLB | SIZE_FLAGS);
	if (!w->own)
		small.flags = w->flags;
	return as_asked(&small);
}

/* Somebody made it before, huge or small: then there is nothing to prove. */
static bool is_there(const struct wish *w)
{
	return w->key != IPC_PRIVATE && sys_shmget(w->key, 0, 0) != -ENOENT;
}

/* Called as a guest of the gate. */
static long make(const struct wish *w)
{
	bool lazy = plan_reservation_proves(w->page);
	struct turn t = { .fd = -1 };
	enum reason why;
	long id;

	if (!lazy || conf_get()->keep_free)
		t = turn_take(TURN_ALONE, w->page);
	id = make_huge(w, lazy, &why);
	if (id == -EEXIST && !(w->flags & IPC_EXCL))
		id = as_asked(w);
	else if (id < 0 && id != -EEXIST)
		id = without_huge(w, id, why);
	else if (id >= 0) {
		tell(w, whole_bytes(w), REASON_NONE);
		attach_note_made((int)id, whole_bytes(w));
	}
	turn_drop(&t);
	return id;
}

static bool is_known_size(size_t page)
{
	const struct pagesizes *sizes = plan_sizes();

	for (size_t i = 0; i < sizes->n; i++)
		if (sizes->bytes[i] == page)
			return true;
	return false;
}

/* True when this call makes a segment that shall be huge; fills *ret_wish. */
static bool wishes_huge(int key, size_t bytes, int flags, struct wish *ret_wish)
{
	const struct conf *conf = conf_get();
	struct wish w = { .key = key, .bytes = bytes, .flags = flags };

	if (!conf || !conf->active || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
		return false;
	w.own = flags & SHM_HUGETLB;
	if (w.own ? conf->explicit_requests == EXPLICIT_KERNEL : !conf->shm.on)
		return false;
	w.page = w.own ? eligible_flag_size(flags) : plan_page_bytes(USE_SHM);
	if (w.own && !w.page)
		w.page = plan_sizes()->default_bytes;
	if (!w.page || !is_known_size(w.page) || align_up_overflows(bytes, w.page) || bytes == 0)
		return false;
	*ret_wish = w;
	return true;
}

/* Why a new segment of at least one huge page is left alone all the same. */
static enum reason left_alone(const struct wish *w)
{
	if (w->bytes < w->page)
		return REASON_TOO_SMALL;
	if (w->flags & SHM_NORESERVE)
		return REASON_NORESERVE;
	if ((w->flags & 0600) != 0600)
		return REASON_NOT_WRITABLE;
	if (plan_has_little_room())
		return REASON_NO_MEMORY;
	return REASON_NONE;
}

long segment_get(int key, size_t bytes, int flags)
{
	enum reason why;
	struct quiet q;
	struct wish w;
	long id;

	if (!wishes_huge(key, bytes, flags, &w))
		return sys_shmget(key, bytes, flags);
	why = w.own ? REASON_NONE : left_alone(&w);
	if (why != REASON_NONE) {
		if (why != REASON_TOO_SMALL)
			tell(&w, 0, why);
		return as_asked(&w);
	}
	gate_enter(&q);
	id = is_there(&w) ? as_asked(&w) : make(&w);
	gate_leave(&q);
	return id;
}

/* SHM_REMAP over memory of ours: its words go with it. */
static long attach_over(int id, uintptr_t at, int flags, size_t bytes)
{
	const size_t small = mem_page_bytes();
	uintptr_t lo = flags & SHM_RND ? align_down(at, small) : at;
	struct way w;
	long got = undo_clear_way(lo, lo + align_up(bytes, small), REASON_DEMOTED_MUNMAP, &w);

	if (got)
		return got;
	if (w.lo != lo || w.hi != lo + align_up(bytes, small)) {
		/* A page of ours that can't be split is not replaced in part. */
		undo_restore(&w);
		return -ENOMEM;
	}
	got = sys_shmat(id, at, flags);
	if (sys_failed(got))
		undo_refused(&w);
	else
		undo_done(&w);
	return got;
}

static bool replaces(uintptr_t at, int flags, size_t bytes)
{
	return (flags & SHM_REMAP) && at && bytes && !align_up_overflows(at + bytes, GRANULE) &&
	       ((flags & SHM_RND) || is_aligned(at, mem_page_bytes())) &&
	       pagemap_any(at, at + bytes);
}

/* Wherever the kernel likes, but where processes share page tables if that is free. */
static long attach_anywhere(int id, int flags, size_t bytes)
{
	const uintptr_t line = flags & SHM_REMAP ? 0 : line_for(bytes, 0);
	long got = line ? sys_shmat(id, line, flags) : -EINVAL;

	return got == -EINVAL || got == -ENOMEM ? sys_shmat(id, 0, flags) : got;
}

long segment_attach(int id, uintptr_t at, int flags)
{
	const struct conf *conf = conf_get();
	struct shmid_ds ds = { .shm_segsz = 0 };
	struct quiet q;
	long err, got;

	if (!conf || !conf->active)
		return sys_shmat(id, at, flags);
	gate_enter(&q);
	err = sys_shmctl(id, IPC_STAT, &ds);
	if (err)
		ds.shm_segsz = 0;
	/* Who may attach may ask; if not, how much it would replace isn't known. */
	if (err && at && (flags & SHM_REMAP))
		got = err;
	else if (replaces(at, flags, ds.shm_segsz))
		got = attach_over(id, at, flags, ds.shm_segsz);
	else if (!at)
		got = attach_anywhere(id, flags, ds.shm_segsz);
	else
		got = sys_shmat(id, at, flags);
	if (!sys_failed(got) && is_aligned((uintptr_t)got, GRANULE) &&
	    ds.shm_segsz >= GRANULE / 2)
		attach_note((uintptr_t)got, ds.shm_segsz,
			    flags & SHM_RDONLY ? PROT_READ : PROT_READ | PROT_WRITE);
	gate_leave(&q);
	return got;
}

long segment_detach(uintptr_t at)
{
	struct attach_was was;
	struct quiet q;
	long err;

	if (!attach_any() && !pagemap_get(at))
		return sys_shmdt(at);
	gate_enter(&q);
	attach_forget(at, &was);
	err = sys_shmdt(at);
	if (err)
		attach_restore(&was);
	else
		attach_forgotten(&was);
	gate_leave(&q);
	return err;
}

long segment_control(int id, int command, void *buf)
{
	long value = sys_shmctl(id, command, buf);

	if (value == 0 && command == IPC_RMID)
		attach_note_removed(id);
	return value;
}
