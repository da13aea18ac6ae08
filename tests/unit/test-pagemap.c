/* SPDX-License-Identifier: MIT */
/* The page map: runs across leaves, claims that exclude, words that are taken back. */
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "core/act/pagemap.h"
#include "core/base/lock.h"
#include "tests/harness/harness.h"

#define LEAF ((uintptr_t)GRANULE << PAGEMAP_LEAF_BITS)
#define BASE (LEAF * 5)
#define RW (PROT_READ | PROT_WRITE)

static page_word a_word(int prot)
{
	return word_make(PAGE_PRIVATE, prot, GRANULE, 0);
}

TEST(pagemap_word_gives_back_what_it_was_made_of)
{
	page_word w = word_make(PAGE_GUARDED, PROT_READ | PROT_EXEC, GIB, 3);

	EXPECT_EQ(word_kind(w), PAGE_GUARDED);
	EXPECT_EQ(word_prot(w), PROT_READ | PROT_EXEC);
	EXPECT_EQ(word_page_bytes(w), GIB);
	EXPECT_EQ(word_use(w), 3);
	EXPECT_EQ(word_prot(word_with_prot(w, PROT_WRITE)), PROT_WRITE);
	EXPECT_EQ(word_page_bytes(word_with_prot(w, PROT_WRITE)), GIB);
}

TEST(pagemap_of_a_fresh_process_is_empty)
{
	page_word word;

	EXPECT_FALSE(pagemap_any(0, UINTPTR_MAX));
	EXPECT_EQ(pagemap_get(UINTPTR_MAX), 0);
	EXPECT_EQ(pagemap_get(0), 0);
	EXPECT_EQ(pagemap_run(0, (uintptr_t)1 << 40, &word), (uintptr_t)1 << 40);
	EXPECT_EQ(word, 0);
	pagemap_set(BASE, BASE + GRANULE, 0);	/* of what has no word */
}

TEST(pagemap_settled_is_huge_ours_of_one_word_and_unclaimed)
{
	uintptr_t lo = BASE - 3 * GRANULE, hi = BASE + 2 * GRANULE;
	struct claim claim;
	page_word word = 0;

	EXPECT_FALSE(pagemap_is_settled(lo, hi, &word));
	REQUIRE_EQ(pagemap_prepare(lo, hi), 0);
	pagemap_set(lo, hi, a_word(RW));
	EXPECT_TRUE(pagemap_is_settled(lo + 5, hi, &word));
	EXPECT_EQ(word, a_word(RW));
	EXPECT_FALSE(pagemap_is_settled(lo, hi + 1, &word));
	claim = pagemap_claim(BASE, BASE + GRANULE);
	EXPECT_FALSE(pagemap_is_settled(lo, hi, &word));
	EXPECT_FALSE(pagemap_is_settled(BASE, BASE + 1, &word));
	EXPECT_TRUE(pagemap_is_settled(lo, BASE, &word));
	pagemap_unclaim(&claim);
	EXPECT_TRUE(pagemap_is_settled(lo, hi, &word));
	pagemap_set(BASE, BASE + GRANULE, a_word(PROT_READ));
	EXPECT_FALSE(pagemap_is_settled(lo, hi, &word));
	pagemap_set(lo, hi, word_make(PAGE_SMALL, RW, 4096, 0));
	EXPECT_FALSE(pagemap_is_settled(lo, hi, &word));
}

TEST(pagemap_run_crosses_leaves_and_ends_where_the_word_does)
{
	uintptr_t lo = BASE - 3 * GRANULE, hi = BASE + 2 * GRANULE;
	page_word word;

	REQUIRE_EQ(pagemap_prepare(lo, hi), 0);
	pagemap_set(lo, hi, a_word(RW));
	EXPECT_EQ(pagemap_run(lo, hi + LEAF, &word), hi);
	EXPECT_EQ(word, a_word(RW));
	EXPECT_EQ(pagemap_run(lo + 5, lo + 7, &word), lo + 7);
	EXPECT_EQ(pagemap_run(lo + 5, hi - 1, &word), hi - 1);
	pagemap_set(BASE, BASE + GRANULE, a_word(PROT_READ));
	EXPECT_EQ(pagemap_run(lo, hi, &word), BASE);
	EXPECT_EQ(pagemap_run(BASE, hi, &word), BASE + GRANULE);
	EXPECT_EQ(word_prot(word), PROT_READ);
	EXPECT_EQ(pagemap_run(0, hi, &word), lo);
	EXPECT_TRUE(pagemap_any(lo - 1, lo + 1));
	EXPECT_FALSE(pagemap_any(0, lo));
	EXPECT_FALSE(pagemap_any(hi, hi + 3 * LEAF));
}

TEST(pagemap_has_no_word_beyond_the_address_space)
{
	EXPECT_EQ(pagemap_prepare((uintptr_t)1 << 60, ((uintptr_t)1 << 60) + GRANULE), -ENOMEM);
	EXPECT_FALSE(pagemap_any((uintptr_t)1 << 60, UINTPTR_MAX));
}

TEST(pagemap_claim_is_widened_to_whole_pages)
{
	uintptr_t lo = BASE + 4 * GIB;
	struct claim c;

	REQUIRE_EQ(pagemap_prepare(lo, lo + GIB), 0);
	pagemap_set(lo, lo + GIB, word_make(PAGE_PRIVATE, RW, GIB, 0));
	c = pagemap_claim(lo + 5 * GRANULE, lo + 5 * GRANULE + 1);
	EXPECT_EQ(c.lo, lo);
	EXPECT_EQ(c.hi, lo + GIB);
	EXPECT_TRUE(pagemap_get(lo + GIB - 1) & WORD_CLAIMED);
	pagemap_unclaim(&c);
	EXPECT_FALSE(pagemap_get(lo) & WORD_CLAIMED);
	c = pagemap_claim(BASE, BASE + 1);	/* nobody's: nothing is claimed */
	pagemap_unclaim(&c);
	EXPECT_EQ(pagemap_get(BASE), 0);
}

enum { THREADS = 4, ROUNDS = 20000, GRANULES = 8 };

static unsigned long inside[GRANULES], counted[GRANULES];

/* Each claims a few granules, and must be alone in all of them. */
static void *claim_often(void *seed_of)
{
	unsigned seed = *(unsigned *)seed_of;

	for (int i = 0; i < ROUNDS; i++) {
		size_t from, to;
		struct claim c;

		seed = seed * 1103515245 + 12345;
		from = (seed >> 16) % GRANULES;
		to = from + 1 + (seed >> 24) % (GRANULES - from);
		c = pagemap_claim(BASE + from * GRANULE, BASE + to * GRANULE);
		for (size_t g = from; g < to; g++) {
			EXPECT_EQ(inside[g], 0);
			inside[g]++;
			counted[g]++;
		}
		for (size_t g = from; g < to; g++)
			inside[g]--;
		if (i % 3 == 0)		/* dropped by being set anew */
			pagemap_set(c.lo, c.hi, a_word(i % 2 ? RW : PROT_READ));
		pagemap_unclaim(&c);
	}
	return NULL;
}

TEST(pagemap_claims_exclude_threads_and_wake_all_who_wait)
{
	pthread_t thread[THREADS];
	unsigned seed[THREADS];

	REQUIRE_EQ(pagemap_prepare(BASE, BASE + GRANULES * GRANULE), 0);
	pagemap_set(BASE, BASE + GRANULES * GRANULE, a_word(RW));
	for (unsigned i = 0; i < THREADS; i++) {
		seed[i] = i + 1;
		pthread_create(&thread[i], NULL, claim_often, &seed[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (uintptr_t at = BASE; at < BASE + GRANULES * GRANULE; at += GRANULE)
		EXPECT_FALSE(pagemap_get(at) & (WORD_CLAIMED | WORD_WAITED));
	EXPECT_GT(counted[0], 0);
}

static unsigned walked;

static void note_run(uintptr_t lo, uintptr_t hi, page_word word, void *arg)
{
	uintptr_t *last = arg;

	EXPECT_GE(lo, *last);
	EXPECT_LT(lo, hi);
	EXPECT_EQ(word_kind(word), PAGE_PRIVATE);
	*last = hi;
	walked++;
}

TEST(pagemap_walk_visits_every_run_in_order)
{
	static const uintptr_t places[] = { BASE, BASE + 7 * LEAF, BASE + 90 * LEAF - GRANULE };
	uintptr_t last = 0;

	for (size_t i = 0; i < 3; i++) {
		REQUIRE_EQ(pagemap_prepare(places[i], places[i] + 3 * GRANULE), 0);
		pagemap_set(places[i], places[i] + 3 * GRANULE, a_word(RW));
	}
	pagemap_walk(note_run, &last);
	EXPECT_EQ(walked, 3);
}
