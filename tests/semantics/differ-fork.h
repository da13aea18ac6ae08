/* SPDX-License-Identifier: MIT */
/*
 * differ-fork.h - a step that forks: parent and child write at the same time, and each
 *                 sees its own; included once, by prog-differ.c
 *
 * Nothing is shared and large where this step is drawn: a page that two processes share
 * is never split, and calls on a part of it are answered otherwise (ARCHITECTURE.md 5).
 */
#ifndef HRESV_TESTS_SEMANTICS_DIFFER_FORK_H
#define HRESV_TESTS_SEMANTICS_DIFFER_FORK_H

#include <sys/wait.h>

#include "tests/semantics/differ-access.h"

#define FILLED_MOST 24

/* What is private alone: of the rest, who comes first would be seen by the other. */
static void fill_private(struct self *s, size_t page, size_t n, size_t apart, uint64_t key)
{
	size_t filled = 0;

	for (size_t i = page; i < page + n && filled < FILLED_MOST; i += apart) {
		if (pages[i].type != TYPE_PRIVATE)
			continue;
		filled++;
		if (touch_fill(s, i, key + i)) {
			pages[i].loose = false;
		} else {
			touch_add(s, s->fault_at - ARENA_AT);
			touch_add(s, (uint64_t)s->fault_code);
		}
	}
}

/* A call in the child is nobody else's business. */
static void call_in_child(struct self *s, unsigned kind, size_t page, size_t n)
{
	char *at = page_at(page);
	long got;

	if (model_cuts(page, n))
		return;
	if (kind == 0)
		got = munmap(at, n * PAGE);
	else if (kind == 1)
		got = mprotect(at, n * PAGE, PROT_READ);
	else if (kind == 2)
		got = madvise(at, n * PAGE, MADV_DONTNEED);
	else
		return;
	touch_add(s, (uint64_t)got);
	touch_add(s, got ? (uint64_t)errno : 0);
	if (kind == 2)
		model_tighten(page, n);
	touch_ends(s, page, n);
}

static void look_about(struct self *s, size_t page, size_t n, size_t apart)
{
	for (size_t i = page; i < page + n && i < page + 48 * apart; i += apart)
		touch_look(s, i);
}

static _Noreturn void be_child(struct self *s, size_t page, size_t n, size_t apart, unsigned kind,
			       int say)
{
	struct record mine = { 0 };
	size_t inner = page + n / 3, part = n / 2 ? n / 2 : 1;

	s->note = NULL;
	s->record = &mine;
	look_about(s, page, n, apart);
	fill_private(s, page, n, apart, UINT64_C(0x5151) << 32 | s->step);
	call_in_child(s, kind, inner, part < page + n - inner ? part : page + n - inner);
	look_about(s, page, n, apart);
	_exit(write(say, &mine.hash, sizeof(mine.hash)) != sizeof(mine.hash));
}

static void call_fork(struct self *s)
{
	size_t page, n, apart = 1 + below(s, 40);
	unsigned kind = (unsigned)below(s, 5);
	uint64_t hash = 0;
	int ends[2], status = -1;
	pid_t child;

	draw_range(s, &page, &n);
	note(s, "fork, both write %zu, %zu pages, each %zuth; call %u", page, n, apart, kind);
	if (pipe2(ends, O_CLOEXEC) != 0)
		exit(76);
	child = fork();
	if (child == 0)
		be_child(s, page, n, apart, kind, ends[1]);
	done(s, child < 0 ? -1 : 0);
	fill_private(s, page, n, apart, UINT64_C(0xacac) << 32 | s->step);
	close(ends[1]);
	if (child > 0) {
		touch_add(s, (uint64_t)read(ends[0], &hash, sizeof(hash)));
		touch_add(s, hash);
		waitpid(child, &status, 0);
		touch_add(s, (uint64_t)status);
	}
	close(ends[0]);
	look_about(s, page, n, apart);
}

#endif
