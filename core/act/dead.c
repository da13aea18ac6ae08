/* SPDX-License-Identifier: MIT */
/*
 * dead.c - a list of pages with a bit for each base page
 *
 * Short and slow on purpose: such pages are few, and only unmapping asks.
 * A page that finds no memory for its bits stays mapped until its mapping goes.
 */
#include "core/act/dead.h"

#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"

struct dead_page {
	uintptr_t at;
	size_t bytes;
	size_t left;		/* base pages still alive */
	uint64_t *bits;		/* set: dead */
};

static struct {
	struct lock lock;	/* guards pages; memory is mapped under it, no other lock */
	struct blob pages;	/* struct dead_page[] */
} dead = { .lock = LOCK_INIT(LOCK_DEAD) };

static size_t count(void)
{
	return dead.pages.bytes / sizeof(struct dead_page);
}

static struct dead_page *entry(size_t i)
{
	return (struct dead_page *)dead.pages.at + i;
}

static size_t bits_bytes(size_t page_bytes)
{
	return align_up(page_bytes / mem_page_bytes() / 8, mem_page_bytes());
}

static void drop(size_t i)
{
	mem_pages_free(entry(i)->bits, bits_bytes(entry(i)->bytes));
	*entry(i) = *entry(count() - 1);
	dead.pages.bytes -= sizeof(struct dead_page);
}

/* The index of the page, made when it isn't there; count() when it can't be. */
static size_t find(uintptr_t at, size_t bytes)
{
	struct dead_page fresh = { .at = at, .bytes = bytes, .left = bytes / mem_page_bytes() };

	for (size_t i = 0; i < count(); i++)
		if (entry(i)->at == at)
			return i;
	fresh.bits = mem_pages(bits_bytes(bytes));
	if (!fresh.bits)
		return count();
	if (blob_add(&dead.pages, &fresh, sizeof(fresh)) != 0) {
		mem_pages_free(fresh.bits, bits_bytes(bytes));
		return count();
	}
	return count() - 1;
}

static void mark(struct dead_page *p, uintptr_t lo, uintptr_t hi)
{
	for (uintptr_t at = lo; at < hi; at += mem_page_bytes()) {
		size_t n = (at - p->at) / mem_page_bytes();
		uint64_t bit = (uint64_t)1 << (n % 64);

		p->left -= !(p->bits[n / 64] & bit);
		p->bits[n / 64] |= bit;
	}
}

bool dead_note(uintptr_t page, size_t page_bytes, uintptr_t lo, uintptr_t hi)
{
	bool all = false;
	size_t i;

	lock_take(&dead.lock);
	i = find(page, page_bytes);
	if (i < count()) {
		mark(entry(i), lo, hi);
		all = entry(i)->left == 0;
		if (all)
			drop(i);
	}
	lock_drop(&dead.lock);
	return all;
}

void dead_forget(uintptr_t lo, uintptr_t hi)
{
	if (!__atomic_load_n(&dead.pages.bytes, __ATOMIC_RELAXED))
		return;
	lock_take(&dead.lock);
	for (size_t i = count(); i-- > 0;)
		if (entry(i)->at >= lo && entry(i)->at < hi)
			drop(i);
	lock_drop(&dead.lock);
}

/* Takes the page off the list; false: it isn't there, or somebody is at the list. */
static bool take(uintptr_t page, struct dead_page *ret_page)
{
	bool found = false;

	if (!__atomic_load_n(&dead.pages.bytes, __ATOMIC_RELAXED) || !lock_try(&dead.lock))
		return false;
	for (size_t i = count(); i-- > 0 && !found;) {
		if (entry(i)->at != page)
			continue;
		*ret_page = *entry(i);
		*entry(i) = *entry(count() - 1);
		dead.pages.bytes -= sizeof(struct dead_page);
		found = true;
	}
	lock_drop(&dead.lock);
	return found;
}

static bool is_dead(const struct dead_page *p, uintptr_t at)
{
	size_t n = (at - p->at) / mem_page_bytes();

	return p->bits[n / 64] >> (n % 64) & 1;
}

void dead_unmap(uintptr_t page)
{
	struct dead_page p;

	if (!take(page, &p))
		return;
	for (uintptr_t at = p.at, end; at < p.at + p.bytes; at = end) {
		const bool gone = is_dead(&p, at);

		end = at + mem_page_bytes();
		while (end < p.at + p.bytes && is_dead(&p, end) == gone)
			end += mem_page_bytes();
		if (gone)
			sys_munmap(at, end - at);
	}
	mem_pages_free(p.bits, bits_bytes(p.bytes));
}

void dead_freeze(void)
{
	lock_take(&dead.lock);
}

void dead_thaw(void)
{
	lock_drop(&dead.lock);
}

void dead_renew(void)
{
	lock_renew(&dead.lock);
}
