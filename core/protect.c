/* SPDX-License-Identifier: MIT */
/*
 * protect.c - mprotect on memory of ours, and address space that is committed
 *
 * The kernel changes the protection of a range mapping by mapping, front to
 * back, and stops at the first error with what came before changed. So do we,
 * run by run of the page map: an unmapped hole is ENOMEM at the same place.
 *
 * A run that has the protection already is left alone, so the page across its
 * end need not be split for nothing.
 */
#include <errno.h>
#include <sys/mman.h>

#include "core/act/cut.h"
#include "core/act/pagemap.h"
#include "core/base/align.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "core/commit.h"
#include "core/route.h"

#define PROT_PLAIN (PROT_READ | PROT_WRITE | PROT_EXEC)
#ifndef PROT_SEM
#define PROT_SEM 8		/* means nothing, and is allowed */
#endif

struct change {
	int prot;
	int pkey;		/* -1: mprotect, which leaves the key as it is */
};

static long call(uintptr_t lo, uintptr_t hi, const struct change *c)
{
	if (c->pkey >= 0)
		return sys_pkey_mprotect(lo, hi - lo, c->prot, c->pkey);
	return sys_mprotect(lo, hi - lo, c->prot);
}

/* What may only be executed has a key of the kernel's own, where there are keys. */
static page_word changed(page_word word, const struct change *c)
{
	int key = c->pkey;

	if (key < 0)
		key = c->prot == PROT_EXEC ? 0 : word_pkey(word);
	return word_with_pkey(word_with_prot(word, c->prot), key);
}

static void set_inside(uintptr_t lo, uintptr_t hi, page_word word)
{
	uintptr_t from = align_up(lo, word_page_bytes(word));
	uintptr_t to = align_down(hi, word_page_bytes(word));

	if (from < to)
		pagemap_set(from, to, word);
}

/*
 * The program's own: by the kernel's rules, a cut page is EINVAL. The word follows,
 * as fork and the net dress the small pages that replace it by what it says.
 */
static long change_guarded(uintptr_t lo, uintptr_t hi, page_word word, const struct change *c)
{
	long err = call(lo, hi, c);

	if (!err)
		set_inside(lo, hi, changed(word, c));
	return err;
}

/* A run of huge pages of one kind; [lo, hi) may begin and end inside a page. */
static long change_huge(uintptr_t lo, uintptr_t hi, page_word word, const struct change *c)
{
	const page_word target = changed(word, c);
	long err;

	if (target == word)
		return 0;
	/* Text that is patched: fork counts on it that nobody writes to what is huge. */
	if (word_is_image(word) && (c->prot & PROT_WRITE) && !(word_prot(word) & PROT_WRITE))
		return cut_all(lo, hi, REASON_DEMOTED_MPROTECT) == 0 ? call(lo, hi, c) : -ENOMEM;
	err = cut_at(lo, 0, 0, REASON_DEMOTED_MPROTECT);
	if (!err)
		err = cut_at(hi, 0, 0, REASON_DEMOTED_MPROTECT);
	if (err)
		return -ENOMEM;
	err = call(lo, hi, c);
	if (!err)
		set_inside(lo, hi, target);
	return err;
}

static long change_run(uintptr_t lo, uintptr_t hi, page_word word, const struct change *c)
{
	if (word_is_huge_ours(word))
		return change_huge(lo, hi, word, c);
	if (word_kind(word) == PAGE_GUARDED)
		return change_guarded(lo, hi, word, c);
	if (word_kind(word) == PAGE_RESERVED && c->pkey < 0)
		return commit_reserved(lo, hi, word, c->prot);
	if (word_kind(word) == PAGE_SMALL && word_prot(word) != c->prot)
		cut_forget_small(lo, hi);
	if (word_kind(word) == PAGE_RESERVED)
		cut_forget_small(lo, hi);
	return call(lo, hi, c);
}

/*
 * Bits of some processors (arm64's BTI and MTE), and keys, which must be the program's:
 * asked about a page of its own.
 */
static long ask_about(const struct change *c)
{
	const size_t page = mem_page_bytes();
	long at = sys_mmap(0, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), err;

	if (sys_failed(at))
		return -ENOMEM;
	err = call((uintptr_t)at, (uintptr_t)at + page, c);
	sys_munmap((uintptr_t)at, page);
	return err;
}

/* What a word can't say, small pages have: all of ours becomes small, and the kernel's business. */
static long change_all(uintptr_t lo, uintptr_t hi, const struct change *c)
{
	page_word word;
	long err;

	if (cut_all(lo, hi, REASON_DEMOTED_MPROTECT) != 0)
		return -ENOMEM;
	cut_forget_small(lo, hi);
	err = call(lo, hi, c);
	for (uintptr_t at = lo, end; !err && at < hi; at = end) {
		end = pagemap_run(at, hi, &word);
		if (word_kind(word) == PAGE_GUARDED)
			set_inside(at, end, changed(word, c));
	}
	return err;
}

static long change_runs(uintptr_t lo, uintptr_t hi, const struct change *c)
{
	page_word word;
	long err = 0;

	for (uintptr_t end; lo < hi && !err; lo = end) {
		end = pagemap_run(lo, hi, &word);
		err = change_run(lo, end, word, c);
	}
	return err;
}

static long change(uintptr_t lo, uintptr_t hi, const struct change *c)
{
	const bool is_plain = !(c->prot & ~PROT_PLAIN);
	long err = is_plain && c->pkey < 0 ? 0 : ask_about(c);

	if (err == -EINVAL)
		return call(lo, hi, c);		/* as it will say here */
	if (err)
		return -ENOMEM;
	return is_plain ? change_runs(lo, hi, c) : change_all(lo, hi, c);
}

long route_protect(uintptr_t at, size_t bytes, int prot, int pkey)
{
	const struct change c = { .prot = prot & ~PROT_SEM, .pkey = pkey };
	const size_t page = mem_page_bytes();
	uintptr_t hi = at + align_up(bytes, page);
	struct claim claim;
	struct quiet q;
	page_word word;
	long err;

	if (!is_aligned(at, page) || align_up_overflows(bytes, page) || hi <= at ||
	    (prot & (PROT_GROWSDOWN | PROT_GROWSUP)))
		return pkey < 0 ? sys_mprotect(at, bytes, prot) :
				  sys_pkey_mprotect(at, bytes, prot, pkey);
	if (pkey < 0 && !(c.prot & ~PROT_PLAIN) && pagemap_is_settled(at, hi, &word) && changed(word, &c) == word)
		return 0;
	gate_enter(&q);
	claim = pagemap_claim(at, hi);
	err = change(at, hi, &c);
	pagemap_unclaim(&claim);
	gate_leave(&q);
	return err;
}
