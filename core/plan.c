/* SPDX-License-Identifier: MIT */
/*
 * plan.c - facts in, ladder out
 *
 * Small requests are planned without reading a counter: trying costs less than
 * asking (an mmap and a refused populate are 10 us, five counters 30 us). What
 * must be known before the first touch whatever the size, memcg accounting, is
 * kept for a second.
 */
#include "core/plan.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include "core/act/attach.h"
#include "core/act/pagemap.h"
#include "core/act/promise.h"
#include "core/act/stats.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/narrow.h"
#include "core/base/out.h"
#include "core/base/sys.h"
#include "core/facts/conf.h"
#include "core/facts/linux.h"
#include "core/facts/maps.h"
#include "core/facts/policy.h"

#define READ_POOL_FROM_PAGES 16
#define MEMORY_CHARGE_KEPT_NS 1000000000u
#define BLAME_KEPT_NS 100000000u
#define COUNT_FROM 512
#define ADDRESSES_LEAST ((uint64_t)1 << 30)
#define DATA_LEAST ((uint64_t)256 << 20)

/*
 * lock guards everything behind it but @sizes, which is written once before
 * @sizes_read is published. System calls are made under it: it is held by
 * guests of the gate only, one at a time reads the facts for all.
 */
static struct {
	struct lock lock;
	bool sizes_read;
	struct pagesizes sizes;
	struct blob paths;
	uint64_t asked, count_at;	/* atomic: requests, and when to count mappings */
	bool mappings_short;		/* atomic */
	uint64_t seen_at;		/* atomic: a path, and in bit 0 if its mount has a minimum */
	uint64_t charge_read_at;
	bool charged;
	uint64_t blamed_at;
	size_t blamed_page;
	enum reason blamed;
} facts = { .lock = LOCK_INIT(LOCK_FACTS), .count_at = COUNT_FROM };

const struct pagesizes *plan_sizes(void)
{
	if (!__atomic_load_n(&facts.sizes_read, __ATOMIC_ACQUIRE)) {
		struct quiet q;

		quiet_enter(&q);
		lock_take(&facts.lock);
		if (!facts.sizes_read) {
			if (pagesize_read("", &facts.sizes) != 0 &&
			    pagesize_probe(&facts.sizes) != 0)
				facts.sizes.n = 0;
			__atomic_store_n(&facts.sizes_read, true, __ATOMIC_RELEASE);
		}
		lock_drop(&facts.lock);
		quiet_leave(&q);
	}
	return &facts.sizes;
}

static bool has_size(const struct pagesizes *sizes, size_t bytes)
{
	for (size_t i = 0; i < sizes->n; i++)
		if (sizes->bytes[i] == bytes)
			return true;
	return false;
}

/* The page size that @use's own variable names; 0: none. */
static size_t own_page_bytes(const struct conf *conf, enum use use)
{
	switch (use) {
	case USE_SHM:
		return conf->shm.page_bytes;
	case USE_MALLOC:
		return conf->morecore.page_bytes;
	case USE_TEXT:
		return conf->elf.read_page_bytes;
	case USE_DATA:
		return conf->elf.write_page_bytes;
	default:
		return conf->mmap.page_bytes;
	}
}

size_t plan_page_bytes(enum use use)
{
	const struct pagesizes *sizes = plan_sizes();
	const struct conf *conf = conf_get();

	if (!conf || sizes->n == 0)
		return 0;

	size_t own = own_page_bytes(conf, use);

	if (own && has_size(sizes, own))
		return own;
	if (conf->page_bytes && has_size(sizes, conf->page_bytes))
		return conf->page_bytes;
	return sizes->default_bytes;
}

bool plan_charged_to_memory(void)
{
	uint64_t now = sys_now_ns();
	struct quiet q;
	bool charged;

	quiet_enter(&q);
	lock_take(&facts.lock);
	if (!facts.charge_read_at || now - facts.charge_read_at > MEMORY_CHARGE_KEPT_NS) {
		/* Unreadable groups mean no cgroup2 mount we could see: not charged. */
		facts.charged = false;
		cgroup_charges_memory("", &facts.charged);
		facts.charge_read_at = now;
	}
	charged = facts.charged;
	lock_drop(&facts.lock);
	quiet_leave(&q);
	return charged;
}

/* HUGETLB_PATH as zero-terminated strings, one behind the other, an empty one last. */
static const char *paths(void)
{
	const struct conf *conf = conf_get();
	struct quiet q;

	if (!conf || !conf->paths)
		return "";
	quiet_enter(&q);
	lock_take(&facts.lock);
	if (!facts.paths.at && blob_text(&facts.paths, conf->paths) == 0 &&
	    blob_add(&facts.paths, "", 1) == 0)
		for (size_t i = 0; i < facts.paths.bytes; i++)
			if (facts.paths.at[i] == ':')
				facts.paths.at[i] = '\0';
	lock_drop(&facts.lock);
	quiet_leave(&q);
	return facts.paths.at ? facts.paths.at : "";
}

/*
 * Counting takes long when there are many, so the next count comes when half of
 * what is left to the bound can have been used, each request making two at most.
 */
bool plan_mappings_short(void)
{
	const uint64_t asked = __atomic_add_fetch(&facts.asked, 1, __ATOMIC_RELAXED);
	uint64_t limit, used, left;

	if (asked < __atomic_load_n(&facts.count_at, __ATOMIC_RELAXED))
		return __atomic_load_n(&facts.mappings_short, __ATOMIC_RELAXED);
	if (maps_room("", &limit, &used) != 0)
		limit = used = 0;
	left = limit / 2 > used ? limit / 2 - used : 0;
	__atomic_store_n(&facts.mappings_short, limit && !left, __ATOMIC_RELAXED);
	__atomic_store_n(&facts.count_at, asked + (left / 4 > COUNT_FROM ? left / 4 : COUNT_FROM),
			 __ATOMIC_RELAXED);
	return limit && !left;
}

/*
 * Before Linux 6.18 memory without a reservation from a mount with a minimum spoils the
 * pool's reservations (KERNEL.md 2.3, G): it is taken from the pool then. Mounts are made
 * before the programs that use them: looked at once.
 */
static bool leaks(const char *path)
{
	const uint64_t without = (uint64_t)(uintptr_t)path << 1, seen = __atomic_load_n(&facts.seen_at, __ATOMIC_RELAXED);
	bool has;

	if (linux_is(6, 18))
		return false;
	if ((seen & ~UINT64_C(1)) == without)
		return seen & 1;
	has = mount_may_have_minimum(path);
	__atomic_store_n(&facts.seen_at, without | has, __ATOMIC_RELAXED);
	return has;
}

/* Asked each time: it costs a thousandth of a huge page, and limits change. */
bool plan_has_little_room(void)
{
	return mem_limit(RLIMIT_AS) < ADDRESSES_LEAST || mem_limit(RLIMIT_DATA) < DATA_LEAST;
}

const char *plan_path(size_t page_bytes)
{
	struct mount_room room;

	for (const char *path = paths(); *path; path += span_of(path).bytes + 1)
		if (mount_room_read(path, &room) == 0 && room.page_bytes == page_bytes &&
		    !leaks(path))
			return path;
	return NULL;
}

uint64_t plan_taken(uint64_t more)
{
	const uint64_t limit = conf_get()->limit, taken = stats_held();

	if (limit == UINT64_MAX || (taken <= limit && more <= limit - taken))
		return taken;
	attach_review();
	return stats_held();
}

static void gather(size_t page_bytes, const char *path, struct pool *pool,
		   struct cgroup_hugetlb *groups, struct mount_room *room, struct budget_facts *ret)
{
	const struct conf *conf = conf_get();
	struct policy policy;

	*ret = (struct budget_facts){
		.page_bytes = page_bytes,
		.limit = conf->limit,
		.keep_free = conf->keep_free,
		.taken = plan_taken(page_bytes),
		.charged_to_memory = plan_charged_to_memory(),
	};
	if (pool_read("", page_bytes, pool) == 0) {
		uint64_t promised = promise_pages(page_bytes);

		stats_pool(page_bytes, pool);
		pool->free -= promised < pool->free ? promised : pool->free;
		ret->pool = pool;
	}
	if (groups && cgroup_read_hugetlb("", page_bytes, groups) == 0)
		ret->groups = groups;
	if (path && mount_room_read(path, room) == 0)
		ret->mount = room;
	if (groups && policy_read("", &policy) == 0)
		ret->node_narrowed = policy.narrowed;
}

struct budget plan_budget(size_t page_bytes, const char *path)
{
	struct budget_facts f;
	struct cgroup_hugetlb groups;
	struct mount_room room;
	struct pool pool;
	struct budget b;

	gather(page_bytes, path, &pool, &groups, &room, &f);
	b = budget_of(&f);
	b.where = "";		/* the path lived in @groups */
	return b;
}

static enum reason blamed_lately(size_t page_bytes)
{
	uint64_t now = sys_now_ns();
	enum reason why;

	lock_take(&facts.lock);
	why = facts.blamed_page == page_bytes && now - facts.blamed_at < BLAME_KEPT_NS ?
		      facts.blamed : REASON_NONE;
	lock_drop(&facts.lock);
	return why;
}

/*
 * The pool was empty a moment ago and still is: nothing need be tried. (Surplus
 * pages, and pages that are free but reserved, are found out by trying.)
 */
static bool is_still_empty(size_t page_bytes)
{
	return blamed_lately(page_bytes) == REASON_POOL_SHORT && pool_is_empty(page_bytes);
}

enum reason plan_blame(size_t page_bytes, const char *path)
{
	enum reason why = blamed_lately(page_bytes);
	struct cgroup_hugetlb groups;
	struct budget_facts f;
	struct mount_room room;
	struct pool pool;

	if (why != REASON_NONE)
		return why;

	gather(page_bytes, path, &pool, &groups, &room, &f);
	why = budget_blame(&f);

	lock_take(&facts.lock);
	facts.blamed = why;
	facts.blamed_page = page_bytes;
	facts.blamed_at = sys_now_ns();
	lock_drop(&facts.lock);
	return why;
}

bool plan_reservation_proves(size_t page_bytes)
{
	struct cgroup_hugetlb groups;
	struct policy policy;

	if (cgroup_read_hugetlb("", page_bytes, &groups) != 0 || policy_read("", &policy) != 0)
		return false;
	return budget_reservation_proves(&groups, plan_charged_to_memory(), policy.narrowed);
}

/* What one rung may try; reads the pool only where that pays. */
static struct budget rung_budget(const struct rung *r, size_t pages)
{
	const struct conf *conf = conf_get();
	struct cgroup_hugetlb groups;
	struct budget_facts f;
	struct mount_room room;
	struct pool pool;

	if (!r->how.path && is_still_empty(r->how.page_bytes))
		return (struct budget){ .pages = 0, .binds = REASON_POOL_SHORT };
	if (pages < READ_POOL_FROM_PAGES && !conf->keep_free && !r->how.shared && !r->how.path)
		return (struct budget){ .pages = budget_own_pages(conf->limit,
								  plan_taken(pages * r->how.page_bytes),
								  r->how.page_bytes),
					.binds = REASON_BUDGET };
	/* Shared memory is reserved as a whole or refused: it must not ask for too much. */
	gather(r->how.page_bytes, r->how.path, &pool, r->how.shared ? &groups : NULL, &room, &f);
	if (r->how.path && !conf->keep_free)
		f.pool = NULL;	/* a mount's minimum is reserved in the pool, for us */

	struct budget b = budget_of(&f);

	b.where = "";		/* the path lived in @groups */
	return b;
}

static void add_rung(struct plan *p, const struct backing *like, size_t page_bytes, size_t bytes,
		     uint64_t *own_left)
{
	struct rung r = { .how = *like };
	size_t pages = bytes / page_bytes;
	struct budget b;

	if (p->n == PLACE_RUNGS || pages == 0)
		return;
	r.how.page_bytes = page_bytes;
	r.how.path = plan_path(page_bytes);
	b = rung_budget(&r, pages);
	if (b.pages < pages)
		p->binds = b.binds;
	r.most_pages = b.pages < *own_left / page_bytes ? b.pages : *own_left / page_bytes;
	r.room_pages = b.pages;
	if (r.most_pages == 0 && (b.pages == 0 || p->n == 0))
		return;
	if (like->shared && !r.how.path)
		r.how.lazy = plan_reservation_proves(page_bytes);
	*own_left -= (r.most_pages < pages ? r.most_pages : pages) * page_bytes;
	p->rungs[p->n++] = r;
}

bool plan_has_size(size_t page_bytes)
{
	return page_bytes >= GRANULE && has_size(plan_sizes(), page_bytes);
}

static const char *other_path(size_t page_bytes)
{
	const char *path = conf_other_path(page_bytes);

	return path && leaks(path) ? NULL : path;
}

void plan_make(enum use use, const struct backing *like, size_t bytes, size_t eager_bytes,
	       struct plan *ret_plan)
{
	plan_make_sized(plan_page_bytes(use), false, like, bytes, eager_bytes, ret_plan);
	if ((use != USE_TEXT && use != USE_DATA) || !conf_other_path)
		return;
	for (size_t i = 0; i < ret_plan->n; i++)
		if (!ret_plan->rungs[i].how.path)
			ret_plan->rungs[i].how.path =
				other_path(ret_plan->rungs[i].how.page_bytes);
}

void plan_make_sized(size_t wanted, bool only, const struct backing *like, size_t bytes,
		     size_t eager_bytes, struct plan *ret_plan)
{
	const struct pagesizes *sizes = plan_sizes();
	const struct conf *conf = conf_get();
	uint64_t left = eager_bytes;

	*ret_plan = (struct plan){ .binds = eager_bytes < bytes ? REASON_NOT_YET : REASON_POOL_SHORT,
				   .turn_needed = conf->keep_free != 0 };
	if (door_is_narrow()) {
		ret_plan->binds = REASON_SECCOMP;
		return;
	}
	if (plan_charged_to_memory() || plan_mappings_short()) {
		ret_plan->binds = plan_charged_to_memory() ? REASON_MEMCG : REASON_NO_MEMORY;
		return;
	}
	if (conf->limit != UINT64_MAX) {
		uint64_t taken = plan_taken(eager_bytes);
		uint64_t own = conf->limit > taken ? conf->limit - taken : 0;

		if (own < left) {
			left = own;
			ret_plan->binds = REASON_BUDGET;
		}
	}
	for (size_t i = sizes->n; i-- > 0;)
		if (sizes->bytes[i] <= wanted && sizes->bytes[i] >= GRANULE &&
		    (sizes->bytes[i] == wanted || (!only && sizes->bytes[i] == sizes->default_bytes)))
			add_rung(ret_plan, like, sizes->bytes[i], bytes, &left);
}

/* Surplus pages have to be found first, so they are not counted. */
uint64_t plan_spare(size_t page_bytes)
{
	struct policy policy;
	struct pool pool;

	if (plan_charged_to_memory() || pool_read("", page_bytes, &pool) != 0 || pool.impossible ||
	    policy_read("", &policy) != 0 || policy.narrowed)
		return 0;
	return pool.free > pool.reserved ? pool.free - pool.reserved : 0;
}

void plan_freeze(void)
{
	lock_take(&facts.lock);
}

void plan_thaw(void)
{
	lock_drop(&facts.lock);
}

void plan_renew(void)
{
	lock_renew(&facts.lock);
}
