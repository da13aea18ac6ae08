/* SPDX-License-Identifier: MIT */
/*
 * reserve.c - the turn, the limits, all or nothing; and shared reservations
 *
 * Pitfalls.
 * 1. Nobody steps out of the gate while a reservation is made: a fork child would
 *    inherit a descriptor that nobody knows, and the pages with it. Fork waits.
 * 2. HUGETLB_LIMIT bounds what threads take together, so bytes are counted first and
 *    looked at then.
 */
#include "core/reserve.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/act/promise.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/act/turn.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/fork.h"
#include "core/limit.h"
#include "core/plan.h"
#include "core/reserve_own.h"
#include "core/route.h"

static struct reserve_list list = { .lock = LOCK_INIT(LOCK_RESERVE) };

struct reserve_list *reserve_list(void)
{
	return &list;
}

enum reason reserve_blame(size_t page_bytes, size_t pages, const struct node_want *nodes)
{
	const bool one = nodes->way == NODE_ONE;
	struct limit l;

	if (limit_read(page_bytes, one ? nodes->node : LIMIT_ALL_NODES, &l) == 0 && l.pages < pages)
		return l.binds;
	return one ? REASON_NODE_SHORT : REASON_POOL_SHORT;
}

/* May so much be taken at all? Counted by stats_hold() then. */
static int admit(size_t bytes, size_t page_bytes, int turn_fd)
{
	const struct conf *conf = conf_get();
	const size_t pages = bytes / page_bytes;

	if (plan_charged_to_memory())
		return RESERVE_SHORT(REASON_MEMCG);
	if (promise_leaves(turn_fd, page_bytes, pages) < pages)
		return RESERVE_SHORT(REASON_POOL_SHORT);
	stats_hold(bytes);
	if (stats_held() > conf->limit) {
		stats_release(bytes);
		return RESERVE_SHORT(REASON_BUDGET);
	}
	if (conf->keep_free && plan_budget(page_bytes, NULL).pages < pages) {
		stats_release(bytes);
		return RESERVE_SHORT(reserve_blame(page_bytes, pages, &(struct node_want){ 0 }));
	}
	return 0;
}

static int make_shared(const struct reserve_want *want, size_t page_bytes, struct reservation *r)
{
	const size_t pages = r->pages;
	int err = hold_reserve(page_bytes, pages, plan_path(page_bytes), &r->hold);

	if (err)
		return err;
	err = hold_populate(&r->hold, &want->nodes);
	if (err)
		hold_drop(&r->hold);
	else
		hold_settle(&r->hold);
	return err;
}

/* In pages of one size. */
static int make_sized(const struct reserve_want *want, size_t page_bytes, int turn_fd,
		      struct reservation **ret)
{
	const size_t bytes = align_up(want->bytes, page_bytes), pages = bytes / page_bytes;
	const size_t record_bytes = sizeof(struct reservation) + (want->is_private ? pages : 0);
	struct reservation *r;
	int err;

	r = mem_pages(record_bytes);
	if (!r)
		return -ENOMEM;
	*r = (struct reservation){ .is_private = want->is_private, .page_bytes = page_bytes,
				   .record_bytes = record_bytes, .pages = pages, .hold = { .fd = -1 } };
	err = admit(bytes, page_bytes, turn_fd);
	if (!err) {
		r->counted = true;
		err = want->is_private ? reserve_private_make(want, page_bytes, r)
				       : make_shared(want, page_bytes, r);
		if (err)
			stats_release(bytes);
		if (err == -ENOMEM || err == -ENOSPC)
			err = RESERVE_SHORT(reserve_blame(page_bytes, pages, &want->nodes));
	}
	if (err) {
		mem_pages_free(r, record_bytes);
		return err;
	}
	*ret = r;
	return 0;
}

struct turns {
	struct turn of[PAGESIZE_MAX];
};

static int make_one(const struct reserve_want *want, const struct turns *t, struct reservation **ret)
{
	const struct pagesizes *sizes = plan_sizes();
	int err = -ENOENT;

	for (size_t i = sizes->n; i-- > 0;) {
		const size_t page = sizes->bytes[i];
		int now;

		if (page > want->page_bytes || page < GRANULE ||
		    (page < want->page_bytes && !want->ladder))
			continue;
		if (align_up_overflows(want->bytes, page))
			return -EOVERFLOW;
		now = make_sized(want, page, t->of[i].fd, ret);
		if (now == 0)
			return 0;
		/* Of a ladder the first rung is what was asked for: its reason counts. */
		if (err == -ENOENT || now > -4096)
			err = now;
		if (now > -4096)
			break;
	}
	return err;
}

/* Every pool that may be drawn from, smallest pages first: two callers can't wait for each other. */
static void take_turns(const struct reserve_want *wants, size_t n, enum turn_kind kind,
		       struct turns *ret)
{
	const struct pagesizes *sizes = plan_sizes();

	for (size_t i = 0; i < PAGESIZE_MAX; i++) {
		bool wanted = false;

		ret->of[i].fd = -1;
		for (size_t k = 0; k < n && i < sizes->n; k++)
			wanted = wanted || wants[k].page_bytes == sizes->bytes[i] ||
				 (wants[k].ladder && wants[k].page_bytes > sizes->bytes[i] &&
				  sizes->bytes[i] >= GRANULE);
		if (wanted)
			ret->of[i] = turn_take(kind, sizes->bytes[i]);
	}
}

static void drop(struct reservation *r)
{
	if (r->is_private) {
		reserve_private_drop(r);
	} else {
		size_t bytes = 0;

		if (r->counted && hold_bytes(&r->hold, &bytes) == 0)
			stats_release(bytes);
		hold_drop(&r->hold);
	}
	mem_pages_free(r, r->record_bytes);
}

static int make_all(const struct reserve_want *wants, size_t n, enum turn_kind kind,
		    struct reservation **ret)
{
	struct turns t;
	size_t done = 0;
	int err = 0;

	take_turns(wants, n, kind, &t);
	while (done < n && !err) {
		err = make_one(&wants[done], &t, &ret[done]);
		done += !err;
	}
	while (err && done > 0)
		drop(ret[--done]);
	for (size_t i = PAGESIZE_MAX; i-- > 0;)
		turn_drop(&t.of[i]);
	return err;
}

static void account(const struct reserve_want *wants, size_t n, int err)
{
	for (size_t i = 0; i < n; i++) {
		stats_request(USE_MMAP, wants[i].bytes);
		if (!err)
			stats_huge(USE_MMAP, wants[i].bytes);
		else if (err <= -4096)
			stats_small(USE_MMAP, wants[i].bytes, (enum reason)(-err - 4096));
	}
}

/*
 * Together with others first. Who then comes up short may only have met somebody who
 * holds pages for the moment: so once more, alone.
 */
int reserve_all(const struct reserve_want *wants, size_t n, struct reservation **ret)
{
	const struct conf *conf = conf_get();
	struct quiet q;
	int err;

	if (!conf || !conf->active)
		return RESERVE_SHORT(REASON_FILTERED);
	gate_enter(&q);
	fork_review();
	err = make_all(wants, n, conf->keep_free ? TURN_ALONE : TURN_TOGETHER, ret);
	if (err <= -4096)
		err = make_all(wants, n, TURN_ALONE, ret);
	account(wants, n, err);
	gate_leave(&q);
	return err;
}

int reserve_open(int fd, struct reservation **ret)
{
	struct reservation *r = mem_pages(sizeof(*r));
	struct quiet q;
	int err;

	if (!r)
		return -ENOMEM;
	*r = (struct reservation){ .record_bytes = sizeof(*r), .hold = { .fd = -1 } };
	gate_enter(&q);
	err = hold_open(fd, &r->hold);
	gate_leave(&q);
	if (err) {
		mem_pages_free(r, sizeof(*r));
		return err;
	}
	r->page_bytes = r->hold.page_bytes;
	*ret = r;
	return 0;
}

int reserve_info(struct reservation *r, struct reserve_info *ret_info)
{
	struct reserve_info info = { .page_bytes = r->page_bytes, .is_private = r->is_private };
	int err = 0;
	struct quiet q;

	if (!r->is_private) {
		err = hold_bytes(&r->hold, &info.bytes);
	} else {
		gate_enter(&q);
		lock_take(&list.lock);
		for (size_t i = 0; i < r->pages; i++)
			*(r->state[i] == PAGE_LOST ? &info.lost_bytes : &info.bytes) += r->page_bytes;
		err = r->stale ? -ESTALE : 0;
		lock_drop(&list.lock);
		gate_leave(&q);
	}
	if (!err)
		*ret_info = info;
	return err;
}

int reserve_fd(const struct reservation *r)
{
	return r->is_private ? -EOPNOTSUPP : r->hold.fd;
}

/* As a file of the program's own that it has mapped: its semantics are the kernel's. */
static void publish(uintptr_t at, size_t bytes, int prot, size_t page_bytes)
{
	if (page_bytes >= GRANULE && pagemap_prepare(at, at + bytes) == 0)
		pagemap_set(at, at + bytes, word_make(PAGE_GUARDED, prot, page_bytes, USE_MMAP) |
						    WORD_SHARED | WORD_FILE);
}

static int check_part(struct reservation *r, size_t offset, size_t *bytes)
{
	size_t has = r->pages * r->page_bytes;
	int err = r->is_private ? 0 : hold_bytes(&r->hold, &has);

	if (err)
		return err;
	if (!is_aligned(offset, r->page_bytes) || !is_aligned(*bytes, r->page_bytes))
		return -EINVAL;
	if (offset >= has || *bytes > has - offset)
		return -ERANGE;
	if (*bytes == 0)
		*bytes = has - offset;
	return 0;
}

long reserve_map(struct reservation *r, size_t offset, size_t bytes, int prot)
{
	long at = check_part(r, offset, &bytes);
	struct quiet q;

	if (at)
		return at;
	gate_enter(&q);
	if (r->is_private) {
		at = reserve_private_map(r, offset / r->page_bytes, bytes / r->page_bytes, prot);
	} else {
		at = hold_map(&r->hold, offset, bytes, prot);
		if (!sys_failed(at))
			publish((uintptr_t)at, bytes, prot, r->page_bytes);
	}
	gate_leave(&q);
	return at;
}

int reserve_unmap(struct reservation *r, uintptr_t at, size_t bytes)
{
	struct quiet q;
	size_t first;
	int err;

	if (!is_aligned(at, r->page_bytes) || !is_aligned(bytes, r->page_bytes) || bytes == 0 ||
	    at + bytes < at)
		return -EINVAL;
	if (!r->is_private)
		return (int)route_unmap(at, bytes);
	first = (at - r->at) / r->page_bytes;
	if (at < r->at || first >= r->pages || bytes / r->page_bytes > r->pages - first)
		return -EINVAL;
	gate_enter(&q);
	err = reserve_private_unmap(r, first, bytes / r->page_bytes);
	gate_leave(&q);
	return err;
}

static int shrink_shared(struct reservation *r, size_t bytes)
{
	size_t had;
	int err = hold_bytes(&r->hold, &had);

	if (!err && bytes > had)
		err = -ERANGE;
	if (!err)
		err = hold_cut(&r->hold, bytes);
	if (!err && r->counted)
		stats_release(had - bytes);
	return err;
}

int reserve_shrink(struct reservation *r, size_t bytes)
{
	struct quiet q;
	int err;

	if (align_up_overflows(bytes, r->page_bytes))
		return -ERANGE;
	bytes = align_up(bytes, r->page_bytes);
	gate_enter(&q);
	err = r->is_private ? reserve_private_shrink(r, bytes / r->page_bytes)
			    : shrink_shared(r, bytes);
	gate_leave(&q);
	return err;
}

void reserve_release(struct reservation *r)
{
	struct quiet q;

	gate_enter(&q);
	drop(r);
	gate_leave(&q);
}

void reserve_freeze(void)
{
	lock_take(&list.lock);
}

void reserve_thaw(void)
{
	lock_drop(&list.lock);
}
