/* SPDX-License-Identifier: MIT */
/*
 * reserve_private.c - pages of this process alone: closed, open to the program, or lost
 *
 * What is held is mapped without access, and is nothing the page map knows. A part that is
 * mapped is opened where it lies and becomes private memory like any other; unmapped, it is
 * zeroed and closed.
 *
 * Pitfalls.
 * 1. A fork child shares what is held until reserve_renew() has unmapped it there. A
 *    page must be ours alone before it is opened, or the first write would need another one: it
 *    is proven again, and who shares it is waited for a moment.
 * 2. MADV_DONTFORK would spare that, but newer kernels refuse to take it back from
 *    huge mappings.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "core/act/backing.h"
#include "core/act/cow.h"
#include "core/act/pagemap.h"
#include "core/act/stats.h"
#include "core/act/undo.h"
#include "core/base/align.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/plan.h"
#include "core/reserve_own.h"

#define RW (PROT_READ | PROT_WRITE)
#define CHILD_PATIENCE_MS 200

static uintptr_t page_at(const struct reservation *r, size_t i)
{
	return r->at + i * r->page_bytes;
}

static void enlist(struct reservation *r)
{
	struct reserve_list *l = reserve_list();

	lock_take(&l->lock);
	r->next = l->first;
	l->first = r;
	lock_drop(&l->lock);
}

static void delist(const struct reservation *r)
{
	struct reserve_list *l = reserve_list();
	struct reservation **at = &l->first;

	lock_take(&l->lock);
	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		*at = r->next;
	lock_drop(&l->lock);
}

int reserve_private_make(const struct reserve_want *want, size_t page_bytes, struct reservation *r)
{
	const struct backing how = { .page_bytes = page_bytes, .prot = RW, .whole = true,
				     .turn_held = true, .path = plan_path(page_bytes) };
	const size_t bytes = r->pages * page_bytes;
	struct node_policy was;
	size_t got;
	int err = node_enter(&want->nodes, &was);

	if (err)
		return err;
	err = backing_make(&how, r->pages, 0, &r->at, &got);
	node_leave(&was);
	if (err)
		return err;
	err = node_bind(&want->nodes, r->at, bytes);
	if (!err)
		err = pagemap_prepare(r->at, r->at + bytes);
	if (!err)
		err = (int)sys_mprotect(r->at, bytes, PROT_NONE);
	if (err) {
		sys_munmap(r->at, bytes);
		return err;
	}
	enlist(r);
	return 0;
}

/* Are all of them in this state? Under the lock. */
static int all_are(const struct reservation *r, size_t first, size_t pages, enum page_state state)
{
	if (r->stale)
		return -ESTALE;
	for (size_t i = first; i < first + pages; i++)
		if (r->state[i] != state)
			return -EBUSY;
	return 0;
}

static int prove_alone(uintptr_t at, size_t bytes, size_t page_bytes)
{
	int err = backing_prove(at, bytes, page_bytes, false);

	for (int ms = 0; err && ms < CHILD_PATIENCE_MS; ms++) {
		sys_sleep_ns(1000000);
		err = backing_prove(at, bytes, page_bytes, false);
	}
	return err ? -EBUSY : 0;
}

static int open_part(struct reservation *r, size_t first, size_t pages, int prot)
{
	const uintptr_t at = page_at(r, first);
	const size_t bytes = pages * r->page_bytes;
	int err = all_are(r, first, pages, PAGE_HELD);

	if (!err)
		err = (int)sys_mprotect(at, bytes, RW);
	if (err)
		return err;
	err = prove_alone(at, bytes, r->page_bytes);
	if (!err && prot != RW)
		err = (int)sys_mprotect(at, bytes, prot);
	if (err) {
		sys_mprotect(at, bytes, PROT_NONE);
		return err;
	}
	pagemap_set(at, at + bytes, word_make(PAGE_PRIVATE, prot, r->page_bytes, USE_MMAP));
	memset(r->state + first, PAGE_OPEN, pages);
	return 0;
}

long reserve_private_map(struct reservation *r, size_t first, size_t pages, int prot)
{
	struct reserve_list *l = reserve_list();
	int err;

	lock_take(&l->lock);
	err = open_part(r, first, pages, prot);
	lock_drop(&l->lock);
	return err ? err : (long)page_at(r, first);
}

/*
 * Zeroed and closed, if it is still the huge page it was, and nobody else's. The
 * caller has claimed it; the kernel is asked before we write, for a child may share it.
 */
static bool close_page(struct reservation *r, size_t i)
{
	const uintptr_t at = page_at(r, i);
	const page_word word = pagemap_get(at) & ~WORD_MARKS;

	if (word_kind(word) != PAGE_PRIVATE || word_page_bytes(word) != r->page_bytes ||
	    word_dressed(word) || !cow_own(at, word))
		return false;
	if (word_prot(word) != RW && sys_mprotect(at, r->page_bytes, RW) != 0)
		return false;
	if (backing_prove(at, r->page_bytes, r->page_bytes, false) != 0)
		return false;
	if (!cow_leave(at, at + r->page_bytes))
		return false;
	memset((void *)at, 0, r->page_bytes);
	pagemap_set(at, at + r->page_bytes, 0);
	return true;
}

int reserve_private_unmap(struct reservation *r, size_t first, size_t pages)
{
	struct reserve_list *l = reserve_list();
	int err;

	lock_take(&l->lock);
	err = all_are(r, first, pages, PAGE_OPEN);
	for (size_t i = first; i < first + pages && !err; i++) {
		const uintptr_t at = page_at(r, i);
		struct claim c = pagemap_claim(at, at + r->page_bytes);
		bool closed = close_page(r, i);

		pagemap_unclaim(&c);
		if (closed && sys_mprotect(at, r->page_bytes, PROT_NONE) == 0) {
			r->state[i] = PAGE_HELD;
			continue;
		}
		if (closed) {
			stats_release(r->page_bytes);
			sys_munmap(at, r->page_bytes);
		} else {
			undo_unmap(at, at + r->page_bytes, r->page_bytes);
		}
		r->state[i] = PAGE_LOST;
	}
	lock_drop(&l->lock);
	return err == -EBUSY ? -EINVAL : err;
}

int reserve_private_shrink(struct reservation *r, size_t pages)
{
	struct reserve_list *l = reserve_list();
	size_t gone = 0;
	int err = 0;

	lock_take(&l->lock);
	if (r->stale)
		err = -ESTALE;
	else if (pages > r->pages)
		err = -ERANGE;
	for (size_t i = pages; i < r->pages && !err; i++) {
		if (r->state[i] == PAGE_OPEN)
			err = -EBUSY;
		gone += r->state[i] == PAGE_HELD;
	}
	for (size_t i = pages; i < r->pages && !err; i++)
		if (r->state[i] == PAGE_HELD)
			sys_munmap(page_at(r, i), r->page_bytes);
	if (!err) {
		stats_release(gone * r->page_bytes);
		r->pages = pages;
	}
	lock_drop(&l->lock);
	return err;
}

void reserve_private_drop(struct reservation *r)
{
	delist(r);
	for (size_t i = 0; i < r->pages && !r->stale; i++) {
		if (r->state[i] != PAGE_HELD)
			continue;
		sys_munmap(page_at(r, i), r->page_bytes);
		stats_release(r->page_bytes);
	}
}

/* In a fork child: what is held is the parent's alone, and never was the program's here. */
void reserve_renew(void)
{
	struct reserve_list *l = reserve_list();

	lock_renew(&l->lock);
	for (struct reservation *r = l->first; r; r = r->next) {
		for (size_t i = 0; i < r->pages && !r->stale; i++) {
			if (r->state[i] != PAGE_HELD)
				continue;
			sys_munmap(page_at(r, i), r->page_bytes);
			stats_release(r->page_bytes);
		}
		r->stale = true;
	}
}
