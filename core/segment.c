/* SPDX-License-Identifier: MIT */
/*
 * segment.c - make a segment huge, and prove it before its id is told
 *
 * Pitfalls.
 * 1. A key is visible to everybody the moment shmget() returns. A huge segment
 *    that then fails its proof would have to be removed under whoever looked it
 *    up meanwhile. So where proof takes pages, a nameless segment of the same
 *    size is proven first, and the keyed one only made when that worked; both
 *    with the turn to ourselves.
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

/* A nameless segment of the same size, gone again: 0, or why it can't be. */
static enum reason rehearse(const struct wish *w)
{
	long id = sys_shmget(IPC_PRIVATE, w->bytes, (huge_flags(w) & ~IPC_EXCL) | 0600);
	bool proven;

	if (id == -EPERM)
		return REASON_EPERM;
	if (id < 0)
		return plan_blame(w->page, NULL);
	proven = prove((int)id, whole_bytes(w), w->page);
	sys_shmctl((int)id, IPC_RMID, NULL);
	return proven ? REASON_NONE : plan_blame(w->page, NULL);
}

static enum reason may_take(const struct wish *w)
{
	const struct conf *conf = conf_get();
	uint64_t pages = whole_bytes(w) / w->page;

	if (plan_charged_to_memory())
		return REASON_MEMCG;
	if (budget_own_pages(conf->limit, stats_held(), w->page) < pages)
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
	long id;

	*ret_why = may_take(w);
	if (*ret_why == REASON_NONE && keyed && !lazy)
		*ret_why = rehearse(w);
	if (*ret_why != REASON_NONE)
		return *ret_why == REASON_EPERM ? -EPERM : -ENOMEM;
	id = sys_shmget(w->key, w->bytes, huge_flags(w) | (keyed ? IPC_EXCL : 0));
	if (id == -EPERM)
		*ret_why = REASON_EPERM;
	else if (id < 0 && id != -EEXIST)
		*ret_why = plan_blame(w->page, NULL);
	if (id < 0 || lazy || prove((int)id, whole_bytes(w), w->page))
		return id;
	sys_shmctl((int)id, IPC_RMID, NULL);
	*ret_why = plan_blame(w->page, NULL);
	return -ENOMEM;
}

static void tell(const struct wish *w, size_t huge, enum reason why)
{
	if (w->own) {
		stats_guarded(whole_bytes(w), why);
		stats_tell("own huge shmget", w->bytes, huge, why, NULL);
		return;
	}
	stats_request(USE_SHM, w->bytes);
	stats_huge(USE_SHM, huge);
	if (!huge)
		stats_small(USE_SHM, w->bytes, why);
	stats_tell("shmget", w->bytes, huge, why, NULL);
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
	if (!w.own && !conf->shm.on)
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
	id = make(&w);
	gate_leave(&q);
	return id;
}

/* SHM_REMAP over memory of ours replaces it at the program's page lines, not ours. */
static long attach_over(int id, uintptr_t at, int flags)
{
	const size_t page = mem_page_bytes();
	struct shmid_ds ds;
	struct way w;
	uintptr_t hi;
	long got;

	if (flags & SHM_RND)
		at = align_down(at, SHMLBA);
	if (!(flags & SHM_REMAP) || !is_aligned(at, page) || sys_shmctl(id, IPC_STAT, &ds) != 0 ||
	    align_up_overflows(ds.shm_segsz, page))
		return sys_shmat(id, at, flags);
	hi = at + align_up(ds.shm_segsz, page);
	if (hi <= at || !pagemap_any(at, hi))
		return sys_shmat(id, at, flags);
	if (undo_clear_way(at, hi, REASON_DEMOTED_MUNMAP, &w) != 0)
		return -ENOMEM;
	got = w.lo == at && w.hi == hi ? sys_shmat(id, at, flags) : -ENOMEM;
	if (sys_failed(got))
		undo_restore(&w);
	else
		undo_done(&w);
	return got;
}

long segment_attach(int id, uintptr_t at, int flags)
{
	const struct conf *conf = conf_get();
	struct shmid_ds ds;
	struct quiet q;
	long got;

	if (!conf || !conf->active)
		return sys_shmat(id, at, flags);
	gate_enter(&q);
	got = attach_over(id, at, flags);
	if (!sys_failed(got) && is_aligned((uintptr_t)got, GRANULE) &&
	    sys_shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_segsz >= GRANULE / 2)
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

	if (!pagemap_get(at))
		return sys_shmdt(at);
	gate_enter(&q);
	attach_forget(at, &was);
	err = sys_shmdt(at);
	if (err)
		attach_restore(&was);
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
