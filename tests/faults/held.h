/* SPDX-License-Identifier: MIT */
/*
 * held.h - what a process holds, before and after a call that failed half way
 *
 * Bytes of address space, huge pages, descriptors, what HUGETLB_LIMIT counts, and
 * claims: nothing of it may stay behind. The records of core itself grow when they
 * are first used, which is why all calls are failed once before anybody looks.
 */
#ifndef HRESV_TESTS_FAULTS_HELD_H
#define HRESV_TESTS_FAULTS_HELD_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/act/pagemap.h"
#include "core/act/place.h"
#include "core/act/promote.h"
#include "core/act/slack.h"
#include "core/act/stats.h"
#include "core/base/lock.h"
#include "core/base/mem.h"
#include "core/base/sys.h"
#include "tests/harness/faults.h"
#include "tests/harness/harness.h"
#include "tests/harness/memory.h"
#include "tests/harness/pool.h"

#define PAGE (2 * MIB)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

struct held {
	size_t mapped, words, claims, descriptors, masked;
	unsigned long in_use, reserved;
	uint64_t counted;
};

/* All of the address space but for the stack and libc's heap, which are not core's. */
static inline size_t held_mapped(void)
{
	static char line[4096];
	unsigned long lo, hi;
	size_t bytes = 0;
	FILE *f;

	mem_drop_spare();
	f = fopen("/proc/self/maps", "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strstr(line, "[heap]") && !strstr(line, "[stack]") &&
		    sscanf(line, "%lx-%lx", &lo, &hi) == 2)
			bytes += hi - lo;
	if (f)
		fclose(f);
	return bytes;
}

static inline size_t held_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static inline void held_words(size_t *ret_words, size_t *ret_claims)
{
	*ret_words = *ret_claims = 0;
	for (size_t i = 0; i < PAGEMAP_TOP_WORDS; i++)
		for (size_t n = 0; pagemap_top[i] && n < PAGEMAP_LEAF_WORDS; n++) {
			/* PAGE_SPLIT may stay: a mark too much costs a detour (move.c). */
			*ret_words += pagemap_top[i][n] != 0 &&
				      word_kind(pagemap_top[i][n]) != PAGE_SPLIT;
			*ret_claims += (pagemap_top[i][n] & (WORD_CLAIMED | WORD_WAITED)) != 0;
		}
}

static inline size_t held_masked(void)
{
	sigset_t set;
	size_t n = 0;

	sigprocmask(SIG_BLOCK, NULL, &set);
	for (int i = 1; i < NSIG; i++)
		n += sigismember(&set, i) == 1;
	return n;
}

static inline struct held held_now(void)
{
	struct held h = { .counted = stats_held() };

	slack_hold();		/* with the first words, and for good */
	held_words(&h.words, &h.claims);
	h.descriptors = held_descriptors();
	h.masked = held_masked();
	h.in_use = pool_total(PAGE) - pool_free(PAGE);
	h.reserved = pool_resv(PAGE);
	h.mapped = held_mapped();
	return h;
}

/* Which call was it? For the line that says what went wrong. */
static inline void held_tell(const char *what, int nth, int err)
{
	fprintf(stderr, "# %s: call %d (number %ld) failed with %s\n", what, nth, faults_failed(),
		strerror(err));
}

/* The list of candidates for promotion, as long as it ever gets; and answers that are kept. */
static inline void held_grow_records(void)
{
	place_moves(PAGE);
	for (uintptr_t i = 1; i < 1100; i++)
		promote_note(2 * i * PAGE, (2 * i + 1) * PAGE);
}

static bool held_warming;

/*
 * Records that core keeps, as buffers for files it reads again, grow by a page now
 * and then; what leaks in each round soon is more than that.
 */
static inline bool held_leaks(const struct held *before, const struct held *now)
{
	enum { RECORDS_MOST = 16 * 4096 };
	static size_t grown;

	if (held_warming || now->mapped <= before->mapped)
		return now->mapped < before->mapped && !held_warming;
	grown += now->mapped - before->mapped;
	return grown > RECORDS_MOST;
}

/* As it was. */
static inline void held_expect(const struct held *before, const char *what, int nth, int err)
{
	const struct held now = held_now();

	const bool leaks = held_leaks(before, &now);

	if (now.claims || now.counted != before->counted || now.masked != before->masked ||
	    now.words != before->words || now.descriptors != before->descriptors ||
	    gate_role() != GATE_OUTSIDE || leaks ||
	    now.in_use != before->in_use || now.reserved != before->reserved)
		held_tell(what, nth, err);
	EXPECT_EQ(now.claims, 0);
	EXPECT_EQ(now.words, before->words);
	EXPECT_EQ(now.counted, before->counted);
	EXPECT_EQ(now.descriptors, before->descriptors);
	EXPECT_EQ(now.masked, before->masked);
	EXPECT_EQ(gate_role(), GATE_OUTSIDE);
	if (leaks)
		EXPECT_EQ(now.mapped, before->mapped);
	EXPECT_EQ(now.in_use, before->in_use);
	EXPECT_EQ(now.reserved, before->reserved);
}

/* A call that never ends would make a loop without end of the test's. */
#define HELD_CALLS_MOST 400

/* Errnos that some manual page gives for some call we make; the first one warms up. */
static const int held_errnos[] = { ENOMEM, ENOMEM, EINVAL, EPERM, EAGAIN, EFAULT, EMFILE };

static inline int held_errno(size_t i)
{
	held_warming = i == 0;
	return i < sizeof(held_errnos) / sizeof(held_errnos[0]) ? held_errnos[i] : 0;
}

#define HELD_EACH_ERRNO(var) \
	for (int n_##var = 0, var; (var = held_errno((size_t)n_##var)) != 0; n_##var++)

#endif
