/* SPDX-License-Identifier: MIT */
/* differ-advice.h - madvise and its kin, locks, answers, the kernel's own access; included once */
#ifndef HRESV_TESTS_SEMANTICS_DIFFER_ADVICE_H
#define HRESV_TESTS_SEMANTICS_DIFFER_ADVICE_H

#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "tests/semantics/differ-calls.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

/* Those that matter most stand several times. */
static const int advices[] = {
	MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_DONTNEED, MADV_FREE,
	MADV_FREE, MADV_FREE, MADV_REMOVE, MADV_REMOVE, MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL,
	MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTFORK,
	MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_DONTDUMP, MADV_DODUMP,
	MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_MERGEABLE, MADV_UNMERGEABLE,
	MADV_DONTNEED_LOCKED, MADV_COLLAPSE, GUARD_INSTALL, GUARD_INSTALL, GUARD_REMOVE,
	GUARD_REMOVE, 5, 26, 99, -1,
};

static int draw_advice(struct self *s)
{
	return advices[below(s, sizeof(advices) / sizeof(advices[0]))];
}

/* Guards are kept in page tables: a huge page would have to be split for them. */
static bool is_promised_of_segments(int advice, size_t page, size_t n)
{
	if (advice != GUARD_INSTALL)
		return true;
	for (size_t i = page; i < page + n; i++)
		if (pages[i].type == TYPE_SEGMENT)
			return false;
	return true;
}

static bool drops_content(int advice)
{
	return advice == MADV_DONTNEED || advice == MADV_DONTNEED_LOCKED || advice == GUARD_INSTALL;
}

static bool may_part(int advice)
{
	return !drops_content(advice) && advice != MADV_FREE && advice != MADV_WILLNEED &&
	       advice != MADV_REMOVE && advice != MADV_COLD && advice != MADV_PAGEOUT;
}

/* @went: it succeeded, or said ENOMEM for holes and did the rest. */
static void advised(struct self *s, size_t page, size_t n, int advice, bool went)
{
	if (drops_content(advice) && went)
		for (size_t i = page; i < page + n; i++)
			if (pages[i].type == TYPE_PRIVATE)
				pages[i].loose = false;
	if (may_part(advice))
		model_part(s, page, n);
}

static void call_advise(struct self *s)
{
	int advice = draw_advice(s);
	size_t page, n, bytes;
	bool went;

	draw_range(s, &page, &n);
	bytes = draw_bytes(s, n);
	/* Whether a THP can be had is nobody's promise; what it costs is 1 ms each. */
	if (advice == MADV_COLLAPSE)
		n = clipped(n, 2 * GRANULE_PAGES), bytes = n * PAGE;
	if (!is_promised_of_segments(advice, page, n)) {
		skipped(s);
		return;
	}
	note(s, "madvise(%zu, %zu bytes, %d)", page, bytes, advice);
	if (advice == MADV_FREE)
		model_loosen(s, page, n);
	done(s, madvise(page_at(page), bytes, advice));
	went = s->record->result == 0 || s->record->error == ENOMEM;
	if (advice == MADV_COLLAPSE)
		done(s, 0);
	advised(s, page, n, advice, went);
	touch_ends(s, page, n);
}

static void call_posix_advise(struct self *s)
{
	int advice = (int)below(s, 7);
	size_t page, n;

	draw_range(s, &page, &n);
	note(s, "posix_madvise(%zu, %zu pages, %d)", page, n, advice);
	/* The error is the result here, and errno nobody's business. */
	done(s, posix_madvise(page_at(page), n * PAGE, advice));
	model_part(s, page, n);
	touch_ends(s, page, n);
}

static void call_process_advise(struct self *s)
{
	static const int some[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_DONTNEED,
				    MADV_DONTNEED, GUARD_INSTALL, GUARD_REMOVE, MADV_NOHUGEPAGE };
	int advice = some[below(s, sizeof(some) / sizeof(some[0]))];
	size_t page[2], n[2];
	struct iovec at[2];

	for (int i = 0; i < 2; i++) {
		draw_range(s, &page[i], &n[i]);
		at[i] = (struct iovec){ page_at(page[i]), n[i] * PAGE };
	}
	if (!is_promised_of_segments(advice, page[0], n[0]) ||
	    !is_promised_of_segments(advice, page[1], n[1])) {
		skipped(s);
		return;
	}
	note(s, "process_madvise(self, {%zu, %zu} {%zu, %zu} pages, %d)", page[0], n[0], page[1],
	     n[1], advice);
	done(s, process_madvise(s->pidfd, at, 2, advice, 0));
	for (int i = 0; i < 2; i++) {
		advised(s, page[i], n[i], advice, s->record->result == (int64_t)(n[0] + n[1]) * 4096);
		touch_ends(s, page[i], n[i]);
	}
}

static void call_lock(struct self *s)
{
	unsigned how = (unsigned)below(s, 5);
	size_t page, n;

	draw_range(s, &page, &n);
	note(s, "%s(%zu, %zu pages)",
	     how == 0 ? "mlock" : how == 1 ? "mlock2 onfault" : "munlock", page, n);
	if (how == 0)
		done(s, mlock(page_at(page), n * PAGE));
	else if (how == 1)
		done(s, mlock2(page_at(page), n * PAGE, MLOCK_ONFAULT));
	else
		done(s, munlock(page_at(page), n * PAGE));
	if (how < 2)
		model_lock(page, n);
	model_part(s, page, n);
	touch_ends(s, page, n);
}

static void call_sync(struct self *s)
{
	static const int flags[] = { MS_ASYNC, MS_SYNC, MS_INVALIDATE, MS_ASYNC | MS_INVALIDATE,
				     MS_ASYNC | MS_SYNC, 0, 64 };
	int how = flags[below(s, sizeof(flags) / sizeof(flags[0]))];
	size_t page, n, bytes;

	draw_range(s, &page, &n);
	bytes = draw_bytes(s, n);
	note(s, "msync(%zu, %zu bytes, %d)", page, bytes, how);
	done(s, msync(page_at(page), bytes, how));
}

/* Promised: what was just written is there, and a byte for each 4 KiB. */
static void call_in_core(struct self *s)
{
	static _Thread_local unsigned char there[ARENA_PAGES + 1];
	size_t page, n;
	bool written;

	draw_range(s, &page, &n);
	touch_settle(s, page, 1);
	written = touch_word(s, page, 7, s->step);
	memset(there, 0xaa, n + 1);
	note(s, "mincore(%zu, %zu pages)", page, n);
	done(s, mincore(page_at(page), n * PAGE, there));
	if (s->record->result == 0)
		touch_add(s, (written && !(there[0] & 1)) || there[n - 1] == 0xaa || there[n] != 0xaa);
	else
		touch_add(s, there[n] != 0xaa);
}

long mbind(void *at, unsigned long bytes, int mode, const unsigned long *nodes,
	   unsigned long most, unsigned flags) __attribute__((weak));

static void call_bind(struct self *s)
{
	const unsigned long nodes = 1;
	int mode = chance(s, 50) ? 0 : 2 + (int)below(s, 2);	/* default, bind, interleave */
	size_t page, n;

	draw_range(s, &page, &n);
	note(s, "mbind(%zu, %zu pages, %d)", page, n, mode);
	if (mbind)
		done(s, mbind(page_at(page), n * PAGE, mode, mode ? &nodes : NULL, mode ? 8 : 0, 0));
	else
		done(s, syscall(SYS_mbind, page_at(page), n * PAGE, mode, mode ? &nodes : NULL,
				mode ? 8 : 0, 0));
	model_part(s, page, n);
	touch_ends(s, page, n);
}

static void call_remap_file(struct self *s)
{
	size_t page, n, offset = below(s, 8);

	draw_range(s, &page, &n);
	/* Shared memory of ours refuses (preload/mremap.c). */
	if (!model_uniform(page, n) || pages[page].type == TYPE_SHARED ||
	    pages[page].type == TYPE_SEGMENT) {
		skipped(s);
		return;
	}
	note(s, "remap_file_pages(%zu, %zu pages, %zu)", page, n, offset);
	done(s, remap_file_pages(page_at(page), n * PAGE, 0, offset, 0));
	if (s->record->result == 0)
		model_part(s, page, n);
	touch_ends(s, page, n);
}

static void call_name(struct self *s)
{
	size_t page, n;

	draw_range(s, &page, &n);
	note(s, "prctl(PR_SET_VMA, %zu, %zu pages)", page, n);
	done(s, prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, page_at(page), n * PAGE, "differ"));
	model_part(s, page, n);
}

/* Segments ------------------------------------------------------------------------ */

static void call_attach(struct self *s)
{
	size_t page, n;
	void *at;
	int id;

	draw_range(s, &page, &n);
	page -= page % GRANULE_PAGES;
	n = clipped(n, s->hi - page);
	n = n < GRANULE_PAGES ? n : n - n % GRANULE_PAGES;
	if (model_cuts(page, n)) {
		skipped(s);
		return;
	}
	note(s, "shmat(%zu, %zu pages)", page, n);
	id = shmget(IPC_PRIVATE, n * PAGE, 0600 | IPC_CREAT);
	if (id < 0) {
		done(s, -1);
		return;
	}
	at = shmat(id, page_at(page), SHM_REMAP);
	done(s, placed(at));
	shmctl(id, IPC_RMID, NULL);
	if (at == page_at(page))
		model_map(s, page, n, n < GRANULE_PAGES ? TYPE_SHARED : TYPE_SEGMENT,
			  PROT_READ | PROT_WRITE);
	touch_ends(s, page, n);
}

static void call_detach(struct self *s)
{
	size_t page = draw_page(s);

	if (chance(s, 80))
		page -= page % GRANULE_PAGES;
	note(s, "shmdt(%zu)", page);
	done(s, shmdt(page_at(page)));
	if (s->record->result)
		return;
	/* Which parts of it went, the kernel alone remembers. */
	for (size_t i = s->lo; i < s->hi; i++)
		if ((pages[i].type == TYPE_SHARED || pages[i].type == TYPE_SEGMENT) &&
		    msync(page_at(i), PAGE, MS_ASYNC))
			model_unmap(i, 1);
}

#endif
